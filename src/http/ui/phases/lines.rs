//! What the page shows, line by line, as plain values: the template decides nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{acts::Go, words};
use crate::{
    access::Caller,
    controller::Plan,
    model::GateVerdict,
    rollout::{
        Hold, Override, Percent, Position, Precondition, Standing, audit::Sealed, consequences,
        overdue,
    },
    store::Request,
};

/// A step on the line of all of them.
#[derive(Serialize)]
pub(super) struct Stop {
    name: &'static str,
    /// The percentage, or that it is where the migration stands.
    note: String,
    is_past: bool,
    is_here: bool,
}

impl Stop {
    pub(super) fn all(here: Position) -> Vec<Self> {
        let stop = |step: Position| {
            let is_here = step.step() == here.step();
            Self {
                name: step.name(),
                note: if is_here && here.has_percent() {
                    format!("{} %", here.percent())
                } else {
                    String::new()
                },
                is_past: step.step() < here.step(),
                is_here,
            }
        };
        Position::all(Percent::NONE).into_iter().map(stop).collect()
    }
}

/// A hold in force.
#[derive(Serialize)]
pub(in crate::http::ui) struct HoldLine {
    id: String,
    owner: String,
    reason: String,
    placed_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// For how long it has been over its time.
    overdue: Option<String>,
}

impl HoldLine {
    pub(in crate::http::ui) fn of(hold: Hold, now: DateTime<Utc>) -> Self {
        Self {
            overdue: overdue(&hold, now),
            id: hold.id,
            owner: hold.owner,
            reason: hold.reason,
            placed_at: hold.placed_at,
            expires_at: hold.expires_at,
        }
    }
}

/// A precondition that somebody took upon themselves.
#[derive(Serialize)]
pub(super) struct Withheld {
    what: &'static str,
    by: String,
    reason: String,
    until: DateTime<Utc>,
}

impl Withheld {
    pub(super) fn of(taken: Override) -> Self {
        Self {
            what: words::name(taken.check),
            by: taken.by,
            reason: taken.reason,
            until: taken.until,
        }
    }
}

/// One condition of a step.
#[derive(Serialize)]
struct Condition {
    check: &'static str,
    name: &'static str,
    /// By its name in JSON, for its badge.
    state: &'static str,
    value: String,
    bound: String,
    missing: String,
    links: &'static [(&'static str, &'static str)],
    command: &'static str,
    /// Somebody may take it upon themselves, and it is not met.
    may_be_taken: bool,
    /// It was ticked when the form was refused.
    is_ticked: bool,
}

impl Condition {
    fn of(one: &Precondition, ticked: &[String]) -> Self {
        let (state, missing) = match &one.state {
            Standing::Met => ("met", String::new()),
            Standing::NotYet => ("not_yet", one.missing.clone()),
            Standing::Failed => ("failed", one.missing.clone()),
            Standing::Overridden { by, until, .. } => (
                "overridden",
                format!(
                    "{by} takes it upon themselves until {}",
                    until.format("%H:%M")
                ),
            ),
        };
        let check = one.check.as_str();
        Self {
            check,
            name: words::name(one.check),
            state,
            value: one.value.clone(),
            bound: one.bound.clone(),
            missing,
            links: words::rests_on(one.check),
            command: one.check.command(),
            may_be_taken: !one.state.allows() && one.check.may_be_overridden(),
            is_ticked: ticked.iter().any(|name| name == check),
        }
    }
}

/// A step forward that can be asked for.
#[derive(Serialize)]
pub(super) struct Way {
    /// The form's name.
    form: String,
    to: &'static str,
    /// For people, without a percentage where one is chosen.
    label: String,
    has_percent: bool,
    verdict: GateVerdict,
    line: String,
    is_held: bool,
    conditions: Vec<Condition>,
    approvals: usize,
    consequences: Vec<String>,
    /// Digest of the evidence as it is shown.
    evidence: String,
    /// What its fields hold.
    typed: Go,
}

impl Way {
    /// `typed` is what was refused.
    pub(super) fn of(form: String, to: Position, plan: &Plan, typed: Option<Go>) -> Self {
        let typed = typed.unwrap_or_else(|| Go::at(to.percent()));
        let unmet = plan.preconditions.iter();
        let unmet = unmet.filter(|one| !one.state.allows()).count();
        let all = plan.preconditions.len();
        let line = match (&plan.hold, plan.ready, plan.approvals) {
            (Some(hold), ..) => format!("{} holds: {}.", hold.owner, hold.reason),
            (None, true, 0) => "Everything is met.".to_owned(),
            (None, true, 1) => "Everything is met; somebody else has to approve it.".to_owned(),
            (None, true, more) => {
                format!("Everything is met; {more} other people have to approve it.")
            }
            (None, false, _) => format!("{unmet} of {all} preconditions not met."),
        };
        Self {
            form,
            to: to.name(),
            label: label(plan, to),
            has_percent: to.has_percent(),
            verdict: plan.verdict(),
            line,
            is_held: plan.hold.is_some(),
            conditions: plan
                .preconditions
                .iter()
                .map(|one| Condition::of(one, &typed.takes))
                .collect(),
            approvals: plan.approvals,
            consequences: plan.consequences.clone(),
            evidence: plan.evidence.digest.clone(),
            typed,
        }
    }
}

