//! The gate: whether the evidence is enough, what it lacks, and the report on it.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Door, Error, Routes};
use crate::{
    access::Action,
    report::evidence::{self, EvidenceReport},
};

/// Since when changes are to be told.
#[derive(Deserialize)]
pub(in crate::http) struct Since {
    since: Option<String>,
}

/// The time that is asked for; none where none is.
pub(in crate::http) fn since_of(
    door: &Door,
    asked: Result<Query<Since>, QueryRejection>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let now = (door.mover.clock)();
    let asked = asked.map_err(|error| Error::BadRequest(error.body_text()))?;
    let since = asked.0.since.map(|text| evidence::since(&text, now));
    since.transpose().map_err(Error::BadRequest)
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/gate", Action::View, gate)
        .get("/evidence", Action::View, evidence)
}

/// Everything the report on the evidence shows.
async fn evidence(
    State(door): State<Door>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Json<EvidenceReport>, Error> {
    let since = since_of(&door, since)?;
    Ok(Json(door.mover.evidence_report(since).await?))
}

async fn gate(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let (evidence, decision) = door.mover.gate().await?;
    let mut told = json!(decision);
    told["environment"] = json!(door.mover.about.environment);
    told["evidence"] = json!(evidence);
    told["soak"] = json!(door.mover.soak().await?);
    Ok(Json(told))
}
