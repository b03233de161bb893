//! The gate: whether the evidence is enough, and what it lacks.

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use super::super::{Door, Error};

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/gate", get(gate))
}

async fn gate(State(door): State<Door>) -> Result<Json<Value>, Error> {
    let (evidence, decision) = door.mover.gate().await?;
    let mut told = json!(decision);
    told["environment"] = json!(door.mover.about.environment);
    told["evidence"] = json!(evidence);
    Ok(Json(told))
}
