//! Replays of history, begun, followed and ended; and how rehearsals went.

use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        Door, Error,
        api::replays::{moment, refused as told_so},
        error::PageError,
    },
    Page,
    done::{Done, Said},
    form::{Form, Refused, by, number, short},
    frame::{Frame, Place},
    page,
};
use crate::{
    access::{Action, Caller},
    controller::{Driver, NewReplay, Tally},
    store::{Rehearsal, Replay, ReplayState, Skipped},
};

/// Seconds after which a page is fetched anew on which something is under way.
const EVERY: u16 = 5;

/// How many are listed.
const LISTED: i64 = 50;

#[derive(Serialize)]
struct ReplaysPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    lines: Vec<ReplayLine>,
    rehearsals: Vec<RehearsalLine>,
    may_act: bool,
    /// Why nothing can be begun here; none where it can.
    lacks: Option<String>,
    typed: &'a New,
    refused: Option<&'a Refused>,
}

#[derive(Serialize)]
struct ReplayLine {
    id: String,
    started_at: DateTime<Utc>,
    started_by: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    room: Option<String>,
    at_most: i64,
    per_hour: i64,
    budget_usd: Option<f64>,
    anew: bool,
    by_server: bool,
    state: &'static str,
    reason: String,
    ended_at: Option<DateTime<Utc>>,
}

impl ReplayLine {
    fn of(replay: &Replay) -> Self {
        Self {
            id: replay.id.clone(),
            started_at: replay.started_at,
            started_by: replay.started_by.clone(),
            from: replay.from,
            to: replay.to,
            room: replay.room.as_ref().map(ToString::to_string),
            at_most: replay.at_most,
            per_hour: replay.per_hour,
            budget_usd: replay.budget_usd,
            anew: replay.anew,
            by_server: replay.by_server,
            state: replay.state.as_str(),
            reason: replay.reason.clone(),
            ended_at: replay.ended_at,
        }
    }
}

#[derive(Serialize)]
struct RehearsalLine {
    id: String,
    started_at: DateTime<Utc>,
    started_by: String,
    /// None while it is under way.
    passed: Option<bool>,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    name: String,
    ok: bool,
    seconds: String,
    found: String,
}

impl RehearsalLine {
    fn of(rehearsal: &Rehearsal) -> Self {
        let steps = rehearsal.document.as_array().into_iter().flatten();
        let steps = steps.map(|step| {
            let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
            Step {
                name: text("step"),
                ok: step["ok"] == true,
                seconds: format!(
                    "{:.1} s",
                    step["took_ms"].as_f64().unwrap_or_default() / 1000.0
                ),
                found: text("found"),
            }
        });
        Self {
            steps: steps.collect(),
            id: rehearsal.id.clone(),
            started_at: rehearsal.started_at,
            started_by: rehearsal.started_by.clone(),
            passed: rehearsal.passed,
        }
    }
}

#[derive(Serialize)]
struct ReplayPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    replay: ReplayLine,
    /// None where the settings no longer say where Reflector is.
    tally: Option<Tally>,
    percent: u8,
    skipped: Vec<(&'static str, usize)>,
    skipped_in_all: usize,
    acts: Acts,
    typed: &'a Bounds,
    refused: Option<&'a Refused>,
}

/// What may be done with a replay, by whoever looks.
#[derive(Default, Serialize)]
struct Acts {
    pause: bool,
    resume: bool,
    cancel: bool,
}

/// A replay as it was typed.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct New {
    from: String,
    to: String,
    room: String,
    limit: String,
    rate: String,
    budget: String,
    anew: String,
    by: String,
}

impl Default for New {
    fn default() -> Self {
        Self {
            from: String::new(),
            to: String::new(),
            room: String::new(),
            limit: "20".to_owned(),
            rate: "10".to_owned(),
            budget: String::new(),
            anew: String::new(),
            by: String::new(),
        }
    }
}

/// Who goes on with a replay, and within which bounds.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Bounds {
    rate: String,
    budget: String,
    by: String,
}

fn dollars(typed: &str) -> Result<Option<f64>, Error> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let usd = typed.parse::<f64>().ok().filter(|usd| usd.is_finite());
    usd.map(Some).ok_or_else(|| {
        Error::BadRequest(
            "Budget is no number of US dollars; write one, or leave it out".to_owned(),
        )
    })
}

fn day(typed: &str, label: &str) -> Result<DateTime<Utc>, Error> {
    moment(typed.trim())
        .ok_or_else(|| Error::BadRequest(format!("{label} is no day; write one like 2026-03-01")))
}

impl New {
    fn replay(&self, caller: &Caller) -> Result<NewReplay, Error> {
        let to = self.to.trim();
        let room = short(&self.room, "Room")?;
        Ok(NewReplay {
            from: day(&self.from, "From")?,
            to: if to.is_empty() {
                None
            } else {
                Some(day(to, "To")?)
            },
            room: (!room.is_empty()).then(|| room.as_str().into()),
            at_most: number(&self.limit, "Recordings at most")?.unwrap_or_default(),
            per_hour: number(&self.rate, "An hour")?.unwrap_or_default(),
            budget_usd: dollars(&self.budget)?,
            anew: self.anew == "yes",
            driver: Driver::Controller,
            by: by(caller, &self.by)?,
        })
    }
}

pub(super) async fn list(
    State(door): State<Door>,
    caller: Caller,
    said: Said,
) -> Result<Page, PageError> {
    Ok(listed(&door, &caller, said, &New::default(), None).await?)
}

