//! Reflector's own PostgreSQL, its Redis pub/sub and its data folder.
//!
//! What surprises most: the legacy pipeline writes events in SERIALIZABLE transactions, which any
//! other SERIALIZABLE transaction can abort, and an abort ends a user's run in `error`. So we read
//! in REPEATABLE READ, which neither blocks writers nor takes part in their conflicts.
//!
//! The database is only read, in transactions that PostgreSQL itself keeps read-only. What others
//! can see is done by [`Publisher`], which tells browsers, and [`DataDir`], which keeps files for
//! Reflector's API server; both ask for the proof that the run owns its recording.

mod check;
mod data_dir;
mod database;
mod error;
mod facts;
mod past;
mod publish;
mod snapshot;
mod status;
mod tables;
mod watch;

pub use check::{Check, Fault, Schema};
pub use data_dir::{DataDir, DataDirError};
pub use database::Reflector;
pub use error::ReflectorError;
pub use past::Past;
pub use publish::{PublishError, Publisher, Told};
pub use snapshot::Snapshot;
pub use status::TranscriptStatus;
pub use watch::{Heard, TooMany, WatchError, WatchLimits, Watcher};
