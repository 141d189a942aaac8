//! Chance from a seed. What befalls a text depends on the seed and the text alone, never on the order in which
//! texts arrive: so a run with the same seed and the same contacts ends in the same counts.

/// A stream of numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Chance for something that is named by `parts`.
    pub(crate) fn of(seed: u64, parts: &[&[u8]]) -> Self {
        let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
        for part in parts {
            for byte in *part {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
        }
        Self(mix(hash))
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Whether something happens that happens in `share` of all cases.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        // Always drawn, so that turning one knob leaves what the others decide as it was.
        let draw = self.draw();
        ((draw >> 11) as f64) < share * (1u64 << 53) as f64
    }

    /// A number between both bounds, inclusive.
    pub(crate) fn between(&mut self, [least, most]: [u64; 2]) -> u64 {
        let draw = self.draw();
        least + draw % most.saturating_sub(least).saturating_add(1).max(1)
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.draw() % choices.len() as u64;
        choices[index as usize]
    }
}

/// Spreads `number` over all 64 bits, reversibly.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept() {
        let mut chance = Chance::of(7, &[b"text"]);
        let happened = (0..100_000).filter(|_| chance.happens(0.2)).count();
        assert!((19_000..21_000).contains(&happened), "{happened}");
        assert!(!(0..1_000).any(|_| chance.happens(0.0)));
        assert!((0..1_000).all(|_| chance.happens(1.0)));
    }

    #[test]
    fn bounds_are_kept() {
        let mut chance = Chance::of(7, &[b"text"]);
        let drawn: Vec<_> = (0..1_000).map(|_| chance.between([3, 5])).collect();
        assert!((3..=5).all(|number| drawn.contains(&number)));
        assert!(drawn.iter().all(|number| (3..=5).contains(number)));
        assert_eq!(chance.between([4, 4]), 4);
    }

    #[test]
    fn the_same_name_has_the_same_chance() {
        let draw = |seed, parts: &[&[u8]]| Chance::of(seed, parts).draw();
        assert_eq!(draw(1, &[b"a", b"b"]), draw(1, &[b"a", b"b"]));
        assert_ne!(draw(1, &[b"a", b"b"]), draw(2, &[b"a", b"b"]));
        assert_ne!(draw(1, &[b"a", b"b"]), draw(1, &[b"ab", b""]));
    }
}
