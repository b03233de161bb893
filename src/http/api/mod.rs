//! The JSON API, one file per resource.

mod audit;
mod breaker;
pub(super) mod gate;
pub(super) mod health;
mod holds;
mod phases;
mod recordings;
mod reviews;
pub(super) mod runs;

use axum::Router;

use super::{Door, Error};

/// Everything below `/api`.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .nest(
            "/v1",
            runs::routes()
                .merge(recordings::routes())
                .merge(phases::routes())
                .merge(holds::routes())
                .merge(audit::routes())
                .merge(breaker::routes())
                .merge(gate::routes())
                .merge(reviews::routes()),
        )
        .fallback(|| async { Error::NotFound("the API has no such address".to_owned()) })
}
