//! Phases: how far migrations are, what the next step lacks, and moves.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    caller::allowed,
    field::{BY, Field, number, text, texts},
    paging::{HIGHEST_LIMIT, Paging},
    words::{Part, shape},
};
use crate::{
    access::{Action, Caller},
    controller::{Approved, Moved, Plan},
    rollout::{Check, Move, NoPosition, Percent, Position, required},
    store::{PhaseLine, PhaseRow, Rehearsal, RehearsalLine, Request, RequestLine},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/phases", Action::View, list)
        .says("How far the migration is, in each environment")
        .answers_with(&[("phases", shape::<Vec<PhaseLine>>)])
        .get("/phases/plan", Action::View, plan)
        .says("What a step lacks: each precondition with its value, its bound and who can do something")
        .asks(&PLAN)
        .answers::<Plan>()
        .post("/phases/moves", Action::Move, go)
        .says("Moves the migration, or says which preconditions are missing")
        .takes(&FIELDS)
        .answers_with(&MOVED)
        .or(202, &REQUESTED)
        .get("/rehearsals", Action::View, rehearsals)
        .says("Rehearsals of cutover and fallback, the newest first")
        .lists::<RehearsalLine>("rehearsals")
        .get("/requests", Action::View, requests)
        .says("Moves that wait for approval")
        .lists::<RequestLine>("requests")
        .post("/requests/{id}/approvals", Action::Approve, approve)
        .says("Approves a move that somebody else asked for, which makes it where that is enough")
        .takes(&[BY])
        .answers_with(&MOVED)
        .or(202, &REQUESTED)
        .post("/requests/{id}/withdrawal", Action::Move, withdraw)
        .says("Takes a request back")
        .takes(&[BY])
        .answers_with(&[("withdrawn", shape::<String>)])
}

/// What a move that was made is told as.
const MOVED: [Part; 3] = [
    ("moved", shape::<PhaseLine>),
    ("before", shape::<String>),
    ("audit", shape::<i64>),
];

/// The same of one that others have to approve.
const REQUESTED: [Part; 3] = [
    ("request", shape::<String>),
    ("approvals", shape::<usize>),
    ("needed", shape::<usize>),
];

const PLAN: [Field; 2] = [
    text(
        "to",
        "the step; the usual next one where nothing is said",
        "\"shadow\"",
    ),
    text(
        "percent",
        "of steps that go by a percentage, how much",
        "\"12.5\"",
    ),
];

async fn list(State(door): State<Door>, caller: Caller) -> Result<Json<Value>, Error> {
    let mut rows = door.mover.store.phases().await?;
    let own = door.mover.stands().await?;
    if !rows.iter().any(|row| row.environment == own.environment) {
        rows.push(own);
    }
    let reach = caller.reach(Action::View);
    let theirs = rows.iter().filter(|row| reach.has(&row.environment));
    let phases: Vec<_> = theirs.map(PhaseRow::line).collect();
    Ok(Json(json!({ "phases": phases })))
}

/// Which step is asked about.
#[derive(Deserialize)]
struct Asked {
    to: Option<String>,
    percent: Option<String>,
}

