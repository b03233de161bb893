//! The report on all the evidence.

use std::sync::Arc;

use anyhow::Context;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::header,
    response::Html,
};
use chrono::{DateTime, Utc};

use super::{
    super::{
        Door, Error,
        api::gate::{Since, since_of},
        error::PageError,
        headers,
    },
    Page,
};
use crate::{
    controller::{MANY, Mover, Weighty},
    report::evidence::{Links, html},
};

/// The page as it is sent, and on how many recordings.
pub(in crate::http) struct Rendered {
    html: String,
    recordings: i64,
}

impl Weighty for Rendered {
    fn is_weighty(&self) -> bool {
        self.recordings >= MANY
    }
}

pub(super) async fn page(
    State(door): State<Door>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Page, PageError> {
    let since = since_of(&door, since)?;
    let mover = door.mover.clone();
    let read = async move || render(mover, since).await;
    let page = match since {
        // Who asks what changed since then has a time of their own.
        Some(_) => Arc::new(read().await.map_err(Error::from)?),
        None => door.evidence.look(read).await.map_err(Error::from)?,
    };
    let policy = [(header::CONTENT_SECURITY_POLICY, headers::REPORT_POLICY)];
    Ok((policy, Html(page.html.clone())))
}

async fn render(mover: Mover, since: Option<DateTime<Utc>>) -> anyhow::Result<Rendered> {
    let report = mover.evidence_report(since).await?;
    let doing = "rendering the report on the evidence";
    tokio::task::spawn_blocking(move || {
        Ok(Rendered {
            recordings: report.decision.counts.recordings,
            html: html::render(&report, Links::Server).context(doing)?,
        })
    })
    .await
    .context(doing)?
}
