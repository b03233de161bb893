//! Reflector's own PostgreSQL, its Redis pub/sub and its data folder.
//!
//! What surprises most: the legacy pipeline writes events in SERIALIZABLE transactions, which any
//! other SERIALIZABLE transaction can abort, and an abort ends a user's run in `error`. So we read
//! in REPEATABLE READ, which neither blocks writers nor takes part in their conflicts.
//!
//! Every read is a transaction that PostgreSQL itself keeps read-only, on connections of its own.
//! What others can see is done by [`write`], which changes a transcript's row (and notes the
//! workflow in its recording's), [`Publisher`], which tells browsers, and [`DataDir`], which keeps
//! files for Reflector's API server; all three ask for [`Live`](crate::rollout::Live), the proof
//! that the run owns the recording. Without a proof [`write`] inserts, fills and removes mirrors,
//! which are rows of ours that no user can see.

mod active;
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
pub mod write;

pub use active::{Active, Stage};
pub use check::{Check, Fault, Schema};
pub use data_dir::{DataDir, DataDirError};
pub use database::Reflector;
pub use error::ReflectorError;
pub use past::{Past, WhichPast};
pub use publish::{PublishError, Publisher, Told};
pub use snapshot::Snapshot;
pub use status::TranscriptStatus;
pub use watch::{Heard, TooMany, WatchError, WatchLimits, Watcher};
pub use write::{Column, MIRROR_USER, RowWrite, RowWriter, WriteError, same_database};
