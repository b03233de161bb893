//! Replays of history.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::{BY, Field, amount, number, text, truth},
    paging::{LIMIT, Paging},
    words::shape,
};
use crate::{
    access::{Action, Caller},
    controller::{Driver, NewReplay, NoReplay},
    store::Replay,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/replays", Action::View, list)
        .says("Replays of history, the newest first")
        .asks(&[LIMIT])
        .answers_with(&[("replays", shape::<Vec<Told>>)])
        .post("/replays", Action::Replay, begin)
        .says("Begins a replay of past recordings, which the controller drives")
        .takes(&NEW)
        .answers::<Told>()
        .get("/replays/{id}", Action::View, one)
        .says("A replay, and how far it is")
        .answers::<Told>()
        .post("/replays/{id}/pause", Action::Replay, pause)
        .says("Starts nothing more for now; what is under way ends")
        .takes(&[BY])
        .answers::<Told>()
        .post("/replays/{id}/resumption", Action::Replay, resume)
        .says("Goes on with a replay, in other bounds if they are sent")
        .takes(&BOUNDS)
        .answers::<Told>()
        .post("/replays/{id}/cancellation", Action::Replay, cancel)
        .says("Starts nothing more; what is under way ends")
        .takes(&[BY])
        .answers::<Told>()
}

/// A replay as it is told of.
type Told = Map<String, Value>;

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

async fn list(State(door): State<Door>, paging: Paging) -> Result<Json<Value>, Error> {
    let limit = paging.limit;
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

const NEW: [Field; 8] = [
    text(
        "from",
        "a day or a moment the recordings began at or after",
        r#""2026-03-01""#,
    )
    .needed(),
    text(
        "to",
        "a day or a moment they began before",
        r#""2026-03-08""#,
    ),
    text("room", "of which room alone", r#""room-1""#),
    number("limit", (1, i64::MAX), "how many at most")
        .needed()
        .like("100"),
    number("rate", (1, i64::MAX), "how many an hour")
        .needed()
        .like("20"),
    amount("budget_usd", "what all of it may cost, in US dollars"),
    truth(
        "anew",
        "whether recordings that were replayed before are replayed again",
    ),
    BY,
];

const BOUNDS: [Field; 3] = [
    BY,
    number("rate", (1, i64::MAX), "how many an hour"),
    amount("budget_usd", "what all of it may cost, in US dollars"),
];

async fn begin(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let fields = body::read(body, &NEW)?;
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
    let by = body::read(body, &[BY])?.by(&caller)?;
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
    let fields = body::read(body, &BOUNDS)?;
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
    let by = body::read(body, &[BY])?.by(&caller)?;
    let cancelled = door.replays()?.cancel(&id, &by).await?;
    let replay = cancelled.map_err(|refusal| refused(&refusal))?;
    Ok(Json(replay.told()))
}
