//! Recordings: who serves one is asked before its Celery task is published; those that came are listed.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::super::{
    Door, Error, Routes,
    body::{self, Body, Fields, wrong},
    field::{Field, text, texts, truth},
    paging::{Paging, no_cursor},
    seeking::{self, Seeking},
};
use crate::{
    access::{Action, Caller},
    controller::{
        intake::{Accepted, Request, Unanswered},
        status::{RecordingDetail, RecordingLine},
    },
    model::TranscriptId,
    rollout::Owner,
    store::{Place, Way, Wish},
};

/// Who serves.
#[derive(Serialize, JsonSchema)]
struct Served {
    /// `control`: the caller publishes the task under this id. `candidate`: the caller accepts, and
    /// does not.
    serve: &'static str,
    task_id: String,
    reason: String,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/recordings", Action::View, list)
        .says("Recordings as they were routed, the newest first")
        .asks(&seeking::FIELDS)
        .lists::<RecordingLine>("recordings")
        .get("/recordings/{id}", Action::View, one)
        .says("A recording with its routes, runs, controls and mirrors")
        .answers::<RecordingDetail>()
        .post("/recordings", Action::AskRoute, ask)
        .says("Asks who serves a recording before its Celery task is published, which pins it")
        .takes(&FIELDS)
        .answers::<Served>()
        .post("/recordings/{task_id}/accept", Action::AskRoute, accept)
        .says("Accepts the answer, where the candidate serves")
        .takes(&[])
        .answers::<Served>()
}

async fn list(
    State(door): State<Door>,
    caller: Caller,
    seeking: Result<Query<Seeking>, QueryRejection>,
    paging: Paging,
) -> Result<Response, Error> {
    let Query(seeking) = seeking.map_err(|error| Error::BadRequest(error.body_text()))?;
    let sought = seeking.sought(&caller.reach(Action::View), (door.shadow.clock)())?;
    let place = paging.after.as_deref();
    let place = place.map(|text| Place::parse(text).ok_or_else(no_cursor));
    let place = place.transpose()?;
    let limit = usize::try_from(paging.limit).unwrap_or(1);
    let page = door.shadow.recordings(&sought, place.as_ref(), limit);
    let page = page.await?;
    paging.page(page.recordings, page.next).named("recordings")
}

async fn one(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<RecordingDetail>, Error> {
    let reach = caller.reach(Action::View);
    let found = door.shadow.recording(&id, &reach).await?;
    found.map(Json).ok_or_else(|| Error::no_recording(&id))
}

async fn ask(State(door): State<Door>, body: Body) -> Result<Json<Served>, Error> {
    let request = read(&body::read(body, &FIELDS)?)?;
    let answer = match door.intake.decide(&request, Way::Http).await {
        Ok(answer) => answer,
        Err(doubt @ Unanswered::Doubt(_)) => return Err(Error::Unavailable(doubt.to_string())),
        Err(refused @ Unanswered::NoRecording(_)) => {
            door.intake.refuse(&request, &refused).await?;
            return Err(Error::Unprocessable(refused.to_string()));
        }
    };
    Ok(Json(Served {
        serve: answer.serve.as_str(),
        task_id: request.task_id,
        reason: answer.reason,
    }))
}

/// The body says nothing; it is asked for since a page on the web cannot send JSON here unasked.
async fn accept(
    State(door): State<Door>,
    Path(task_id): Path<String>,
    body: Body,
) -> Result<Json<Served>, Error> {
    body::any(body)?;
    let (serve, route) = match door.intake.accept(&task_id).await? {
        Accepted::ByCandidate(route) => (Owner::Candidate, route),
        Accepted::ByControl(route) if door.intake.look().await?.has_celery() => {
            (Owner::Control, route)
        }
        Accepted::ByControl(_) => {
            return Err(Error::Unavailable(
                "that task was Celery's, and Celery is removed; ask with POST /api/v1/recordings again"
                    .to_owned(),
            ));
        }
        Accepted::Unknown => {
            return Err(Error::NotFound(
                "nobody has asked for that task; ask with POST /api/v1/recordings first, or publish the task".to_owned(),
            ));
        }
    };
    Ok(Json(Served {
        serve: serve.as_str(),
        task_id,
        reason: route.reason,
    }))
}

const FIELDS: [Field; 5] = [
    text(
        "transcript_id",
        "the id of the transcript's row",
        r#""0f1e2d3c-4b5a-4968-8776-655443322110""#,
    )
    .needed(),
    text(
        "bucket_name",
        "the bucket the tracks lie in",
        r#""daily-recordings""#,
    )
    .needed(),
    texts(
        "track_keys",
        "the keys of the tracks, in the order of speakers",
        r#"["room/track-0.webm", "room/track-1.webm"]"#,
    )
    .needed(),
    text(
        "task_id",
        "a fresh UUID, the id the Celery task is published under",
        r#""8e03978e-40d5-43e8-bc93-6894a57f9324""#,
    )
    .needed(),
    truth(
        "reprocess",
        "whether somebody asked to process the transcript again",
    ),
];

fn read(fields: &Fields) -> Result<Request, Error> {
    let tracks = fields.get("track_keys").and_then(Value::as_array);
    let track_keys = tracks.and_then(|tracks| {
        let key = |track: &Value| track.as_str().map(str::to_owned);
        tracks.iter().map(key).collect::<Option<Vec<_>>>()
    });
    Ok(Request {
        transcript: TranscriptId::new(fields.text_or(
            "transcript_id",
            "send the id of the transcript's row as text",
        )?),
        bucket_name: fields.text_or(
            "bucket_name",
            "send the name of the bucket the tracks lie in as text",
        )?,
        track_keys: track_keys.ok_or_else(|| {
            wrong(
                "track_keys",
                "send the keys of the tracks as a list of texts, in the order of speakers",
            )
        })?,
        task_id: fields.text_or(
            "task_id",
            "send a fresh UUID, the id the Celery task is published under",
        )?,
        wish: match fields.get("reprocess") {
            None | Some(Value::Bool(false)) => Wish::Once,
            Some(Value::Bool(true)) => Wish::Again,
            Some(_) => {
                return Err(wrong(
                    "reprocess",
                    "send true where somebody asked to process the transcript again, or leave it out",
                ));
            }
        },
    })
}
