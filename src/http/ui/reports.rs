//! Compared runs, the newest comparison first.

use axum::extract::{Query, State, rejection::QueryRejection};
use serde::{Deserialize, Serialize};

use super::{
    super::{Door, Error, api, error::PageError},
    Page,
    frame::{Frame, Place},
    page,
    paging::{Pager, link, page_of, rows},
};
use crate::{
    access::{Action, Caller},
    compare::{Field, Verdict},
    store::ReportLine,
};

#[derive(Deserialize)]
pub(super) struct Asked {
    verdict: Option<String>,
    field: Option<String>,
    id: Option<String>,
    page: Option<String>,
}

#[derive(Serialize)]
struct ReportsPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    asked_verdict: String,
    asked_field: String,
    asked_id: String,
    is_narrowed: bool,
    verdicts: Vec<&'static str>,
    fields: Vec<(&'static str, &'static str)>,
    lines: Vec<Line>,
    pager: Pager,
    /// Whether they may read reports, which quote what was said.
    may_read: bool,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    report: ReportLine,
    /// The field that differs most, for people.
    worst_label: Option<&'static str>,
}

pub(super) async fn show(
    State(door): State<Door>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Page, PageError> {
    let Query(asked) = asked.map_err(|error| Error::BadRequest(error.body_text()))?;
    let given = api::reports::Asked {
        verdict: asked.verdict.clone(),
        field: asked.field.clone(),
        id: asked.id.clone(),
    };
    let which = given.which()?;
    let at = page_of(asked.page.as_deref())?;
    let store = &door.mover.store;
    let about = &door.mover.about;
    let (mut reports, of) = store.reports(about, &which, rows(at)).await?;
    let here = link(
        "/reports",
        &[
            ("verdict", which.verdict.as_deref()),
            ("field", which.field.as_deref()),
            ("id", which.id.as_deref()),
        ],
    );
    let pager = Pager::of(at, usize::try_from(of).unwrap_or_default(), &here);
    if pager.page != at {
        reports = store.reports(about, &which, rows(pager.page)).await?.0;
    }
    let lines = reports.into_iter().map(|report| Line {
        worst_label: report
            .worst
            .as_deref()
            .and_then(Field::parse)
            .map(Field::label),
        report,
    });
    let may = caller.may(Action::ReadReports, &door.shadow.environment);
    let text = |one: Option<String>| one.unwrap_or_default();
    let shown = ReportsPage {
        frame: Frame::below(Place::Evidence, &door, &caller).with_forms(),
        is_narrowed: which.verdict.is_some() || which.field.is_some() || which.id.is_some(),
        asked_verdict: text(which.verdict),
        asked_field: text(which.field),
        asked_id: text(which.id),
        verdicts: Verdict::ALL.map(Verdict::as_str).to_vec(),
        fields: Field::ALL
            .iter()
            .map(|field| (field.as_str(), field.label()))
            .collect(),
        lines: lines.collect(),
        pager,
        may_read: may.is_ok(),
    };
    Ok(page("reports.html", &shown)?)
}
