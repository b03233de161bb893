//! Moves a migration, or says why not: one function behind the command line, the API and the console.

use std::{pin::Pin, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    overview::Told,
    recent::{Recent, Weighty},
    shadow::Clock,
};
use crate::{
    cost::PriceTable,
    gate::{Decision, Soak},
    model::{Bounds, GateVerdict},
    rollout::{
        Approvals, Check, Evidence, Facts, Hold, Move, Override, Percent, Position, Precondition,
        Refusal, Standing, Surroundings, advance, consequences, needed_approvals, preconditions,
    },
    store::{About, Flipped, NewHold, PhaseRow, Request, Store},
};

/// How long an override counts.
pub const OVERRIDE_LASTS: TimeDelta = TimeDelta::hours(4);

/// Looks at what moves depend on and our database does not know.
pub type Around = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Surroundings> + Send>> + Send + Sync>;

/// Moves the migration of one environment.
#[derive(Clone)]
pub struct Mover {
    /// What it is about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// How much has to be seen.
    pub bounds: Bounds,
    /// Looks at what our database does not know.
    pub around: Around,
    /// What things cost.
    pub prices: Arc<PriceTable>,
    /// The time.
    pub clock: Clock,
    /// What the gate said last, for whoever only looks.
    pub looked: Recent<Looked>,
}

/// What the gate said.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Of which evidence.
    pub evidence: Evidence,
    /// What it said.
    pub decision: Decision,
    /// When it was asked.
    pub at: DateTime<Utc>,
}

/// From so many recordings on, what is read of all of them is kept for a while.
pub const MANY: i64 = 500;

impl Weighty for Looked {
    fn is_weighty(&self) -> bool {
        self.decision.counts.recordings >= MANY
    }
}

/// What asking for a move came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Moved {
    /// It was made.
    Made(Flipped),
    /// Everything is met, and other people have to approve it.
    Requested {
        /// The request.
        id: String,
        /// How many have approved.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// It was not made.
    Refused(Refusal),
}

/// How a migration stands, and what its next step asks for.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// Where it stands.
    pub position: String,
    /// Counts changes; a move names the one it was decided on.
    pub version: i64,
    /// The step that was asked about.
    pub to: String,
    /// What it asks for.
    pub preconditions: Vec<Precondition>,
    /// What blocks it whatever is met.
    pub hold: Option<Hold>,
    /// How many other people have to approve.
    pub approvals: usize,
    /// The evidence as it is; a move names its digest.
    pub evidence: Evidence,
    /// Whether the move would be made if it were asked for and approved.
    pub ready: bool,
    /// One line that says why it can or cannot be made.
    pub line: String,
    /// What it changes for people, in sentences.
    pub consequences: Vec<String>,
}

impl Plan {
    /// The same in a word: whether it can be made, not yet, or not before something is put right.
    pub fn verdict(&self) -> GateVerdict {
        let failed = |one: &Precondition| one.state == Standing::Failed;
        if self.ready {
            GateVerdict::Pass
        } else if self.hold.is_some() || self.preconditions.iter().any(failed) {
            GateVerdict::Fail
        } else {
            GateVerdict::NotYet
        }
    }
}

/// Where a migration can be moved to from where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Ways {
    /// Where it stands.
    pub stands: PhaseRow,
    /// Steps forward that can be asked for, the usual one first; each with what it asks for. Where one
    /// goes by a percentage, that is the usual one.
    pub forward: Vec<(Position, Plan)>,
    /// Where it can go back to, the nearest first.
    pub back: Vec<Position>,
    /// What the gate says of the evidence that the steps were looked at with.
    pub gate: Told,
}

/// What somebody approved came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Approved {
    /// There is no such request, it is not open any more, or they have approved it before.
    Nothing,
    /// Whoever asks cannot approve.
    ByRequester,
    /// What became of the move.
    Moved(Moved),
}

impl Mover {
    /// Moves the migration, or says what is missing. `overriding` are preconditions that whoever asks
    /// takes upon themselves, for some hours; they are kept whether or not the move is made.
    pub async fn go(&self, wanted: &Move, overriding: &[Check]) -> anyhow::Result<Moved> {
        let now = (self.clock)();
        for check in overriding {
            let taken = Override {
                check: *check,
                by: wanted.by.clone(),
                reason: wanted.reason.clone(),
                until: now + OVERRIDE_LASTS,
            };
            self.store.take_override(&self.about, &taken, now).await?;
        }
        self.try_to_go(wanted, now).await
    }

