//! Luck that can be had again: everything random about a run follows from one number.

use std::time::Duration;

/// `SplitMix64`.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Other dice, which follow from these and a number.
    pub fn fork(&self, number: u64) -> Self {
        let mut other = Self(self.0 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self(other.roll())
    }

    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0, `end` excluded.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// True so many times in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len() as u64);
        from[usize::try_from(at).expect("it is small")]
    }

    /// A time between the two, in milliseconds.
    pub const fn time(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    /// An id like those Reflector gives.
    pub fn id(&mut self) -> String {
        let bytes = (u128::from(self.roll()) << 64) | u128::from(self.roll());
        uuid::Builder::from_random_bytes(bytes.to_be_bytes())
            .into_uuid()
            .to_string()
    }
}
