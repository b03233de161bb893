//! WebM with one Opus track: a reader that survives damage and a writer that places exactly.
//!
//! The reader is flat: it ignores the sizes of Segment and Cluster and descends on sight, since a
//! live recorder leaves them unknown and a damaged file has them wrong.

mod block;
mod contents;
mod head;
mod reader;
mod window;
mod writer;

pub use contents::{Health, Packet};
pub use head::OpusHead;
pub use reader::Reader;
pub use writer::Writer;

/// Nothing is placed later than a day after the recording's start.
pub const MAX_TIME_NS: i64 = 24 * 3600 * 1_000_000_000;
/// Nor earlier than a second before it.
pub const MIN_TIME_NS: i64 = -1_000_000_000;
