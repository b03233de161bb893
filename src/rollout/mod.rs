//! Who may touch the outside, and where a run that may not keeps its own things.

mod effects;

pub use effects::Isolation;
