//! Whether Conductor may be relied on: one value that each round of looks moves.
//!
//! Any doubt ends on Celery, and trust comes back slowly: it is never closed because time has passed,
//! only because Conductor was seen to be well, again and again.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Percent, Signals};
use crate::model::HealthLimits;

/// How far the breaker is. It decides routing, never the phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Conductor is well.
    Closed,
    /// There was a bad sign, which is not confirmed.
    Suspect,
    /// Conductor is not well: nothing is started there.
    Open,
    /// It may be well again: one recording at a time is tried.
    HalfOpen,
    /// It is well again: more and more is started there.
    Recovering,
    /// It opened too often: only a person closes it.
    Latched,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Suspect,
        Self::Open,
        Self::HalfOpen,
        Self::Recovering,
        Self::Latched,
    ];

    /// The name in SQL, JSON and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Suspect => "suspect",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Recovering => "recovering",
            Self::Latched => "latched",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The percentages that a recovering breaker admits, one after the other.
const STEPS: [u16; 3] = [5, 25, 100];

/// So many good looks in a row take a suspicion away.
const CLEARS: u32 = 2;

/// So many bad looks confirm a suspicion, if they come before its time is over.
const CONFIRMS: u32 = 3;

/// Opening so often …
const LATCHES: usize = 3;

/// … within this time latches it.
const LATCHES_WITHIN: TimeDelta = TimeDelta::minutes(60);

/// The longest cool-down.
const LONGEST_COOL_DOWN: TimeDelta = TimeDelta::minutes(30);

/// So long after it opened last, it cools down as quickly as the first time.
const QUIET: TimeDelta = TimeDelta::hours(6);

/// Routers rely on no older look.
pub const STALE: TimeDelta = TimeDelta::seconds(30);

/// The breaker of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breaker {
    /// How far it is.
    pub state: BreakerState,
    /// When it came into this state.
    pub since: DateTime<Utc>,
    /// What brought it there.
    pub reason: String,
    /// Good looks in a row.
    pub good: u32,
    /// When the first of them was.
    pub good_since: Option<DateTime<Utc>>,
    /// Bad looks since there is a suspicion.
    pub bad: u32,
    /// The newest bad sign, while there is one.
    pub sign: Option<String>,
    /// How often its step of recovering was raised.
    pub step: usize,
    /// When it opened, as far back as counts.
    pub opened: Vec<DateTime<Utc>>,
    /// When it opened last.
    pub opened_at: Option<DateTime<Utc>>,
    /// Seconds it stays open at least.
    pub cool_down_s: i64,
    /// When it was looked at last.
    pub checked_at: DateTime<Utc>,
}

/// What may be started on Conductor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everything.
    All,
    /// So much of it.
    Percent(Percent),
    /// One recording, and the next when that has ended.
    OneAtATime,
    /// Nothing, for this reason.
    None(String),
}

impl Breaker {
    /// A breaker that was never looked at before: closed, unless the first look finds a bad sign.
    pub fn first(signals: &Signals, now: DateTime<Utc>, limits: &HealthLimits) -> Self {
        let new = Self {
            state: BreakerState::Closed,
            since: now,
            reason: "the first look found everything well".to_owned(),
            good: 0,
            good_since: None,
            bad: 0,
            sign: None,
            step: 0,
            opened: Vec::new(),
            opened_at: None,
            cool_down_s: limits.cool_down_s,
            checked_at: now,
        };
        new.after(signals, now, limits)
    }

    /// What it is after another round of looks.
    #[must_use]
    pub fn after(mut self, signals: &Signals, now: DateTime<Utc>, limits: &HealthLimits) -> Self {
        if now - self.checked_at > STALE {
            // Nobody knows what was in between.
            self.good = 0;
            self.good_since = None;
        }
        self.checked_at = now;
        self.opened.retain(|at| now - *at < LATCHES_WITHIN);
        self.sign.clone_from(&signals.bad);
        if let Some(sign) = &signals.bad {
            self.good = 0;
            self.good_since = None;
            self.after_bad(sign, signals.only_watched, now, limits)
        } else {
            self.good += 1;
            self.good_since = self.good_since.or(Some(now));
            self.after_good(now, limits)
        }
    }

