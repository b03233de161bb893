//! How long what is kept is kept: what is over its time, and proofs of what was deleted.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde_json::{Value, json};

use super::{
    super::{
        Door, Error, Routes,
        body::{self, Body},
    },
    runs::{Listing, limit_of},
};
use crate::{
    access::{Action, Caller},
    controller::RetentionPlan,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/retention/plan", Action::View, plan)
        .get("/retention/proofs", Action::View, proofs)
        .post("/retention/run", Action::Forget, run)
}

async fn plan(State(door): State<Door>) -> Result<Json<RetentionPlan>, Error> {
    Ok(Json(door.retention.plan().await?))
}

async fn proofs(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Value>, Error> {
    let proofs = door.retention.proofs(limit_of(&listing)?).await?;
    Ok(Json(json!({ "proofs": proofs })))
}

async fn run(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let by = body::object(body, &["by"])?.by(&caller)?;
    let deleted = door.retention.delete(&by).await?;
    let proofs = deleted.map_err(|busy| Error::Conflict(busy.to_string()))?;
    Ok(Json(json!({ "proofs": proofs })))
}
