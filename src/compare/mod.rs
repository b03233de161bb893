//! Do two outcomes of one recording agree? Pure: a policy, two outcomes, a verdict with reasons.
//!
//! The control is not the truth. A difference says that users would see something else after a
//! cutover, not which side is right.

mod class;
mod cluster;
mod comparison;
mod difference;
mod distance;
mod field;
mod found;
mod judge;
mod measure;
pub mod metrics;
mod pinned;
mod policy;
mod severity;
mod tree;
mod verdict;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use class::Class;
pub use cluster::{Cluster, clusters};
pub use comparison::{Comparison, DIFFERENCES_KEPT, FieldResult, Measured};
pub use difference::{Difference, DifferenceKind, TextChange, TextChangeKind, TextDifference};
pub use field::Field;
pub use found::{Found, POINTERS_KEPT, pattern, signature};
pub use measure::{Good, Measure, Number};
pub use pinned::{
    Finding, PINNED, Pinned, PinnedRun, StepFinding, first_divergence, worth_pinning,
};
pub use policy::{
    Bound, FieldPolicy, JudgedBy, Mask, Policy, PolicyError, SHIPPED_FILE, Strictness,
};
pub use severity::Severity;
pub use tree::{Leaf, Node};
pub use verdict::{FieldVerdict, Meanings, Verdict, compare, compare_with, texts_apart, verdict};