    async fn try_to_go(&self, wanted: &Move, now: DateTime<Utc>) -> anyhow::Result<Moved> {
        let around = (self.around)().await;
        let decide = |facts: &Facts| advance(facts, &around, wanted, &self.bounds, now);
        match self.store.flip(&self.about, wanted, decide, now).await? {
            Ok(flipped) => Ok(Moved::Made(flipped)),
            Err(Refusal::Unapproved { have, need, .. }) => {
                let evidence = self.facts(wanted.to).await?.evidence.digest;
                let asking = self.store.request_move(&self.about, wanted, &evidence, now);
                Ok(Moved::Requested {
                    id: asking.await?,
                    have,
                    need,
                })
            }
            Err(refusal) => Ok(Moved::Refused(refusal)),
        }
    }

    /// Approves a request, and makes the move if that was what it lacked.
    pub async fn approve(&self, id: &str, by: &str) -> anyhow::Result<Approved> {
        let now = (self.clock)();
        let Some(request) = self.request(id).await? else {
            return Ok(Approved::Nothing);
        };
        if request.wanted.by == by {
            return Ok(Approved::ByRequester);
        }
        let evidence = self.facts(request.wanted.to).await?.evidence.digest;
        let approved = self.store.approve(&self.about, id, (by, &evidence), now);
        if !approved.await? {
            return Ok(Approved::Nothing);
        }
        let moved = self.try_to_go(&request.wanted, now).await?;
        Ok(Approved::Moved(moved))
    }

    async fn request(&self, id: &str) -> anyhow::Result<Option<Request>> {
        let open = self.store.open_requests(&self.about).await?;
        Ok(open.into_iter().find(|request| request.id == id))
    }

    /// Requests that wait for approval.
    pub async fn requests(&self) -> anyhow::Result<Vec<Request>> {
        self.store.open_requests(&self.about).await
    }

    /// Takes a request back. False where it is not open.
    pub async fn withdraw(&self, id: &str, by: &str) -> anyhow::Result<bool> {
        let now = (self.clock)();
        self.store.withdraw_request(&self.about, id, by, now).await
    }

    /// How the migration stands.
    pub async fn stands(&self) -> anyhow::Result<PhaseRow> {
        let about = &self.about;
        self.store.phase(&about.environment, &about.flag).await
    }

    /// What going `to` asks for, as it is; of the next step where none is named.
    pub async fn plan(&self, to: Option<Position>) -> anyhow::Result<Option<Plan>> {
        let around = (self.around)().await;
        let now = (self.clock)();
        let stands = self.stands().await?.position;
        let Some(to) = to.or_else(|| usual_next(stands)) else {
            return Ok(None);
        };
        let facts = self.facts(to).await?;
        Ok(Some(self.plan_of(facts, &around, to, now)))
    }

    /// Every move that can be asked for from where it stands.
    pub async fn ways(&self) -> anyhow::Result<Ways> {
        let around = (self.around)().await;
        let now = (self.clock)();
        let stands = self.stands().await?;
        let steps = steps_forward(stands.position);
        // What is read is the same for all of them but for who approved, and whoever looks is told how
        // many it takes.
        let first = steps.first().copied().unwrap_or(stands.position);
        let looked = self.looked().await?;
        let of = (looked.evidence.clone(), &looked.decision);
        let facts = Facts {
            approvals: Approvals::default(),
            ..self.store.facts_on(&self.about, first, of, now).await?
        };
        let plan = |to: Position| (to, self.plan_of(facts.clone(), &around, to, now));
        Ok(Ways {
            forward: steps.into_iter().map(plan).collect(),
            back: steps_back(stands.position),
            gate: Told {
                verdict: facts.gate.verdict,
                line: facts.gate.line,
                at: looked.at,
            },
            stands,
        })
    }

    fn plan_of(
        &self,
        facts: Facts,
        around: &Surroundings,
        to: Position,
        now: DateTime<Utc>,
    ) -> Plan {
        let asked = Move {
            to,
            seen: facts.version,
            evidence: None,
            by: String::new(),
            reason: String::new(),
            // Whether they type it is theirs to show when they ask.
            typed_name: Some(self.about.environment.to_string()),
        };
        let answer = advance(&facts, around, &asked, &self.bounds, now);
        let (ready, line) = match &answer {
            Ok(_) => (true, format!("{to} can be gone to")),
            Err(Refusal::Unapproved { need, .. }) => (
                true,
                format!("{to} can be gone to with the approval of {need} other people"),
            ),
            Err(refusal) => (false, refusal.to_string()),
        };
        let needed = if to > facts.position {
            preconditions(
                &facts,
                around,
                to,
                asked.typed_name.as_deref(),
                &self.bounds,
                now,
            )
        } else {
            Vec::new()
        };
        Plan {
            consequences: consequences(facts.position, to),
            position: facts.position.to_string(),
            version: facts.version,
            to: to.to_string(),
            preconditions: needed,
            hold: facts.hold,
            approvals: if to > facts.position {
                needed_approvals(to, &self.bounds)
            } else {
                0
            },
            evidence: facts.evidence,
            ready,
            line,
        }
    }

