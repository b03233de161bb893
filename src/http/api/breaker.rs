//! The breaker: whether Conductor is relied on, and what was seen of it.

use axum::{Json, Router, extract::State, routing::get};

use super::super::{Door, Error};
use crate::controller::health::{Standing, standing};

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/breaker", get(breaker))
}

async fn breaker(State(door): State<Door>) -> Result<Json<Standing>, Error> {
    let intake = &door.intake;
    let now = (intake.clock)();
    let standing = standing(&intake.store, &intake.environment, &door.health, now).await?;
    Ok(Json(standing))
}
