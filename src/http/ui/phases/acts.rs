//! What the forms of the page do: the same that the API does, by the same functions.

use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        super::{
            Door, Error,
            api::{holds::LONGEST_HOURS, phases::overriding},
            caller::allowed,
            error::PageError,
        },
        done::Done,
        form::{self, Form, Refused},
    },
    Named, Sent, name_of, refused, refused_as, words,
};
use crate::{
    access::{Action, Caller},
    controller::{Approved, Moved},
    rollout::{Move, NoPercent, NoPosition, Percent, Position},
    store::NewHold,
};

/// The id of the form that goes forward to that step.
pub(super) fn form_of(to: Position) -> String {
    format!("to-{}", to.name())
}

/// Going forward.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Go {
    to: String,
    percent: String,
    /// The version that was seen.
    seen: String,
    /// The digest of the evidence that was seen.
    evidence: String,
    by: String,
    reason: String,
    /// The migration's name, typed.
    confirm: String,
    /// Preconditions that they take upon themselves.
    #[serde(deserialize_with = "form::several")]
    pub(super) takes: Vec<String>,
}

impl Go {
    /// With that percentage, and nothing else typed so far.
    pub(super) fn at(percent: Percent) -> Self {
        Self {
            percent: percent.to_string(),
            ..Self::default()
        }
    }
}

/// Going back.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GoBack {
    to: String,
    percent: String,
    by: String,
    reason: String,
}

/// Placing a hold.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Hold {
    by: String,
    reason: String,
    hours: String,
}

/// Releasing one.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Release {
    by: String,
    reason: String,
}

/// Approving a request, or taking it back.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Answer {
    by: String,
}

fn step(typed: &str) -> Result<Position, Error> {
    let step: Result<Position, NoPosition> = typed.parse();
    step.map_err(|error| Error::BadRequest(error.to_string()))
}

/// A step with its percentage, where it has one.
fn position(to: &str, percent: &str) -> Result<Position, Error> {
    let step = step(to)?;
    if !step.has_percent() {
        return Ok(step);
    }
    let percent: Result<Percent, NoPercent> = percent.trim().trim_end_matches('%').trim().parse();
    let percent = percent.map_err(|error| Error::BadRequest(error.to_string()))?;
    Ok(step.at(percent))
}

const WHY: &str = "write why, for whoever reads the trail later";

pub(super) async fn go(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Form(sent): Form<Go>,
) -> Result<Response, PageError> {
    named.check(&door)?;
    let form = form_of(step(&sent.to)?);
    let why = match moved(&door, &caller, &sent).await {
        Ok(Moved::Made(_)) => return Ok(Done::Moved.at(&named.path())),
        Ok(Moved::Requested { .. }) => return Ok(Done::Requested.at(&named.path())),
        Ok(Moved::Refused(refusal)) => Error::Refused(Box::new(refusal)),
        Err(error) => error,
    };
    let sent = Sent {
        go: sent,
        ..Sent::default()
    };
    refused(&door, &caller, form, why, sent).await
}

async fn moved(door: &Door, caller: &Caller, sent: &Go) -> Result<Moved, Error> {
    let to = position(&sent.to, &sent.percent)?;
    let by = form::by(caller, &sent.by)?;
    let reason = form::text(&sent.reason, "the reason", WHY)?;
    let name = name_of(door);
    if sent.confirm.trim() != name {
        return Err(Error::BadRequest(format!(
            "what you typed is not this migration's name; type `{name}` to say that it is this one you mean"
        )));
    }
    let seen = sent.seen.parse();
    let seen = seen.map_err(|_| {
        Error::BadRequest("the form does not say what you saw; load the page again".to_owned())
    })?;
    let stands = door.mover.stands().await?;
    let overriding = overriding(&sent.takes, stands.position, to)?;
    if !overriding.is_empty() {
        allowed(&door.access, caller, Action::Override).await?;
    }
    let wanted = Move {
        to,
        seen,
        evidence: Some(sent.evidence.clone()).filter(|digest| !digest.is_empty()),
        by,
        reason,
        typed_name: Some(door.mover.about.environment.to_string()),
    };
    Ok(door.mover.go(&wanted, &overriding).await?)
}

pub(super) async fn go_back(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Form(sent): Form<GoBack>,
) -> Result<Response, PageError> {
    named.check(&door)?;
    let why = match moved_back(&door, &caller, &sent).await {
        Ok(Moved::Refused(refusal)) => Error::Refused(Box::new(refusal)),
        Ok(Moved::Made(_) | Moved::Requested { .. }) => {
            return Ok(Done::RolledBack.at(&named.path()));
        }
        Err(error) => error,
    };
    let sent = Sent {
        back: sent,
        ..Sent::default()
    };
    refused(&door, &caller, "back", why, sent).await
}

