//! Who did what: the entries of the trail, and whether it is whole.

use axum::extract::{Query, State, rejection::QueryRejection};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    super::{Door, Error, api, error::PageError},
    Page,
    frame::{Frame, Place},
    page,
    paging::{Pager, link, page_of, rows},
};
use crate::{access::Caller, rollout::audit::Sealed};

/// A chain of no more entries is read on every look at the page; a longer one when somebody asks.
const READ_UNASKED: i64 = 2000;

#[derive(Deserialize)]
pub(super) struct Asked {
    action: Option<String>,
    by: Option<String>,
    since: Option<String>,
    until: Option<String>,
    page: Option<String>,
    verify: Option<String>,
}

#[derive(Serialize)]
struct AuditPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    asked_action: String,
    asked_by: String,
    asked_since: String,
    asked_until: String,
    is_narrowed: bool,
    actions: Vec<String>,
    actors: Vec<String>,
    lines: Vec<EntryLine>,
    pager: Pager,
    /// Entries of the chain of all migrations, where it was read and is whole.
    whole: Option<i64>,
    /// Where it is broken.
    broken: Option<String>,
    /// The address that reads it.
    verify: String,
    export: String,
}

/// An entry of the trail.
#[derive(Serialize)]
pub(super) struct EntryLine {
    seq: i64,
    at: DateTime<Utc>,
    by: String,
    action: String,
    before: String,
    after: String,
    reason: String,
    hash: String,
}

impl EntryLine {
    pub(super) fn of(sealed: &Sealed) -> Self {
        let entry = &sealed.entry;
        Self {
            seq: entry.seq,
            at: DateTime::from_timestamp_millis(entry.at).unwrap_or_default(),
            by: entry.actor.clone(),
            action: entry.action.clone(),
            before: entry.before.clone(),
            after: entry.after.clone(),
            reason: entry.reason.clone(),
            hash: sealed.hash.chars().take(12).collect(),
        }
    }
}

pub(super) async fn show(
    State(door): State<Door>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Page, PageError> {
    let Query(asked) = asked.map_err(|error| Error::BadRequest(error.body_text()))?;
    let given = api::audit::Asked {
        action: asked.action.clone(),
        by: asked.by.clone(),
        since: asked.since.clone(),
        until: asked.until.clone(),
    };
    let which = given.which()?;
    let at = page_of(asked.page.as_deref())?;
    let store = &door.mover.store;
    let about = &door.mover.about;
    let migration = (&about.environment, &about.flag);
    let (mut entries, of) = store.audit_page(migration, &which, rows(at)).await?;
    let text = |one: &Option<String>| one.clone().unwrap_or_default().trim().to_owned();
    let asked_since = text(&asked.since);
    let asked_until = text(&asked.until);
    let query = [
        ("action", which.action.as_deref()),
        ("by", which.by.as_deref()),
        ("since", Some(asked_since.as_str())),
        ("until", Some(asked_until.as_str())),
    ];
    let pager = Pager::of(
        at,
        usize::try_from(of).unwrap_or_default(),
        &link("/audit", &query),
    );
    if pager.page != at {
        let page = rows(pager.page);
        entries = store.audit_page(migration, &which, page).await?.0;
    }
    let (actions, actors) = store.audit_names(&about.environment, &about.flag).await?;
    let is_short = store.audit_length().await? <= READ_UNASKED;
    let verified = if is_short || asked.verify.as_deref() == Some("yes") {
        Some(store.verify_audit().await?)
    } else {
        None
    };
    let (whole, broken) = match verified {
        None => (None, None),
        Some(Ok(entries)) => (Some(entries), None),
        Some(Err(broken)) => (None, Some(broken.to_string())),
    };
    let shown = AuditPage {
        frame: Frame::at(Place::Audit, &door, &caller).with_forms(),
        verify: link("/audit", &[&query[..], &[("verify", Some("yes"))]].concat()),
        export: link("/api/v1/audit/export", &query[2..]),
        is_narrowed: query
            .iter()
            .any(|(_, value)| value.is_some_and(|value| !value.is_empty())),
        asked_action: which.action.clone().unwrap_or_default(),
        asked_by: which.by.clone().unwrap_or_default(),
        asked_since: asked_since.clone(),
        asked_until: asked_until.clone(),
        actions,
        actors,
        lines: entries.iter().map(EntryLine::of).collect(),
        pager,
        whole,
        broken,
    };
    Ok(page("audit.html", &shown)?)
}
