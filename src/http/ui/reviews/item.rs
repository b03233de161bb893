//! One item: what there is to read and hear of it, what was said, and what is to be said.

use anyhow::Context;
use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    super::{
        super::{Door, Error, error::PageError, headers},
        Visitor,
        sent::Sent,
        sound, templates,
    },
    NotDone, Trail, headline, told,
};
use crate::{
    access::{Action, Caller},
    compare::{Field, Verdict},
    controller::{Listed, Opened, Sides},
    model::{EnvironmentName, Pipeline},
    report::{
        beside::{self, Beside, Pair},
        html::{Heard, Players, Side as Hears, players},
    },
    reviews::{Act, Choice, ItemKind, LONGEST_DAYS, Says, Side, Target, Wanted},
};

/// Where one stands in the queue.
#[derive(Serialize)]
struct Nav {
    queue: String,
    /// Where a verdict is sent, and where a choice is.
    verdict: String,
    choice: String,
    is_blind: bool,
    before: Option<String>,
    after: Option<String>,
    place: Option<usize>,
    of: usize,
    /// The same item, shown the other way.
    other_way: Option<String>,
    /// The item that was judged just now, its address, and how it stands.
    done: Option<(String, String, String)>,
}

/// What of an item may be known whichever way it is shown.
#[derive(Serialize)]
struct Known {
    id: String,
    headline: String,
    severity: Option<&'static str>,
    state: &'static str,
    told: String,
    recording: String,
    stratum: String,
}

#[derive(Serialize)]
struct ItemPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    place: &'static str,
    is_below: bool,
    trail: &'a Trail,
    reviewer: String,
    nav: Nav,
    item: Known,
    run: String,
    verdict: Verdict,
    pattern: Option<String>,
    differences: Option<i64>,
    strictness: Option<String>,
    why: String,
    beside: Option<Beside>,
    failures: Vec<(&'static str, String)>,
    players: Players,
    cluster: Option<ClusterLine>,
    acts_said: Vec<ActLine>,
    /// Whose side they found better while it was hidden.
    found: Option<Choice>,
    typed: Typed,
    refused: Option<NotDone>,
    longest_days: i64,
}

/// A page that says nothing of whose a side is, before it has been chosen.
#[derive(Serialize)]
struct BlindPage<'a> {
    visitor: Visitor<'a>,
    environment: &'a EnvironmentName,
    place: &'static str,
    is_below: bool,
    trail: &'a Trail,
    reviewer: String,
    nav: Nav,
    item: Known,
    pairs: Vec<Pair>,
    /// Where the meeting can be heard; the same whichever side mixed it.
    sound: Option<String>,
    silence: String,
    /// Where a choice is only led to, not kept: of a difference.
    leads_to: Option<[String; 3]>,
    /// What was chosen, and who stood left and right: only afterwards.
    revealed: Option<Revealed>,
    refused: Option<NotDone>,
}

#[derive(Serialize)]
struct Revealed {
    chose: Choice,
    left: Pipeline,
    right: Pipeline,
}

#[derive(Serialize)]
struct ClusterLine {
    link: String,
    signature: String,
    size: usize,
    settled: usize,
}

#[derive(Serialize)]
pub(super) struct ActLine {
    says: &'static str,
    by: String,
    at: DateTime<Utc>,
    reason: String,
    on_cluster: bool,
}

/// What was typed, which a refusal gives back.
#[derive(Default, Serialize)]
pub(super) struct Typed {
    pub(super) reason: String,
    pub(super) owner: String,
    pub(super) days: String,
    pub(super) at_most: String,
}

fn no_item(id: &str) -> Error {
    Error::NotFound(format!(
        "there is no item `{id}` under the versions as they are; /reviews lists what is open"
    ))
}

pub(super) async fn page(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Query(trail): Query<Trail>,
) -> Result<Response, PageError> {
    Ok(shown(&door, &caller, &id, &trail, Typed::default(), None).await?)
}

async fn shown(
    door: &Door,
    caller: &Caller,
    id: &str,
    trail: &Trail,
    typed: Typed,
    refused: Option<NotDone>,
) -> Result<Response, Error> {
    let sought = trail.sought()?;
    let reviewer = trail.reviewer(caller);
    let opened = door.reviews.opened(id, &reviewer, &sought).await?;
    let opened = opened.ok_or_else(|| no_item(id))?;
    // Whoever may not read the report of the run hears nothing of it.
    let may_hear = caller.may(Action::ReadReports, &door.shadow.environment);
    let heard = if may_hear.is_ok() {
        sound::heard_elsewhere(door, &opened.listed.item.run).await?
    } else {
        Heard::nothing("you may not read reports, which is what it takes to hear the meeting")
    };
    let nav = nav(door, &opened, trail).await?;
    let kind = opened.listed.item.kind;
    let status = if refused.is_some() {
        StatusCode::CONFLICT
    } else {
        StatusCode::OK
    };
    let is_blind = kind.is_blind() || (trail.is_blind() && kind == ItemKind::Difference);
    let (read, opened, heard) = read(opened, heard, is_blind).await?;
    let parts = (reviewer, nav, heard, typed, refused);
    let html = match read {
        Read::Blind(pairs) => blind(door, caller, trail, &opened, (pairs, parts))?,
        Read::Open(beside) => open(door, caller, trail, &opened, (beside, parts))?,
    };
    let policy = [(
        header::CONTENT_SECURITY_POLICY,
        headers::HEARING_PAGE_POLICY.as_str(),
    )];
    Ok((status, policy, Html(html)).into_response())
}

