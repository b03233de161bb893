//! May a migration move, and what is missing: pure, so that every reason can be told and tested.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    BreakerState, Check, Percent, Position, Precondition, Standing,
    precondition::{Asked, span},
};
use crate::model::{Bounds, EnvironmentName, GateVerdict};

/// Why forward moves are blocked, by whom and until when. It blocks until somebody releases it: one
/// that has expired says so, and still blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hold {
    /// Its id.
    pub id: String,
    /// Who holds.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub placed_at: DateTime<Utc>,
    /// When the owner meant to have released it.
    pub expires_at: DateTime<Utc>,
}

/// A condition that somebody took upon themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Override {
    /// Which.
    pub check: Check,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when it counts.
    pub until: DateTime<Utc>,
}

/// The newest that is known of the breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerFacts {
    /// How far it is.
    pub state: BreakerState,
    /// Why, for people.
    pub reason: String,
    /// When it opened last.
    pub opened_at: Option<DateTime<Utc>>,
}

/// What the probes of Conductor say, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthFacts {
    /// What is not well; none where all is.
    pub bad: Option<String>,
    /// Since when all has been well.
    pub since: DateTime<Utc>,
    /// When the probe that was looked at least recently was.
    pub checked_at: DateTime<Utc>,
}

/// How runs ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Completed.
    pub ended_well: i64,
    /// Failed, timed out or taken over.
    pub failed: i64,
}

/// All comparisons made under one digest of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The digest of versions.
    pub epoch: String,
    /// Digest of the comparisons themselves: who saw it saw exactly these.
    pub digest: String,
    /// Recordings with a comparison that counts, replayed ones included.
    pub recordings: i64,
    /// Of these, replayed or dispatched by hand.
    pub replayed: i64,
    /// Of these, with a failure of any kind: differs, candidate failed, timed out.
    pub failures: i64,
    /// Of these, where the candidate failed or timed out.
    pub candidate_failed: i64,
    /// Different days the recordings that count are from.
    pub days: i64,
}

/// What the gate says of the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateStands {
    /// What it comes to.
    pub verdict: GateVerdict,
    /// The same in one line.
    pub line: String,
    /// What is missing; empty where nothing is.
    pub missing: String,
    /// What stops even more recordings from being shadowed; none where nothing does.
    pub alarm: Option<String>,
}

impl Default for GateStands {
    fn default() -> Self {
        Self {
            verdict: GateVerdict::NotYet,
            line: format!("{}: nothing was compared", GateVerdict::NotYet),
            missing: "recordings".to_owned(),
            alarm: None,
        }
    }
}

/// A rehearsal's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RehearsalFacts {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether everything went as it has to.
    pub passed: bool,
}

/// People who approved the move that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvals {
    /// Who asked; none where nobody has so far.
    pub requested_by: Option<String>,
    /// Who approved.
    pub approved_by: Vec<String>,
}

/// Everything our database knows that a move depends on, read in the transaction that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where.
    pub environment: EnvironmentName,
    /// Where the migration stands.
    pub position: Position,
    /// Counts changes.
    pub version: i64,
    /// Since when it stands there; none where it never moved.
    pub since: Option<DateTime<Utc>>,
    /// Where the environment before this one stands; none where that never moved.
    pub predecessor: Option<Position>,
    /// The oldest hold.
    pub hold: Option<Hold>,
    /// Conditions that somebody took upon themselves, expired ones included.
    pub overrides: Vec<Override>,
    /// Who approved.
    pub approvals: Approvals,
    /// The breaker, where Conductor is watched.
    pub breaker: Option<BreakerFacts>,
    /// Conductor's health, where it is watched.
    pub health: Option<HealthFacts>,
    /// Comparisons of shadow runs, under the versions as they are.
    pub evidence: Evidence,
    /// What the gate says of them.
    pub gate: GateStands,
    /// What it says of those that the candidate served, under the versions as they are.
    pub soak: GateStands,
    /// Runs that nobody waited for.
    pub parallel: Ended,
    /// Live runs since the migration stands where it stands.
    pub live: Ended,
    /// The newest rehearsal.
    pub rehearsal: Option<RehearsalFacts>,
    /// When something was started on Celery last.
    pub legacy_started_at: Option<DateTime<Utc>>,
    /// Recordings that Celery is at.
    pub legacy_open: i64,
    /// What rules of routing keep from the candidate; none where they keep nothing.
    pub kept_back: Option<String>,
    /// When what Celery did was exported last.
    pub exported_at: Option<DateTime<Utc>>,
}

