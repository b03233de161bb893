//! Compared runs, by their newest comparison.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use serde::Deserialize;

use super::super::{
    Door, Error, Routes,
    body::wrong,
    field::{self, text},
    paging::{Paging, no_cursor},
};
use crate::{
    access::Action,
    compare::{Field, Verdict},
    store::{ReportLine, WhichReports},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/reports", Action::View, list)
        .says("Compared runs by their newest comparison, the newest first")
        .asks(&WHICH)
        .lists::<ReportLine>("reports")
}

const WHICH: [field::Field; 3] = [
    text("verdict", "what it came to", r#""differs""#),
    text("field", "a field that differs", r#""title""#),
    text("id", "part of a run's or recording's id", r#""rec_77""#),
];

/// Which runs, and which of them.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::http) struct Asked {
    pub(in crate::http) verdict: Option<String>,
    pub(in crate::http) field: Option<String>,
    pub(in crate::http) id: Option<String>,
}

impl Asked {
    /// The runs that are asked for.
    pub(in crate::http) fn which(&self) -> Result<WhichReports, Error> {
        let given = |one: &Option<String>| {
            let one = one.as_deref().map(str::trim);
            one.filter(|one| !one.is_empty()).map(str::to_owned)
        };
        let which = WhichReports {
            verdict: given(&self.verdict),
            field: given(&self.field),
            id: given(&self.id),
        };
        let knows =
            |one: &Option<String>, knows: &dyn Fn(&str) -> bool| one.as_deref().is_none_or(knows);
        if !knows(&which.verdict, &|name| Verdict::parse(name).is_some()) {
            return Err(wrong("verdict", "choose a verdict as reports have it"));
        }
        if !knows(&which.field, &|name| Field::parse(name).is_some()) {
            return Err(wrong("field", "choose a field as reports have it"));
        }
        Ok(which)
    }
}

async fn list(
    State(door): State<Door>,
    asked: Result<Query<Asked>, QueryRejection>,
    paging: Paging,
) -> Result<Response, Error> {
    let Query(asked) = asked.map_err(|error| Error::BadRequest(error.body_text()))?;
    let skip = paging.after.as_deref().map_or(Ok(0), str::parse::<i64>);
    let skip = skip.ok().filter(|skip| (0..=1_000_000_000).contains(skip));
    let skip = skip.ok_or_else(no_cursor)?;
    let mover = &door.mover;
    let which = asked.which()?;
    let page = (skip, paging.limit);
    let (reports, of) = mover.store.reports(&mover.about, &which, page).await?;
    let next = skip + paging.limit;
    let next = (next < of).then(|| next.to_string());
    paging.page(reports, next).named("reports")
}
