//! Holds, which block forward moves.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
};
use crate::{
    access::{Action, Caller},
    store::NewHold,
};

/// The longest a hold may be meant to last.
pub(in crate::http) const LONGEST_HOURS: i64 = 2160;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/holds", Action::View, list)
        .post("/holds", Action::Hold, place)
        .post("/holds/{id}/release", Action::Hold, release)
}

async fn list(State(door): State<Door>) -> Result<Json<Value>, Error> {
    Ok(Json(json!({ "holds": door.mover.holds().await? })))
}

async fn place(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &["by", "reason", "hours"])?;
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
    let fields = body::object(body, &["by", "reason"])?;
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
