//! The gate: whether the evidence is enough, what it lacks, and the report on it.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{
    Door, Error, Routes,
    field::{Field, text},
};
use crate::{
    access::Action,
    gate::{Decision, Soak},
    model::EnvironmentName,
    report::evidence::{self, EvidenceReport},
    rollout::Evidence,
};

const SINCE: [Field; 1] = [text(
    "since",
    "since when changes are to be told: a moment, a day, or how long ago",
    "\"1d\"",
)];

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
        .says("Whether the evidence is enough for a cutover, and what it lacks")
        .answers::<Gate>()
        .get("/evidence", Action::View, evidence)
        .says("Everything the report on the evidence shows")
        .asks(&SINCE)
        .answers::<EvidenceReport>()
}

/// Everything the report on the evidence shows.
async fn evidence(
    State(door): State<Door>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Json<EvidenceReport>, Error> {
    let since = since_of(&door, since)?;
    Ok(Json(door.mover.evidence_report(since).await?))
}

/// What the gate says.
#[derive(Serialize, JsonSchema)]
struct Gate {
    #[serde(flatten)]
    decision: Decision,
    /// Where.
    environment: EnvironmentName,
    /// What it was decided on; a move names its digest.
    evidence: Evidence,
    /// What is said of those that the candidate served.
    soak: Soak,
}

async fn gate(State(door): State<Door>) -> Result<Json<Gate>, Error> {
    let (evidence, decision) = door.mover.gate().await?;
    Ok(Json(Gate {
        decision,
        environment: door.mover.about.environment.clone(),
        evidence,
        soak: door.mover.soak().await?,
    }))
}
