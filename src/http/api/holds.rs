//! Holds, which block forward moves.

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::{BY, Field, number, text},
    paging::Paging,
    words::shape,
};
use crate::{
    access::{Action, Caller},
    rollout::Hold,
    store::NewHold,
};

/// The longest a hold may be meant to last.
pub(in crate::http) const LONGEST_HOURS: i64 = 2160;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/holds", Action::View, list)
        .says("What blocks forward moves, the oldest first")
        .lists::<Hold>("holds")
        .post("/holds", Action::Hold, place)
        .says("Places a hold, which blocks forward moves until it is released")
        .takes(&HOLD)
        .answers_with(&[("hold", shape::<String>)])
        .post("/holds/{id}/release", Action::Hold, release)
        .says("Releases a hold")
        .takes(&RELEASE)
        .answers_with(&[("released", shape::<String>)])
}

const HOLD: [Field; 3] = [
    text("reason", "why", r#""people listen to the first ten""#).needed(),
    number(
        "hours",
        (1, LONGEST_HOURS),
        "after how many hours it is to be asked about",
    )
    .needed()
    .like("24"),
    BY,
];

const RELEASE: [Field; 2] = [text("reason", "why", r#""all are well""#), BY];

async fn list(State(door): State<Door>, paging: Paging) -> Result<Response, Error> {
    let holds = door.mover.holds().await?;
    paging.cut(holds, |hold| hold.id.clone()).named("holds")
}

async fn place(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::read(body, &HOLD)?;
    let hours = fields.number_if_any("hours")?;
    let hours = hours.filter(|hours| (1..=LONGEST_HOURS).contains(hours));
    let hours = hours.ok_or_else(|| {
        Error::BadRequest(format!(
            "`hours`: send after how many hours the hold is to be asked about, 1 to {LONGEST_HOURS}"
        ))
    })?;
    let hold = NewHold {
        owner: fields.by(&caller)?,
        reason: fields.text("reason")?,
        expires_at: (door.mover.clock)() + TimeDelta::hours(hours),
    };
    Ok(Json(json!({ "hold": door.mover.hold(&hold).await? })))
}

async fn release(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::read(body, &RELEASE)?;
    let reason = fields.text_if_any("reason")?.unwrap_or_default();
    let by = fields.by(&caller)?;
    if door.mover.release(&id, &by, &reason).await? {
        Ok(Json(json!({ "released": id })))
    } else {
        Err(Error::NotFound(format!(
            "no hold `{id}` is in force; GET /api/v1/holds lists them"
        )))
    }
}
