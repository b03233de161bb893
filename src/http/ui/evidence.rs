//! The report on all the evidence.

use anyhow::Context;
use axum::{extract::State, http::header, response::Html};

use super::{
    super::{Door, Error, error::PageError, headers},
    Page,
};
use crate::report::evidence::{Links, html};

pub(super) async fn page(State(door): State<Door>) -> Result<Page, PageError> {
    let report = door.mover.evidence_report().await.map_err(Error::from)?;
    let html = tokio::task::spawn_blocking(move || html::render(&report, Links::Server))
        .await
        .context("rendering the report on the evidence")
        .map_err(Error::from)?
        .context("rendering the report on the evidence")
        .map_err(Error::from)?;
    let policy = [(header::CONTENT_SECURITY_POLICY, headers::REPORT_POLICY)];
    Ok((policy, Html(html)))
}
