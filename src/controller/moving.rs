//! Moves a migration, or says why not: one function behind the command line, the API and the console.

use std::{pin::Pin, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::shadow::Clock;
use crate::{
    gate::{Decision, Soak},
    model::Bounds,
    rollout::{
        Check, Evidence, Facts, Hold, Move, Override, Percent, Position, Precondition, Refusal,
        Surroundings, advance, needed_approvals, preconditions,
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
    /// The time.
    pub clock: Clock,
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
        let asked = Move {
            to,
            seen: facts.version,
            evidence: None,
            by: String::new(),
            reason: String::new(),
            // Whether they type it is theirs to show when they ask.
            typed_name: Some(self.about.environment.to_string()),
        };
        let answer = advance(&facts, &around, &asked, &self.bounds, now);
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
                &around,
                to,
                asked.typed_name.as_deref(),
                &self.bounds,
                now,
            )
        } else {
            Vec::new()
        };
        Ok(Some(Plan {
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
        }))
    }

    /// What the gate says of the evidence, and which evidence that is.
    pub async fn gate(&self) -> anyhow::Result<(Evidence, Decision)> {
        self.store.gate(&self.about, (self.clock)()).await
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
