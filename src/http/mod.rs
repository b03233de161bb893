//! The pages, the JSON API and the flags of `switchyard serve`, `up` and `demo`.
//!
//! Every route says what it takes to be answered ([`routes`]); before its handler runs, it is known who
//! asks ([`caller`]). Only requests addressed to a name of ours are answered: a page on the web cannot
//! reach in through a name of its own (see [`host`]).

mod api;
mod body;
mod caller;
mod cookie;
mod error;
mod events;
mod field;
mod headers;
mod host;
mod metrics;
mod ofrep;
mod openapi;
mod paging;
mod repeats;
mod routes;
mod seeking;
mod sockets;
mod ui;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    http::Uri,
    middleware,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    access::{Action, Caller},
    config,
    controller::{
        Mending, Mover, Notices, Overview, Recent, Replays, Retention, Reviews, Shadow, Sound,
        access::Access, intake::Intake,
    },
    model::{EnvironmentName, HealthLimits, RunId},
    report::ReportData,
    store::Run,
};
use error::Error;
use events::Events;
pub use metrics::{Metering, metrics_router};
use ofrep::Changes;
use routes::Routes;
pub use routes::{Declared, Needs};
pub use sockets::Patience;
use sockets::Sockets;

/// What the doors are given.
#[derive(Clone)]
pub struct State {
    /// Follows and compares runs.
    pub shadow: Shadow,
    /// Mends runs.
    pub mending: Mending,
    /// Answers who serves a recording.
    pub intake: Intake,
    /// Moves the migration.
    pub mover: Mover,
    /// Keeps reviews.
    pub reviews: Reviews,
    /// What runs mixed, to be heard.
    pub sound: Sound,
    /// How closely Conductor is watched.
    pub health: HealthLimits,
    /// Replays past recordings; none where the settings do not say where Reflector's database is.
    pub replays: Option<Replays>,
    /// The settings in force, secrets masked.
    pub settings: Arc<Value>,
    /// Tries all that they name.
    pub examine: Examine,
    /// Tells people, and knows what they were told.
    pub notices: Notices,
    /// Deletes what is over its time.
    pub retention: Retention,
    /// Knows who asks.
    pub access: Access,
    /// What `/metrics` answers with.
    pub metering: Metering,
    /// How patient sockets are.
    pub patience: Patience,
    /// Ends streams of events, which would hold a stop up for as long as somebody listens.
    pub shutdown: CancellationToken,
}

/// What `switchyard doctor` writes, gathered anew.
pub type Examine = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<Value>> + Send + Sync>;

/// What handlers use.
#[derive(Clone)]
struct Door {
    shadow: Shadow,
    mending: Mending,
    intake: Intake,
    mover: Mover,
    reviews: Reviews,
    sound: Sound,
    health: HealthLimits,
    overview: Overview,
    /// The page of the report on the evidence.
    evidence: Recent<ui::Rendered>,
    replays: Option<Replays>,
    settings: Arc<Value>,
    examine: Examine,
    /// Held while everything is tried: that asks many others, and once at a time is enough.
    examining: Arc<tokio::sync::Mutex<()>>,
    notices: Notices,
    retention: Retention,
    access: Access,
    events: Events,
    changes: Changes,
    sockets: Sockets,
}

impl Door {
    /// What replays past recordings.
    fn replays(&self) -> Result<&Replays, Error> {
        self.replays.as_ref().ok_or_else(|| {
            let name = &self.shadow.environment;
            Error::Unprocessable(format!(
                "past recordings are read from Reflector's database, and the settings have no section `environments.{name}.legacy` that says where it is"
            ))
        })
    }

    /// The settings in force, of environments those that somebody may see.
    fn settings_for(&self, caller: &Caller) -> Value {
        let reach = caller.reach(Action::ReadSettings);
        config::of_environments(&self.settings, |name| {
            reach.has(&EnvironmentName::new(name))
        })
    }

