//! What has to be seen before a migration goes forward: each condition with what there is, what
//! there has to be, and where to look.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{BreakerState, Facts, GateStands, Position, Surroundings};
use crate::model::{Bounds, GateVerdict};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The environment before this one is as far.
    Order,
    /// The settings name everything that serving users needs.
    Settings,
    /// Conductor has been well for long enough.
    Health,
    /// The breaker is closed.
    Breaker,
    /// The candidate ran well on recordings nobody waits for.
    ParallelRuns,
    /// There are comparisons, and none of what they say is an alarm.
    ShadowPairs,
    /// The gate says that the comparisons are enough, and speak for the candidate.
    Evidence,
    /// Cutover, fallback and recovery were rehearsed, and not long ago.
    Rehearsal,
    /// The last step of cutover was long enough ago.
    Dwell,
    /// The candidate served recordings at this step, and did not fail at them.
    StepRuns,
    /// The candidate has served everybody for long enough.
    Soaked,
    /// The gate says that those it served were enough, and went well.
    Served,
    /// The breaker has not opened for long enough.
    Quiet,
    /// No rule of routing keeps a room or a recording from the candidate.
    Rules,
    /// Nothing was started on Celery for long enough.
    LegacyQuiet,
    /// Nothing is under way on Celery, and nothing waits there.
    LegacyDrained,
    /// What Celery did was exported.
    Exported,
    /// Whoever asks has typed the environment's name.
    TypedName,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Order,
        Self::Settings,
        Self::Health,
        Self::Breaker,
        Self::ParallelRuns,
        Self::ShadowPairs,
        Self::Evidence,
        Self::Rehearsal,
        Self::Dwell,
        Self::StepRuns,
        Self::Soaked,
        Self::Served,
        Self::Quiet,
        Self::Rules,
        Self::LegacyQuiet,
        Self::LegacyDrained,
        Self::Exported,
        Self::TypedName,
    ];

    /// The name in SQL, JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Settings => "settings",
            Self::Health => "health",
            Self::Breaker => "breaker",
            Self::ParallelRuns => "parallel_runs",
            Self::ShadowPairs => "shadow_pairs",
            Self::Evidence => "evidence",
            Self::Rehearsal => "rehearsal",
            Self::Dwell => "dwell",
            Self::StepRuns => "step_runs",
            Self::Soaked => "soaked",
            Self::Served => "served",
            Self::Quiet => "quiet",
            Self::Rules => "rules",
            Self::LegacyQuiet => "legacy_quiet",
            Self::LegacyDrained => "legacy_drained",
            Self::Exported => "exported",
            Self::TypedName => "typed_name",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == name)
    }

    /// Whether somebody may take it upon themselves. What the settings lack cannot be had by asking
    /// for it, and a name is typed or not.
    pub const fn may_be_overridden(self) -> bool {
        match self {
            Self::Settings | Self::TypedName => false,
            Self::Order
            | Self::Health
            | Self::Breaker
            | Self::ParallelRuns
            | Self::ShadowPairs
            | Self::Evidence
            | Self::Rehearsal
            | Self::Dwell
            | Self::StepRuns
            | Self::Soaked
            | Self::Served
            | Self::Quiet
            | Self::Rules
            | Self::LegacyQuiet
            | Self::LegacyDrained
            | Self::Exported => true,
        }
    }

    /// Where what it looks at is shown, below the API's root.
    pub const fn link(self) -> &'static str {
        match self {
            Self::Order
            | Self::Dwell
            | Self::Soaked
            | Self::TypedName
            | Self::Rules
            | Self::LegacyQuiet
            | Self::LegacyDrained => "/api/v1/phases",
            Self::Settings => "/health",
            Self::Health | Self::Breaker | Self::Quiet => "/api/v1/breaker",
            Self::ShadowPairs | Self::Evidence | Self::Served => "/api/v1/gate",
            Self::ParallelRuns | Self::StepRuns => "/api/v1/runs",
            Self::Rehearsal => "/api/v1/rehearsals",
            Self::Exported => "/api/v1/audit",
        }
    }

    /// The command that shows it or does something about it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Order | Self::Dwell | Self::Soaked | Self::TypedName => "switchyard phase",
            Self::Settings => "switchyard check",
            Self::Health | Self::Breaker | Self::Quiet => "switchyard health",
            Self::ParallelRuns => "switchyard replay",
            Self::ShadowPairs | Self::Evidence => "switchyard gate",
            Self::Served => "switchyard gate --soak",
            Self::StepRuns => "switchyard runs",
            Self::Rehearsal => "switchyard rehearse",
            Self::Rules => "switchyard routing",
            Self::LegacyQuiet | Self::LegacyDrained => "switchyard routes",
            Self::Exported => "switchyard cleanup export",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no precondition; `switchyard phase plan` names those of the next step")]
