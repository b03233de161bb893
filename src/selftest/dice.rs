//! Choices that fall the same way for the same control, so that a result can be had again.

use sha2::{Digest, Sha256};

use super::Defect;
use crate::model::{Outcome, text_of};

/// `SplitMix64`, seeded by the defect and what the control says.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(defect: Defect, control: &Outcome) -> Self {
        let mut hash = Sha256::new();
        hash.update(defect.as_str());
        hash.update(text_of(&control.words));
        hash.update(control.long_summary.as_deref().unwrap_or_default());
        let digest = hash.finalize();
        let seed = digest[..8]
            .iter()
            .fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte));
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below `end`; 0 where that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// One of a list.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}