    fn after_bad(
        mut self,
        sign: &str,
        only_watched: bool,
        now: DateTime<Utc>,
        limits: &HealthLimits,
    ) -> Self {
        match self.state {
            BreakerState::Closed => {
                self.bad = 1;
                self.to(BreakerState::Suspect, sign, now)
            }
            BreakerState::Suspect => {
                self.bad += 1;
                let lasts = now - self.since >= TimeDelta::seconds(limits.confirm_s);
                if !only_watched && (lasts || self.bad >= CONFIRMS) {
                    self.open(sign, now, limits)
                } else {
                    self
                }
            }
            BreakerState::HalfOpen | BreakerState::Recovering => {
                if only_watched {
                    self.bad = 1;
                    self.to(BreakerState::Suspect, sign, now)
                } else {
                    self.open(sign, now, limits)
                }
            }
            BreakerState::Open | BreakerState::Latched => self,
        }
    }

    fn after_good(mut self, now: DateTime<Utc>, limits: &HealthLimits) -> Self {
        match self.state {
            BreakerState::Closed | BreakerState::Latched => self,
            BreakerState::Suspect => {
                if self.good < CLEARS {
                    return self;
                }
                self.bad = 0;
                let cleared = format!("{}; it has passed", self.reason);
                self.to(BreakerState::Closed, &cleared, now)
            }
            BreakerState::Open => {
                if now - self.since < self.cool_down() {
                    return self;
                }
                self.to(
                    BreakerState::HalfOpen,
                    "it cooled down, and Conductor answers well",
                    now,
                )
                .counting_anew(now)
            }
            BreakerState::HalfOpen => {
                if !self.is_steady(now, limits) {
                    return self;
                }
                self.step = 0;
                let reason = format!("{} good looks, one recording at a time", self.good);
                self.to(BreakerState::Recovering, &reason, now)
                    .counting_anew(now)
            }
            BreakerState::Recovering => {
                if !self.is_steady(now, limits) {
                    return self;
                }
                let (good, was) = (self.good, self.percent());
                if self.step + 1 < STEPS.len() {
                    self.step += 1;
                    let reason = format!("{good} good looks at {was} %");
                    return self
                        .to(BreakerState::Recovering, &reason, now)
                        .counting_anew(now);
                }
                self.bad = 0;
                let reason = format!("{good} good looks at {was} %: it has recovered");
                self.to(BreakerState::Closed, &reason, now)
            }
        }
    }