async fn plan(
    State(door): State<Door>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Plan>, Error> {
    let Ok(Query(asked)) = asked else {
        return Err(Error::BadRequest(
            "ask with `?to=STEP&percent=NUMBER`, or without either for the usual next step"
                .to_owned(),
        ));
    };
    let to = match &asked.to {
        None => None,
        Some(name) => Some(position(name, asked.percent.as_deref())?),
    };
    let plan = door.mover.plan(to).await?;
    plan.map(Json).ok_or_else(|| {
        Error::NotFound(
            "Celery is removed, which is the last step; there is no next one".to_owned(),
        )
    })
}

fn position(name: &str, percent: Option<&str>) -> Result<Position, Error> {
    let bad = |error: &dyn std::fmt::Display| Error::BadRequest(error.to_string());
    let position: Position = name.parse().map_err(|error: NoPosition| bad(&error))?;
    match (position.has_percent(), percent) {
        (true, Some(percent)) => {
            let percent: Percent = percent.parse().map_err(|error| bad(&error))?;
            Ok(position.at(percent))
        }
        (true, None) => Err(Error::BadRequest(format!(
            "`{name}` goes by a percentage; send it as `percent`, a text like \"12.5\""
        ))),
        (false, None) => Ok(position),
        (false, Some(_)) => Err(Error::BadRequest(format!(
            "`{name}` has no percentage; leave out `percent`"
        ))),
    }
}

const FIELDS: [Field; 8] = [
    text("to", "the step", r#""parallel""#).needed(),
    text("percent", "of steps that go by a percentage, how much", ""),
    BY,
    text("reason", "why; it goes on record", r#""the first week""#),
    number("seen", (0, i64::MAX), "the version it was decided on"),
    text(
        "evidence",
        "the digest of the evidence it was decided on",
        "",
    ),
    texts(
        "override",
        "preconditions that whoever asks takes upon themselves",
        "",
    ),
    text(
        "confirm",
        "the environment's name, where a step asks for it",
        "",
    ),
];

async fn go(State(door): State<Door>, caller: Caller, body: Body) -> Result<Response, Error> {
    let fields = body::read(body, &FIELDS)?;
    let to = position(
        &fields.text("to")?,
        fields.text_if_any("percent")?.as_deref(),
    )?;
    let stands = door.mover.stands().await?;
    let wanted = Move {
        to,
        seen: fields.number_if_any("seen")?.unwrap_or(stands.version),
        evidence: fields.text_if_any("evidence")?,
        by: fields.by(&caller)?,
        reason: fields.text_if_any("reason")?.unwrap_or_default(),
        typed_name: fields.text_if_any("confirm")?,
    };
    let overriding = overriding(&fields.texts_if_any("override")?, stands.position, to)?;
    if !overriding.is_empty() && wanted.reason.trim().is_empty() {
        return Err(Error::BadRequest(
            "`override` goes on record with its reason; send `reason`".to_owned(),
        ));
    }
    if !overriding.is_empty() {
        allowed(&door.access, &caller, Action::Override).await?;
    }
    moved(door.mover.go(&wanted, &overriding).await?)
}

/// The preconditions that somebody takes upon themselves by these names.
pub(in crate::http) fn overriding(
    names: &[String],
    from: Position,
    to: Position,
) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    for name in names {
        if name == "all" {
            let may = |check: &&Check| check.may_be_overridden();
            checks.extend(required(from, to).iter().filter(may));
            continue;
        }
        match Check::parse(name) {
            Some(check) if check.may_be_overridden() => checks.push(check),
            Some(check) => {
                return Err(Error::BadRequest(format!("`{check}` cannot be overridden")));
            }
            None => {
                let name: String = name.chars().take(40).collect();
                return Err(Error::BadRequest(format!("`{name}` is no precondition")));
            }
        }
    }
    Ok(checks)
}

/// 200 where the move was made, 202 where others have to approve it, 409 where it was refused.
fn moved(moved: Moved) -> Result<Response, Error> {
    match moved {
        Moved::Made(flipped) => {
            let told = json!({
                "moved": flipped.now.line(),
                "before": flipped.before.to_string(),
                "audit": flipped.audited,
            });
            Ok(Json(told).into_response())
        }
        Moved::Requested { id, have, need } => {
            let told = json!({ "request": id, "approvals": have, "needed": need });
            Ok((StatusCode::ACCEPTED, Json(told)).into_response())
        }
        Moved::Refused(refusal) => Err(Error::Refused(Box::new(refusal))),
    }
}

async fn requests(State(door): State<Door>, paging: Paging) -> Result<Response, Error> {
    let open = door.mover.requests().await?;
    let open: Vec<_> = open.iter().map(Request::line).collect();
    paging
        .cut(open, |request| request.id.clone())
        .named("requests")
}

async fn rehearsals(State(door): State<Door>, paging: Paging) -> Result<Response, Error> {
    let mover = &door.mover;
    let newest = mover.store.rehearsals(&mover.about, HIGHEST_LIMIT).await?;
    let told: Vec<_> = newest.iter().map(Rehearsal::line).collect();
    paging.cut(told, |one| one.id.clone()).named("rehearsals")
}

fn no_request(id: &str) -> Error {
    Error::NotFound(format!(
        "no open request `{id}` waits for you; GET /api/v1/requests lists them"
    ))
}

async fn approve(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Error> {
    let by = body::read(body, &[BY])?.by(&caller)?;
    match door.mover.approve(&id, &by).await? {
        Approved::Nothing => Err(no_request(&id)),
        Approved::ByRequester => Err(Error::Conflict(
            "whoever asked for a move cannot approve it; somebody else has to".to_owned(),
        )),
        Approved::Moved(what) => moved(what),
    }
}

async fn withdraw(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let by = body::read(body, &[BY])?.by(&caller)?;
    if door.mover.withdraw(&id, &by).await? {
        Ok(Json(json!({ "withdrawn": id })))
    } else {
        Err(no_request(&id))
    }
}
