//! The JSON API, one file per resource.

pub(super) mod audit;
pub(super) mod breaker;
mod document;
pub(super) mod gate;
pub(super) mod health;
pub(super) mod holds;
mod me;
pub(super) mod mending;
mod notices;
pub(super) mod phases;
mod recordings;
pub(super) mod replays;
pub(super) mod reports;
mod retention;
mod reviews;
pub(super) mod runs;
mod settings;
mod tokens;
mod ws;

use super::{Error, Routes};

/// Everything below `/api`.
pub(super) fn routes() -> Routes {
    Routes::new()
        .nest(
            "/v1",
            runs::routes()
                .merge(mending::routes())
                .merge(recordings::routes())
                .merge(phases::routes())
                .merge(holds::routes())
                .merge(audit::routes())
                .merge(breaker::routes())
                .merge(gate::routes())
                .merge(reviews::routes())
                .merge(reports::routes())
                .merge(replays::routes())
                .merge(settings::routes())
                .merge(notices::routes())
                .merge(retention::routes())
                .merge(tokens::routes())
                .merge(me::routes())
                .merge(ws::routes())
                .merge(document::routes()),
        )
        .fallback(|| async { Error::NotFound("the API has no such address".to_owned()) })
}
