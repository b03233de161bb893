//! The REST API: parse, call one function of the engine, answer as Conductor 3.15.0 answers.

mod answer;
mod metadata;
mod query;
mod tasks;
mod workflows;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde_json::json;

use super::{Engine, Error};
use crate::conductor::wire::Health;

/// Conductor does not bound bodies; this only keeps a mistake from filling the memory.
const BODY_BYTES: usize = 64 * 1024 * 1024;

pub(super) fn router(engine: Engine) -> Router {
    let api = Router::new()
        .route("/workflow", post(workflows::start))
        .route("/workflow/running/{name}", get(workflows::running))
        .route("/workflow/decide/{id}", put(workflows::decide))
        .route(
            "/workflow/{id}",
            get(workflows::get)
                .post(workflows::start_by_name)
                .delete(workflows::terminate),
        )
        .route(
            "/workflow/{id}/remove",
            axum::routing::delete(workflows::remove),
        )
        .route("/workflow/{id}/pause", put(workflows::pause))
        .route("/workflow/{id}/resume", put(workflows::resume))
        .route("/workflow/{id}/retry", post(workflows::retry))
        .route("/workflow/{id}/restart", post(workflows::restart))
        .route(
            "/workflow/{name}/correlated",
            post(workflows::correlated_many),
        )
        .route(
            "/workflow/{name}/correlated/{correlation_id}",
            get(workflows::correlated),
        )
        .route(
            "/admin/consistency/verifyAndRepair/{id}",
            post(workflows::verify_and_repair),
        )
        .route("/tasks", post(tasks::update))
        .route("/tasks/poll/{kind}", get(tasks::poll))
        .route("/tasks/poll/batch/{kind}", get(tasks::poll_batch))
        .route("/tasks/queue/all", get(tasks::queue_all))
        .route("/tasks/queue/sizes", get(tasks::queue_sizes))
        .route("/tasks/queue/polldata", get(tasks::poll_data))
        .route("/tasks/queue/polldata/all", get(tasks::all_poll_data))
        .route("/tasks/{id}", get(tasks::get))
        .route("/tasks/{id}/log", get(tasks::logs).post(tasks::add_log))
        .route(
            "/metadata/workflow",
            get(metadata::workflows)
                .post(metadata::add_workflow)
                .put(metadata::put_workflows),
        )
        .route(
            "/metadata/workflow/validate",
            post(metadata::validate_workflow),
        )
        .route("/metadata/workflow/{name}", get(metadata::workflow))
        .route(
            "/metadata/workflow/{name}/{version}",
            axum::routing::delete(metadata::delete_workflow),
        )
        .route(
            "/metadata/taskdefs",
            get(metadata::tasks)
                .post(metadata::put_tasks)
                .put(metadata::replace_task),
        )
        .route(
            "/metadata/taskdefs/{name}",
            get(metadata::task).delete(metadata::delete_task),
        )
        .route("/version", get(version))
        .layer(middleware::from_fn_with_state(engine.clone(), die_if_told));
    Router::new()
        .nest("/api", api)
        .route("/health", get(health))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(engine)
}

/// A constant, as Conductor's: it says that an HTTP thread answered.
async fn health() -> Json<Health> {
    Json(Health {
        healthy: true,
        ..Health::default()
    })
}

async fn version() -> &'static str {
    concat!("switchyard-engine-", env!("CARGO_PKG_VERSION"))
}

async fn unknown(State(engine): State<Engine>, uri: Uri) -> Response {
    let body = json!({
        "timestamp": (engine.inner.clock)().to_rfc3339(),
        "status": 404,
        "error": "Not Found",
        "path": uri.path(),
    });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

async fn die_if_told(
    State(engine): State<Engine>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    if engine.inner.options.faults.is_dead() {
        return Error::Unexpected("the engine's store failed".to_owned()).into_response();
    }
    next.run(request).await
}
