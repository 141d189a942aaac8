//! A contact's number: sticky, local, by priority, kind and weight.

use proptest::prelude::*;

use super::*;
use crate::db::Micros;
use crate::store::routes::WhenDown;

fn number(phone: &str, id: u128, account: u128) -> Number {
    Number {
        id: Uuid::from_u128(id),
        pool: Uuid::nil(),
        account: Uuid::from_u128(account),
        phone: phone.to_owned(),
        kind: 1,
        segments_per_second: 1.0,
        create_time: Micros(0),
        hold_time: Micros(0),
    }
}

fn route(account: u128, priority: i16, weight: i16, kinds: &[Kind]) -> Route {
    Route {
        id: Uuid::from_u128(account),
        account: Uuid::from_u128(account),
        priority,
        weight,
        kinds: kinds.to_vec(),
        when_down: WhenDown::Wait,
        create_time: Micros(0),
    }
}

/// Numbers of accounts, as many of each as said, all of one far area; their ids say account and number.
fn pool(accounts: &[usize]) -> Vec<Number> {
    let of = |(account, count): (usize, &usize)| {
        (0..*count).map(move |at| {
            let id = u128::try_from(account * 1_000 + at).expect("small");
            number(&format!("+1307555{:04}", account * 100 + at), id, u128::try_from(account).expect("small"))
        })
    };
    accounts.iter().enumerate().flat_map(of).collect()
}

fn account_of(id: Uuid) -> usize {
    usize::try_from(id.as_u128() / 1_000).expect("small")
}

#[test]
fn a_contact_is_texted_from_their_area_code_and_keeps_their_number() {
    let numbers =
        || vec![number("+14155552000", 1, 0), number("+12125552000", 2, 0), number("+12125552001", 3, 1)];
    let pool = Numbers::new(&numbers(), &[], Kind::Sms);
    for contact in ["+12125553000", "+12125553001", "+12125559999"] {
        let chosen = pool.for_contact(contact, None);
        assert!([Some(Uuid::from_u128(2)), Some(Uuid::from_u128(3))].contains(&chosen));
        let mut other_order = numbers();
        other_order.reverse();
        assert_eq!(Numbers::new(&other_order, &[], Kind::Sms).for_contact(contact, None), chosen);
    }
    assert!(pool.for_contact("+13035551234", None).is_some(), "no number of that area code: any will do");
    assert_eq!(Numbers::new(&[], &[], Kind::Sms).for_contact("+13035551234", None), None);
}

#[test]
fn a_conversation_keeps_its_number_while_that_may_send() {
    let numbers = [number("+14155552000", 1, 1), number("+12125552000", 2, 2)];
    let routes = [route(1, 0, 1, &Kind::ALL), route(2, 5, 1, &[Kind::Sms])];
    let talks_with = Some("+12125552000");
    let sms = Numbers::new(&numbers, &routes, Kind::Sms);
    assert_eq!(
        sms.for_contact("+14155553000", talks_with),
        Some(Uuid::from_u128(2)),
        "whatever its priority"
    );
    let mms = Numbers::new(&numbers, &routes, Kind::Mms);
    assert_eq!(mms.for_contact("+12125553000", talks_with), Some(Uuid::from_u128(1)), "it carries no MMS");
    assert_eq!(
        sms.for_contact("+14155553000", Some("+13035552000")),
        Some(Uuid::from_u128(1)),
        "not of the pool"
    );
}