pub struct NoCheck(String);

impl std::str::FromStr for Check {
    type Err = NoCheck;

    fn from_str(name: &str) -> Result<Self, NoCheck> {
        Self::parse(name).ok_or_else(|| NoCheck(name.chars().take(40).collect()))
    }
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Met,
    /// It does not so far; time or more recordings may do it.
    NotYet,
    /// It does not, and something has to be put right.
    Failed,
    /// It does not, and somebody took that upon themselves.
    Overridden {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when that holds.
        until: DateTime<Utc>,
    },
}

impl Standing {
    /// Whether it lets a migration go forward.
    pub const fn allows(&self) -> bool {
        match self {
            Self::Met | Self::Overridden { .. } => true,
            Self::NotYet | Self::Failed => false,
        }
    }

    /// In a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotYet => "not yet",
            Self::Failed => "failed",
            Self::Overridden { .. } => "overridden",
        }
    }
}

/// One condition as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Precondition {
    /// What is looked at.
    pub check: Check,
    /// Whether it holds.
    pub state: Standing,
    /// What there is.
    pub value: String,
    /// What there has to be.
    pub bound: String,
    /// What is missing, or what to do; empty where it holds.
    pub missing: String,
    /// Where it is shown, below the API's root.
    pub link: &'static str,
}

/// What a step asks for; percentages are widened under the conditions of their own.
pub const fn required(from: Position, to: Position) -> &'static [Check] {
    use Check::{
        Breaker, Dwell, Evidence, Exported, Health, LegacyDrained, LegacyQuiet, Order,
        ParallelRuns, Quiet, Rehearsal, Rules, Served, Settings, ShadowPairs, Soaked, StepRuns,
        TypedName,
    };
    match to {
        Position::Infrastructure => &[],
        Position::Parallel => &[Order, Health],
        Position::Shadow(_) => match from {
            Position::Shadow(_) => &[Health, Breaker, ShadowPairs],
            Position::Infrastructure
            | Position::Parallel
            | Position::Cutover(_)
            | Position::Soak
            | Position::Draining
            | Position::Archived
            | Position::Removed => &[Order, Health, Breaker, ParallelRuns],
        },
        Position::Cutover(_) => match from {
            Position::Cutover(_) => &[Settings, Health, Breaker, Dwell, StepRuns],
            Position::Infrastructure
            | Position::Parallel
            | Position::Shadow(_)
            | Position::Soak
            | Position::Draining
            | Position::Archived
            | Position::Removed => &[Order, Settings, Health, Breaker, Evidence, Rehearsal],
        },
        Position::Soak => &[Order, Settings, Health, Breaker, Dwell, StepRuns],
        Position::Draining => &[Order, Health, Breaker, Soaked, Served, Quiet, Rules],
        Position::Archived => &[Order, LegacyQuiet, LegacyDrained],
        Position::Removed => &[Order, LegacyQuiet, LegacyDrained, Exported, TypedName],
    }
}

