//! Has the candidate served well enough for the legacy pipeline to go? Of live runs, whose failures
//! people see: each recording counts once, by how its first run ended.
//!
//! Recordings are looked at in the order in which they began, and none before those that began
//! earlier have ended: what fails often takes longer than what goes well, and must not be missing
//! because of that.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ALPHA,
    bernoulli::{clean_needed, log_e_above, log_e_below},
    count,
    line::{Line, LineState, Who},
    natural, threshold,
};
use crate::model::{GateBounds, GateVerdict, RecordingId, wilson};

/// A live run that is under way for longer has failed whoever waits for it.
pub const OVERDUE: TimeDelta = TimeDelta::hours(24);

/// A recording that the candidate was given to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Which.
    pub recording: RecordingId,
    /// When the candidate began.
    pub at: DateTime<Utc>,
    /// How that went.
    pub end: ServedEnd,
    /// What the control made of it afterwards; none where it was not run beside.
    pub beside: Option<RunBeside>,
}

/// A control that ran on a recording after the candidate had served it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunBeside {
    /// Fields that may not differ from the control's, and do.
    pub hard: Vec<String>,
    /// Fields outside of what `comparisons/` declares that may differ as far as the control does from
    /// itself: told, and no failure.
    pub soft: Vec<String>,
}

/// How serving a recording went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedEnd {
    /// To the end, at the first try.
    Well,
    /// It failed, was not done in time or was given back to Celery, whatever came of it later.
    Failed,
    /// It is under way.
    UnderWay,
    /// Its source was removed because consent was denied, which says nothing of the candidate.
    Withdrawn,
}

/// What serving comes to, and why.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Soak {
    /// What it comes to.
    pub verdict: GateVerdict,
    /// The same in one line.
    pub line: String,
    /// Everything that was asked, in order.
    pub lines: Vec<Line>,
    /// Recordings.
    pub counts: SoakCounts,
}

/// How many recordings the candidate was given to serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct SoakCounts {
    /// Served or failed, and nothing that began earlier is under way.
    pub counted: i64,
    /// Of these, with a failure.
    pub failures: i64,
    /// Failures among all, those that began after one that is under way included.
    pub failures_in_all: i64,
    /// Ended, in all.
    pub ended: i64,
    /// Under way.
    pub under_way: i64,
    /// Not counted, since consent was withdrawn.
    pub withdrawn: i64,
    /// Those on which the control ran as well.
    pub run_beside: i64,
    /// Of these, where a field differs that may not; each is a failure.
    pub hard_differences: i64,
    /// Of these, where a text is outside of what `comparisons/` declares.
    pub soft_differences: i64,
    /// Logarithm of the e-value against "failures are at least as frequent as the bound".
    pub evidence: f64,
    /// Logarithm of the e-value against "failures are at most a fifth as frequent".
    pub evidence_against: f64,
    /// What either has to reach.
    pub threshold: f64,
}

/// Decides. `served` are live runs under the versions as they are, whatever the migration did
/// meanwhile: whoever goes back and comes again does not begin anew, or a failure could be undone by
/// going back.
pub fn soak(bounds: &GateBounds, served: &[Served], now: DateTime<Utc>) -> Soak {
    let counts = counts(bounds, served, now);
    let lines = vec![
        failures(bounds, &counts, per_day(served, now)),
        beside(&counts, served),
    ];
    let has = |state| lines.iter().any(|line| line.state == state);
    let verdict = if has(LineState::Fail) {
        GateVerdict::Fail
    } else if has(LineState::NotYet) || counts.counted == 0 {
        GateVerdict::NotYet
    } else {
        GateVerdict::Pass
    };
    Soak {
        verdict,
        line: line(verdict, &lines),
        lines,
        counts,
    }
}

fn line(verdict: GateVerdict, lines: &[Line]) -> String {
    let of = |state| lines.iter().find(move |line: &&Line| line.state == state);
    match of(LineState::Fail).or_else(|| of(LineState::NotYet)) {
        Some(line) if line.missing.is_empty() => format!("{verdict}: {}", line.observed),
        Some(line) => format!("{verdict}: {}; {}", line.observed, line.missing),
        None => verdict.to_string(),
    }
}

