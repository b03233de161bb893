//! What is asked, and what is wrong with it, in the protocol's own words.

use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::super::body::has_nul;
use crate::{
    controller::Asked,
    model::{RecordingId, RoomId, TranscriptId},
};

/// Longer than any id is.
const LONGEST: usize = 1024;

/// Why nothing was evaluated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    key: Option<String>,
    code: &'static str,
    details: String,
}

impl Refusal {
    fn bad(code: &'static str, details: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            key: None,
            code,
            details: details.to_owned(),
        }
    }

    /// There is no such flag.
    pub(super) fn no_flag(key: &str) -> Self {
        // Callers may ask for anything.
        let key: String = key.chars().take(200).collect();
        Self {
            status: StatusCode::NOT_FOUND,
            code: "FLAG_NOT_FOUND",
            details: format!(
                "there is no flag `{key}`; there are `daily_diarization_pipeline` and `daily_diarization_pipeline.beside`"
            ),
            key: Some(key),
        }
    }

    /// The same where one flag was asked for.
    pub(super) fn about(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "errorCode": self.code, "errorDetails": self.details });
        if let Some(key) = self.key {
            body["key"] = key.into();
        }
        (self.status, Json(body)).into_response()
    }
}

/// Reads a request.
pub(super) fn asked(body: Result<Json<Value>, JsonRejection>) -> Result<Asked, Refusal> {
    let Ok(Json(Value::Object(body))) = body else {
        return Err(Refusal::bad(
            "PARSE_ERROR",
            "the body has to be a JSON object with a `context`, sent as `content-type: application/json`",
        ));
    };
    let nothing = Map::new();
    if body.values().any(has_nul) {
        return Err(invalid("texts may hold no NUL"));
    }
    let context = match body.get("context") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(context)) => context,
        Some(_) => return Err(invalid("`context` has to be an object")),
    };
    let text = |name: &str| match context.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST => Ok(Some(text.clone())),
        Some(_) => Err(invalid(&format!(
            "`{name}` has to be a text of at most {LONGEST} bytes"
        ))),
    };
    let Some(recording) = text("targetingKey")? else {
        return Err(Refusal::bad(
            "TARGETING_KEY_MISSING",
            "`targetingKey` has to be the id of the recording",
        ));
    };
    Ok(Asked {
        recording: RecordingId::new(recording),
        room: text("room_id")?.map(RoomId::new),
        without_webhook: match context.get("without_webhook") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(without)) => *without,
            Some(_) => return Err(invalid("`without_webhook` has to be true or false")),
        },
        transcript: text("transcript_id")?.map(TranscriptId::new),
    })
}

fn invalid(details: &str) -> Refusal {
    Refusal::bad("INVALID_CONTEXT", details)
}
