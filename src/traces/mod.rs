//! What happened to a recording, as one trace: its arrival, the decision who serves it, both pipelines
//! as far as they are known, and their comparison.
//!
//! A trace is made after the fact, of rows that survive every process, so it is whole or not there.
//! All its ids are made of what it is about: told twice, it is the same trace.

mod build;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::model::{EnvironmentName, FlagName, RecordingId, RunId, TranscriptId};

/// A trace: 16 bytes that nothing else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// Whose trace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// One generation of a transcript that arrived.
    Route(&'a TranscriptId, i64),
    /// A run that nobody's arrival led to.
    Run(&'a RunId),
}

impl TraceId {
    /// The same for the same, however often and wherever it is asked.
    pub fn of(environment: &EnvironmentName, flag: &FlagName, of: Of<'_>) -> Self {
        let of = match of {
            Of::Route(transcript, generation) => format!("route\0{transcript}\0{generation}"),
            Of::Run(run) => format!("run\0{run}"),
        };
        let whole = format!("switchyard trace\0{environment}\0{flag}\0{of}");
        Self(head(&Sha256::digest(whole)))
    }

    /// Whether it is among so many percent of all traces, by the last 63 bits as OpenTelemetry has it.
    pub fn is_sampled(self, percent: f64) -> bool {
        let low = u64::from_be_bytes(head(&self.0[8..])) >> 1;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bound = (percent.clamp(0.0, 100.0) / 100.0 * 2.0_f64.powi(63)) as u64;
        low < bound
    }

    /// A span of this trace.
    pub fn span(self, kind: &str, key: &str) -> SpanId {
        let mut whole = self.0.to_vec();
        whole.extend_from_slice(format!("\0{kind}\0{key}").as_bytes());
        SpanId(head(&Sha256::digest(whole)))
    }

    /// As it is written.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// The first bytes of something that is long enough.
fn head<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut head = [0; N];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    head
}

/// One thing that took time.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its id.
    pub id: SpanId,
    /// The span it is part of; none for the whole recording.
    pub parent: Option<SpanId>,
    /// What it is; one of a few, or a task kind.
    pub name: String,
    /// When it began.
    pub start: DateTime<Utc>,
    /// When it ended; never before it began.
    pub end: DateTime<Utc>,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// How it ended.
    pub status: Status,
}

/// What is known of a span.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A word, an id, a sentence.
    Text(String),
    /// A count.
    Whole(i64),
    /// Yes or no.
    Truth(bool),
}

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What.
    pub name: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nobody judges it.
    Unset,
    /// Well.
    Ok,
    /// Not well, and why; no meeting text.
    Failed(String),
}

/// All that is known of one recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// The whole recording first, then in the order of what is part of what.
    pub spans: Vec<Span>,
}

/// What a trace is made of.
#[derive(Clone, Debug)]
pub struct Material {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// The transcript.
    pub transcript: TranscriptId,
    /// The recording, where it is known.
    pub recording: Option<RecordingId>,
    /// How it arrived and was routed; none for a run that somebody dispatched.
    pub routed: Option<Routed>,
    /// What is known of the control.
    pub control: Option<Control>,
    /// The candidate's run.
    pub run: Option<Ran>,
}

/// How a recording was routed.
#[derive(Clone, Debug)]
pub struct Routed {
    /// 1, or higher where it was wanted again.
    pub generation: i64,
    /// Every request for it.
    pub arrivals: Vec<Arrived>,
    /// When the first came, and the decision was pinned.
    pub at: DateTime<Utc>,
    /// Who serves.
    pub owner: &'static str,
    /// Who runs beside.
    pub beside: &'static str,
    /// The phase then.
    pub phase: String,
    /// Its percentage.
    pub percent: String,
    /// The bucket it went by.
    pub bucket: Option<i64>,
    /// Why, for people.
    pub reason: String,
    /// When whoever serves was done.
    pub over_at: Option<DateTime<Utc>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The Celery task.
    pub task_id: String,
    /// The way it came.
    pub way: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is known of the control.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its id with us.
    pub id: String,
    /// Whether the transcript is there.
    pub is_well: bool,
    /// Why it failed; no meeting text.
    pub failure: Option<String>,
    /// When we took what it made.
    pub taken_at: DateTime<Utc>,
    /// Milliseconds its steps took, all together, where that is known.
    pub steps_ms: Option<i64>,
}

/// The candidate's run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its id.
    pub id: RunId,
    /// 1, or higher where a recording is run again.
    pub generation: i64,
    /// The engine's id.
    pub workflow: Option<String>,
    /// Whether nobody sees what it does.
    pub is_shadow: bool,
    /// What it was made for.
    pub origin: &'static str,
    /// How it ended.
    pub state: &'static str,
    /// Step, attempt and cause.
    pub failure: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Every attempt at every step.
    pub attempts: Vec<Attempted>,
    /// What others could see of it.
    pub effects: Vec<Effected>,
    /// Its comparisons, oldest first.
    pub comparisons: Vec<Compared>,
}

/// One attempt at a step.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The engine's id of it.
    pub task_id: String,
    /// The step's name in the workflow.
    pub task_ref: String,
    /// The task kind.
    pub task: String,
    /// 1 is the first.
    pub number: i64,
    /// Who worked on it.
    pub worker: String,
    /// How it ended.
    pub status: String,
    /// Why it failed.
    pub cause: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Something a live run did that others could see.
#[derive(Clone, Debug)]
pub struct Effected {
    /// What sort.
    pub kind: String,
    /// The step it belongs to.
    pub task_ref: String,
    /// How far it is.
    pub state: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// A comparison with the control.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its id.
    pub id: String,
    /// What it came to.
    pub verdict: String,
    /// By which policy.
    pub policy: String,
    /// When.
    pub at: DateTime<Utc>,
}