#[test]
fn the_lowest_priority_that_carries_the_kind_comes_first() {
    let numbers = [number("+14155552000", 1, 1), number("+12125552000", 2, 2), number("+12125552001", 3, 3)];
    let routes = [route(1, 0, 1, &[Kind::Sms]), route(2, 1, 1, &Kind::ALL)];
    let chosen = |kind| Numbers::new(&numbers, &routes, kind).for_contact("+12125553000", None);
    assert_eq!(chosen(Kind::Sms), Some(Uuid::from_u128(1)), "priority before area code");
    assert_eq!(chosen(Kind::Mms), Some(Uuid::from_u128(2)), "an account without a route sends nothing");
    let none = Numbers::new(&numbers, &[route(1, 0, 1, &[Kind::Sms])], Kind::Mms);
    assert!(none.is_empty() && none.for_contact("+12125553000", None).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shares_follow_the_weights(
        weights in prop::collection::vec(1i16..=100, 1..5),
        counts in prop::collection::vec(1usize..30, 5),
        first in 0u64..8_000_000,
    ) {
        let numbers = pool(&counts[..weights.len()]);
        let routes: Vec<Route> =
            weights.iter().enumerate().map(|(at, weight)| route(at as u128, 0, *weight, &Kind::ALL)).collect();
        let chosen = Numbers::new(&numbers, &routes, Kind::Sms);
        let mut hits: HashMap<Uuid, f64> = HashMap::new();
        const CONTACTS: u64 = 10_000;
        for at in 0..CONTACTS {
            let phone = format!("+1212{:07}", first + at * 37);
            let id = chosen.for_contact(&phone, None).expect("a number");
            prop_assert_eq!(chosen.for_contact(&phone, None), Some(id));
            *hits.entry(id).or_default() += 1.0 / CONTACTS as f64;
        }
        let total = f64::from(weights.iter().sum::<i16>());
        for (at, weight) in weights.iter().enumerate() {
            let of: Vec<f64> = hits.iter().filter(|(id, _)| account_of(**id) == at).map(|(_, n)| *n).collect();
            let (share, wanted) = (of.iter().sum::<f64>(), f64::from(*weight) / total);
            prop_assert!((share - wanted).abs() < 0.03, "account {} has {}, not {}", at, share, wanted);
            let each = wanted / numbers.iter().filter(|number| account_of(number.id) == at).count() as f64;
            prop_assert!(of.iter().all(|one| (one - each).abs() < 0.03), "its numbers have {:?}", of);
        }
    }

    #[test]
    fn a_kind_goes_only_where_it_is_carried(
        carried in prop::collection::vec((any::<bool>(), any::<bool>(), 0i16..3, 1i16..=100), 1..5),
        phone in 2_000_000_000u64..9_999_999_999,
        talks_with in prop::option::of(0usize..8),
    ) {
        let numbers = pool(&vec![2; carried.len()]);
        let kinds = |sms, mms| -> Vec<Kind> {
            [(sms, Kind::Sms), (mms, Kind::Mms)].into_iter().filter(|(on, _)| *on).map(|(_, kind)| kind).collect()
        };
        let routes: Vec<Route> = carried
            .iter()
            .enumerate()
            .map(|(at, (sms, mms, priority, weight))| route(at as u128, *priority, *weight, &kinds(*sms, *mms)))
            .collect();
        for kind in Kind::ALL {
            let talks_with = talks_with.and_then(|at| numbers.get(at)).map(|number| number.phone.as_str());
            let chosen = Numbers::new(&numbers, &routes, kind).for_contact(&format!("+1{phone}"), talks_with);
            let carries = |route: &Route| route.kinds.contains(&kind);
            prop_assert_eq!(chosen.is_some(), routes.iter().any(carries));
            if let Some(id) = chosen {
                prop_assert!(carries(&routes[account_of(id)]));
            }
        }
    }

    #[test]
    fn what_leaves_an_account_is_spread_over_the_others_by_weight(weights in prop::collection::vec(1i16..=50, 3..5)) {
        let numbers = pool(&vec![3; weights.len()]);
        let routes: Vec<Route> =
            weights.iter().enumerate().map(|(at, weight)| route(at as u128, 0, *weight, &Kind::ALL)).collect();
        let before = Numbers::new(&numbers, &routes, Kind::Sms);
        let left = numbers.iter().filter(|number| account_of(number.id) != 0);
        let after = Numbers::new(left, &routes, Kind::Sms);
        let mut hits = vec![0.0; weights.len()];
        for at in 0..40_000u64 {
            let phone = format!("+1212{at:07}");
            if before.for_contact(&phone, None).is_some_and(|id| account_of(id) == 0) {
                hits[after.for_contact(&phone, None).map_or(0, account_of)] += 1.0;
            }
        }
        let (all, total) = (hits.iter().sum::<f64>(), f64::from(weights[1..].iter().sum::<i16>()));
        prop_assert!(hits[0] == 0.0);
        for (at, weight) in weights.iter().enumerate().skip(1) {
            let (share, wanted) = (hits[at] / all, f64::from(*weight) / total);
            prop_assert!((share - wanted).abs() < 0.05, "account {} has {}, not {}", at, share, wanted);
        }
    }
}