/// What is asked, and when.
pub(super) struct Asked<'a> {
    pub to: Position,
    pub facts: &'a Facts,
    pub around: &'a Surroundings,
    pub bounds: &'a Bounds,
    pub typed_name: Option<&'a str>,
    pub now: DateTime<Utc>,
}

/// What one check says before overrides: state, value, bound, what is missing.
type Said = (Standing, String, String, String);

impl Asked<'_> {
    /// All conditions of this step.
    pub(super) fn all(&self) -> Vec<Precondition> {
        required(self.facts.position, self.to)
            .iter()
            .map(|check| self.one(*check))
            .collect()
    }

    fn one(&self, check: Check) -> Precondition {
        let (mut state, value, bound, mut missing) = self.said(check);
        if !state.allows()
            && check.may_be_overridden()
            && let Some(taken) = self.facts.overridden(check, self.now)
        {
            state = Standing::Overridden {
                by: taken.by.clone(),
                reason: taken.reason.clone(),
                until: taken.until,
            };
        }
        if state == Standing::Met {
            missing.clear();
        }
        Precondition {
            check,
            state,
            value,
            bound,
            missing,
            link: check.link(),
        }
    }

    fn said(&self, check: Check) -> Said {
        match check {
            Check::Order => self.order(),
            Check::Settings => self.settings(),
            Check::Health => self.health(),
            Check::Breaker => self.breaker(),
            Check::ParallelRuns => self.parallel_runs(),
            Check::ShadowPairs => self.shadow_pairs(),
            Check::Evidence => gate_says(&self.facts.gate),
            Check::Served => gate_says(&self.facts.soak),
            Check::Rehearsal => self.rehearsal(),
            Check::Dwell => {
                let hours = self.bounds.dwell_hours;
                self.since(
                    TimeDelta::hours(hours),
                    &format!("{hours} h at this step"),
                    self.facts.since,
                )
            }
            Check::StepRuns => self.step_runs(),
            Check::Soaked => {
                let days = self.bounds.soak_days;
                self.since(
                    TimeDelta::days(days),
                    &format!("{days} days of soak"),
                    self.facts.since,
                )
            }
            Check::Quiet => {
                let days = self.bounds.quiet_days;
                let opened = self.facts.breaker.as_ref().and_then(|row| row.opened_at);
                self.apart(
                    days,
                    "since the breaker opened last",
                    opened,
                    "never opened",
                )
            }
            Check::Rules => match &self.facts.kept_back {
                None => met("nothing is kept from the candidate", "nothing"),
                Some(kept) => {
                    let missing = "take the rules back with `switchyard routing remove`, and set the reach to `all`";
                    let kept = format!("{kept} kept from the candidate");
                    (
                        Standing::NotYet,
                        kept,
                        "nothing".to_owned(),
                        missing.to_owned(),
                    )
                }
            },
            Check::LegacyQuiet => self.apart(
                self.bounds.legacy_quiet_days,
                "since the last start on Celery",
                self.facts.legacy_started_at,
                "never started",
            ),
            Check::LegacyDrained => self.legacy_drained(),
            Check::Exported => self.exported(),
            Check::TypedName => self.typed_name(),
        }
    }

    fn order(&self) -> Said {
        let Some(after) = &self.bounds.after else {
            return met("no environment comes before this one", "none");
        };
        let known = self.facts.predecessor.as_ref();
        let value = known.map_or_else(
            || "never moved".to_owned(),
            |position| format!("{after} is in {position}"),
        );
        // What serves users here has to have served everybody there.
        let least = match self.to {
            Position::Cutover(_) => Position::Soak,
            other => other.at(super::Percent::NONE),
        };
        let bound = format!("{after} in {} or later", least.name());
        if known.is_some_and(|position| position.step() >= least.step()) {
            met(value, bound)
        } else {
            let missing = format!("move {after} there first");
            (Standing::NotYet, value, bound, missing)
        }
    }

    fn settings(&self) -> Said {
        let bound = "everything that serving needs".to_owned();
        match &self.around.may_serve {
            Ok(()) => met("complete", bound),
            Err(lacks) => {
                let missing = "complete the settings and start again".to_owned();
                (Standing::Failed, lacks.clone(), bound, missing)
            }
        }
    }

    fn health(&self) -> Said {
        let minutes = self.bounds.healthy_min;
        let bound = format!("well for {minutes} min");
        let Some(health) = &self.facts.health else {
            let missing = "run `switchyard serve`, which watches Conductor".to_owned();
            return (Standing::NotYet, "not watched".to_owned(), bound, missing);
        };
        if let Some(bad) = &health.bad {
            let missing = "see `switchyard health`".to_owned();
            return (Standing::Failed, bad.clone(), bound, missing);
        }
        if self.now - health.checked_at > Facts::STALE {
            let missing = "see whether `switchyard serve` runs".to_owned();
            let value = format!("not looked at for {}", span(self.now - health.checked_at));
            return (Standing::NotYet, value, bound, missing);
        }
        self.since(TimeDelta::minutes(minutes), &bound, Some(health.since))
    }

    fn breaker(&self) -> Said {
        let bound = "closed".to_owned();
        match &self.facts.breaker {
            None => {
                let missing = "run `switchyard serve`, which watches Conductor".to_owned();
                (Standing::NotYet, "not watched".to_owned(), bound, missing)
            }
            Some(row) if row.state == BreakerState::Closed => met("closed", bound),
            Some(row) => {
                let value = format!("{}: {}", row.state, row.reason);
                let missing =
                    "wait until Conductor is well; `switchyard health` says what it lacks";
                (Standing::Failed, value, bound, missing.to_owned())
            }
        }
    }

    fn parallel_runs(&self) -> Said {
        let (well, failed) = (self.facts.parallel.ended_well, self.facts.parallel.failed);
        let at_least = self.bounds.parallel_runs;
        let value = format!("{well} ended well, {failed} failed");
        let bound = format!("{at_least} ended well, failures fewer than 1 in 10");
        if failed * 10 > well + failed {
            let missing = "see why they failed: `switchyard runs`".to_owned();
            (Standing::Failed, value, bound, missing)
        } else if well < at_least {
            let missing = format!(
                "replay {} more recordings: `switchyard replay`",
                at_least - well
            );
            (Standing::NotYet, value, bound, missing)
        } else {
            met(value, bound)
        }
    }

    fn shadow_pairs(&self) -> Said {
        let evidence = &self.facts.evidence;
        let at_least = self.bounds.shadow_pairs;
        let (pairs, failed) = (evidence.recordings, evidence.failures);
        let value = format!("{pairs} compared, {failed} with a failure");
        let bound = format!("{at_least} compared, and nothing alarms the gate");
        if let Some(alarm) = &self.facts.gate.alarm {
            let missing = format!("{alarm}; see `switchyard gate`");
            (Standing::Failed, value, bound, missing)
        } else if pairs < at_least {
            let missing = format!("{} more recordings", at_least - pairs);
            (Standing::NotYet, value, bound, missing)
        } else {
            met(value, bound)
        }
    }

    fn rehearsal(&self) -> Said {
        let days = self.bounds.rehearsal_days;
        let bound = format!("one that passed in the last {days} days");
        let missing = "run `switchyard rehearse`".to_owned();
        match &self.facts.rehearsal {
            None => (Standing::NotYet, "none yet".to_owned(), bound, missing),
            Some(last) if !last.passed => {
                let value = format!("the last one failed {} ago", span(self.now - last.at));
                (Standing::Failed, value, bound, missing)
            }
            Some(last) => {
                let value = format!("passed {} ago", span(self.now - last.at));
                if self.now - last.at <= TimeDelta::days(days) {
                    met(value, bound)
                } else {
                    (Standing::NotYet, value, bound, missing)
                }
            }
        }
    }

    fn step_runs(&self) -> Said {
        let (well, failed) = (self.facts.live.ended_well, self.facts.live.failed);
        let at_least = self.bounds.step_runs;
        let value = format!("{well} served, {failed} failed at this step");
        let bound = format!("{at_least} served, none failed");
        if failed > 0 {
            let missing = "see why they failed: `switchyard runs`".to_owned();
            (Standing::Failed, value, bound, missing)
        } else if well < at_least {
            let missing = format!("{} more recordings", at_least - well);
            (Standing::NotYet, value, bound, missing)
        } else {
            met(value, bound)
        }
    }

    fn legacy_drained(&self) -> Said {
        let open = self.facts.legacy_open;
        let bound = "nothing under way, nothing waiting".to_owned();
        let Some(waiting) = self.around.celery_waiting else {
            let value = format!("{open} under way; the queue could not be read");
            let missing = "see whether Celery's broker answers: `switchyard check`".to_owned();
            return (Standing::NotYet, value, bound, missing);
        };
        let value = format!("{open} under way, {waiting} waiting");
        if open == 0 && waiting == 0 {
            met(value, bound)
        } else {
            let missing = "wait until the legacy workers are done".to_owned();
            (Standing::NotYet, value, bound, missing)
        }
    }

    fn exported(&self) -> Said {
        let bound = "one made since the migration was archived".to_owned();
        let missing = "run `switchyard cleanup export FILE`".to_owned();
        match (self.facts.exported_at, self.facts.since) {
            (Some(at), since) if since.is_none_or(|since| at >= since) => {
                met(format!("made {} ago", span(self.now - at)), bound)
            }
            (Some(_), _) => (Standing::NotYet, "an older one".to_owned(), bound, missing),
            (None, _) => (Standing::NotYet, "none".to_owned(), bound, missing),
        }
    }

    fn typed_name(&self) -> Said {
        let name = self.facts.environment.as_str();
        let bound = "the environment's name, typed".to_owned();
        if self.typed_name == Some(name) {
            met("typed", bound)
        } else {
            let value = "not typed".to_owned();
            let missing = format!("add `--confirm {name}`");
            (Standing::NotYet, value, bound, missing)
        }
    }

    /// Something that has to have lasted.
    fn since(&self, at_least: TimeDelta, bound: &str, since: Option<DateTime<Utc>>) -> Said {
        let lasted = since.map_or(TimeDelta::zero(), |since| self.now - since);
        let value = span(lasted);
        if lasted >= at_least {
            met(value, bound)
        } else {
            let missing = format!("wait {}", span(at_least - lasted));
            (Standing::NotYet, value, bound.to_owned(), missing)
        }
    }

    /// Something that must not have happened for some days.
    fn apart(&self, days: i64, what: &str, last: Option<DateTime<Utc>>, never: &str) -> Said {
        let bound = format!("{days} days {what}");
        match last {
            None => met(never, bound),
            Some(last) => self.since(TimeDelta::days(days), &bound, Some(last)),
        }
    }
}

fn gate_says(gate: &GateStands) -> Said {
    let state = match gate.verdict {
        GateVerdict::Pass => Standing::Met,
        GateVerdict::Fail => Standing::Failed,
        GateVerdict::NotYet => Standing::NotYet,
    };
    let bound = "the gate says PASS".to_owned();
    (state, gate.line.clone(), bound, gate.missing.clone())
}

fn met(value: impl Into<String>, bound: impl Into<String>) -> Said {
    (Standing::Met, value.into(), bound.into(), String::new())
}

/// A length of time in its two largest units.
pub fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_read_by_the_name_it_is_written_by() {
        for check in Check::ALL {
            assert_eq!(check.to_string().parse(), Ok(check));
        }
    }

    #[test]
    fn lengths_of_time_are_told_in_their_largest_units() {
        for (seconds, told) in [
            (-5, "0 s"),
            (59, "59 s"),
            (61, "1 min"),
            (3660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(TimeDelta::seconds(seconds)), told);
        }
    }
}
