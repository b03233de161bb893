//! Who may touch the outside, and where a run that may not keeps its own things.

mod effects;
mod ownership;

pub use effects::Isolation;
pub use ownership::{Live, Owner, Ownership};
