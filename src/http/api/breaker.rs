//! The breaker: whether Conductor is relied on, and what was seen of it.

use axum::{Json, extract::State};

use super::super::{
    Door, Error, Routes,
    body::{self, Body},
    field::{BY, Field, text},
};
use crate::{
    access::{Action, Caller},
    controller::health::{Standing, close, standing},
    rollout::NotClosed,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/breaker", Action::View, breaker)
        .says("Whether Conductor is relied on, and what was seen of it")
        .answers::<Standing>()
        .post("/breaker/closing", Action::CloseBreaker, closing)
        .says("Closes the breaker by somebody's word, once a look finds nothing wrong")
        .takes(&CLOSING)
        .answers::<Standing>()
}

const CLOSING: [Field; 2] = [
    BY,
    text("reason", "why", r#""Conductor was restarted and answers""#).needed(),
];

/// How the breaker stands now.
pub(in crate::http) async fn stands(door: &Door) -> Result<Standing, Error> {
    let intake = &door.intake;
    let now = (intake.clock)();
    Ok(standing(&intake.store, &intake.environment, &door.health, now).await?)
}

/// Closes it by somebody's word.
pub(in crate::http) async fn close_by(door: &Door, by: &str, reason: &str) -> Result<(), Error> {
    let (about, now) = (&door.mover.about, (door.mover.clock)());
    let closed = close(&door.mover.store, about, (by, reason), now).await?;
    closed.map_err(|refusal: NotClosed| Error::Conflict(refusal.to_string()))
}

async fn breaker(State(door): State<Door>) -> Result<Json<Standing>, Error> {
    Ok(Json(stands(&door).await?))
}

async fn closing(
    State(door): State<Door>,
    caller: Caller,
    body: Body,
) -> Result<Json<Standing>, Error> {
    let fields = body::read(body, &CLOSING)?;
    let reason = fields.text_or("reason", "send why it may be relied on again")?;
    close_by(&door, &fields.by(&caller)?, &reason).await?;
    Ok(Json(stands(&door).await?))
}
