//! What people do about a run: a page for each, which says what happens then, and does it.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    super::{Door, Error, Routes, api::mending::action_of, error::PageError},
    Page,
    done::Done,
    form::{self, Form, Refused},
    frame::{Frame, Place},
    page,
};
use crate::{
    access::{Action, Caller},
    controller::{Mended, Signature},
    model::{RecordingId, RunId},
    rollout::Mend,
    store::Run,
};

/// The name of the form.
const FORM: &str = "mend";

pub(super) fn routes() -> Routes {
    Mend::ALL.into_iter().fold(Routes::new(), |routes, mend| {
        let path = format!("/runs/{{id}}/{mend}");
        let needs = action_of(mend);
        routes
            .get(
                &path,
                needs,
                async move |door: State<Door>, caller: Caller, id: Path<RunId>| {
                    ask(mend, door, caller, id).await
                },
            )
            .post(
                &path,
                needs,
                async move |door: State<Door>,
                            caller: Caller,
                            id: Path<RunId>,
                            typed: Form<Typed>| {
                    act(mend, door, caller, id, typed).await
                },
            )
    })
}

/// What is typed.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Typed {
    by: String,
    reason: String,
    /// The run's id, where that is asked for.
    confirm: String,
    /// When the run had ended that they saw.
    seen: String,
}

#[derive(Serialize)]
struct MendPage<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    mend: Mend,
    run_id: &'a RunId,
    recording_id: &'a RecordingId,
    state: &'static str,
    is_live: bool,
    failure: Option<&'a str>,
    verdict: Option<&'a str>,
    /// When the run had ended.
    seen: Option<DateTime<Utc>>,
    /// Why it may not be done; none where it may.
    refusal: Option<String>,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
}

async fn ask(
    mend: Mend,
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Page, PageError> {
    let run = door.run_of(&id, &caller, Action::View).await?;
    shown(mend, &door, &caller, &run, (&Typed::default(), None)).await
}

async fn shown(
    mend: Mend,
    door: &Door,
    caller: &Caller,
    run: &Run,
    (typed, refused): (&Typed, Option<&Refused>),
) -> Result<Page, PageError> {
    let is_paused = mend == Mend::Resume && door.shadow.is_paused(run).await;
    let possible = door.mending.possible(&run.id, is_paused).await?;
    let found = possible.into_iter().find(|one| one.mend == mend);
    let shown = MendPage {
        frame: Frame::below(Place::Recordings, door, caller).with_forms(),
        mend,
        run_id: &run.id,
        recording_id: &run.recording_id,
        state: run.state.as_str(),
        is_live: run.is_live(),
        failure: run.failure.as_deref(),
        verdict: run.verdict.as_deref(),
        seen: run.finished_at,
        refusal: match found {
            Some(found) => found.refusal,
            None => Some(format!(
                "the run is of environment {}, and is mended there",
                run.environment
            )),
        },
        typed,
        refused,
    };
    Ok(page("mend.html", &shown)?)
}

async fn act(
    mend: Mend,
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
    Form(typed): Form<Typed>,
) -> Result<Response, PageError> {
    let run = door.run_of(&id, &caller, action_of(mend)).await?;
    let done = match signed(mend, &caller, &run, &typed) {
        Ok(signed) => match door.mending.mend(mend, &id, signed).await? {
            Ok(mended) => Ok(mended),
            Err(refusal) => Err(Error::from(refusal)),
        },
        Err(missing) => Err(missing),
    };
    match done {
        Ok(mended) => Ok(said(mend, &mended).at(&format!("/runs/{id}"))),
        Err(error) => {
            let refused = Refused::of(FORM, error)?;
            // As it is by now.
            let run = door.run_of(&id, &caller, Action::View).await?;
            let page = shown(mend, &door, &caller, &run, (&typed, Some(&refused)));
            Ok(refused.on(page.await?).into_response())
        }
    }
}

fn signed(mend: Mend, caller: &Caller, run: &Run, typed: &Typed) -> Result<Signature, Error> {
    let seen = typed.seen.trim();
    let seen = (!seen.is_empty()).then(|| seen.parse::<DateTime<Utc>>());
    let signed = Signature {
        by: form::by(caller, &typed.by)?,
        reason: form::text(&typed.reason, "reason", "write why, for the record")?,
        seen: seen.transpose().map_err(|_| {
            Error::BadRequest(
                "the form does not say what it was about; load the page again and repeat it"
                    .to_owned(),
            )
        })?,
    };
    if mend == Mend::Takeover && typed.confirm.trim() != run.id.as_str() {
        return Err(Error::BadRequest(format!(
            "what was typed to confirm it is not the run's id; type `{}`",
            run.id
        )));
    }
    Ok(signed)
}

const fn said(mend: Mend, mended: &Mended) -> Done {
    match (mend, mended) {
        (_, Mended::GoesOn { waits: Some(_) }) => Done::Waits,
        (Mend::Retry, Mended::GoesOn { .. }) => Done::Retried,
        (_, Mended::GoesOn { .. }) => Done::Resumed,
        (_, Mended::GaveBack { .. }) => Done::GaveBack,
        (_, Mended::Compared { .. }) => Done::Compared,
    }
}
