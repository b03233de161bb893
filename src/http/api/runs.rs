//! Runs.

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::{
    Door, Error, Routes,
    events::Topic,
    paging::{Paging, USUAL_LIMIT, no_cursor},
    unreadable,
};
use crate::{
    access::{Action, Caller, Reach},
    controller::{
        Shadow,
        status::{RunDetail, RunStatus},
    },
    model::RunId,
    report::{self, ReportData},
};

/// Runs, newest first.
#[derive(Serialize)]
pub(in crate::http) struct RunList {
    pub runs: Vec<RunStatus>,
}

impl RunList {
    /// As many as the first page shows.
    pub async fn newest(shadow: &Shadow, reach: &Reach) -> anyhow::Result<Self> {
        let mut runs = shadow.recent(USUAL_LIMIT).await?;
        runs.retain(|run| reach.has(&run.environment));
        Ok(Self { runs })
    }
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/runs", Action::View, list)
        .says("Runs, the newest first")
        .lists::<RunStatus>("runs")
        .get("/runs/{id}", Action::View, one)
        .says("One run with its steps and attempts")
        .answers::<RunDetail>()
        .get("/runs/{id}/report", Action::ReadReports, report_of)
        .says("The newest comparison of a run with its control, which quotes the meeting")
        .answers::<ReportData>()
        .get("/runs/{id}/events", Action::View, events_of)
        .says("One run as it goes on: `snapshot` events, and `end` after the last")
        .writes("text/event-stream")
        .get("/events", Action::View, events)
        .says("The newest runs as they go on: `snapshot` events")
        .writes("text/event-stream")
}

async fn list(State(door): State<Door>, caller: Caller, paging: Paging) -> Result<Response, Error> {
    let reach = caller.reach(Action::View);
    let before = paging.after.as_deref().map(read_place).transpose()?;
    let before = before.as_ref().map(|(at, id)| (*at, id));
    let runs = door.shadow.recent_before(before, paging.limit + 1).await?;
    let mut page = paging.began(runs, place);
    page.retain(|run| reach.has(&run.environment));
    page.named("runs")
}

/// What a page of runs ends with.
fn place(run: &RunStatus) -> String {
    format!("{} {}", run.started_at.timestamp_millis(), run.run_id)
}

fn read_place(text: &str) -> Result<(DateTime<Utc>, RunId), Error> {
    let (at, id) = text.split_once(' ').ok_or_else(no_cursor)?;
    let at = at.parse().ok().and_then(DateTime::from_timestamp_millis);
    Ok((at.ok_or_else(no_cursor)?, RunId::new(id)))
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
