//! The audit trail.

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    routing::get,
};
use serde_json::{Value, json};

use super::{
    super::{Door, Error},
    runs::{Listing, limit_of},
};

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/audit", get(list))
        .route("/audit/verification", get(verify))
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
