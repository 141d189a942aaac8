//! Which trouble goes before which, and that every trouble ends.

use super::*;

const NOW: Micros = Micros(SILENCE_US * 10);
const NUMBER: Uuid = Uuid::from_u128(1);
const ACCOUNT: Uuid = Uuid::from_u128(2);

fn row(condition: Condition, since_sign_us: i64) -> JudgedNumber {
    JudgedNumber { id: NUMBER, account: ACCOUNT, condition, sign_time: Some(Micros(NOW.0 - since_sign_us)) }
}

fn sign(condition: Option<Condition>) -> Sign {
    Sign { number: NUMBER, condition, fresh: true, counts: Counts::default() }
}

fn rooms(room: Room) -> HashMap<Uuid, Room> {
    HashMap::from([(ACCOUNT, room)])
}

/// How a number does that did as `before`, with its last sign so long ago, where nodes said the same of its account twice, or
/// none was heard.
fn judged(before: Condition, since_sign_us: i64, said: Option<Condition>, room: Option<Room>) -> Condition {
    let rooms = room.map(rooms);
    let reach = Reach { now: rooms.as_ref(), before: rooms.as_ref() };
    condition(Some(&row(before, since_sign_us)), Some(&sign(said)), &reach, NOW)
}

#[test]
fn refused_goes_before_unreachable_and_that_before_poor() {
    use Condition::{Poor, Refused, Unreachable, Well};
    let open = Some(Room::CircuitOpen);
    assert_eq!(judged(Well, 0, Some(Refused), open), Refused);
    assert_eq!(judged(Refused, 0, None, open), Refused);
    assert_eq!(judged(Poor, 0, Some(Poor), open), Unreachable);
    assert_eq!(judged(Well, 0, None, open), Unreachable);
    assert_eq!(judged(Unreachable, 0, Some(Poor), Some(Room::Free)), Poor);
    assert_eq!(judged(Unreachable, 0, None, Some(Room::Full)), Well);
}

#[test]
fn every_trouble_ends_without_a_sign() {
    for before in [Condition::Poor, Condition::Refused, Condition::Unreachable] {
        assert_eq!(judged(before, SILENCE_US - 1, None, None), before);
        assert_eq!(judged(before, SILENCE_US, None, None), Condition::Well);
    }
}

#[test]
fn only_what_nodes_say_twice_counts() {
    let (open, free) = (rooms(Room::CircuitOpen), rooms(Room::Free));
    let (open, free) = (Some(&open), Some(&free));
    for (before, now) in [(open, free), (free, open), (None, open), (open, None)] {
        let reach = Reach { now, before };
        assert_eq!(reach.answers(ACCOUNT), None);
        for condition_before in [Condition::Well, Condition::Unreachable] {
            assert_eq!(condition(Some(&row(condition_before, 0)), None, &reach, NOW), condition_before);
        }
    }
    assert_eq!(Reach { now: open, before: open }.silent(), [ACCOUNT]);
}

#[test]
fn a_number_that_nobody_wrote_down_is_judged_by_its_ends() {
    let reach = Reach { now: None, before: None };
    assert_eq!(condition(None, Some(&sign(Some(Condition::Poor))), &reach, NOW), Condition::Poor);
    assert_eq!(condition(None, Some(&sign(None)), &reach, NOW), Condition::Well);
}

#[test]
fn a_provider_of_which_no_node_speaks_any_more_answers() {
    let others = HashMap::new();
    let reach = Reach { now: Some(&others), before: Some(&others) };
    assert_eq!(condition(Some(&row(Condition::Unreachable, 0)), None, &reach, NOW), Condition::Well);
}
