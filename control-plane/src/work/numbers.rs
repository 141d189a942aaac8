//! Which of a pool's numbers a contact is texted from. Pure, and the same each time while pool and routes do not change.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use muster_domain::phone::PhoneNumber;
use uuid::Uuid;

use crate::store::numbers::Number;
use crate::store::routes::{Kind, Route};

/// The numbers of a pool that may send one kind of message.
pub(crate) struct Numbers {
    /// All of them, by phone number: who talks with one of them stays with it.
    all: HashMap<String, Uuid>,
    /// Those of the lowest priority, a group a route; all in one group where there are no routes.
    groups: Vec<Group>,
    /// What those of the lowest priority may send together.
    segments_per_second: f64,
}

struct Group {
    weight: u64,
    /// By area code, so that those of one area code stand together; then by number.
    numbers: Vec<(PhoneNumber, Uuid)>,
}

impl Group {
    /// Its numbers of an area code.
    fn local(&self, area: &str) -> &[(PhoneNumber, Uuid)] {
        let begin = self.numbers.partition_point(|(number, _)| number.area_code() < area);
        let end = self.numbers.partition_point(|(number, _)| number.area_code() <= area);
        self.numbers.get(begin..end).unwrap_or_default()
    }
}

impl Numbers {
    /// Those of `numbers` that `routes` let send messages of this kind; all of them where there are no routes.
    pub(crate) fn new<'a>(
        numbers: impl IntoIterator<Item = &'a Number>,
        routes: &[Route],
        kind: Kind,
    ) -> Self {
        let routed: HashMap<Uuid, &Route> = routes
            .iter()
            .filter(|route| route.kinds.contains(&kind))
            .map(|route| (route.account, route))
            .collect();
        let mut all = HashMap::new();
        // By priority and account, so that nothing depends on the order in which they were read.
        let mut groups: BTreeMap<(i16, Uuid), (Group, f64)> = BTreeMap::new();
        for number in numbers {
            let (key, weight) = match routed.get(&number.account) {
                Some(route) => ((route.priority, route.account), u64::from(route.weight.unsigned_abs())),
                None if routes.is_empty() => ((0, Uuid::nil()), 1),
                None => continue,
            };
            all.insert(number.phone.clone(), number.id);
            let empty = || (Group { weight, numbers: Vec::new() }, 0.0);
            let (group, rate) = groups.entry(key).or_insert_with(empty);
            group.numbers.push((PhoneNumber::from_e164_trusted(number.phone.clone()), number.id));
            *rate += number.segments_per_second;
        }
        let first = groups.first_key_value().map(|((priority, _), _)| *priority);
        let of_first = groups.into_iter().filter(|((priority, _), _)| Some(*priority) == first);
        let (mut groups, rates): (Vec<Group>, Vec<f64>) = of_first.map(|(_, group)| group).unzip();
        for group in &mut groups {
            group.numbers.sort_by(|(a, _), (b, _)| (a.area_code(), a).cmp(&(b.area_code(), b)));
        }
        Self { all, groups, segments_per_second: rates.iter().sum() }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The phone numbers of all of them.
    pub(crate) fn phones(&self) -> Vec<&str> {
        self.all.keys().map(String::as_str).collect()
    }

    /// What those that new contacts are given may send together.
    pub(crate) fn segments_per_second(&self) -> f64 {
        self.segments_per_second
    }

    /// The number for a contact: the one that they talk with, where that is among them; or else one of the lowest
    /// priority, of the contact's area code where there is any, of the routes in the shares of their weights.
    ///
    /// The contact's digits decide. Phone numbers end in well mixed digits, which is enough to choose one of a few numbers;
    /// mixed again they choose the route, so that the two choices have nothing to do with one another.
    pub(crate) fn for_contact(&self, phone: &str, talks_with: Option<&str>) -> Option<Uuid> {
        if let Some(number) = talks_with.and_then(|number| self.all.get(number)) {
            return Some(*number);
        }
        let contact = PhoneNumber::from_e164_trusted(phone);
        let area = contact.area_code();
        let mut choices: Vec<Choice<'_>> =
            self.groups.iter().map(|group| (group.weight, group.local(area))).collect();
        if choices.iter().all(|(_, numbers)| numbers.is_empty()) {
            choices = self.groups.iter().map(|group| (group.weight, group.numbers.as_slice())).collect();
        }
        choices.retain(|(_, numbers)| !numbers.is_empty());
        choose(&choices, phone.get(1..)?.parse().ok()?)
    }
}

/// A weight, and the numbers that it is the weight of.
type Choice<'a> = (u64, &'a [(PhoneNumber, Uuid)]);

fn choose(choices: &[Choice<'_>], digits: u64) -> Option<Uuid> {
    let total = choices.iter().map(|(weight, _)| weight).sum();
    let mut point = mixed(digits).checked_rem(total)?;
    for (weight, numbers) in choices {
        if point < *weight {
            let place = digits.checked_rem(u64::try_from(numbers.len()).ok()?)?;
            return numbers.get(usize::try_from(place).ok()?).map(|(_, id)| *id);
        }
        point -= weight;
    }
    None
}

/// All bits of `digits` mixed with one another: the last step of the generator SplitMix64.
fn mixed(digits: u64) -> u64 {
    let a = (digits ^ (digits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}
