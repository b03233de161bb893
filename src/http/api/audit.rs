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

use super::super::{
    Door, Error, Routes,
    field::{Field, text},
    paging::{Paging, no_cursor},
    words::shape,
};
use crate::{access::Action, rollout::audit::Sealed};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/audit", Action::View, list)
        .says("Who changed what, the newest first")
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

async fn list(State(door): State<Door>, paging: Paging) -> Result<Response, Error> {
    let about = &door.mover.about;
    let place = (&about.environment, &about.flag);
    let before = paging.after.as_deref().map_or(Ok(i64::MAX), str::parse);
    let before = before.map_err(|_| no_cursor())?;
    let store = &door.mover.store;
    let entries = store.audit_before(place, before, paging.limit + 1).await?;
    let seq = |sealed: &Sealed| sealed.entry.seq.to_string();
    paging.began(entries, seq).named("entries")
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