fn counts(bounds: &GateBounds, served: &[Served], now: DateTime<Utc>) -> SoakCounts {
    let mut in_order: Vec<&Served> = served.iter().collect();
    in_order.sort_by(|one, other| (one.at, &one.recording).cmp(&(other.at, &other.recording)));
    let mut counts = SoakCounts::default();
    let mut seen = BTreeSet::new();
    for one in in_order {
        let failed = match one.end {
            ServedEnd::Withdrawn => {
                counts.withdrawn += 1;
                continue;
            }
            ServedEnd::Well => false,
            ServedEnd::Failed => true,
            ServedEnd::UnderWay if now - one.at > OVERDUE => true,
            ServedEnd::UnderWay => {
                if seen.insert(&one.recording) {
                    counts.under_way += 1;
                }
                continue;
            }
        };
        if !seen.insert(&one.recording) {
            continue;
        }
        let differs = one
            .beside
            .as_ref()
            .is_some_and(|beside| !beside.hard.is_empty());
        if let Some(beside) = &one.beside {
            counts.run_beside += 1;
            counts.hard_differences += i64::from(differs);
            counts.soft_differences += i64::from(!beside.soft.is_empty());
        }
        let failed = failed || differs;
        counts.ended += 1;
        counts.failures_in_all += i64::from(failed);
        if counts.under_way == 0 {
            counts.counted += 1;
            counts.failures += i64::from(failed);
        }
    }
    let bound = bounds.soak_failure_percent / 100.0;
    let (failures, counted) = (natural(counts.failures), natural(counts.counted));
    counts.evidence = log_e_below(failures, counted, bound);
    counts.evidence_against = log_e_above(failures, counted, bound / 5.0);
    counts.threshold = threshold(ALPHA);
    counts
}

/// Recordings that the candidate is given a day; none where that is too few to tell.
fn per_day(served: &[Served], now: DateTime<Utc>) -> Option<f64> {
    let first = served.iter().map(|one| one.at).min()?;
    let days = ((now - first).num_hours() as f64 / 24.0).max(1.0);
    Some(count(served.len()) as f64 / days)
}

/// What the control, run beside, says of what was served. Nobody asked for it, so that it ran on few or
/// none keeps nothing from passing.
fn beside(counts: &SoakCounts, served: &[Served]) -> Line {
    let bound = "what differs and may not is a failure, above".to_owned();
    let mut observed = format!(
        "the control ran as well on {} of {}, {} with a difference that may not be, {} with a text outside of its bounds",
        counts.run_beside, counts.ended, counts.hard_differences, counts.soft_differences
    );
    let all = served.iter().filter_map(|one| one.beside.as_ref());
    let mut hard: Vec<&str> = all
        .flat_map(|beside| &beside.hard)
        .map(String::as_str)
        .collect();
    hard.sort_unstable();
    hard.dedup();
    if !hard.is_empty() {
        observed = format!("{observed}; different: {}", hard.join(", "));
    }
    let state = if counts.run_beside == 0 {
        LineState::NotLooked
    } else {
        LineState::Pass
    };
    Line::new("run beside", state, observed, bound)
}

fn failures(bounds: &GateBounds, counts: &SoakCounts, per_day: Option<f64>) -> Line {
    let percent = bounds.soak_failure_percent;
    let (_, high) = wilson::interval(natural(counts.failures_in_all), natural(counts.ended));
    let rate = if counts.ended == 0 {
        String::new()
    } else {
        format!(" (at most {:.1} %, as it looks)", 100.0 * high)
    };
    let mut observed = format!(
        "{} of {} recordings served with a failure{rate}",
        counts.failures_in_all, counts.ended
    );
    if counts.under_way > 0 {
        let waiting = counts.ended - counts.counted;
        observed = format!(
            "{observed}, {} under way, {waiting} counted once those have ended",
            counts.under_way
        );
    }
    let needed = clean_needed(natural(counts.failures), percent / 100.0, ALPHA);
    let bound = match needed {
        Some(needed) => {
            format!("{needed} recordings, to rule out failures at {percent} % of them")
        }
        None => format!("fewer than {percent} % with a failure"),
    };
    let line = |state| Line::new("served", state, observed.clone(), bound.clone());
    if counts.counted > 0 && counts.evidence >= counts.threshold {
        line(LineState::Pass)
    } else if counts.counted > 0 && counts.evidence_against >= counts.threshold {
        line(LineState::Fail).missing(
            Who::Engineers,
            format!(
                "more than {} % fail: see why, `switchyard runs`, and mend the candidate, which begins the count anew",
                percent / 5.0
            ),
        )
    } else {
        match needed {
            Some(needed) => {
                let needed = i64::try_from(needed).unwrap_or(i64::MAX);
                let more = (needed - counts.counted).max(1);
                line(LineState::NotYet).waiting(more, "recordings served well", per_day)
            }
            None => {
                line(LineState::NotYet).missing(Who::Engineers, "too many fail: mend the candidate")
            }
        }
    }
}

#[cfg(test)]
mod tests;
