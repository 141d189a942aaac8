//! The ids that the simulated providers give: they look random, and lead back to the number of the text in the
//! ledger, so that no index of them is needed.

use crate::chance::mix;

/// Makes ids that look like version 4 UUIDs, of the numbers 0, 1, 2 ...
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    key: u64,
}

const LOW_BITS: u64 = (1 << 62) - 1;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// `FACTOR` times this is 1, modulo 2^64.
const INVERSE: u64 = inverse(FACTOR);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: mix(seed) }
    }

    /// The id of the text of this number.
    pub(crate) fn id(self, number: u32) -> u128 {
        let low = u64::from(number).wrapping_mul(FACTOR).wrapping_add(self.key) & LOW_BITS;
        let high = (mix(low ^ mix(self.key ^ FACTOR)) & !0xf000) | 0x4000;
        (u128::from(high) << 64) | u128::from(low | (0b10 << 62))
    }

    /// The number of the text of this id.
    pub(crate) fn number(self, id: u128) -> Option<u32> {
        let low = id as u64 & LOW_BITS;
        let number = low.wrapping_sub(self.key).wrapping_mul(INVERSE) & LOW_BITS;
        let number = u32::try_from(number).ok()?;
        (self.id(number) == id).then_some(number)
    }
}

/// By Newton's iteration: each step doubles the bits that are right, from the three that every odd number has.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_numbers() {
        let ids = Ids::new(42);
        for number in (0..1_000).chain([u32::MAX]) {
            assert_eq!(ids.number(ids.id(number)), Some(number));
            assert_eq!(ids.number(ids.id(number) ^ (1 << 70)), None);
            assert_eq!(Ids::new(43).number(ids.id(number)), None);
            assert_eq!(uuid::Uuid::from_u128(ids.id(number)).get_version_num(), 4);
        }
    }
}
