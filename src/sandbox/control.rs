//! `/_sandbox`: reading what was asked and setting what fails, from outside the process.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{Fault, Recorded, Service, server::World};

pub(super) fn routes() -> Router<World> {
    Router::new()
        .route("/", get(index))
        .route("/requests", get(requests).delete(forget))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/release", post(release))
        .route("/variants", post(vary))
}

async fn index() -> Response {
    let services: serde_json::Map<_, _> = Service::ALL
        .into_iter()
        .map(|service| {
            let path = format!("/{}", service.base_path());
            (service.as_str().to_owned(), path.into())
        })
        .collect();
    Json(json!({
        "services": services,
        "control": {
            "GET /_sandbox/requests?service=": "every request so far",
            "DELETE /_sandbox/requests": "forget them",
            "POST /_sandbox/faults": "add a fault",
            "DELETE /_sandbox/faults": "everything works again",
            "POST /_sandbox/release": "let hanging requests go on",
            "POST /_sandbox/variants": "have a service answer by a variant of its data",
        },
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Wanted {
    service: Option<Service>,
}

async fn requests(State(world): State<World>, Query(wanted): Query<Wanted>) -> Json<Vec<Recorded>> {
    let mut all = world.log().all();
    all.retain(|request| {
        wanted
            .service
            .is_none_or(|service| request.service == service)
    });
    Json(all)
}

async fn forget(State(world): State<World>) -> StatusCode {
    world.log().clear();
    StatusCode::NO_CONTENT
}

async fn faults(State(world): State<World>) -> Json<Vec<Fault>> {
    Json(world.faults().all().to_vec())
}

async fn add_fault(State(world): State<World>, Json(fault): Json<Fault>) -> StatusCode {
    world.faults().add(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(world): State<World>) -> StatusCode {
    world.faults().clear();
    world.release();
    StatusCode::NO_CONTENT
}

async fn release(State(world): State<World>) -> StatusCode {
    world.release();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Variant {
    service: Service,
    variant: Option<String>,
}

async fn vary(State(world): State<World>, Json(wanted): Json<Variant>) -> Response {
    match world.vary(wanted.service, wanted.variant.as_deref()) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let body = Json(json!({"error": format!("{error:#}")}));
            (StatusCode::UNPROCESSABLE_ENTITY, body).into_response()
        }
    }
}
