//! Sorts of differences across all recordings, and a verdict for all of one sort.

use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    super::{
        super::{Door, Error, error::PageError},
        Page,
        done::{Done, Said},
        form::{Form, Refused},
        frame::{Frame, Place},
        page as render,
        paging::{PAGE, Pager},
    },
    Trail,
    item::{ActLine, Verdict, act_line},
    queue::QueueLine,
};
use crate::{
    access::Caller,
    controller::ClusterDetail,
    reviews::{ClusterStanding, Foreseen, LONGEST_DAYS, OPENED_FOR_A_CLUSTER, Target},
};

#[derive(Serialize)]
struct ListPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
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
    #[serde(flatten)]
    frame: Frame<'a>,
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
    typed: &'a Verdict,
    foreseen: Option<Foreseen>,
    refused: Option<&'a Refused>,
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
    let pager = Pager::of(
        trail.page()?,
        clusters.len(),
        &trail.to("/reviews/clusters"),
    );
    let shown = clusters.into_iter().skip(pager.skipped()).take(PAGE);
    let lines = shown.map(|cluster| Line {
        link: trail.to(&format!("/reviews/clusters/{}", cluster.signature)),
        headline: headline(&cluster),
        cluster,
    });
    let shown = ListPage {
        frame: Frame::below(Place::Reviews, &door, &caller).with_forms(),
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
    said: Said,
) -> Result<Page, PageError> {
    let told = (&Verdict::default(), None, None);
    Ok(shown(&door, &caller, &id, &trail, said, told).await?)
}

type Told<'a> = (&'a Verdict, Option<Foreseen>, Option<&'a Refused>);

async fn shown(
    door: &Door,
    caller: &Caller,
    id: &str,
    trail: &Trail,
    said: Said,
    (typed, foreseen, refused): Told<'_>,
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
        frame: Frame::below(Place::Reviews, door, caller)
            .with_forms()
            .saying(said),
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
    Form(typed): Form<Verdict>,
) -> Result<Response, PageError> {
    let told = async {
        let wanted = typed.wanted(Target::Cluster(id.clone()), trail.reviewer(&caller))?;
        let told = if typed.preview == "yes" {
            door.reviews.foresee(&wanted).await?.map(Some)
        } else {
            door.reviews.say(&wanted).await?.map(|_| None)
        };
        told.map_err(|refused| Error::Conflict(refused.to_string()))
    };
    match told.await {
        Ok(None) => {
            let here = trail.to(&format!("/reviews/clusters/{id}"));
            Ok(Done::Judged.at(&here))
        }
        Ok(foreseen) => {
            let told = (&typed, foreseen, None);
            let page = shown(&door, &caller, &id, &trail, Said(None), told).await?;
            Ok(page.into_response())
        }
        Err(error) => {
            let refused = Refused::of("verdict", error)?;
            let told = (&typed, None, Some(&refused));
            Ok(refused.on(shown(&door, &caller, &id, &trail, Said(None), told).await?))
        }
    }
}
