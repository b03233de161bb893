//! What is open, and what has to be looked at before a cutover.

use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{
        super::{Door, error::PageError},
        Page,
        frame::{Frame, Place},
        page as render,
        paging::{PAGE, Pager},
    },
    Trail, headline, told,
};
use crate::{
    access::{Action, Caller},
    compare::{Field, Severity},
    controller::Listed,
    reviews::{ItemKind, Summary},
};

#[derive(Serialize)]
struct QueuePage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    trail: &'a Trail,
    reviewer: String,
    summary: Summary,
    is_done: bool,
    /// Whether they may look at items.
    may_review: bool,
    lines: Vec<QueueLine>,
    pager: Pager,
    /// The first of them.
    first: Option<String>,
    fields: Vec<(&'static str, &'static str)>,
    severities: [&'static str; 4],
    kinds: [&'static str; 4],
    /// Whether anything narrows the queue.
    is_narrowed: bool,
    clusters: String,
    rules: String,
    /// The item that was judged just now, its address, and how it stands.
    judged: Option<(String, String, String)>,
}

/// A line of a list of items.
#[derive(Serialize)]
pub(super) struct QueueLine {
    id: String,
    link: String,
    headline: String,
    severity: Option<&'static str>,
    pattern: Option<String>,
    state: &'static str,
    told: String,
    recording: String,
    made_at: DateTime<Utc>,
}

impl QueueLine {
    pub(super) fn of(listed: &Listed, trail: &Trail) -> Self {
        let Listed { item, standing } = listed;
        let about = item.about.as_ref();
        Self {
            link: trail.to(&format!("/reviews/items/{}", item.id)),
            headline: headline(item.kind, about),
            severity: about.map(|about| about.severity.as_str()),
            // It says which side lacks something.
            pattern: about
                .filter(|_| !trail.is_blind())
                .map(|about| about.pattern.clone()),
            state: standing.word(),
            told: told(standing),
            recording: item.recording.to_string(),
            made_at: item.made_at,
            id: item.id.clone(),
        }
    }
}

pub(super) async fn page(
    State(door): State<Door>,
    caller: Caller,
    Query(trail): Query<Trail>,
) -> Result<Page, PageError> {
    let sought = trail.sought()?;
    let asked = trail.page()?;
    let reviewer = trail.reviewer(&caller);
    let environment = &door.shadow.environment;
    let may_review = caller.may(Action::Review, environment).is_ok();
    let (summary, mut items) = door.reviews.overview(Some(&reviewer), &sought).await?;
    if !may_review {
        items.clear();
    }
    let pager = Pager::of(asked, items.len(), &trail.to("/reviews"));
    let shown = items.iter().skip(pager.skipped()).take(PAGE);
    let lines: Vec<QueueLine> = shown.map(|listed| QueueLine::of(listed, &trail)).collect();
    let judged = match trail.judged.as_deref().filter(|_| may_review) {
        None => None,
        Some(id) => door
            .reviews
            .item(id)
            .await?
            .map(|Listed { item, standing }| {
                let link = trail.to(&format!("/reviews/items/{}", item.id));
                (item.id, link, told(&standing))
            }),
    };
    let shown = QueuePage {
        frame: Frame::at(Place::Reviews, &door, &caller).with_forms(),
        is_done: summary.is_done(),
        summary,
        may_review,
        first: items
            .first()
            .map(|first| trail.to(&format!("/reviews/items/{}", first.item.id))),
        lines,
        pager,
        fields: Field::ALL
            .iter()
            .map(|field| (field.as_str(), field.label()))
            .collect(),
        severities: Severity::ALL.map(Severity::as_str),
        kinds: ItemKind::ALL.map(ItemKind::as_str),
        is_narrowed: sought.kind.is_some()
            || sought.field.is_some()
            || sought.severity.is_some()
            || sought.cluster.is_some(),
        clusters: trail.to("/reviews/clusters"),
        rules: "/reviews/rules".to_owned(),
        reviewer,
        trail: &trail,
        judged,
    };
    Ok(render("reviews.html", &shown)?)
}