/// `more of shadow` where the percentage alone grows.
fn label(plan: &Plan, to: Position) -> String {
    if to.has_percent() && plan.position.starts_with(to.name()) {
        format!("more of {}", to.name())
    } else {
        to.name().to_owned()
    }
}

/// Going back: where to at once, and where else.
#[derive(Serialize)]
pub(super) struct Back {
    /// Where the control serves everybody, or the step before where it does already.
    usual: Target,
    consequences: Vec<String>,
    others: Vec<Target>,
    /// One of them goes by a percentage.
    has_percent: bool,
}

/// A position one can choose.
#[derive(Serialize)]
struct Target {
    to: &'static str,
    /// As it is sent; empty where it has none.
    percent: String,
    label: String,
}

impl Target {
    fn of(position: Position) -> Self {
        Self {
            to: position.name(),
            percent: if position.has_percent() {
                position.percent().to_string()
            } else {
                String::new()
            },
            label: position.to_string(),
        }
    }
}

impl Back {
    pub(super) fn of(here: Position, earlier: &[Position]) -> Option<Self> {
        let serves = |position: &&Position| !position.phase().lets_candidate_serve();
        let usual = if here.phase().lets_candidate_serve() {
            earlier.iter().find(serves)
        } else {
            earlier.iter().find(|step| step.step() < here.step())
        };
        let usual = *usual?;
        let mut steps: Vec<Position> = earlier.to_vec();
        steps.dedup_by_key(|step| step.step());
        Some(Self {
            usual: Target::of(usual),
            consequences: consequences(here, usual),
            has_percent: steps.iter().any(|step| step.has_percent()),
            others: steps
                .into_iter()
                .map(|step| Target {
                    label: step.name().to_owned(),
                    ..Target::of(step)
                })
                .collect(),
        })
    }
}

/// A move that waits for approval.
#[derive(Serialize)]
pub(super) struct Asked {
    id: String,
    to: String,
    by: String,
    reason: String,
    requested_at: DateTime<Utc>,
    approved_by: Vec<String>,
    needed: usize,
    /// Whoever looks asked for it, so they cannot approve it.
    is_own: bool,
    /// Whoever looks has approved it.
    has_approved: bool,
    verdict: Option<GateVerdict>,
    /// What became of the evidence meanwhile.
    evidence: &'static str,
    /// For how long it has been waiting.
    since: String,
}

impl Asked {
    pub(super) fn of(
        request: &Request,
        plan: Option<&Plan>,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Self {
        let is_theirs = |name: &String| caller.name.as_ref() == Some(name);
        Self {
            id: request.id.clone(),
            to: request.wanted.to.to_string(),
            by: request.wanted.by.clone(),
            reason: request.wanted.reason.clone(),
            requested_at: request.requested_at,
            approved_by: request.approved_by.clone(),
            needed: plan.map_or(1, |plan| plan.approvals),
            is_own: is_theirs(&request.wanted.by),
            has_approved: request.approved_by.iter().any(is_theirs),
            verdict: plan.map(Plan::verdict),
            evidence: match plan {
                Some(plan) if plan.evidence.digest == request.evidence => {
                    "The evidence is the same as when it was asked for."
                }
                Some(_) => "The evidence is not the same as when it was asked for.",
                None => "It is no step any more from where the migration stands.",
            },
            since: crate::rollout::span(now - request.requested_at),
        }
    }
}

/// An entry of the trail.
#[derive(Serialize)]
pub(super) struct Event {
    at: DateTime<Utc>,
    by: String,
    what: String,
    reason: String,
}

impl Event {
    pub(super) fn of(sealed: Sealed) -> Self {
        let entry = sealed.entry;
        let what = match entry.action.as_str() {
            "flip" => format!("moved from {} to {}", entry.before, entry.after),
            "request" => format!("asked for {}", entry.after),
            "approve" => format!("approved {}", entry.after),
            "withdraw" => format!("took back {}", entry.before),
            "hold" => format!("placed {}", entry.after),
            "release" => format!("released {}", entry.before),
            "override" => format!("took upon themselves {}", entry.after),
            other => other.to_owned(),
        };
        Self {
            at: DateTime::from_timestamp_millis(entry.at).unwrap_or_default(),
            by: entry.actor,
            what,
            reason: entry.reason,
        }
    }
}