async fn moved_back(door: &Door, caller: &Caller, sent: &GoBack) -> Result<Moved, Error> {
    let to = position(&sent.to, &sent.percent)?;
    // Whatever was seen: who wants to go back does not want to be told first that somebody else moved.
    let stands = door.mover.stands().await?;
    if to >= stands.position {
        return Err(Error::Conflict(format!(
            "the migration is in {}, and {to} is not before that; going forward has a form of its own",
            stands.position
        )));
    }
    let wanted = Move {
        to,
        seen: stands.version,
        evidence: None,
        by: form::by(caller, &sent.by)?,
        reason: form::short(&sent.reason, "the reason")?,
        typed_name: None,
    };
    Ok(door.mover.go(&wanted, &[]).await?)
}

fn no_request() -> Error {
    Error::Conflict(
        "that request does not wait for you: it was made or taken back meanwhile, or you have approved it before"
            .to_owned(),
    )
}

pub(super) async fn approve(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Form(sent): Form<Answer>,
) -> Result<Response, PageError> {
    named.check(&door)?;
    let answered = match form::by(&caller, &sent.by) {
        Ok(by) => Ok(door.mover.approve(&named.id, &by).await?),
        Err(error) => Err(error),
    };
    let form = format!("request-{}", named.id);
    let sent = Sent {
        answer: sent,
        ..Sent::default()
    };
    let why = match answered {
        Ok(Approved::Moved(Moved::Made(_))) => return Ok(Done::Moved.at(&named.path())),
        Ok(Approved::Moved(Moved::Requested { .. })) => {
            return Ok(Done::Approved.at(&named.path()));
        }
        Ok(Approved::Moved(Moved::Refused(refusal))) => {
            let noted = format!(
                "your approval is noted, and the move was not made: {}",
                words::why(&refusal)
            );
            let why = Refused::in_parts(form, words::STAYS, noted, words::unmet(&refusal));
            return refused_as(&door, &caller, &why, sent).await;
        }
        Ok(Approved::ByRequester) => Error::Conflict(
            "you asked for this move, and somebody else has to approve it".to_owned(),
        ),
        Ok(Approved::Nothing) => no_request(),
        Err(error) => error,
    };
    refused(&door, &caller, form, why, sent).await
}

pub(super) async fn withdraw(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Form(sent): Form<Answer>,
) -> Result<Response, PageError> {
    named.check(&door)?;
    let why = match form::by(&caller, &sent.by) {
        Ok(by) if door.mover.withdraw(&named.id, &by).await? => {
            return Ok(Done::Withdrawn.at(&named.path()));
        }
        Ok(_) => no_request(),
        Err(error) => error,
    };
    let form = format!("request-{}", named.id);
    let sent = Sent {
        answer: sent,
        ..Sent::default()
    };
    refused(&door, &caller, form, why, sent).await
}

pub(super) async fn hold(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Form(sent): Form<Hold>,
) -> Result<Response, PageError> {
    named.check(&door)?;
    let why = match new_hold(&door, &caller, &sent) {
        Ok(hold) => {
            door.mover.hold(&hold).await?;
            return Ok(Done::Held.at(&named.path()));
        }
        Err(error) => error,
    };
    let sent = Sent {
        hold: sent,
        ..Sent::default()
    };
    refused(&door, &caller, "hold", why, sent).await
}

fn new_hold(door: &Door, caller: &Caller, sent: &Hold) -> Result<NewHold, Error> {
    let hours = sent.hours.trim().parse().ok();
    let hours = hours.filter(|hours| (1..=LONGEST_HOURS).contains(hours));
    let hours = hours.ok_or_else(|| {
        Error::BadRequest(format!(
            "hours: write after how many the hold is to be asked about, 1 to {LONGEST_HOURS}"
        ))
    })?;
    Ok(NewHold {
        owner: form::by(caller, &sent.by)?,
        reason: form::text(
            &sent.reason,
            "the reason",
            "write why nothing may go forward",
        )?,
        expires_at: (door.mover.clock)() + TimeDelta::hours(hours),
    })
}

pub(super) async fn release(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Form(sent): Form<Release>,
) -> Result<Response, PageError> {
    named.check(&door)?;
    let why = match released(&door, &caller, &named.id, &sent).await {
        Ok(true) => return Ok(Done::Released.at(&named.path())),
        Ok(false) => Error::Conflict("that hold is not in force any more".to_owned()),
        Err(error) => error,
    };
    let form = format!("release-{}", named.id);
    let sent = Sent {
        release: sent,
        ..Sent::default()
    };
    refused(&door, &caller, form, why, sent).await
}

async fn released(door: &Door, caller: &Caller, id: &str, sent: &Release) -> Result<bool, Error> {
    let by = form::by(caller, &sent.by)?;
    let reason = form::short(&sent.reason, "the reason")?;
    Ok(door.mover.release(id, &by, &reason).await?)
}
