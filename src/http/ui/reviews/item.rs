//! One item: what there is to read and hear of it, what was said, and what is to be said.

use anyhow::Context;
use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        super::{Door, Error, error::PageError, headers},
        Page,
        form::{Form, Refused, number, short},
        frame::{Frame, Place},
        sound, templates,
    },
    Trail, headline, said_as, told,
};
use crate::{
    access::{Action, Caller},
    compare::{Field, Verdict as OnRecording},
    controller::{Listed, Opened, Sides},
    model::Pipeline,
    report::{
        beside::{self, Beside, Pair},
        html::{Heard, Players, Side as Hears, players},
    },
    reviews::{Act, Choice, ItemKind, LONGEST_DAYS, Side, Target, Wanted},
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
    #[serde(flatten)]
    frame: Frame<'a>,
    trail: &'a Trail,
    reviewer: String,
    nav: Nav,
    item: Known,
    run: String,
    verdict: OnRecording,
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
    typed: &'a Verdict,
    refused: Option<&'a Refused>,
    longest_days: i64,
}

/// A page that says nothing of whose a side is, before it has been chosen.
#[derive(Serialize)]
struct BlindPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
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
    refused: Option<&'a Refused>,
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

/// A verdict as it was typed, which a refusal gives back.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Verdict {
    pub(super) says: String,
    pub(super) reason: String,
    pub(super) owner: String,
    pub(super) days: String,
    /// Of a cluster: how many items a waiver covers.
    pub(super) at_most: String,
    /// Of a cluster: `yes` where nothing is to be noted.
    pub(super) preview: String,
}

impl Verdict {
    /// The same as what is wanted.
    pub(super) fn wanted(&self, on: Target, by: String) -> Result<Wanted, Error> {
        Ok(Wanted {
            at_most: match on {
                Target::Item(_) => Some(1),
                Target::Cluster(_) => number(&self.at_most, "Items at most")?,
            },
            on,
            says: said_as(&self.says)?,
            by,
            reason: short(&self.reason, "Note")?,
            owner: short(&self.owner, "Owner")?,
            days: number(&self.days, "Days")?,
        })
    }
}

/// A choice between two sides.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Chosen {
    side: String,
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
) -> Result<Page, PageError> {
    Ok(shown(&door, &caller, &id, &trail, None).await?)
}

/// What was sent and not done.
type Sent<'a> = (&'a Verdict, &'a Refused);

async fn shown(
    door: &Door,
    caller: &Caller,
    id: &str,
    trail: &Trail,
    sent: Option<Sent<'_>>,
) -> Result<Page, Error> {
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
    let is_blind = kind.is_blind() || (trail.is_blind() && kind == ItemKind::Difference);
    let (read, opened, heard) = read(opened, heard, is_blind).await?;
    let nothing = Verdict::default();
    let (typed, refused) = match sent {
        Some((typed, refused)) => (typed, Some(refused)),
        None => (&nothing, None),
    };
    let parts = (reviewer, nav, heard, typed, refused);
    let html = match read {
        Read::Blind(pairs) => blind(door, caller, trail, &opened, (pairs, parts))?,
        Read::Open(beside) => open(door, caller, trail, &opened, (beside, parts))?,
    };
    let policy = [(
        header::CONTENT_SECURITY_POLICY,
        headers::HEARING_PAGE_POLICY.as_str(),
    )];
    Ok((policy, Html(html)))
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
    let read = reading
        .await
        .context("putting both sides beside each other");
    Ok(read?)
}

type Parts<'a> = (String, Nav, Heard, &'a Verdict, Option<&'a Refused>);

async fn nav(door: &Door, opened: &Opened, trail: &Trail) -> Result<Nav, Error> {
    let to = |id: &String| trail.to(&format!("/reviews/items/{id}"));
    let item = &opened.listed.item;
    let here = format!("/reviews/items/{}", item.id);
    let done = match &trail.judged {
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
    (beside, (reviewer, nav, heard, typed, refused)): (Option<Beside>, Parts<'_>),
) -> Result<String, Error> {
    let item = &opened.listed.item;
    let about = item.about.as_ref();
    let report = &opened.report;
    let result = about.and_then(|about| report.comparison.field(about.field));
    let side = trail.chose.as_deref().and_then(Side::parse);
    let shown = ItemPage {
        frame: Frame::below(Place::Reviews, door, caller).with_forms(),
        trail,
        reviewer,
        nav,
        item: known(&opened.listed, false),
        run: item.run.to_string(),
        verdict: item.verdict,
        pattern: about.map(|about| about.pattern.clone()),
        differences: about.map(|about| about.differences),
        strictness: result.map(|result| format!("{:?}", result.strictness).to_lowercase()),
        why: result
            .map(|result| result.reason.clone())
            .unwrap_or_default(),
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
    (pairs, (reviewer, nav, heard, _, refused)): (Vec<Pair>, Parts<'_>),
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
        frame: Frame::below(Place::Reviews, door, caller).with_forms(),
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
    Form(typed): Form<Verdict>,
) -> Result<Response, PageError> {
    let reviewer = trail.reviewer(&caller);
    let next = next_of(&door, &id, &reviewer, &trail).await?;
    let said = async {
        let wanted = typed.wanted(Target::Item(id.clone()), reviewer)?;
        let said = door.reviews.say(&wanted).await?;
        said.map_err(|refused| Error::Conflict(refused.to_string()))
    };
    match said.await {
        Ok(_) => Ok(Redirect::to(&trail.after(&next, &id)).into_response()),
        Err(error) => {
            let refused = Refused::of("verdict", error)?;
            let sent = Some((&typed, &refused));
            Ok(refused.on(shown(&door, &caller, &id, &trail, sent).await?))
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
    Form(typed): Form<Chosen>,
) -> Result<Response, PageError> {
    let reviewer = trail.reviewer(&caller);
    let chosen = async {
        let side = Side::parse(&typed.side).ok_or_else(|| {
            Error::BadRequest("no side is chosen; press one of the three buttons".to_owned())
        })?;
        let chosen = door.reviews.choose(&id, side, &reviewer).await?;
        chosen.map_err(|refused| Error::Conflict(refused.to_string()))
    };
    match chosen.await {
        Ok(_) => {
            let here = trail.to(&format!("/reviews/items/{id}"));
            Ok(Redirect::to(&here).into_response())
        }
        Err(error) => {
            let refused = Refused::of("choice", error)?;
            let sent = Some((&Verdict::default(), &refused));
            Ok(refused.on(shown(&door, &caller, &id, &trail, sent).await?))
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
