//! The list of runs, one run, and its report.

use anyhow::Context;
use axum::{
    extract::{Path, State},
    http::header,
    response::Html,
};
use serde::Serialize;

use super::{
    super::{
        Door, Error,
        api::{mending::action_of, runs::RunList},
        error::PageError,
        headers, unreadable,
    },
    Page,
    done::Said,
    frame::{Frame, Place},
    graph::{self, Drawing},
    page, sound,
};
use crate::{
    access::{Action, Caller},
    controller::{Possible, status::RunDetail},
    cost::Sum,
    model::RunId,
    report,
};

#[derive(Serialize)]
struct ListPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    #[serde(flatten)]
    list: RunList,
}

#[derive(Serialize)]
struct RunPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    drawing: Drawing,
    cost_line: String,
    /// What may be done about it, as far as whoever looks may.
    mending: Vec<Possible>,
    #[serde(flatten)]
    detail: RunDetail,
}

pub(super) async fn list(State(door): State<Door>, caller: Caller) -> Result<Page, PageError> {
    let shown = ListPage {
        frame: Frame::below(Place::Recordings, &door, &caller)
            .told_by(Some("/api/v1/events".to_owned())),
        list: RunList::newest(&door.shadow, &caller.reach(Action::View)).await?,
    };
    Ok(page("runs.html", &shown)?)
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
    said: Said,
) -> Result<Page, PageError> {
    door.run_of(&id, &caller, Action::View).await?;
    let detail = door.shadow.detail(&id).await?;
    let detail = detail.ok_or_else(|| Error::no_run(&id))?;
    let mut mending = door.mending.possible(&id, detail.run.is_paused).await?;
    let environment = &detail.run.environment;
    mending.retain(|one| caller.may(action_of(one.mend), environment).is_ok());
    // Nothing says when a page has changed that will not change any more.
    let events = (!detail.run.is_settled()).then(|| format!("/api/v1/runs/{id}/events"));
    let frame = Frame::below(Place::Recordings, &door, &caller);
    let shown = RunPage {
        frame: frame.told_by(events).saying(said),
        drawing: graph::draw(&detail.graph),
        cost_line: if detail.cost == Sum::default() {
            "nothing was metered so far".to_owned()
        } else {
            detail.cost.to_string()
        },
        mending,
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
