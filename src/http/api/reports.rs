//! Compared runs, by their newest comparison.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Door, Error, Routes, body::wrong};
use crate::{
    access::Action,
    compare::{Field, Verdict},
    store::WhichReports,
};

pub(super) fn routes() -> Routes {
    Routes::new().get("/reports", Action::View, list)
}

/// Which runs, and which of them.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::http) struct Asked {
    pub(in crate::http) verdict: Option<String>,
    pub(in crate::http) field: Option<String>,
    pub(in crate::http) id: Option<String>,
    pub(in crate::http) limit: Option<i64>,
    pub(in crate::http) skip: Option<i64>,
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
) -> Result<Json<Value>, Error> {
    let Query(asked) = asked.map_err(|error| Error::BadRequest(error.body_text()))?;
    let limit = asked.limit.unwrap_or(50);
    let skip = asked.skip.unwrap_or(0);
    if !(1..=500).contains(&limit) || !(0..=1_000_000_000).contains(&skip) {
        return Err(wrong(
            "limit",
            "send a whole number from 1 to 500, and in `skip` one from 0 on",
        ));
    }
    let mover = &door.mover;
    let which = asked.which()?;
    let page = (skip, limit);
    let (reports, of) = mover.store.reports(&mover.about, &which, page).await?;
    Ok(Json(json!({ "reports": reports, "of": of })))
}