    /// What the gate says of the evidence, and which evidence that is.
    pub async fn gate(&self) -> anyhow::Result<(Evidence, Decision)> {
        self.store.gate(&self.about, (self.clock)()).await
    }

    /// What the gate says, or said a moment ago where it has much to look at: for whoever looks.
    pub async fn looked(&self) -> anyhow::Result<Arc<Looked>> {
        let mover = self.clone();
        let ask = async move || {
            let at = (mover.clock)();
            let (evidence, decision) = mover.gate().await?;
            Ok(Looked {
                evidence,
                decision,
                at,
            })
        };
        self.looked.look(ask).await
    }

    /// What the gate says of those that the candidate served.
    pub async fn soak(&self) -> anyhow::Result<Soak> {
        self.store.soak(&self.about, (self.clock)()).await
    }

    async fn facts(&self, to: Position) -> anyhow::Result<Facts> {
        self.store.facts(&self.about, to, (self.clock)()).await
    }

    /// Places a hold; its id.
    pub async fn hold(&self, hold: &NewHold) -> anyhow::Result<String> {
        self.store
            .place_hold(&self.about, hold, (self.clock)())
            .await
    }

    /// Holds in force, oldest first.
    pub async fn holds(&self) -> anyhow::Result<Vec<Hold>> {
        self.store.holds(&self.about).await
    }

    /// Releases a hold. False where there is none of that id in force.
    pub async fn release(&self, id: &str, by: &str, reason: &str) -> anyhow::Result<bool> {
        let now = (self.clock)();
        self.store
            .release_hold(&self.about, id, (by, reason), now)
            .await
    }
}

/// Steps forward that can be asked for, the usual one first.
fn steps_forward(position: Position) -> Vec<Position> {
    let mut steps: Vec<_> = usual_next(position).into_iter().collect();
    // From less than everything in shadow it is one step to cutover as well.
    if matches!(position, Position::Shadow(percent) if percent < Percent::ALL) {
        steps.extend(usual_next(Position::Shadow(Percent::ALL)));
    }
    steps
}

/// Positions that can be gone back to, the nearest first; less of the same where there is less.
fn steps_back(position: Position) -> Vec<Position> {
    let mut earlier: Vec<_> = Position::all(Percent::ALL)
        .into_iter()
        .filter(|step| step.step() < position.step())
        .collect();
    if position.has_percent() && position.percent() > Percent::NONE {
        earlier.push(position.at(Percent::NONE));
    }
    earlier.reverse();
    earlier
}

/// The step that is usually next; percentages grow tenfold in shadow, and carefully in cutover.
fn usual_next(position: Position) -> Option<Position> {
    let percent = |whole: u16| Percent::from_hundredths(whole * 100).expect("it is below 100");
    let wider = |now: Percent, steps: &[u16]| {
        let steps = steps.iter().map(|whole| percent(*whole));
        steps.into_iter().find(|step| *step > now)
    };
    match position {
        Position::Infrastructure => Some(Position::Parallel),
        Position::Parallel => Some(Position::Shadow(percent(10))),
        Position::Shadow(now) => Some(match wider(now, &[10, 50, 100]) {
            Some(step) => Position::Shadow(step),
            None => Position::Cutover(percent(1)),
        }),
        Position::Cutover(now) => Some(match wider(now, &[1, 5, 25, 50, 100]) {
            Some(step) => Position::Cutover(step),
            None => Position::Soak,
        }),
        Position::Soak => Some(Position::Draining),
        Position::Draining => Some(Position::Archived),
        Position::Archived => Some(Position::Removed),
        Position::Removed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(whole: u16) -> Percent {
        Percent::from_hundredths(whole * 100).expect("a percentage")
    }

    #[test]
    fn every_step_forward_that_is_offered_is_a_single_step_and_every_other_is_back() {
        let some = [percent(0), percent(10), Percent::ALL];
        for position in some.into_iter().flat_map(Position::all) {
            for to in steps_forward(position) {
                assert!(to > position, "{position} to {to}");
                assert!(to.step() - position.step() <= 1, "{position} to {to}");
            }
            for to in steps_back(position) {
                assert!(to < position, "{position} to {to}");
            }
        }
        assert_eq!(
            steps_forward(Position::Shadow(percent(10))),
            [Position::Shadow(percent(50)), Position::Cutover(percent(1))]
        );
        assert_eq!(steps_forward(Position::Removed), []);
        assert_eq!(steps_back(Position::Infrastructure), []);
        assert_eq!(
            steps_back(Position::Cutover(percent(25))),
            [
                Position::Cutover(Percent::NONE),
                Position::Shadow(Percent::ALL),
                Position::Parallel,
                Position::Infrastructure
            ]
        );
    }
}
