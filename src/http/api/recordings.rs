//! Recordings on their way in: who serves one is asked before its Celery task is published.

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    routing::post,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::{Door, Error};
use crate::{
    controller::intake::{Accepted, Request, Unanswered},
    model::TranscriptId,
    rollout::Owner,
    store::{Way, Wish},
};

/// Who serves.
#[derive(Serialize)]
struct Served {
    /// `control`: the caller publishes the task under this id. `candidate`: the caller accepts, and
    /// does not.
    serve: &'static str,
    task_id: String,
    reason: String,
}

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/recordings", post(ask))
        .route("/recordings/{task_id}/accept", post(accept))
}

async fn ask(
    State(door): State<Door>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Served>, Error> {
    let request = read(&object(body)?)?;
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
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Served>, Error> {
    object(body)?;
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

fn object(body: Result<Json<Value>, JsonRejection>) -> Result<Map<String, Value>, Error> {
    match body {
        Ok(Json(Value::Object(fields))) => Ok(fields),
        Ok(_) | Err(_) => Err(Error::BadRequest(
            "the body must be a JSON object, sent as `content-type: application/json`".to_owned(),
        )),
    }
}

const FIELDS: [&str; 5] = [
    "transcript_id",
    "bucket_name",
    "track_keys",
    "task_id",
    "reprocess",
];

fn read(fields: &Map<String, Value>) -> Result<Request, Error> {
    let wrong = |field: &str, remedy: &str| Error::BadRequest(format!("`{field}`: {remedy}"));
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        // Callers may write anything there.
        let name: String = unknown.chars().take(40).collect();
        let known = FIELDS.join("`, `");
        return Err(wrong(
            &name,
            &format!("is no field of a recording; send `{known}`"),
        ));
    }
    let text = |name: &str, remedy: &str| {
        let text = fields.get(name).and_then(Value::as_str);
        let text = text.filter(|text| !text.is_empty() && text.len() <= 1024);
        text.map(str::to_owned).ok_or_else(|| wrong(name, remedy))
    };
    let tracks = fields.get("track_keys").and_then(Value::as_array);
    let track_keys = tracks.and_then(|tracks| {
        let key = |track: &Value| track.as_str().map(str::to_owned);
        tracks.iter().map(key).collect::<Option<Vec<_>>>()
    });
    Ok(Request {
        transcript: TranscriptId::new(text(
            "transcript_id",
            "send the id of the transcript's row as text",
        )?),
        bucket_name: text(
            "bucket_name",
            "send the name of the bucket the tracks lie in as text",
        )?,
        track_keys: track_keys.ok_or_else(|| {
            wrong(
                "track_keys",
                "send the keys of the tracks as a list of texts, in the order of speakers",
            )
        })?,
        task_id: text(
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
