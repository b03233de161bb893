//! Reflector's own PostgreSQL and its Redis pub/sub.
//!
//! What surprises most: the legacy pipeline writes events in SERIALIZABLE transactions, which any
//! other SERIALIZABLE transaction can abort, and an abort ends a user's run in `error`. So we read
//! in REPEATABLE READ, which neither blocks writers nor takes part in their conflicts.
//!
//! Nothing here writes but [`mod@write`]: every read is a transaction that PostgreSQL itself keeps
//! read-only, on connections of its own, and Redis is only subscribed to. [`mod@write`] changes a
//! transcript's row (and notes the workflow in its recording's) for whoever holds
//! [`Live`](crate::rollout::Live), the proof that its run owned the recording. Without a proof it
//! inserts, fills and removes mirrors, which are rows of ours that no user can see.

mod check;
mod database;
mod error;
mod facts;
mod past;
mod snapshot;
mod status;
mod tables;
mod watch;
pub mod write;

pub use check::{Check, Fault, Schema};
pub use database::Reflector;
pub use error::ReflectorError;
pub use past::Past;
pub use snapshot::Snapshot;
pub use status::TranscriptStatus;
pub use watch::{Heard, TooMany, WatchError, WatchLimits, Watcher};
