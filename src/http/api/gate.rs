//! The gate: whether the evidence is enough, what it lacks, and the report on it.

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use super::super::{Door, Error};
use crate::report::evidence::EvidenceReport;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/gate", get(gate))
        .route("/evidence", get(evidence))
}

/// Everything the report on the evidence shows.
async fn evidence(State(door): State<Door>) -> Result<Json<EvidenceReport>, Error> {
    Ok(Json(door.mover.evidence_report().await?))
}

async fn gate(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let (evidence, decision) = door.mover.gate().await?;
    let mut told = json!(decision);
    told["environment"] = json!(door.mover.about.environment);
    told["evidence"] = json!(evidence);
    told["soak"] = json!(door.mover.soak().await?);
    Ok(Json(told))
}
