//! The controller: dispatches runs, follows them, and compares what came out.

pub mod access;
mod control;
mod dispatch;
mod export;
mod fallback;
mod gating;
pub mod health;
pub mod intake;
mod mending;

mod metrics;
mod moving;
mod noise;
mod notices;
mod outcome;
mod overview;
mod recent;
mod register;
mod replay;
mod replaying;
mod reporting;
mod retention;
mod reviews;
mod routing;
mod selftests;
mod shadow;
mod sound;
pub mod spending;
pub mod status;
mod takeover;
mod telling;
mod traces;
mod turns;
mod watchdog;

pub use control::{
    FROM_CANDIDATE, FROM_MIRROR, FROM_ROWS, FROM_ROWS_AND_MESSAGES, NOT_IN_MIRRORS,
    as_before_the_run, keep_control,
};
pub use dispatch::{Again, Dispatched, Wanted, dispatch};
pub use export::export;
pub use fallback::{Fallback, FellBack};
pub use gating::gate_rules;
pub use mending::{Mended, Mending, NotMended, Possible, Signature};
pub use metrics::Metrics;
pub use moving::{Approved, Around, Looked, MANY, Moved, Mover, OVERRIDE_LASTS, Plan, Ways};
pub use notices::{
    Deliver, MayBeThere, NOTICES_LEASE, NoTarget, NoticeList, Notices, Target, TargetStands,
    Undelivered,
};
pub use outcome::candidate_outcome;
pub use overview::{Glimpse, Overview, Told};
pub use recent::{Recent, Weighty};
pub use register::{Change, Registered, register};
pub use replay::{Driver, LEASE, NewReplay, NoReplay, Replays, Tally, Ticked, Tracks};
pub use retention::{Busy, ClassPlan, Kept, Retention, RetentionPlan};
pub use reviews::{ClusterDetail, Listed, Opened, Reviews, Shown, Sides};
pub use routing::{Asked, Basis, Routing, RoutingStatus, SWITCHYARD, Weighed, weigh};
pub use selftests::{CONTROLS as SELFTEST_CONTROLS, SelfTests};
pub use shadow::{Clock, Followed, Meaning, Shadow, epoch};
pub use sound::{AskConsent, Bytes, Lies, Look, Mix, ReadMix, Silence, Sound, TakenBack};
pub use takeover::{GaveBack, GiveBack, Refusal};
pub use telling::Telling;
pub use traces::{NotTold, Traces};
pub use turns::{OnFail, Turns};
pub use watchdog::{Lost, Watchdog, diagnose};
