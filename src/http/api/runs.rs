//! Runs.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::super::{Door, Error, Routes, events::Topic, unreadable};
use crate::{
    access::{Action, Caller, Reach},
    controller::{
        Shadow,
        status::{RunDetail, RunStatus},
    },
    model::RunId,
    report,
};

/// How many runs are listed where nobody says.
pub(in crate::http) const USUAL_LIMIT: i64 = 50;

/// The most that are listed.
pub(super) const HIGHEST_LIMIT: i64 = 500;

/// Runs, newest first.
#[derive(Serialize)]
pub(in crate::http) struct RunList {
    pub runs: Vec<RunStatus>,
}

impl RunList {
    /// As many as the first page shows.
    pub async fn newest(shadow: &Shadow, reach: &Reach) -> anyhow::Result<Self> {
        Self::of(shadow, USUAL_LIMIT, reach).await
    }

    /// So many at most, of these environments.
    async fn of(shadow: &Shadow, limit: i64, reach: &Reach) -> anyhow::Result<Self> {
        let mut runs = shadow.recent(limit).await?;
        runs.retain(|run| reach.has(&run.environment));
        Ok(Self { runs })
    }
}

/// How many are asked for.
#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(default = "usual_limit")]
    limit: i64,
}

/// How many are to be listed.
pub(super) fn limit_of(listing: &Result<Query<Listing>, QueryRejection>) -> Result<i64, Error> {
    match listing {
        Ok(Query(Listing { limit })) if (1..=HIGHEST_LIMIT).contains(limit) => Ok(*limit),
        Ok(_) | Err(_) => Err(Error::BadRequest(format!(
            "`limit` must be a whole number from 1 to {HIGHEST_LIMIT}"
        ))),
    }
}

const fn usual_limit() -> i64 {
    USUAL_LIMIT
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/runs", Action::View, list)
        .get("/runs/{id}", Action::View, one)
        .get("/runs/{id}/report", Action::ReadReports, report_of)
        .get("/runs/{id}/events", Action::View, events_of)
        .get("/events", Action::View, events)
}

async fn list(
    State(door): State<Door>,
    caller: Caller,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<RunList>, Error> {
    let reach = caller.reach(Action::View);
    let list = RunList::of(&door.shadow, limit_of(&listing)?, &reach);
    Ok(Json(list.await?))
}

async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Json<RunDetail>, Error> {
    door.run_of(&id, &caller, Action::View).await?;
    let detail = door.shadow.detail(&id).await?;
    detail.map(Json).ok_or_else(|| Error::no_run(&id))
}

async fn report_of(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Response, Error> {
    let data = door.report(&id, &caller).await?;
    let json = report::json::render(&data).map_err(|_| unreadable(&id, &"writing it as JSON"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

async fn events(State(door): State<Door>, caller: Caller) -> Response {
    door.events.answer(Topic::Runs(caller.reach(Action::View)))
}

async fn events_of(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Response, Error> {
    door.run_of(&id, &caller, Action::View).await?;
    Ok(door.events.answer(Topic::Run(id)))
}
