//! Sorts of differences across all recordings, and a verdict for all of one sort.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;

use super::{
    super::{
        super::{Door, Error, error::PageError},
        Page, Visitor, page as render,
        paging::{PAGE, Pager},
        sent::Sent,
    },
    NotDone, Trail,
    item::{ActLine, Typed, act_line},
    queue::QueueLine,
};
use crate::{
    access::Caller,
    controller::ClusterDetail,
    model::EnvironmentName,
    reviews::{
        ClusterStanding, Foreseen, LONGEST_DAYS, OPENED_FOR_A_CLUSTER, Says, Target, Wanted,
    },
};

#[derive(Serialize)]
struct ListPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    place: &'static str,
    is_below: bool,
    queue: String,
    lines: Vec<Line>,
    pager: Pager,
}

#[derive(Serialize)]
struct Line {
    link: String,
    #[serde(flatten)]
    cluster: ClusterStanding,
    headline: String,
}

#[derive(Serialize)]
struct ClusterPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    place: &'static str,
    is_below: bool,
    trail: &'a Trail,
    reviewer: &'a str,
    queue: String,
    clusters: String,
    headline: String,
    cluster: &'a ClusterStanding,
    acts_said: Vec<ActLine>,
    /// Where a verdict is sent.
    action: String,
    members: Vec<QueueLine>,
    members_left_out: usize,
    opened: usize,
    needed: usize,
    typed: Typed,
    says: &'static str,
    foreseen: Option<Foreseen>,
    refused: Option<NotDone>,
    longest_days: i64,
}

fn headline(cluster: &ClusterStanding) -> String {
    let class = cluster.class.as_str().replace('_', " ");
    format!("{}: {class}", cluster.field.label())
}

pub(super) async fn list(
    State(door): State<Door>,
    caller: Caller,
    Query(trail): Query<Trail>,
) -> Result<Page, PageError> {
    let clusters = door.reviews.clusters().await?;
    let pager = Pager::of(trail.page()?, clusters.len(), &trail.to("/reviews/clusters"));
    let shown = clusters.into_iter().skip(pager.skipped()).take(PAGE);
    let lines = shown.map(|cluster| Line {
        link: trail.to(&format!("/reviews/clusters/{}", cluster.signature)),
        headline: headline(&cluster),
        cluster,
    });
    let shown = ListPage {
        visitor: Visitor::of(&caller, &door),
        environment: &door.shadow.environment,
        place: "/reviews",
        is_below: true,
        queue: trail.to("/reviews"),
        lines: lines.collect(),
        pager,
    };
    Ok(render("review_clusters.html", &shown)?)
}

pub(super) async fn page(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Query(trail): Query<Trail>,
) -> Result<Page, PageError> {
    let told = (Typed::default(), Says::Accept, None, None);
    Ok(shown(&door, &caller, &id, &trail, told).await?)
}

type Told = (Typed, Says, Option<Foreseen>, Option<NotDone>);

async fn shown(
    door: &Door,
    caller: &Caller,
    id: &str,
    trail: &Trail,
    (typed, says, foreseen, refused): Told,
) -> Result<Page, Error> {
    let reviewer = trail.reviewer(caller);
    let detail = door.reviews.cluster(id, Some(&reviewer)).await?;
    let detail = detail.ok_or_else(|| {
        Error::NotFound(format!(
            "there is no cluster `{id}` under the versions as they are; /reviews/clusters lists them"
        ))
    })?;
    let ClusterDetail {
        cluster,
        members,
        acts,
        opened,
    } = &detail;
    // From here one goes through its items.
    let within = Trail {
        cluster: Some(id.to_owned()),
        ..trail.clone()
    };
    let shown = ClusterPage {
        visitor: Visitor::of(caller, door),
        environment: &door.shadow.environment,
        place: "/reviews",
        is_below: true,
        trail,
        reviewer: &reviewer,
        queue: trail.to("/reviews"),
        clusters: trail.to("/reviews/clusters"),
        headline: headline(cluster),
        acts_said: acts.iter().map(act_line).collect(),
        action: trail.to(&format!("/reviews/clusters/{id}/verdict")),
        members: members
            .iter()
            .take(PAGE)
            .map(|listed| QueueLine::of(listed, &within))
            .collect(),
        members_left_out: members.len().saturating_sub(PAGE),
        opened: *opened,
        needed: OPENED_FOR_A_CLUSTER.min(cluster.size),
        cluster,
        typed,
        says: says.as_str(),
        foreseen,
        refused,
        longest_days: LONGEST_DAYS,
    };
    render("review_cluster.html", &shown)
}

/// Takes a verdict for all of a cluster; asked for a preview, says what it would come to and takes none.
pub(super) async fn say(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Query(trail): Query<Trail>,
    form: Bytes,
) -> Result<Response, PageError> {
    let sent = Sent(form);
    let says = Says::parse(&sent.text("says")).ok_or_else(|| {
        super::wrong("says", "choose `accept`, `reject`, `waive` or `needs_info`")
    })?;
    let wanted = Wanted {
        on: Target::Cluster(id.clone()),
        says,
        by: trail.reviewer(&caller),
        reason: sent.text("reason"),
        owner: sent.text("owner"),
        days: sent.number_if_any("days")?,
        at_most: sent.number_if_any("at_most")?,
    };
    let told = if sent.text("preview") == "yes" {
        let foreseen = door.reviews.foresee(&wanted).await.map_err(Error::from)?;
        foreseen.map(Some)
    } else {
        let said = door.reviews.say(&wanted).await.map_err(Error::from)?;
        said.map(|_| None)
    };
    let typed = Typed {
        reason: wanted.reason,
        owner: wanted.owner,
        days: sent.text("days"),
        at_most: sent.text("at_most"),
    };
    match told {
        Ok(None) => {
            let here = trail.to(&format!("/reviews/clusters/{id}"));
            Ok(Redirect::to(&here).into_response())
        }
        Ok(foreseen) => {
            let told = (typed, says, foreseen, None);
            Ok(shown(&door, &caller, &id, &trail, told).await?.into_response())
        }
        Err(refused) => {
            let told = (typed, says, None, Some(refused.into()));
            let page = shown(&door, &caller, &id, &trail, told).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
    }
}