impl Facts {
    /// After how long what is known of Conductor says nothing any more.
    pub const STALE: TimeDelta = TimeDelta::seconds(60);

    /// Whoever took that check upon themselves, as long as it counts.
    pub(super) fn overridden(&self, check: Check, now: DateTime<Utc>) -> Option<&Override> {
        let counts = |taken: &&Override| taken.check == check && taken.until > now;
        self.overrides.iter().find(counts)
    }
}

/// What a move depends on and our database does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether the settings name everything that serving needs; what they lack, otherwise.
    pub may_serve: Result<(), String>,
    /// How many messages of the task wait in Celery's queues; none where that is not known.
    pub celery_waiting: Option<u64>,
}

/// A move somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where to.
    pub to: Position,
    /// The version they saw.
    pub seen: i64,
    /// The digest of the evidence they saw; any where they name none.
    pub evidence: Option<String>,
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The environment's name, where they typed it.
    pub typed_name: Option<String>,
}

/// A move that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Forward: everything that is asked for is there.
    Forward(Vec<Precondition>),
    /// Back: nothing is asked for.
    Back,
}

/// Why a migration stays where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "refused")]
pub enum Refusal {
    /// It is there already.
    There {
        /// Where.
        position: String,
    },
    /// It moved since it was seen.
    Moved {
        /// The version that was seen.
        seen: i64,
        /// The version now.
        version: i64,
        /// Where it stands now.
        position: String,
    },
    /// There is evidence that was not seen.
    NewEvidence {
        /// The digest that was seen.
        seen: String,
        /// What there is now.
        evidence: Evidence,
    },
    /// It is not the next step.
    NoStep {
        /// Where it stands.
        from: String,
        /// What was wanted.
        to: String,
        /// What could be.
        next: String,
    },
    /// Somebody holds.
    Held(Hold),
    /// Something is missing.
    Unmet {
        /// All that was looked at.
        preconditions: Vec<Precondition>,
    },
    /// Other people have to approve.
    Unapproved {
        /// How many have.
        have: usize,
        /// How many it takes.
        need: usize,
        /// All that was looked at; nothing of it is missing.
        preconditions: Vec<Precondition>,
    },
}

impl Refusal {
    /// Why, in a sentence.
    pub fn reason(&self) -> String {
        match self {
            Self::There { position } => format!("the migration is in {position} already"),
            Self::Moved {
                seen,
                version,
                position,
            } => format!(
                "the migration is in {position} at version {version} by now, not at version {seen}"
            ),
            Self::NewEvidence { evidence, .. } => format!(
                "there is evidence you have not seen: {} recordings compared by now, {} with a failure",
                evidence.recordings, evidence.failures
            ),
            Self::NoStep { from, to, next } => {
                format!("from {from} to {to} is more than a step; the next is {next}")
            }
            Self::Held(hold) => format!("{} holds: {}", hold.owner, hold.reason),
            Self::Unmet { preconditions } => {
                let unmet = preconditions.iter().filter(|one| !one.state.allows());
                let told: Vec<_> = unmet
                    .map(|one| {
                        format!("{} is {} and has to be {}", one.check, one.value, one.bound)
                    })
                    .collect();
                told.join("; ")
            }
            Self::Unapproved { have, need, .. } => {
                format!("it takes the approval of {need} other people, and {have} have approved")
            }
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::There { .. } => "there is nothing to do".to_owned(),
            Self::Moved { .. } => {
                "look at it with `switchyard phase`, and ask again if it is still wanted".to_owned()
            }
            Self::NewEvidence { evidence, .. } => format!(
                "look at it with `switchyard phase plan`, and ask again with `--evidence {}`",
                evidence.digest
            ),
            Self::NoStep { next, .. } => format!("go to {next} first"),
            Self::Held(hold) => format!(
                "ask {}, or release it with `switchyard hold release {}`",
                hold.owner, hold.id
            ),
            Self::Unmet { preconditions } => {
                let unmet = preconditions.iter().filter(|one| !one.state.allows());
                let told: Vec<_> = unmet
                    .map(|one| format!("{}: {}", one.check, one.missing))
                    .collect();
                told.join("; ")
            }
            Self::Unapproved { .. } => {
                "have it approved with `switchyard phase approve`".to_owned()
            }
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.reason(), self.remedy())
    }
}

impl std::error::Error for Refusal {}

