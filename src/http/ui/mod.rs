//! The pages. They are complete as they come from the server; `live.js` only keeps them fresh.
//!
//! A page is a module with its handlers, a template beside the others, and a [`frame::Frame`] around both.

mod assets;
mod audit;
mod breaker;
mod done;
mod evidence;
mod form;
mod frame;
mod gate;
mod graph;
mod mending;
mod overview;
mod paging;
mod phases;
mod recordings;
mod replays;
mod reports;
mod reviews;
mod run_words;
mod runs;
mod settings;
mod sign_in;
mod sound;
mod templates;
mod visitor;
mod words;

pub(super) use evidence::Rendered;

use axum::{
    http::{HeaderName, header},
    response::Html,
};
use serde::Serialize;

use super::{
    Error, Routes,
    error::{PageError, Problem},
    headers,
};
use crate::access::Action;
use visitor::Visitor;

/// Everything but the API.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/", Action::View, overview::show)
        .get("/recordings", Action::View, recordings::list)
        .get("/recordings/{id}", Action::View, recordings::one)
        .get("/runs", Action::View, runs::list)
        .get("/evidence", Action::View, evidence::page)
        .get("/gate", Action::View, gate::show)
        .get("/reports", Action::View, reports::show)
        .get("/breaker", Action::View, breaker::show)
        .post("/breaker/closing", Action::CloseBreaker, breaker::close)
        .get("/audit", Action::View, audit::show)
        .get("/replays", Action::View, replays::list)
        .post("/replays", Action::Replay, replays::begin)
        .get("/replays/{id}", Action::View, replays::one)
        .post("/replays/{id}/pause", Action::Replay, replays::pause)
        .post("/replays/{id}/resumption", Action::Replay, replays::resume)
        .post(
            "/replays/{id}/cancellation",
            Action::Replay,
            replays::cancel,
        )
        .get("/settings", Action::ReadSettings, settings::show)
        .get("/doctor", Action::ReadSettings, settings::doctor)
        .post("/doctor", Action::ReadSettings, settings::examine)
        .merge(reviews::routes())
        .get("/runs/{id}", Action::View, runs::one)
        .get("/runs/{id}/report", Action::ReadReports, runs::report_of)
        .get("/runs/{id}/audio/{side}", Action::ReadReports, sound::mix)
        .merge(mending::routes())
        .merge(phases::routes())
        .merge(sign_in::routes())
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
