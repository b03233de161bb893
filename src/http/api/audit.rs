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
    super::{Door, Error, Routes},
    runs::{Listing, limit_of},
};
use crate::access::Action;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/audit", Action::View, list)
        .get("/audit/verification", Action::View, verify)
        .get("/audit/export", Action::View, export)
}

async fn list(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Value>, Error> {
    let limit = limit_of(&listing)?;
    let about = &door.mover.about;
    let store = &door.mover.store;
    let entries = store
        .recent_audit(&about.environment, &about.flag, limit)
        .await?;
    Ok(Json(json!({ "entries": entries })))
}

async fn verify(State(door): State<Door>) -> Result<Json<Value>, Error> {
    Ok(Json(match door.mover.store.verify_audit().await? {
        Ok(entries) => json!({ "whole": true, "entries": entries }),
        Err(broken) => json!({ "whole": false, "broken": broken.to_string() }),
    }))
}

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
