//! Who may touch the outside, who serves a recording, where a run that may not keeps its own things,
//! and how far a migration may go.

mod advance;
pub mod audit;
mod breaker;
mod celery;
mod consequence;
mod effects;
mod mending;
mod mirroring;
mod ownership;
mod pace;
mod phase;
mod position;
mod precondition;
mod probe;
pub mod ratio;
mod route;
pub mod rules;
mod shedding;

pub use advance::{
    Advance, Approvals, BreakerFacts, Ended, Evidence, Facts, GateStands, HealthFacts, Hold, Move,
    Override, Refusal, RehearsalFacts, Surroundings, advance, needed_approvals, overdue,
    preconditions,
};
pub use breaker::{Admission, Breaker, BreakerState, NotClosed, STALE};
pub use celery::MayDispatch;
pub use consequence::consequences;
pub use effects::Isolation;
pub use mending::{Mend, RunFacts, Stands, Unmendable, mendable};
pub use mirroring::{Direction, MirrorsToday, is_drawn, paused, withheld};
pub use ownership::{Live, Owner, Ownership};
pub use pace::{Next, Pace};
pub use phase::{NoPercent, NoPhase, Percent, Phase};
pub use position::{NoPosition, Position};
pub use precondition::{Check, NoCheck, Precondition, Standing, required, span};
pub use probe::{LIVE_RUNS, Layer, Probe, Signals, shared_fate, weigh};
pub use ratio::Ratio;
pub use route::{BUCKETS, Beside, Keys, Known, Route, Situation, admitted, bucket, route, salt};
pub use rules::{Rule, Rules, Says, Whose};
pub use shedding::{Used, shed};
