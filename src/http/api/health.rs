//! Whether this process and its database answer.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use super::super::{Door, Needs, Routes};

/// How long the database may take. Probes give up soon.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    database: Database,
}

#[derive(Serialize)]
struct Database {
    kind: &'static str,
    status: &'static str,
}

pub(in crate::http) fn routes() -> Routes {
    Routes::new().get("/health", Needs::Nothing, health)
}

async fn health(State(door): State<Door>) -> (StatusCode, Json<Health>) {
    let store = &door.shadow.store;
    let answers = matches!(
        tokio::time::timeout(PATIENCE, store.ping()).await,
        Ok(Ok(()))
    );
    let (code, status, database) = if answers {
        (StatusCode::OK, "ok", "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "failing", "silent")
    };
    let database = Database {
        kind: store.kind(),
        status: database,
    };
    let version = env!("CARGO_PKG_VERSION");
    let health = Health {
        status,
        version,
        database,
    };
    (code, Json(health))
}
