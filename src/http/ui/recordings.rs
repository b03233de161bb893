//! The list of recordings, and everything there is of one.

use axum::extract::{Path, Query, State, rejection::QueryRejection};
use serde::Serialize;

use super::{
    super::{Door, Error, error::PageError, seeking::Seeking},
    Page,
    frame::{Frame, Place},
    page,
};
use crate::{
    access::{Action, Caller},
    compare::Verdict,
    controller::status::{RecordingDetail, RecordingPage},
    store::{RunStanding, Serves},
};

/// How many a page shows.
const A_PAGE: usize = 50;

#[derive(Serialize)]
struct ListPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    /// What is seen, as it stands in the address.
    seeking: &'a Seeking,
    narrows: bool,
    choices: Choices,
    /// The address of the page behind this one.
    older: Option<String>,
    /// The address of the first page.
    newest: String,
    #[serde(flatten)]
    page: RecordingPage,
}

/// What can be chosen.
#[derive(Serialize)]
struct Choices {
    environments: Vec<String>,
    flags: Vec<String>,
    pipelines: [&'static str; 4],
    states: [&'static str; 6],
    verdicts: [&'static str; 9],
}

pub(super) async fn list(
    State(door): State<Door>,
    caller: Caller,
    seeking: Result<Query<Seeking>, QueryRejection>,
) -> Result<Page, PageError> {
    let Query(seeking) = seeking.map_err(|error| Error::BadRequest(error.body_text()))?;
    let reach = caller.reach(Action::View);
    let sought = seeking.sought(&reach, (door.shadow.clock)())?;
    let before = seeking.place()?;
    let found = door.shadow.recordings(&sought, before.as_ref(), A_PAGE);
    let found = found.await?;
    let mut places = door.shadow.store.places_of_recordings().await?;
    places.retain(|(environment, _)| reach.has(environment));
    let names = |of: &dyn Fn(&(_, _)) -> String| {
        let mut names: Vec<String> = places.iter().map(of).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let shown = ListPage {
        frame: if before.is_some() {
            Frame::below(Place::Recordings, &door, &caller)
        } else {
            Frame::at(Place::Recordings, &door, &caller)
        },
        choices: Choices {
            environments: names(&|(environment, _)| environment.to_string()),
            flags: names(&|(_, flag)| flag.to_string()),
            pipelines: Serves::ALL.map(Serves::as_str),
            states: RunStanding::ALL.map(RunStanding::as_str),
            verdicts: Verdict::ALL.map(Verdict::as_str),
        },
        narrows: seeking.narrows(),
        older: found
            .next
            .as_deref()
            .map(|next| format!("/recordings?{}", seeking.query(Some(next)))),
        newest: format!("/recordings?{}", seeking.query(None)),
        seeking: &seeking,
        page: found,
    };
    Ok(page("recordings.html", &shown)?)
}

#[derive(Serialize)]
struct OnePage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    #[serde(flatten)]
    detail: RecordingDetail,
}

pub(super) async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Page, PageError> {
    let reach = caller.reach(Action::View);
    let found = door.shadow.recording(&id, &reach).await?;
    let shown = OnePage {
        frame: Frame::below(Place::Recordings, &door, &caller),
        detail: found.ok_or_else(|| Error::no_recording(&id))?,
    };
    Ok(page("recording.html", &shown)?)
}
