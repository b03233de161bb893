//! What people do about a run.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::{
    Door, Error, Routes,
    body::{self, Body, Fields, wrong},
    field::{BY, Field, text},
};
use crate::{
    access::{Action, Caller},
    controller::{Mended, NotMended, Possible, Signature},
    model::RunId,
    rollout::Mend,
};

/// What each takes.
pub(in crate::http) const fn action_of(mend: Mend) -> Action {
    match mend {
        Mend::Retry | Mend::Resume | Mend::Compare => Action::Mend,
        Mend::Takeover => Action::TakeOver,
    }
}

pub(super) fn routes() -> Routes {
    let routes = Routes::new()
        .get("/runs/{id}/mending", Action::View, possible)
        .says("What may be done about a run now, and why not the rest")
        .answers::<Mendable>();
    Mend::ALL.into_iter().fold(routes, |routes, mend| {
        let summary = match mend {
            Mend::Retry => "Runs the step that failed again",
            Mend::Resume => "Has a run go on where it stopped",
            Mend::Takeover => "Gives the recording of a run back to Celery",
            Mend::Compare => "Compares a run with its control again",
        };
        routes
            .post(
                &format!("/runs/{{id}}/{mend}"),
                action_of(mend),
                async move |door: State<Door>, caller: Caller, id: Path<RunId>, body: Body| {
                    act(mend, door, caller, id, body).await
                },
            )
            .says(summary)
            .takes(&ACT)
            .answers::<Acted>()
    })
}

const ACT: [Field; 3] = [
    BY,
    text("reason", "why", r#""the store answers again""#).needed(),
    text(
        "seen",
        "the `finished_at` of the run as it was seen, so that nothing is done about what nobody saw",
        "",
    ),
];

/// What was done.
#[derive(Serialize, JsonSchema)]
struct Acted {
    run_id: RunId,
    #[serde(flatten)]
    mended: Mended,
}

/// What may be done about a run now, and why not.
#[derive(Serialize, JsonSchema)]
struct Mendable {
    run_id: RunId,
    /// When the run had ended; sent back as `seen`, so that nothing is done about what nobody saw.
    seen: Option<DateTime<Utc>>,
    mending: Vec<Possible>,
}

async fn possible(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
) -> Result<Json<Mendable>, Error> {
    let run = door.run_of(&id, &caller, Action::View).await?;
    let is_paused = door.shadow.is_paused(&run).await;
    Ok(Json(Mendable {
        mending: door.mending.possible(&id, is_paused).await?,
        seen: run.finished_at,
        run_id: id,
    }))
}

async fn act(
    mend: Mend,
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<RunId>,
    body: Body,
) -> Result<Json<Acted>, Error> {
    let fields = body::read(body, &ACT)?;
    let signed = Signature {
        by: fields.by(&caller)?,
        reason: fields.text("reason")?,
        seen: seen(&fields)?,
    };
    door.run_of(&id, &caller, action_of(mend)).await?;
    let mended = door.mending.mend(mend, &id, signed).await??;
    Ok(Json(Acted { run_id: id, mended }))
}

fn seen(fields: &Fields) -> Result<Option<DateTime<Utc>>, Error> {
    let text = fields.text_if_any("seen")?;
    let seen = text.map(|text| text.parse::<DateTime<Utc>>()).transpose();
    seen.map_err(|_| {
        wrong(
            "seen",
            "send the `finished_at` of the run as you saw it, or leave it out",
        )
    })
}

impl From<NotMended> for Error {
    fn from(refusal: NotMended) -> Self {
        let told = refusal.to_string();
        match refusal {
            NotMended::NoRun { .. } => Self::NotFound(told),
            NotMended::Refused { .. }
            | NotMended::Stays(_)
            | NotMended::Changed(_)
            | NotMended::Busy(_) => Self::Conflict(told),
        }
    }
}
