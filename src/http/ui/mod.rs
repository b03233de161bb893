//! The pages. They are complete as they come from the server; `live.js` only keeps them fresh.

mod assets;
mod evidence;
mod runs;
mod sound;
mod templates;
mod words;

use axum::{
    Router,
    http::{HeaderName, header},
    response::Html,
    routing::get,
};
use serde::Serialize;

use super::{
    Door, Error,
    error::{PageError, Problem},
    headers,
};

/// Everything but the API.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/", get(runs::list))
        .route("/evidence", get(evidence::page))
        .route("/runs/{id}", get(runs::one))
        .route("/runs/{id}/report", get(runs::report_of))
        .route("/runs/{id}/audio/{side}", get(sound::mix))
        .nest("/assets", assets::routes())
        .fallback(|| async { PageError::from(Error::NotFound("there is no such page".to_owned())) })
}

/// A page with the policy it needs.
pub(super) type Page = ([(HeaderName, &'static str); 1], Html<String>);

/// The page that tells of a problem.
pub(super) fn error_page(problem: &Problem) -> Result<Page, Error> {
    page("error.html", problem)
}

/// Renders a template.
fn page(template: &str, shown: &impl Serialize) -> Result<Page, Error> {
    let html = templates::render(template, shown)?;
    let policy = [(header::CONTENT_SECURITY_POLICY, headers::PAGE_POLICY)];
    Ok((policy, Html(html)))
}
