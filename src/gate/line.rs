//! One thing that the gate asked: what there is, what there has to be, what is missing, and who can
//! do it by when.

use schemars::JsonSchema;
use serde::Serialize;

use super::whole;

/// One thing that was asked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Line {
    /// What.
    pub name: String,
    /// What it comes to.
    pub state: LineState,
    /// What there is.
    pub observed: String,
    /// What there has to be.
    pub bound: String,
    /// What is missing, or what to do; empty where nothing is.
    pub missing: String,
    /// Who can do it; nobody where nothing is missing.
    pub who: Option<Who>,
    /// Days until it is there, by the rate at which recordings arrived.
    pub eta_days: Option<i64>,
}

/// What a line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// It is as it has to be.
    Pass,
    /// It is not, and the evidence shows it.
    Fail,
    /// It is not known so far.
    NotYet,
    /// Nobody asked, or nobody could look; it speaks neither way.
    NotLooked,
}

impl LineState {
    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotYet => "not yet",
            Self::NotLooked => "not looked at",
        }
    }
}

/// Who can do what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Nobody: recordings have to arrive.
    Time,
    /// Whoever runs Switchyard.
    Operators,
    /// Whoever builds the candidate.
    Engineers,
    /// Whoever reads differences.
    Reviewers,
}

impl Who {
    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Operators => "operators",
            Self::Engineers => "engineers",
            Self::Reviewers => "reviewers",
        }
    }
}

/// In how many days so many more recordings will have arrived, at that many a day; none where nobody
/// knows.
pub(super) fn days_until(more: i64, per_day: Option<f64>) -> Option<i64> {
    let per_day = per_day.filter(|rate| *rate > 0.0)?;
    Some(whole((more as f64 / per_day).ceil()))
}

impl Line {
    pub(super) fn new(name: &str, state: LineState, observed: String, bound: String) -> Self {
        Self {
            name: name.to_owned(),
            state,
            observed,
            bound,
            missing: String::new(),
            who: None,
            eta_days: None,
        }
    }

    pub(super) fn missing(mut self, who: Who, missing: impl Into<String>) -> Self {
        self.missing = missing.into();
        self.who = Some(who);
        self
    }

    /// So many more have to come, at that many a day.
    pub(super) fn waiting(self, more: i64, what: &str, per_day: Option<f64>) -> Self {
        let eta_days = days_until(more, per_day);
        let about = match eta_days {
            None => String::new(),
            Some(1) => ", about 1 day".to_owned(),
            Some(days) => format!(", about {days} days"),
        };
        let mut line = self.missing(Who::Time, format!("{more} more {what}{about}"));
        line.eta_days = eta_days;
        line
    }
}
