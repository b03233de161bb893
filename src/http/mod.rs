//! Pages and API.

use axum::Router;

use crate::controller::Shadow;

/// What handlers use.
#[derive(Clone)]
pub struct State {
    /// Follows and compares runs.
    pub shadow: Shadow,
}

/// All routes.
pub fn router(state: State) -> Router {
    Router::new().with_state(state)
}
