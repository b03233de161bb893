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
    super::{Door, Error, Routes, body::wrong},
    replays::moment,
    runs::{HIGHEST_LIMIT, USUAL_LIMIT},
};
use crate::{access::Action, store::WhichEntries};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/audit", Action::View, list)
        .get("/audit/verification", Action::View, verify)
        .get("/audit/export", Action::View, export)
}

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::http) struct Asked {
    pub(in crate::http) action: Option<String>,
    pub(in crate::http) by: Option<String>,
    pub(in crate::http) since: Option<String>,
    pub(in crate::http) until: Option<String>,
    pub(in crate::http) limit: Option<i64>,
    pub(in crate::http) skip: Option<i64>,
}

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
) -> Result<Json<Value>, Error> {
    let Ok(Query(asked)) = asked else {
        return Err(not_listed());
    };
    let (limit, skip) = (
        asked.limit.unwrap_or(USUAL_LIMIT),
        asked.skip.unwrap_or_default(),
    );
    if !(1..=HIGHEST_LIMIT).contains(&limit) || !(0..=1_000_000_000).contains(&skip) {
        return Err(not_listed());
    }
    let about = &door.mover.about;
    let migration = (&about.environment, &about.flag);
    let store = &door.mover.store;
    let which = asked.which()?;
    let asking = store.audit_page(migration, &which, (skip, limit));
    let (entries, of) = asking.await?;
    Ok(Json(json!({ "entries": entries, "of": of })))
}

fn not_listed() -> Error {
    Error::BadRequest(format!(
        "`limit` must be a whole number from 1 to {HIGHEST_LIMIT}, and `skip` one from 0 on"
    ))
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
