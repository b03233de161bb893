//! The page of one migration in one environment: how far it is, what each move asks for, what it would
//! change, and the forms that move, hold, approve and go back.

mod acts;
mod lines;
mod words;

use std::fmt::Display;

use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use url::form_urlencoded;

use super::{
    super::{Door, Error, Routes, error::PageError},
    Page,
    done::Said,
    form::Refused,
    frame::{Frame, Place},
    overview::Cell,
    page,
};
use crate::{
    access::{Action, Caller},
    controller::Ways,
    model::{EnvironmentName, FlagName, Role},
    store::Request,
};
pub(super) use lines::HoldLine;
use lines::{Asked, Back, Event, Stop, Way, Withheld};
pub(super) use words::Serving;

/// Seconds after which it is fetched anew.
const EVERY: u16 = 10;

/// Entries of the trail that are shown.
const ENTRIES: i64 = 30;

pub(super) fn routes() -> Routes {
    const PAGE: &str = "/phases/{environment}/{flag}";
    let below = |rest: &str| format!("{PAGE}/{rest}");
    Routes::new()
        .get(PAGE, Action::View, show)
        .post(&below("moves"), Action::Move, acts::go)
        .post(&below("rollback"), Action::Move, acts::go_back)
        .post(
            &below("requests/{id}/approval"),
            Action::Approve,
            acts::approve,
        )
        .post(
            &below("requests/{id}/withdrawal"),
            Action::Move,
            acts::withdraw,
        )
        .post(&below("holds"), Action::Hold, acts::hold)
        .post(&below("holds/{id}/release"), Action::Hold, acts::release)
}

/// The address of a migration's page.
pub(super) fn path_of(environment: &EnvironmentName, flag: &FlagName) -> String {
    let part = |text: &str| -> String {
        let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        // In a path a plus is no space.
        escaped.replace('+', "%20")
    };
    format!(
        "/phases/{}/{}",
        part(environment.as_str()),
        part(flag.as_str())
    )
}

/// What somebody types before anything goes forward.
fn name_of(door: &Door) -> String {
    let about = &door.mover.about;
    format!("{}/{}", about.environment, about.flag)
}

/// Which migration an address names.
#[derive(serde::Deserialize)]
pub(super) struct Named {
    environment: EnvironmentName,
    flag: FlagName,
    /// Of a hold or a request, where the address has one.
    #[serde(default)]
    id: String,
}

impl Named {
    /// Nothing but ours is moved here.
    fn check(&self, door: &Door) -> Result<(), Error> {
        let about = &door.mover.about;
        if self.environment == about.environment && self.flag == about.flag {
            return Ok(());
        }
        Err(Error::NotFound(format!(
            "this program moves {} in {} and nothing else; whatever there is besides has a console of its own",
            about.flag, about.environment
        )))
    }

    fn path(&self) -> String {
        path_of(&self.environment, &self.flag)
    }
}

#[derive(Serialize)]
struct PhasePage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    flag: &'a FlagName,
    path: String,
    /// What somebody types before anything goes forward.
    name: String,
    cell: Cell,
    version: i64,
    stops: Vec<Stop>,
    /// What they may do here.
    may: Vec<Action>,
    /// The least role that moves and holds.
    takes: Role,
    requests: Vec<Asked>,
    overrides: Vec<Withheld>,
    forward: Vec<Way>,
    back: Option<Back>,
    history: Vec<Event>,
    refused: Option<&'a Refused>,
    sent: Sent,
}

/// What was typed into a form that was refused; nothing where none was.
#[derive(Default, Serialize)]
struct Sent {
    go: acts::Go,
    back: acts::GoBack,
    hold: acts::Hold,
    release: acts::Release,
    answer: acts::Answer,
}

pub(super) async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    said: Said,
) -> Result<Page, PageError> {
    named.check(&door)?;
    Ok(shown(&door, &caller, said, None, Sent::default()).await?)
}

/// The page with what was refused, and what was typed.
async fn refused(
    door: &Door,
    caller: &Caller,
    form: impl Display,
    why: Error,
    sent: Sent,
) -> Result<Response, PageError> {
    let refused = match why {
        Error::Refused(refusal) => Refused::in_parts(
            form,
            words::STAYS,
            words::why(&refusal),
            words::unmet(&refusal),
        ),
        other => Refused::of(form, other)?,
    };
    refused_as(door, caller, &refused, sent).await
}

async fn refused_as(
    door: &Door,
    caller: &Caller,
    refused: &Refused,
    sent: Sent,
) -> Result<Response, PageError> {
    let page = shown(door, caller, Said::default(), Some(refused), sent).await?;
    Ok(refused.on(page))
}

async fn shown(
    door: &Door,
    caller: &Caller,
    said: Said,
    refused: Option<&Refused>,
    sent: Sent,
) -> Result<Page, Error> {
    let now = (door.shadow.clock)();
    let (mover, about) = (&door.mover, &door.mover.about);
    let ways = mover.ways().await?;
    let glimpse = door.overview.own(ways.stands.clone(), ways.gate.clone());
    let glimpse = glimpse.await?;
    let requests = mover.requests().await?;
    let overrides = mover.store.overrides(about, now).await?;
    let entries = mover
        .store
        .recent_moves(&about.environment, &about.flag, ENTRIES)
        .await?;
    let frame = Frame::below(Place::Overview, door, caller)
        .with_forms()
        .saying(said);
    // What was typed stays as it is.
    let frame = match refused {
        None => frame.every(EVERY),
        Some(_) => frame,
    };
    let (forward, back) = moves(&ways, refused, &sent);
    let shown = PhasePage {
        frame,
        flag: &about.flag,
        path: path_of(&about.environment, &about.flag),
        name: name_of(door),
        stops: Stop::all(ways.stands.position),
        version: ways.stands.version,
        cell: Cell::of(glimpse, now),
        may: Action::ALL
            .into_iter()
            .filter(|action| caller.may(*action, &about.environment).is_ok())
            .collect(),
        takes: Action::Move.least(),
        requests: asked(&requests, &ways, caller, now),
        overrides: overrides.into_iter().map(Withheld::of).collect(),
        forward,
        back,
        history: entries.into_iter().map(Event::of).collect(),
        refused,
        sent,
    };
    page("phase.html", &shown)
}

fn moves(ways: &Ways, refused: Option<&Refused>, sent: &Sent) -> (Vec<Way>, Option<Back>) {
    let forward = ways.forward.iter().map(|(to, plan)| {
        let form = acts::form_of(*to);
        let is_refused = refused.is_some_and(|refused| refused.is_of(&form));
        let typed = is_refused.then(|| sent.go.clone());
        Way::of(form, *to, plan, typed)
    });
    (
        forward.collect(),
        Back::of(ways.stands.position, &ways.back),
    )
}

fn asked(requests: &[Request], ways: &Ways, caller: &Caller, now: DateTime<Utc>) -> Vec<Asked> {
    let one = |request: &Request| {
        let plan = ways.forward.iter().find(|(to, _)| {
            // What a step asks for does not depend on the percentage.
            to.step() == request.wanted.to.step()
        });
        Asked::of(request, plan.map(|(_, plan)| plan), caller, now)
    };
    requests.iter().map(one).collect()
}
