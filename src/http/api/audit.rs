//! The audit trail.

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::error;

use super::{
    super::{
        Door, Error, Routes,
        body::wrong,
        field::{Field, text},
        paging::{Paging, no_cursor},
        words::shape,
    },
    replays::moment,
};
use crate::{access::Action, rollout::audit::Sealed, store::WhichEntries};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/audit", Action::View, list)
        .says("Who changed what, the newest first")
        .asks(&WHICH)
        .lists::<Sealed>("entries")
        .get("/audit/verification", Action::View, verify)
        .says("Whether the chain of entries is whole")
        .answers_with(&[
            ("whole", shape::<bool>),
            ("entries?", shape::<i64>),
            ("broken?", shape::<String>),
        ])
        .get("/audit/export", Action::View, export)
        .says("The chain of all migrations as JSON lines")
        .asks(&PART)
        .writes("application/x-ndjson")
}

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::http) struct Asked {
    pub(in crate::http) action: Option<String>,
    pub(in crate::http) by: Option<String>,
    pub(in crate::http) since: Option<String>,
    pub(in crate::http) until: Option<String>,
}

/// The same for the document.
const WHICH: [Field; 4] = [
    text("action", "what was done", "\"flip\""),
    text("by", "who did it", "\"ana\""),
    text(
        "since",
        "a day or a moment it was done at or after",
        "\"2026-03-02\"",
    ),
    text(
        "until",
        "a day or a moment it was done before",
        "\"2026-03-03T12:00:00Z\"",
    ),
];

impl Asked {
    /// The entries that are asked for.
    pub(in crate::http) fn which(&self) -> Result<WhichEntries, Error> {
        let given = |one: &Option<String>| {
            let one = one.as_deref().map(str::trim);
            one.filter(|one| !one.is_empty()).map(str::to_owned)
        };
        let at = |name: &str, text: &Option<String>| {
            let text = given(text);
            let at = text.map(|text| {
                let remedy = "write a day like 2026-03-02, or a moment like 2026-03-02T12:00:00Z";
                moment(&text).ok_or_else(|| wrong(name, remedy))
            });
            at.transpose()
        };
        Ok(WhichEntries {
            action: given(&self.action),
            by: given(&self.by),
            since: at("since", &self.since)?,
            until: at("until", &self.until)?,
        })
    }
}

async fn list(
    State(door): State<Door>,
    asked: Result<Query<Asked>, QueryRejection>,
    paging: Paging,
) -> Result<Response, Error> {
    let Query(asked) = asked.map_err(|wrong| Error::BadRequest(wrong.body_text()))?;
    let about = &door.mover.about;
    let place = (&about.environment, &about.flag);
    let before = paging.after.as_deref().map_or(Ok(i64::MAX), str::parse);
    let before = before.map_err(|_| no_cursor())?;
    let store = &door.mover.store;
    let which = asked.which()?;
    let entries = store.audit_before(place, &which, (before, paging.limit + 1));
    let seq = |sealed: &Sealed| sealed.entry.seq.to_string();
    paging.began(entries.await?, seq).named("entries")
}

async fn verify(State(door): State<Door>) -> Result<Json<Value>, Error> {
    Ok(Json(match door.mover.store.verify_audit().await? {
        Ok(entries) => json!({ "whole": true, "entries": entries }),
        Err(broken) => json!({ "whole": false, "broken": broken.to_string() }),
    }))
}

const PART: [Field; 2] = [
    text("since", "from when on", "\"2026-03-02T12:00:00Z\""),
    text("until", "until when", "\"2026-03-03T12:00:00Z\""),
];

/// Which part of the chain.
#[derive(Deserialize)]
struct Part {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

/// The chain of all migrations as JSON lines, as `switchyard audit --export` prints it.
async fn export(
    State(door): State<Door>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Response, Error> {
    let Ok(Query(Part { since, until })) = part else {
        return Err(Error::BadRequest(
            "`since` and `until` must be moments like 2026-03-02T12:00:00Z".to_owned(),
        ));
    };
    let store = door.mover.store.clone();
    let lines = stream::try_unfold(Some(0), move |after| {
        let store = store.clone();
        async move {
            let Some(after) = after else {
                return Ok(None);
            };
            let entries = store.audit_between((since, until), after).await;
            let entries = entries.inspect_err(|problem| {
                error!("an export of the audit trail breaks off: {problem:#}");
            })?;
            let mut text = String::new();
            for sealed in &entries {
                text.push_str(&serde_json::to_string(sealed)?);
                text.push('\n');
            }
            let next = entries.last().map(|last| last.entry.seq);
            anyhow::Ok((!text.is_empty()).then_some((text, next)))
        }
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(lines)).into_response())
}
