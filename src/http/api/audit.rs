//! The audit trail.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde_json::{Value, json};

use super::{
    super::{Door, Error, Routes},
    runs::{Listing, limit_of},
};
use crate::access::Action;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/audit", Action::View, list)
        .get("/audit/verification", Action::View, verify)
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