/// What there is to read.
enum Read {
    /// Nothing says whose a text is.
    Blind(Vec<Pair>),
    Open(Option<Beside>),
}

/// Puts both sides beside each other. Hours of speech take a while.
async fn read(
    opened: Opened,
    heard: Heard,
    is_blind: bool,
) -> Result<(Read, Opened, Heard), Error> {
    let reading = tokio::task::spawn_blocking(move || {
        let item = &opened.listed.item;
        let about = item.about.as_ref();
        let pattern = about.map(|about| about.pattern.as_str());
        let report = &opened.report;
        let read = if is_blind {
            Read::Blind(match (Sides::of(item, report), about) {
                (Some(Sides { left, right }), _) => {
                    let label = if item.kind == ItemKind::Title {
                        Field::Title.label()
                    } else {
                        "Summary"
                    };
                    vec![beside::side_by_side(report, label, (&left, &right))]
                }
                (None, Some(about)) => {
                    beside::blind(report, about.field, pattern, item.candidate_left)
                }
                (None, None) => Vec::new(),
            })
        } else {
            Read::Open(about.map(|about| beside::of_field(report, about.field, pattern, &heard)))
        };
        (read, opened, heard)
    });
    let read = reading.await.context("putting both sides beside each other");
    Ok(read?)
}

type Parts = (String, Nav, Heard, Typed, Option<NotDone>);

async fn nav(door: &Door, opened: &Opened, trail: &Trail) -> Result<Nav, Error> {
    let to = |id: &String| trail.to(&format!("/reviews/items/{id}"));
    let item = &opened.listed.item;
    let here = format!("/reviews/items/{}", item.id);
    let done = match &trail.done {
        None => None,
        Some(id) => door.reviews.item(id).await?,
    };
    Ok(Nav {
        queue: trail.to("/reviews"),
        verdict: trail.to(&format!("{here}/verdict")),
        choice: trail.to(&format!("{here}/choice")),
        is_blind: trail.is_blind(),
        before: opened.before.as_ref().map(to),
        after: opened.after.as_ref().filter(|id| **id != item.id).map(to),
        place: opened.place,
        of: opened.of,
        other_way: (item.kind == ItemKind::Difference).then(|| {
            let way = if trail.is_blind() { None } else { Some("yes") };
            trail.with(&here, way, None)
        }),
        done: done.map(|Listed { item, standing }| {
            let told = if item.kind.is_blind() {
                "your choice is kept".to_owned()
            } else {
                told(&standing)
            };
            (item.id.clone(), to(&item.id), told)
        }),
    })
}

fn known(listed: &Listed, is_blind: bool) -> Known {
    let Listed { item, standing } = listed;
    let about = item.about.as_ref();
    Known {
        id: item.id.clone(),
        // The class says which side lacks something or has more of it.
        headline: match about.filter(|_| is_blind) {
            Some(about) => format!("{}: which is better?", about.field.label()),
            None => headline(item.kind, about),
        },
        severity: about
            .filter(|_| !is_blind)
            .map(|about| about.severity.as_str()),
        state: standing.word(),
        // What somebody wrote may say whose side is whose.
        told: if is_blind {
            String::new()
        } else {
            told(standing)
        },
        recording: item.recording.to_string(),
        stratum: item.stratum.clone(),
    }
}

fn open(
    door: &Door,
    caller: &Caller,
    trail: &Trail,
    opened: &Opened,
    (beside, (reviewer, nav, heard, typed, refused)): (Option<Beside>, Parts),
) -> Result<String, Error> {
    let item = &opened.listed.item;
    let about = item.about.as_ref();
    let report = &opened.report;
    let result = about.and_then(|about| report.comparison.field(about.field));
    let side = trail.chose.as_deref().and_then(Side::parse);
    let shown = ItemPage {
        visitor: Visitor::of(caller, door),
        environment: &door.shadow.environment,
        place: "/reviews",
        is_below: true,
        trail,
        reviewer,
        nav,
        item: known(&opened.listed, false),
        run: item.run.to_string(),
        verdict: item.verdict,
        pattern: about.map(|about| about.pattern.clone()),
        differences: about.map(|about| about.differences),
        strictness: result.map(|result| format!("{:?}", result.strictness).to_lowercase()),
        why: result.map(|result| result.reason.clone()).unwrap_or_default(),
        beside,
        failures: report.failures(),
        players: players(&heard),
        cluster: opened.cluster.as_ref().map(|cluster| ClusterLine {
            link: trail.to(&format!("/reviews/clusters/{}", cluster.signature)),
            signature: cluster.signature.clone(),
            size: cluster.size,
            settled: cluster.settled,
        }),
        acts_said: opened.acts.iter().map(act_line).collect(),
        found: side.map(|side| side.choice(item.candidate_left)),
        typed,
        refused,
        longest_days: LONGEST_DAYS,
    };
    Ok(templates::render("review_item.html", &shown)?)
}

