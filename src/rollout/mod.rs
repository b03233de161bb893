//! Who may touch the outside, who serves a recording, where a run that may not keeps its own things,
//! and how far a migration may go.

mod advance;
pub mod audit;
mod breaker;
mod effects;
mod ownership;
mod phase;
mod position;
mod precondition;
mod probe;
mod route;

pub use advance::{
    Advance, Approvals, BreakerFacts, Ended, Evidence, Facts, HealthFacts, Hold, Move, Override,
    Refusal, RehearsalFacts, Surroundings, advance, needed_approvals, overdue, preconditions,
};
pub use breaker::{Admission, Breaker, BreakerState, NotClosed, STALE};
pub use effects::Isolation;
pub use ownership::{Live, Owner, Ownership};
pub use phase::{NoPercent, NoPhase, Percent, Phase};
pub use position::{NoPosition, Position};
pub use precondition::{Check, FAILURE_PERCENTS, NoCheck, Precondition, Standing, required, span};
pub use probe::{LIVE_RUNS, Layer, Probe, Signals, shared_fate, weigh};
pub use route::{BUCKETS, Beside, Keys, Route, admitted, bucket, route, salt};
