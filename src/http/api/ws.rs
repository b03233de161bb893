//! What runs tell, over WebSockets.

use axum::{
    extract::{
        Path, Query, State,
        rejection::QueryRejection,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::super::{
    Door, Error, Routes,
    field::{Field, text},
    sockets::Wanted,
};
use crate::{
    access::{Action, Caller},
    model::RunId,
};

const AFTER: [Field; 1] = [text(
    "last_event_id",
    "the `id` of the newest event that was heard; all after it follow",
    "",
)];

const OPENED: &str = "The socket is open; docs/events.md tells what it says.";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/runs/{id}/ws", Action::View, of_run)
        .says(
            "What one run tells, over a WebSocket: its events from the first on, and how far it is",
        )
        .asks(&AFTER)
        .or_bare(101, OPENED)
        .get("/ws", Action::View, of_serving)
        .says("What runs that serve somebody tell from now on, over a WebSocket")
        .asks(&AFTER)
        .or_bare(101, OPENED)
}

#[derive(Deserialize)]
struct Asked {
    last_event_id: Option<String>,
}

type Asks = Result<Query<Asked>, QueryRejection>;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

async fn of_run(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
    asked: Asks,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Error> {
    let run = door.run_of(&id, &caller, Action::View).await?;
    let wanted = Wanted::Run(id, run.transcript_id);
    open(
        &door,
        &caller,
        wanted,
        after(asked, &headers)?.as_deref(),
        upgrade,
    )
}

async fn of_serving(
    State(door): State<Door>,
    caller: Caller,
    asked: Asks,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Error> {
    let after = after(asked, &headers)?;
    open(&door, &caller, Wanted::Serving, after.as_deref(), upgrade)
}

/// What was heard last, said in the query or as a stream of events says it.
fn after(asked: Asks, headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Query(asked) = asked.map_err(|wrong| Error::BadRequest(wrong.body_text()))?;
    let header = headers.get("last-event-id");
    let header = header.and_then(|id| id.to_str().ok()).map(str::to_owned);
    Ok(asked.last_event_id.or(header))
}

fn open(
    door: &Door,
    caller: &Caller,
    wanted: Wanted,
    after: Option<&str>,
    upgrade: Upgrade,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|wrong| {
        Error::BadRequest(format!(
            "this address is for WebSockets: {}",
            wrong.body_text()
        ))
    })?;
    door.sockets.answer(upgrade, caller, wanted, after)
}
