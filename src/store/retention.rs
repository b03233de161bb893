//! Deletes what is over its time, a batch a transaction with its proof, and looks afterwards whether
//! anything is left.

mod numbers;
mod proofs;
mod texts;

use chrono::{DateTime, Utc};

use crate::retention::Class;

pub use proofs::Proof;
pub use texts::Candidate;

/// A batch that is about to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Of which class.
    pub class: Class,
    /// By which rule.
    pub rule: &'a str,
    /// Who deletes.
    pub by: &'a str,
    /// When.
    pub now: DateTime<Utc>,
}

/// What went with a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Gone {
    /// Ids of runs, controls or notices, in the order in which they were deleted.
    ids: Vec<String>,
    /// Rows deleted or emptied.
    rows: u64,
    /// The oldest of them.
    first: Option<DateTime<Utc>>,
    /// The newest.
    last: Option<DateTime<Utc>>,
}

impl Gone {
    fn add(&mut self, id: &str, at: DateTime<Utc>, rows: u64) {
        self.ids.push(id.to_owned());
        self.rows += rows;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }
}
