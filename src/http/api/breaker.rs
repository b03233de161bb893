//! The breaker: whether Conductor is relied on, and what was seen of it.

use axum::{Json, extract::State};

use super::super::{Door, Error, Routes};
use crate::{
    access::Action,
    controller::health::{Standing, standing},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/breaker", Action::View, breaker)
        .says("Whether Conductor is relied on, and what was seen of it")
        .answers::<Standing>()
}

async fn breaker(State(door): State<Door>) -> Result<Json<Standing>, Error> {
    let intake = &door.intake;
    let now = (intake.clock)();
    let standing = standing(&intake.store, &intake.environment, &door.health, now).await?;
    Ok(Json(standing))
}