    /// Tries all that the settings name; once at a time.
    async fn examined(&self, caller: &Caller) -> Result<Value, Error> {
        let Ok(_alone) = self.examining.try_lock() else {
            return Err(Error::Unavailable(
                "everything is being tried just now, by somebody else; ask again in a minute"
                    .to_owned(),
            ));
        };
        let mut found = (self.examine)().await?;
        found["settings"] = self.settings_for(caller);
        Ok(found)
    }

    /// The newest report on a run.
    async fn report(&self, id: &RunId, caller: &Caller) -> Result<ReportData, Error> {
        self.run_of(id, caller, Action::ReadReports).await?;
        match self.shadow.report(id).await {
            Ok(Some(data)) => Ok(data),
            Ok(None) => Err(Error::not_compared(id)),
            Err(error) => Err(unreadable(id, &error)),
        }
    }

    /// A run, if there is one and they may do that in its environment: our database may hold runs of
    /// others than the one that is served. What is not theirs is not told from what is not there.
    async fn run_of(&self, id: &RunId, caller: &Caller, action: Action) -> Result<Run, Error> {
        let run = self.shadow.store.run(id).await?;
        let run = run.filter(|run| caller.may(action, &run.environment).is_ok());
        run.ok_or_else(|| Error::no_run(id))
    }
}

/// A report that cannot be shown. Only the outermost message is logged: what lies below may quote
/// the meeting.
fn unreadable(id: &RunId, error: &impl std::fmt::Display) -> Error {
    error!(run.id = %id, "cannot show the report on run `{id}`, `switchyard compare` writes it anew: {error}");
    Error::Internal
}

/// Where an address is asked by a method that it does not answer: that of a form, typed, is a page.
async fn not_allowed(address: Uri) -> Response {
    if caller::is_page(address.path()) {
        error::PageError::from(Error::MethodNotAllowed).into_response()
    } else {
        Error::MethodNotAllowed.into_response()
    }
}

/// All routes but the one for probes.
fn guarded() -> Routes {
    ui::routes()
        .nest("/api", api::routes())
        .nest("/ofrep/v1", ofrep::routes())
}

/// Every route, and what it takes to be answered.
pub fn declared() -> Vec<Declared> {
    api::health::routes().merge(guarded()).declared()
}

/// What programs are told of the API: an OpenAPI 3.1 document.
pub fn document() -> serde_json::Value {
    openapi::document(&declared())
}

/// Serves all routes.
pub fn router(state: State) -> Router {
    let access = state.access.clone();
    let names = host::Names::of(access.sign_in.as_deref());
    let metering = state.metering;
    let (events, stop) = (
        Events::new(state.shadow.clone(), state.shutdown.clone()),
        state.shutdown.clone(),
    );
    let door = Door {
        sockets: Sockets::new(&state.shadow, events.clone(), stop, state.patience),
        events,
        changes: Changes::new(state.intake.clone(), state.shutdown),
        overview: Overview::new(state.mover.clone(), state.health),
        evidence: Recent::default(),
        shadow: state.shadow,
        mending: state.mending,
        intake: state.intake,
        mover: state.mover,
        reviews: state.reviews,
        sound: state.sound,
        health: state.health,
        replays: state.replays,
        settings: state.settings,
        examine: state.examine,
        examining: Arc::default(),
        notices: state.notices,
        retention: state.retention,
        access: state.access,
    };
    // Health is asked by probes, which know the machine by other names, and gives nothing away.
    let guarded = guarded()
        .into_router()
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn(move |request, next| {
            host::only_ours(names.clone(), request, next)
        }))
        .layer(middleware::from_fn(error::complete));
    Router::new()
        .merge(api::health::routes().into_router())
        .merge(guarded)
        .layer(middleware::from_fn(move |request, next| {
            caller::arrive(access.clone(), request, next)
        }))
        // Its token is its own.
        .merge(metrics::routes(metering))
        .layer(middleware::from_fn(metrics::count))
        .layer(middleware::map_response(headers::add))
        .with_state(door)
}