    /// What it is once a person has closed it. An error while Conductor is not seen to be well, or
    /// where there is nothing to close.
    pub fn closed_by(
        mut self,
        by: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, NotClosed> {
        match self.state {
            BreakerState::Closed => return Err(NotClosed::Closed),
            BreakerState::Suspect
            | BreakerState::Open
            | BreakerState::HalfOpen
            | BreakerState::Recovering
            | BreakerState::Latched => {}
        }
        if now - self.checked_at > STALE {
            return Err(NotClosed::NotWatched);
        }
        if let Some(sign) = self.sign {
            return Err(NotClosed::Unwell(sign));
        }
        self.bad = 0;
        self.opened.clear();
        Ok(self.to(
            BreakerState::Closed,
            &format!("closed by {by}: {reason}"),
            now,
        ))
    }

    fn open(mut self, sign: &str, now: DateTime<Utc>, limits: &HealthLimits) -> Self {
        let again = self.opened_at.is_some_and(|at| now - at < QUIET);
        self.cool_down_s = if again {
            let longest = LONGEST_COOL_DOWN.num_seconds().max(limits.cool_down_s);
            (self.cool_down_s.max(limits.cool_down_s) * 2).min(longest)
        } else {
            limits.cool_down_s
        };
        self.opened_at = Some(now);
        self.opened.push(now);
        self.step = 0;
        if self.opened.len() >= LATCHES {
            let reason = format!(
                "{sign}; it opened {} times within an hour",
                self.opened.len()
            );
            return self.to(BreakerState::Latched, &reason, now);
        }
        self.to(BreakerState::Open, sign, now)
    }

    fn to(mut self, state: BreakerState, reason: &str, now: DateTime<Utc>) -> Self {
        self.state = state;
        self.since = now;
        reason.clone_into(&mut self.reason);
        self
    }

    /// The look that brought it here does not count for the next step.
    fn counting_anew(mut self, now: DateTime<Utc>) -> Self {
        self.good = 0;
        self.good_since = Some(now);
        self
    }

    fn is_steady(&self, now: DateTime<Utc>, limits: &HealthLimits) -> bool {
        let lasts = |since| now - since >= TimeDelta::seconds(limits.steady_s);
        self.good >= limits.good_looks && self.good_since.is_some_and(lasts)
    }

    fn cool_down(&self) -> TimeDelta {
        TimeDelta::seconds(self.cool_down_s)
    }

    fn percent(&self) -> Percent {
        let whole = STEPS[self.step.min(STEPS.len() - 1)];
        Percent::from_hundredths(whole * 100).expect("the steps are percentages")
    }

    /// Whether routers may rely on it.
    pub fn is_watched(&self, now: DateTime<Utc>) -> bool {
        now - self.checked_at <= STALE
    }

    /// What may be started on Conductor now.
    pub fn admits(&self, now: DateTime<Utc>) -> Admission {
        if !self.is_watched(now) {
            return Admission::None(format!(
                "nobody has looked at Conductor since {}",
                self.checked_at.format("%H:%M:%S UTC")
            ));
        }
        let refused = || Admission::None(format!("the breaker is {}: {}", self.state, self.reason));
        match self.state {
            BreakerState::Closed => Admission::All,
            BreakerState::Suspect | BreakerState::Open | BreakerState::Latched => refused(),
            BreakerState::HalfOpen => Admission::OneAtATime,
            BreakerState::Recovering => Admission::Percent(self.percent()),
        }
    }

    /// Whether Conductor is taken to be unwell, so that nothing is started again there.
    pub fn is_unwell(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            BreakerState::Open | BreakerState::Latched => true,
            BreakerState::Suspect => self.is_watched(now),
            BreakerState::Closed | BreakerState::HalfOpen | BreakerState::Recovering => false,
        }
    }

    /// What happens next, and what would change that.
    pub fn next(&self, limits: &HealthLimits) -> String {
        let steady = format!(
            "{} good looks in a row over {} s at least (so far {})",
            limits.good_looks, limits.steady_s, self.good
        );
        match self.state {
            BreakerState::Closed => "everything may start on Conductor; one bad sign makes it suspect".to_owned(),
            BreakerState::Suspect => format!(
                "nothing new starts on Conductor; it opens when bad signs last {} s or come {CONFIRMS} times, \
                 and closes after {CLEARS} good looks in a row",
                limits.confirm_s
            ),
            BreakerState::Open => format!(
                "Celery serves, and live runs are given back to it; the first good look after {} half-opens it",
                (self.since + self.cool_down()).format("%H:%M:%S UTC")
            ),
            BreakerState::HalfOpen => format!(
                "one recording at a time starts on Conductor; {steady} let it recover, one bad look opens it again"
            ),
            BreakerState::Recovering => {
                let then = match STEPS.get(self.step + 1) {
                    Some(step) => format!("raise that to {step} %"),
                    None => "close it".to_owned(),
                };
                format!(
                    "{} % of what is Conductor's starts there; {steady} {then}, one bad look opens it again",
                    self.percent()
                )
            }
            BreakerState::Latched => {
                "Celery serves until a person closes it: `switchyard health close --by NAME --reason TEXT`".to_owned()
            }
        }
    }

    /// All there is to know of it in one line.
    pub fn line(&self, limits: &HealthLimits) -> String {
        format!(
            "{} since {}: {}. Next: {}.",
            self.state,
            self.since.format("%Y-%m-%d %H:%M:%S UTC"),
            self.reason,
            self.next(limits)
        )
    }
}

/// Why a person's word does not close a breaker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClosed {
    /// It is closed.
    #[error("the breaker is closed already")]
    Closed,
    /// The newest look found a bad sign.
    #[error(
        "Conductor is not well: {0}; the breaker can be closed once a look finds nothing wrong"
    )]
    Unwell(String),
    /// There is no look to rely on.
    #[error(
        "nobody looks at Conductor, so nobody knows whether it is well; start `switchyard serve`, which does"
    )]
    NotWatched,
}

#[cfg(test)]
mod tests;