/// Decides one move. Going back is always allowed, by one step or by all; going forward goes one step
/// at a time and asks for everything in [`required`](super::required).
pub fn advance(
    facts: &Facts,
    around: &Surroundings,
    wanted: &Move,
    bounds: &Bounds,
    now: DateTime<Utc>,
) -> Result<Advance, Refusal> {
    let (from, to) = (facts.position, wanted.to);
    if wanted.seen != facts.version {
        return Err(Refusal::Moved {
            seen: wanted.seen,
            version: facts.version,
            position: from.to_string(),
        });
    }
    if to == from {
        return Err(Refusal::There {
            position: from.to_string(),
        });
    }
    if to < from {
        return Ok(Advance::Back);
    }
    if let Some(seen) = &wanted.evidence
        && *seen != facts.evidence.digest
    {
        return Err(Refusal::NewEvidence {
            seen: seen.clone(),
            evidence: facts.evidence.clone(),
        });
    }
    if !is_step(from, to) {
        return Err(Refusal::NoStep {
            from: from.to_string(),
            to: to.to_string(),
            next: next_of(from),
        });
    }
    if let Some(hold) = &facts.hold {
        return Err(Refusal::Held(hold.clone()));
    }
    let preconditions = preconditions(facts, around, to, wanted.typed_name.as_deref(), bounds, now);
    if preconditions.iter().any(|one| !one.state.allows()) {
        return Err(Refusal::Unmet { preconditions });
    }
    let have = approvers(&facts.approvals, &wanted.by);
    let need = needed_approvals(to, bounds);
    if have < need {
        return Err(Refusal::Unapproved {
            have,
            need,
            preconditions,
        });
    }
    Ok(Advance::Forward(preconditions))
}

/// What the next step asks for, as it is.
pub fn preconditions(
    facts: &Facts,
    around: &Surroundings,
    to: Position,
    typed_name: Option<&str>,
    bounds: &Bounds,
    now: DateTime<Utc>,
) -> Vec<Precondition> {
    Asked {
        to,
        facts,
        around,
        bounds,
        typed_name,
        now,
    }
    .all()
}

/// How many other people have to approve. Nobody removes Celery alone, whatever the settings say.
pub fn needed_approvals(to: Position, bounds: &Bounds) -> usize {
    match to {
        Position::Removed => bounds.approvals.max(1),
        Position::Infrastructure
        | Position::Parallel
        | Position::Shadow(_)
        | Position::Cutover(_)
        | Position::Soak
        | Position::Draining
        | Position::Archived => bounds.approvals,
    }
}

/// Different people who approved and did not ask.
fn approvers(approvals: &Approvals, by: &str) -> usize {
    let asked = approvals.requested_by.as_deref().unwrap_or(by);
    let mut others: Vec<_> = approvals
        .approved_by
        .iter()
        .filter(|name| name.as_str() != asked)
        .collect();
    others.sort();
    others.dedup();
    others.len()
}

/// Whether forward is a single step: the next one, or more of the same.
fn is_step(from: Position, to: Position) -> bool {
    match to.step() - from.step() {
        0 => from.has_percent(),
        // Who soaks has served everybody.
        1 => to != Position::Soak || from == Position::Cutover(Percent::ALL),
        _ => false,
    }
}

/// What could be gone to, for people.
fn next_of(from: Position) -> String {
    let next = from.next().unwrap_or("nothing");
    match from {
        Position::Cutover(Percent::ALL) => next.to_owned(),
        Position::Cutover(percent) => {
            format!("cutover at more than {percent} %, up to 100 %")
        }
        Position::Shadow(percent) if percent < Percent::ALL => {
            format!("shadow at more than {percent} %, or {next}")
        }
        Position::Infrastructure
        | Position::Parallel
        | Position::Shadow(_)
        | Position::Soak
        | Position::Draining
        | Position::Archived
        | Position::Removed => next.to_owned(),
    }
}

/// For how long a hold has been over its time, for people; none where it is not.
pub fn overdue(hold: &Hold, now: DateTime<Utc>) -> Option<String> {
    (hold.expires_at <= now).then(|| span(now - hold.expires_at))
}

impl Standing {
    /// Whether it was not met but taken upon by somebody.
    pub const fn is_overridden(&self) -> bool {
        match self {
            Self::Overridden { .. } => true,
            Self::Met | Self::NotYet | Self::Failed => false,
        }
    }
}

#[cfg(test)]
mod tests;
