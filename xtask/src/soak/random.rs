//! Numbers that look random, and are the same for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014): SplitMix64, for which neighbouring seeds
/// are as good as any.
pub struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From `low` to `high`, both of them possible.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let count = u64::from(high.saturating_sub(low)) + 1;
        // Less than `count`, which is at most 2^32.
        low + (self.next() % count) as u32
    }

    /// One time in `times`.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.between(1, times) == 1
    }

    /// One of `all`, of which there is at least one.
    pub fn choose<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.between(0, all.len() as u32 - 1) as usize]
    }
}

/// A seed that nobody has chosen.
pub fn new_seed() -> u64 {
    // A clock that stands before its epoch gives one as well.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_numbers() {
        // The first numbers of the reference implementation's seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn all_that_is_possible_comes() {
        let mut random = Random::new(7);
        let mut seen = [false; 3];
        (0..100).for_each(|_| seen[random.between(2, 4) as usize - 2] = true);
        assert_eq!(seen, [true; 3]);
        assert_eq!(random.between(5, 5), 5);
    }
}
