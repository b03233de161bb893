//! The gate: whether the evidence is enough, what it lacks, and the report on it.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::super::{Door, Error, Routes};
use crate::{access::Action, report::evidence::EvidenceReport};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/gate", Action::View, gate)
        .get("/evidence", Action::View, evidence)
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
    Ok(Json(told))
}
