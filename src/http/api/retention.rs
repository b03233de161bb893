//! How long what is kept is kept: what is over its time, and proofs of what was deleted.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::BY,
    paging::{LIMIT, Paging},
    words::shape,
};
use crate::{
    access::{Action, Caller},
    controller::RetentionPlan,
    store::Proof,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/retention/plan", Action::View, plan)
        .says("What is over its time, by class of data")
        .answers::<RetentionPlan>()
        .get("/retention/proofs", Action::View, proofs)
        .says("Proofs of what was deleted, the newest first")
        .asks(&[LIMIT])
        .answers_with(&[("proofs", shape::<Vec<Proof>>)])
        .post("/retention/run", Action::Forget, run)
        .says("Deletes at once what is over its time")
        .takes(&[BY])
        .answers_with(&[("proofs", shape::<Vec<Proof>>)])
}

async fn plan(State(door): State<Door>) -> Result<Json<RetentionPlan>, Error> {
    Ok(Json(door.retention.plan().await?))
}

async fn proofs(State(door): State<Door>, paging: Paging) -> Result<Json<Value>, Error> {
    let proofs = door.retention.proofs(paging.limit).await?;
    Ok(Json(json!({ "proofs": proofs })))
}

async fn run(State(door): State<Door>, caller: Caller, body: Body) -> Result<Json<Value>, Error> {
    let by = body::read(body, &[BY])?.by(&caller)?;
    let deleted = door.retention.delete(&by).await?;
    let proofs = deleted.map_err(|busy| Error::Conflict(busy.to_string()))?;
    Ok(Json(json!({ "proofs": proofs })))
}
