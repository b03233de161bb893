//! Do two outcomes of one recording agree? Pure: a policy, two outcomes, a verdict with reasons.
//!
//! The control is not the truth. A difference says that users would see something else after a
//! cutover, not which side is right.

mod comparison;
mod difference;
mod field;
mod judge;
mod measure;
pub mod metrics;
mod pinned;
mod policy;
mod verdict;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use comparison::{Comparison, DIFFERENCES_KEPT, FieldResult, Measured};
pub use difference::{Difference, DifferenceKind, TextChange, TextChangeKind, TextDifference};
pub use field::Field;
pub use measure::{Good, Measure, Number};
pub use pinned::{
    Finding, PINNED, Pinned, PinnedRun, StepFinding, first_divergence, worth_pinning,
};
pub use policy::{
    Bound, FieldPolicy, JudgedBy, Mask, Policy, PolicyError, SHIPPED_FILE, Strictness,
};
pub use verdict::{FieldVerdict, Verdict, compare, verdict};
