//! The pages, the JSON API and the flags of `switchyard serve`, `up` and `demo`.
//!
//! There is no sign-in yet, so only requests addressed to this machine by a loopback name are
//! answered: a page on the web cannot reach in through a name of its own (see [`host`]).

mod api;
mod body;
mod error;
mod events;
mod headers;
mod host;
mod metrics;
mod ofrep;
mod ui;

use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    controller::{Mover, Reviews, Shadow, intake::Intake},
    model::{HealthLimits, RunId},
    report::ReportData,
};
use error::Error;
use events::Events;
pub use metrics::{Metering, metrics_router};
use ofrep::Changes;

/// What the doors are given.
#[derive(Clone)]
pub struct State {
    /// Follows and compares runs.
    pub shadow: Shadow,
    /// Answers who serves a recording.
    pub intake: Intake,
    /// Moves the migration.
    pub mover: Mover,
    /// Keeps reviews.
    pub reviews: Reviews,
    /// How closely Conductor is watched.
    pub health: HealthLimits,
    /// What `/metrics` answers with.
    pub metering: Metering,
    /// Ends streams of events, which would hold a stop up for as long as somebody listens.
    pub shutdown: CancellationToken,
}

/// What handlers use.
#[derive(Clone)]
struct Door {
    shadow: Shadow,
    intake: Intake,
    mover: Mover,
    reviews: Reviews,
    health: HealthLimits,
    events: Events,
    changes: Changes,
}

impl Door {
    /// The newest report on a run.
    async fn report(&self, id: &RunId) -> Result<ReportData, Error> {
        match self.shadow.report(id).await {
            Ok(Some(data)) => Ok(data),
            Ok(None) => match self.shadow.store.run(id).await? {
                Some(_) => Err(Error::not_compared(id)),
                None => Err(Error::no_run(id)),
            },
            Err(error) => Err(unreadable(id, &error)),
        }
    }
}

/// A report that cannot be shown. Only the outermost message is logged: what lies below may quote
/// the meeting.
fn unreadable(id: &RunId, error: &impl std::fmt::Display) -> Error {
    error!(run.id = %id, "cannot show the report on run `{id}`, `switchyard compare` writes it anew: {error}");
    Error::Internal
}

/// All routes.
pub fn router(state: State) -> Router {
    let metering = state.metering;
    let door = Door {
        events: Events::new(state.shadow.clone(), state.shutdown.clone()),
        changes: Changes::new(state.intake.clone(), state.shutdown),
        shadow: state.shadow,
        intake: state.intake,
        mover: state.mover,
        reviews: state.reviews,
        health: state.health,
    };
    // Health is asked by probes, which know the machine by other names, and gives nothing away.
    let guarded = Router::new()
        .merge(ui::routes())
        .nest("/api", api::routes())
        .nest("/ofrep/v1", ofrep::routes())
        .method_not_allowed_fallback(|| async { Error::MethodNotAllowed })
        .layer(middleware::from_fn(host::only_loopback));
    Router::new()
        .merge(api::health::routes())
        .merge(metrics::routes(metering))
        .merge(guarded)
        .layer(middleware::from_fn(metrics::count))
        .layer(middleware::map_response(headers::add))
        .with_state(door)
}