async fn listed(
    door: &Door,
    caller: &Caller,
    said: Said,
    typed: &New,
    refused: Option<&Refused>,
) -> Result<Page, Error> {
    let environment = &door.shadow.environment;
    let store = &door.shadow.store;
    let replays = store.replays(environment, LISTED).await?;
    let rehearsals = store.rehearsals(&door.mover.about, LISTED).await?;
    let is_open = replays
        .iter()
        .any(|replay| matches!(replay.state, ReplayState::Finding | ReplayState::UnderWay));
    let frame = Frame::at(Place::Replays, door, caller)
        .with_forms()
        .saying(said);
    let shown = ReplaysPage {
        frame: if is_open && refused.is_none() {
            frame.every(EVERY)
        } else {
            frame
        },
        lines: replays.iter().map(ReplayLine::of).collect(),
        rehearsals: rehearsals.iter().map(RehearsalLine::of).collect(),
        may_act: caller.may(Action::Replay, environment).is_ok(),
        lacks: door.replays().err().map(Error::into_detail),
        typed,
        refused,
    };
    page("replays.html", &shown)
}

pub(super) async fn begin(
    State(door): State<Door>,
    caller: Caller,
    Form(typed): Form<New>,
) -> Result<Response, PageError> {
    let begun = async {
        let new = typed.replay(&caller)?;
        let begun = door.replays()?.begin(&new).await?;
        begun.map_err(|refusal| told_so(&refusal))
    };
    match begun.await {
        Ok(replay) => Ok(Done::ReplayBegun.at(&format!("/replays/{}", replay.id))),
        Err(error) => {
            let refused = Refused::of("replay", error)?;
            let page = listed(&door, &caller, Said(None), &typed, Some(&refused)).await?;
            Ok(refused.on(page))
        }
    }
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    said: Said,
) -> Result<Page, PageError> {
    Ok(shown(&door, &caller, &id, said, &Bounds::default(), None).await?)
}

async fn shown(
    door: &Door,
    caller: &Caller,
    id: &str,
    said: Said,
    typed: &Bounds,
    refused: Option<&Refused>,
) -> Result<Page, Error> {
    let environment = &door.shadow.environment;
    let replay = door.shadow.store.replay(environment, id).await?;
    let replay = replay.ok_or_else(|| {
        Error::NotFound(format!("there is no replay `{id}`; /replays lists them"))
    })?;
    let tally = match door.replays() {
        Ok(replays) => Some(replays.tally(&replay).await?),
        Err(_) => None,
    };
    let state = replay.state;
    let is_over = matches!(state, ReplayState::Ended | ReplayState::Cancelled);
    let is_moving = !is_over || tally.as_ref().is_some_and(|tally| tally.open > 0);
    let frame = Frame::below(Place::Replays, door, caller)
        .with_forms()
        .saying(said);
    let may_act = caller.may(Action::Replay, environment).is_ok() && door.replays().is_ok();
    let skipped = tally.iter().flat_map(|tally| &tally.skipped);
    let shown = ReplayPage {
        frame: if is_moving && refused.is_none() {
            frame.every(EVERY)
        } else {
            frame
        },
        skipped: skipped
            .map(|(why, number)| (Skipped::parse(why).map_or(*why, Skipped::reason), *number))
            .collect(),
        skipped_in_all: tally.as_ref().map_or(0, Tally::skipped),
        percent: tally.as_ref().map_or(0, Tally::percent),
        tally,
        acts: if may_act {
            Acts {
                pause: state == ReplayState::UnderWay,
                // Taken up here, it is driven here from then on, whoever drove it before.
                resume: state == ReplayState::Stopped || (!is_over && !replay.by_server),
                cancel: !is_over,
            }
        } else {
            Acts::default()
        },
        replay: ReplayLine::of(&replay),
        typed,
        refused,
    };
    page("replay.html", &shown)
}

pub(super) async fn pause(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Form(typed): Form<Bounds>,
) -> Result<Response, PageError> {
    let paused = async {
        let by = by(&caller, &typed.by)?;
        let paused = door.replays()?.pause(&id, &by).await?;
        paused.map_err(|refusal| told_so(&refusal))
    };
    let paused = paused.await.map(|_| Done::ReplayPaused);
    answered(&door, &caller, &id, &typed, paused).await
}

pub(super) async fn resume(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Form(typed): Form<Bounds>,
) -> Result<Response, PageError> {
    let resumed = async {
        let by = by(&caller, &typed.by)?;
        let bounds = (number(&typed.rate, "An hour")?, dollars(&typed.budget)?);
        let resuming = door.replays()?;
        let resumed = resuming
            .resume(&id, bounds, (&by, Driver::Controller))
            .await?;
        resumed.map_err(|refusal| told_so(&refusal))
    };
    let resumed = resumed.await.map(|_| Done::ReplayResumed);
    answered(&door, &caller, &id, &typed, resumed).await
}

pub(super) async fn cancel(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    Form(typed): Form<Bounds>,
) -> Result<Response, PageError> {
    let cancelled = async {
        let by = by(&caller, &typed.by)?;
        let cancelled = door.replays()?.cancel(&id, &by).await?;
        cancelled.map_err(|refusal| told_so(&refusal))
    };
    let cancelled = cancelled.await.map(|_| Done::ReplayCancelled);
    answered(&door, &caller, &id, &typed, cancelled).await
}

async fn answered(
    door: &Door,
    caller: &Caller,
    id: &str,
    typed: &Bounds,
    done: Result<Done, Error>,
) -> Result<Response, PageError> {
    match done {
        Ok(done) => Ok(done.at(&format!("/replays/{id}"))),
        Err(error) => {
            let refused = Refused::of("replay", error)?;
            let page = shown(door, caller, id, Said(None), typed, Some(&refused)).await?;
            Ok(refused.on(page))
        }
    }
}