pub(super) fn act_line(act: &Act) -> ActLine {
    ActLine {
        says: act.says.as_str(),
        by: act.by.clone(),
        at: act.at,
        reason: act.reason.clone(),
        on_cluster: act.on_cluster,
    }
}

fn blind(
    door: &Door,
    caller: &Caller,
    trail: &Trail,
    opened: &Opened,
    (pairs, (reviewer, nav, heard, _, refused)): (Vec<Pair>, Parts),
) -> Result<String, Error> {
    let item = &opened.listed.item;
    let stands = if item.candidate_left {
        (Pipeline::Candidate, Pipeline::Control)
    } else {
        (Pipeline::Control, Pipeline::Candidate)
    };
    let is_difference = item.kind == ItemKind::Difference;
    let here = format!("/reviews/items/{}", item.id);
    let leads_to = is_difference.then(|| {
        let open = trail.with(&here, None, None);
        let joint = if open.contains('?') { '&' } else { '?' };
        ["left", "right", "tie"].map(|side| format!("{open}{joint}chose={side}"))
    });
    let silence = match (&heard.control, &heard.candidate) {
        (Hears::Silent(_), Hears::Silent(why)) => Some(why.clone()),
        _ => None,
    };
    let shown = BlindPage {
        visitor: Visitor::of(caller, door),
        environment: &door.shadow.environment,
        place: "/reviews",
        is_below: true,
        trail,
        reviewer,
        nav,
        item: known(&opened.listed, true),
        pairs,
        sound: silence.is_none().then(|| format!("{here}/sound")),
        silence: silence.unwrap_or_default(),
        leads_to,
        revealed: opened.chose.map(|chose| Revealed {
            chose,
            left: stands.0,
            right: stands.1,
        }),
        refused,
    };
    Ok(templates::render("review_blind.html", &shown)?)
}

/// Takes a verdict, and leads to the next item.
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
    let reviewer = trail.reviewer(&caller);
    let wanted = Wanted {
        on: Target::Item(id.clone()),
        says,
        by: reviewer.clone(),
        reason: sent.text("reason"),
        owner: sent.text("owner"),
        days: sent.number_if_any("days")?,
        at_most: Some(1),
    };
    let next = next_of(&door, &id, &reviewer, &trail).await?;
    match door.reviews.say(&wanted).await.map_err(Error::from)? {
        Ok(_) => Ok(Redirect::to(&trail.after(&next, &id)).into_response()),
        Err(refused) => {
            let typed = Typed {
                reason: wanted.reason,
                owner: wanted.owner,
                days: sent.text("days"),
                at_most: String::new(),
            };
            Ok(shown(&door, &caller, &id, &trail, typed, Some(refused.into())).await?)
        }
    }
}

/// The address after an item, as the queue is before something is said of it.
async fn next_of(door: &Door, id: &str, by: &str, trail: &Trail) -> Result<String, Error> {
    let queue = door.reviews.sought(Some(by), &trail.sought()?).await?;
    let at = queue.iter().position(|listed| listed.item.id == id);
    let after = at.and_then(|at| queue.get(at + 1).or_else(|| queue.first()));
    let after = after.filter(|listed| listed.item.id != id);
    Ok(after.map_or_else(
        || "/reviews".to_owned(),
        |listed| format!("/reviews/items/{}", listed.item.id),
    ))
}

/// Takes a choice between two sides, and shows whose they were.
pub(super) async fn choose(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Query(trail): Query<Trail>,
    form: Bytes,
) -> Result<Response, PageError> {
    let side = Side::parse(&Sent(form).text("side"))
        .ok_or_else(|| super::wrong("side", "choose `left`, `right` or `tie`"))?;
    let reviewer = trail.reviewer(&caller);
    let chosen = door.reviews.choose(&id, side, &reviewer).await;
    match chosen.map_err(Error::from)? {
        Ok(_) => {
            let here = trail.to(&format!("/reviews/items/{id}"));
            Ok(Redirect::to(&here).into_response())
        }
        Err(refused) => {
            if door.reviews.item(&id).await.map_err(Error::from)?.is_none() {
                return Err(no_item(&id).into());
            }
            let typed = Typed::default();
            Ok(shown(&door, &caller, &id, &trail, typed, Some(refused.into())).await?)
        }
    }
}

/// The sound of the meeting, at an address that is the same whoever mixed it.
pub(super) async fn sound(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    let item = door.reviews.item(&id).await.map_err(Error::from)?;
    let run = item.ok_or_else(|| no_item(&id))?.item.run;
    door.run_of(&run, &caller, Action::ReadReports).await?;
    let [control, candidate] = door.sound.mixes(&run).await.map_err(Error::from)?;
    let mix = control.or(candidate);
    Ok(sound::answer(&door, &run, mix, &asked).await?)
}
