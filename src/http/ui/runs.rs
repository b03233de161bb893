//! The list of runs, one run, and its report.

use anyhow::Context;
use axum::{
    extract::{Path, State},
    http::header,
    response::Html,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{Door, Error, api::runs::RunList, error::PageError, headers, unreadable},
    Page, Visitor, page, sound,
};
use crate::{
    access::{Action, Caller},
    controller::status::RunDetail,
    model::{EnvironmentName, RunId},
    report,
};

#[derive(Serialize)]
struct ListPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    now: DateTime<Utc>,
    events: &'static str,
    #[serde(flatten)]
    list: RunList,
}

#[derive(Serialize)]
struct RunPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    now: DateTime<Utc>,
    /// None when nothing on the page will change any more.
    events: Option<String>,
    #[serde(flatten)]
    detail: RunDetail,
}

pub(super) async fn list(State(door): State<Door>, caller: Caller) -> Result<Page, PageError> {
    let shown = ListPage {
        visitor: Visitor::of(&caller, &door),
        list: RunList::newest(&door.shadow, &caller.reach(Action::View)).await?,
        environment: &door.shadow.environment,
        now: (door.shadow.clock)(),
        events: "/api/v1/events",
    };
    Ok(page("runs.html", &shown)?)
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Page, PageError> {
    door.run_of(&id, &caller, Action::View).await?;
    let detail = door.shadow.detail(&id).await?;
    let detail = detail.ok_or_else(|| Error::no_run(&id))?;
    let shown = RunPage {
        visitor: Visitor::of(&caller, &door),
        environment: &door.shadow.environment,
        now: (door.shadow.clock)(),
        events: (!detail.run.is_settled()).then(|| format!("/api/v1/runs/{id}/events")),
        detail,
    };
    Ok(page("run.html", &shown)?)
}

pub(super) async fn report_of(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Page, PageError> {
    let data = door.report(&id, &caller).await?;
    let heard = sound::heard(&door, &id).await?;
    let policy = if heard.is_playable() {
        headers::LISTENING_POLICY.as_str()
    } else {
        headers::REPORT_POLICY
    };
    // Setting hours of speech side by side takes a while.
    let html = tokio::task::spawn_blocking(move || report::html::render(&data, &heard))
        .await
        .context("rendering a report")?
        .map_err(|_| unreadable(&id, &"rendering it as a page"))?;
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)))
}
