//! The settings in force, and what answers of all they name.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::super::{Door, Error, Routes};
use crate::access::{Action, Caller};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/settings", Action::ReadSettings, settings)
        .says("The settings in force, secrets masked")
        .answers::<Map<String, Value>>()
        .get("/doctor", Action::ReadSettings, doctor)
        .says("What answers of all that the settings name, tried anew; as `switchyard doctor` writes it")
        .answers::<Map<String, Value>>()
}

async fn settings(State(door): State<Door>, caller: Caller) -> Json<Value> {
    Json(door.settings_for(&caller))
}

/// The same as `switchyard doctor` writes, to be kept as a file. Tries every connection anew.
async fn doctor(State(door): State<Door>, caller: Caller) -> Result<Response, Error> {
    let found = door.examined(&caller).await?;
    let name = [(
        header::CONTENT_DISPOSITION,
        "attachment; filename=\"switchyard-doctor.json\"",
    )];
    Ok((name, Json(found)).into_response())
}
