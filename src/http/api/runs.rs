//! Runs.

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};

use super::super::{Door, Error, events::Topic, unreadable};
use crate::{
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
const HIGHEST_LIMIT: i64 = 500;

/// Runs, newest first.
#[derive(Serialize)]
pub(in crate::http) struct RunList {
    pub runs: Vec<RunStatus>,
}

impl RunList {
    /// As many as the first page shows.
    pub async fn newest(shadow: &Shadow) -> anyhow::Result<Self> {
        Ok(Self {
            runs: shadow.recent(USUAL_LIMIT).await?,
        })
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

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/{id}", get(one))
        .route("/runs/{id}/report", get(report_of))
        .route("/runs/{id}/events", get(events_of))
        .route("/events", get(events))
}

async fn list(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<RunList>, Error> {
    let runs = door.shadow.recent(limit_of(&listing)?).await?;
    Ok(Json(RunList { runs }))
}

async fn one(State(door): State<Door>, Path(id): Path<RunId>) -> Result<Json<RunDetail>, Error> {
    let detail = door.shadow.detail(&id).await?;
    detail.map(Json).ok_or_else(|| Error::no_run(&id))
}

async fn report_of(State(door): State<Door>, Path(id): Path<RunId>) -> Result<Response, Error> {
    let data = door.report(&id).await?;
    let json = report::json::render(&data).map_err(|_| unreadable(&id, &"writing it as JSON"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

async fn events(State(door): State<Door>) -> Response {
    door.events.answer(Topic::Runs)
}

async fn events_of(State(door): State<Door>, Path(id): Path<RunId>) -> Result<Response, Error> {
    match door.shadow.store.run(&id).await? {
        Some(_) => Ok(door.events.answer(Topic::Run(id))),
        None => Err(Error::no_run(&id)),
    }
}
