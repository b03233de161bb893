//! Replays of history.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use super::{
    super::{
        Door, Error, Routes,
        body::{self, Body},
    },
    runs::{Listing, limit_of},
};
use crate::{
    access::{Action, Caller},
    controller::{Driver, NewReplay, NoReplay},
    store::Replay,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/replays", Action::View, list)
        .post("/replays", Action::Replay, begin)
        .get("/replays/{id}", Action::View, one)
        .post("/replays/{id}/pause", Action::Replay, pause)
        .post("/replays/{id}/resumption", Action::Replay, resume)
        .post("/replays/{id}/cancellation", Action::Replay, cancel)
}

/// What a refusal is for whoever asks over HTTP.
pub(in crate::http) fn refused(refusal: &NoReplay) -> Error {
    let told = refusal.to_string();
    match refusal {
        NoReplay::Unknown(_) => Error::NotFound(told),
        NoReplay::Nothing(_) => Error::BadRequest(told),
        NoReplay::NoPrices(_) => Error::Unprocessable(told),
        NoReplay::Position { .. } | NoReplay::NotUnderWay { .. } | NoReplay::Over { .. } => {
            Error::Conflict(told)
        }
    }
}

/// A day, or a moment.
pub(in crate::http) fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_time(NaiveTime::MIN).and_utc());
    }
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.to_utc())
}

async fn list(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Value>, Error> {
    let limit = limit_of(&listing)?;
    let store = &door.shadow.store;
    let replays = store.replays(&door.shadow.environment, limit).await?;
    let told: Vec<Value> = replays.iter().map(Replay::told).collect();
    Ok(Json(json!({ "replays": told })))
}

async fn one(State(door): State<Door>, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let replays = door.replays()?;
    let replay = replays.find(&id).await?;
    let replay = replay.map_err(|refusal| refused(&refusal))?;
    let mut told = replay.told();
    told["tally"] = json!(replays.tally(&replay).await?);
    Ok(Json(told))
}

const NEW: [&str; 8] = [
    "from",
    "to",
    "room",
    "limit",
    "rate",
    "budget_usd",
    "anew",
    "by",
];

async fn begin(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &NEW)?;
    let day = "send a day like 2026-03-01, or 2026-03-01T12:00:00Z";
    let at = |name: &str, text: &str| moment(text).ok_or_else(|| body::wrong(name, day));
    let number = |name: &str| -> Result<i64, Error> {
        let found = fields.number_if_any(name)?;
        found.ok_or_else(|| body::wrong(name, "send a whole number"))
    };
    let budget_usd = match fields.get("budget_usd") {
        None | Some(Value::Null) => None,
        Some(sent) => Some(sent.as_f64().ok_or_else(|| {
            body::wrong("budget_usd", "send a number of US dollars, or leave it out")
        })?),
    };
    let anew = match fields.get("anew") {
        None | Some(Value::Null) => false,
        Some(sent) => sent
            .as_bool()
            .ok_or_else(|| body::wrong("anew", "send true or false"))?,
    };
    let to = fields.text_if_any("to")?;
    let new = NewReplay {
        from: at("from", &fields.text_or("from", day)?)?,
        to: to.map(|text| at("to", &text)).transpose()?,
        room: fields.text_if_any("room")?.as_deref().map(Into::into),
        at_most: number("limit")?,
        per_hour: number("rate")?,
        budget_usd,
        anew,
        driver: Driver::Controller,
        by: fields.by(&caller)?,
    };
    let begun = door.replays()?.begin(&new).await?;
    let replay = begun.map_err(|refusal| refused(&refusal))?;
    Ok(Json(replay.told()))
}

async fn pause(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let by = body::object(body, &["by"])?.by(&caller)?;
    let paused = door.replays()?.pause(&id, &by).await?;
    let replay = paused.map_err(|refusal| refused(&refusal))?;
    Ok(Json(replay.told()))
}

async fn resume(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let fields = body::object(body, &["by", "rate", "budget_usd"])?;
    let budget = match fields.get("budget_usd") {
        None | Some(Value::Null) => None,
        Some(sent) => Some(sent.as_f64().ok_or_else(|| {
            body::wrong("budget_usd", "send a number of US dollars, or leave it out")
        })?),
    };
    let bounds = (fields.number_if_any("rate")?, budget);
    let by = (&*fields.by(&caller)?, Driver::Controller);
    let resumed = door.replays()?.resume(&id, bounds, by).await?;
    let replay = resumed.map_err(|refusal| refused(&refusal))?;
    Ok(Json(replay.told()))
}

async fn cancel(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let by = body::object(body, &["by"])?.by(&caller)?;
    let cancelled = door.replays()?.cancel(&id, &by).await?;
    let replay = cancelled.map_err(|refusal| refused(&refusal))?;
    Ok(Json(replay.told()))
}
