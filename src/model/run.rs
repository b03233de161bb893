//! Which pipeline a run belongs to, and how far it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the two sides of the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pipeline {
    /// The legacy Celery pipeline.
    Control,
    /// The Conductor pipeline.
    Candidate,
}

/// What a run is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A recording arrived.
    Arrival,
    /// Somebody dispatched it by hand.
    Manual,
    /// A recording of the past is run again; evidence counts these apart.
    Replay,
    /// It is part of a rehearsal, and no evidence.
    Rehearsal,
}

impl Origin {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Manual => "manual",
            Self::Replay => "replay",
            Self::Rehearsal => "rehearsal",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Arrival, Self::Manual, Self::Replay, Self::Rehearsal]
            .into_iter()
            .find(|origin| origin.as_str() == name)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Our row exists; whether the workflow does is not yet known.
    Starting,
    /// The workflow engine has it.
    Running,
    /// It ended well.
    Completed,
    /// A step gave up.
    Failed,
    /// Somebody stopped it.
    Terminated,
}

impl RunState {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Terminated => "terminated",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Starting,
            Self::Running,
            Self::Completed,
            Self::Failed,
            Self::Terminated,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }

    /// Whether how it ended says something beside what the control made.
    pub const fn is_compared(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Terminated => false,
            Self::Completed | Self::Failed => true,
        }
    }

    /// Whether nothing more will happen to the run by itself.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Starting | Self::Running => false,
            Self::Completed | Self::Failed | Self::Terminated => true,
        }
    }
}
