//! The report on all the evidence.

use anyhow::Context;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::Html,
};

use super::{
    super::{
        Door, Error,
        api::gate::{Since, since_of},
        error::PageError,
        headers,
    },
    Page,
};
use crate::report::evidence::{Links, html};

pub(super) async fn page(
    State(door): State<Door>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Page, PageError> {
    let since = since_of(&door, since)?;
    let report = door.mover.evidence_report(since).await;
    let report = report.map_err(Error::from)?;
    let html = tokio::task::spawn_blocking(move || html::render(&report, Links::Server))
        .await
        .context("rendering the report on the evidence")
        .map_err(Error::from)?
        .context("rendering the report on the evidence")
        .map_err(Error::from)?;
    let policy = [(header::CONTENT_SECURITY_POLICY, headers::REPORT_POLICY)];
    Ok((policy, Html(html)))
}
