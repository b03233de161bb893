//! Who may touch the outside, who serves a recording, and where a run that may not keeps its own
//! things.

mod effects;
mod ownership;
mod phase;
mod route;

pub use effects::Isolation;
pub use ownership::{Live, Owner, Ownership};
pub use phase::{NoPercent, NoPhase, Percent, Phase};
pub use route::{BUCKETS, Beside, Keys, Route, bucket, route, salt};
