//! The JSON API, one file per resource.

mod audit;
mod breaker;
mod document;
pub(super) mod gate;
pub(super) mod health;
mod holds;
mod me;
mod phases;
mod recordings;
mod reviews;
pub(super) mod runs;
mod tokens;
mod ws;

use super::{Error, Routes};

/// Everything below `/api`.
pub(super) fn routes() -> Routes {
    Routes::new()
        .nest(
            "/v1",
            runs::routes()
                .merge(recordings::routes())
                .merge(phases::routes())
                .merge(holds::routes())
                .merge(audit::routes())
                .merge(breaker::routes())
                .merge(gate::routes())
                .merge(reviews::routes())
                .merge(tokens::routes())
                .merge(me::routes())
                .merge(ws::routes())
                .merge(document::routes()),
        )
        .fallback(|| async { Error::NotFound("the API has no such address".to_owned()) })
}
