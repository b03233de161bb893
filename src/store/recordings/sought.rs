//! What a list of recordings is narrowed to, and where a page of it begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    model::{EnvironmentName, FlagName, RunState},
    rollout::{Beside, Owner},
};

/// Which pipelines have to do with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// The control serves, and nobody runs beside.
    Control,
    /// The control serves, and the candidate runs beside.
    Beside,
    /// The candidate serves.
    Candidate,
    /// No route led to the run: it was dispatched by hand, or is part of a replay or a rehearsal.
    Unrouted,
}

impl Serves {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Control, Self::Beside, Self::Candidate, Self::Unrouted];

    /// The name in JSON and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Beside => "beside",
            Self::Candidate => "candidate",
            Self::Unrouted => "unrouted",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// What a route says.
    pub const fn of(owner: Owner, beside: Beside) -> Self {
        match (owner, beside) {
            (Owner::Control, Beside::None) => Self::Control,
            (Owner::Control, Beside::Candidate) => Self::Beside,
            (Owner::Candidate, _) => Self::Candidate,
        }
    }
}

/// How far the candidate's run of a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStanding {
    /// There is none.
    NoRun,
    /// As the run is.
    Run(RunState),
}

impl RunStanding {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Run(RunState::Starting),
        Self::Run(RunState::Running),
        Self::Run(RunState::Completed),
        Self::Run(RunState::Failed),
        Self::Run(RunState::Terminated),
        Self::NoRun,
    ];

    /// The name in JSON and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRun => "no_run",
            Self::Run(state) => state.as_str(),
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// What a list of recordings is narrowed to; everything without anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// In these environments alone; in all where none is named.
    pub environments: Option<Vec<EnvironmentName>>,
    /// Of this migration alone.
    pub flag: Option<FlagName>,
    /// By who serves.
    pub serves: Option<Serves>,
    /// By how far the run is.
    pub standing: Option<RunStanding>,
    /// By what the comparison came to.
    pub verdict: Option<String>,
    /// That came then or later.
    pub since: Option<DateTime<Utc>>,
    /// That came before.
    pub until: Option<DateTime<Utc>>,
    /// Whose recording, transcript, room or run has this in its id.
    pub text: Option<String>,
}

/// A line of the list: what a page after it begins behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A route.
    #[serde(rename = "r")]
    Route(i64, String, i64, String, String),
    /// A run without one.
    #[serde(rename = "u")]
    Run(i64, String),
}

impl Place {
    /// As it stands in addresses.
    pub fn to_text(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(json)
    }

    /// Reads that; none where it is no place of ours.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// When the line's recording came, in milliseconds since the epoch.
    pub(super) const fn at(&self) -> i64 {
        match self {
            Self::Route(at, ..) | Self::Run(at, _) => *at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_stands_in_addresses_and_nothing_else_is() {
        for place in [
            Place::Route(7, "t/ü".into(), 2, "staging".into(), "f".into()),
            Place::Run(-1, "run_1".into()),
        ] {
            let text = place.to_text();
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
                "{text}"
            );
            assert_eq!(Place::parse(&text), Some(place));
        }
        for text in ["", "7", "e30", "%", "bm90IGpzb24"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
