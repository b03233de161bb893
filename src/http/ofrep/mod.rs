//! The migration as flags, over the OpenFeature Remote Evaluation Protocol 0.3: any program with an
//! OpenFeature SDK can ask who would serve a recording.
//!
//! There are two flags. `daily_diarization_pipeline` is true where the candidate serves, and
//! `daily_diarization_pipeline.beside` where it runs beside the control, in shadow. The context's
//! `targetingKey` is the recording's id. `room_id` says its room, without which the recording counts as
//! one of no room; `without_webhook`, a boolean, that the room calls no webhook; with `transcript_id`, a
//! route that is pinned for the transcript answers. Evaluating pins nothing.
//!
//! Any doubt is answered in time and with the control: value false, reason `ERROR`, and what is in doubt
//! as `reason` of the metadata.

mod changes;
mod evaluation;
mod request;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) use changes::Changes;

use self::{
    evaluation::{Flag, evaluation},
    request::{Refusal, asked},
};
use super::{
    Door, Error, Routes,
    field::{Field, object, text},
    words::shape,
};
use crate::{access::Action, model::digest};

/// What a caller may keep as long as it asks whether it still holds.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Seconds without activity after which a listener had better close the stream.
const INACTIVITY_S: u32 = 120;

pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/evaluate/flags/{key}", Action::EvaluateFlags, single)
        .says("The value of one flag, as OFREP 0.3 has it; in doubt the control's")
        .takes(&CONTEXT)
        .answers::<Map<String, Value>>()
        .post("/evaluate/flags", Action::EvaluateFlags, bulk)
        .says("The values of both flags, with a tag by which to ask whether they still hold")
        .takes(&CONTEXT)
        .asks(&TRIGGER)
        .answers_with(&[
            ("flags", shape::<Vec<Map<String, Value>>>),
            ("eventStreams", shape::<Vec<Map<String, Value>>>),
            ("metadata?", shape::<Map<String, Value>>),
        ])
        .or_bare(304, "What `if-none-match` names still holds.")
        .get("/events", Action::EvaluateFlags, events)
        .says("A stream that tells when flags may have other values")
        .asks(&SINCE)
        .writes("text/event-stream")
        .fallback(|| async { Error::NotFound("the protocol has no such address".to_owned()) })
}

const CONTEXT: [Field; 1] = [object(
    "context",
    "what is asked about: `targetingKey`, the id of the recording; `room_id`, `without_webhook`, `transcript_id`",
    r#"{ "targetingKey": "recording-1", "room_id": "room-1" }"#,
)
.needed()];

const TRIGGER: [Field; 1] = [text(
    "flagConfigEtag",
    "what the stream told, where it led to this request",
    "",
)];

const SINCE: [Field; 1] = [text("since", "what is known already", "")];

async fn single(
    State(door): State<Door>,
    key: Result<Path<String>, PathRejection>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let key = key.map(|Path(key)| key).unwrap_or_default();
    let flag = Flag::parse(&key, &door.intake.flag).ok_or_else(|| Refusal::no_flag(&key))?;
    let asked = asked(body).map_err(|refusal| refusal.about(&key))?;
    let weighed = door.intake.weigh(&asked).await;
    Ok(Json(evaluation(flag, &door.intake.flag, &weighed)))
}

/// What a listener of the stream knows of what it was told.
#[derive(Deserialize)]
struct Trigger {
    #[serde(rename = "flagConfigEtag")]
    configuration: Option<String>,
}

async fn bulk(
    State(door): State<Door>,
    Query(trigger): Query<Trigger>,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Refusal> {
    let asked = asked(body)?;
    let weighed = door.intake.weigh(&asked).await;
    let flags: Vec<_> = Flag::ALL
        .into_iter()
        .map(|flag| evaluation(flag, &door.intake.flag, &weighed))
        .collect();
    let configuration = weighed.as_ref().ok().map(|weighed| &*weighed.configuration);
    let streams = json!([{
        "type": "sse",
        "url": stream(&door, &headers, configuration),
        "inactivityDelaySec": INACTIVITY_S,
    }]);
    let mut answer = json!({ "flags": flags, "eventStreams": streams });
    let Some(configuration) = configuration else {
        // Nobody is to take a doubt for what is so.
        return Ok(Json(answer).into_response());
    };
    answer["metadata"] = json!({ "configuration": configuration });
    let tag = format!("\"{}\"", &digest::of_text(&answer.to_string())[..32]);
    // Whoever was told of another configuration than this process sees has to be given what there is.
    let is_sure = trigger
        .configuration
        .is_none_or(|told| bare(&told) == configuration);
    let mut response = if is_sure && is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(answer).into_response()
    };
    let tag = HeaderValue::from_str(&tag).expect("hex digits are a header's value");
    response.headers_mut().insert(header::ETAG, tag);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, ASK_AGAIN);
    Ok(response)
}

/// The stream's address by the name that the caller knows us under. It says what the caller knows, so
/// that nothing is missed that changes before the caller listens.
fn stream(door: &Door, headers: &HeaderMap, configuration: Option<&str>) -> String {
    let public = door
        .access
        .sign_in
        .as_ref()
        .map(|sign_in| &sign_in.public_url);
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost");
    let since = configuration.map_or_else(String::new, |known| format!("?since={known}"));
    // Under the name people know us by there is TLS, if anywhere.
    let is_public = public.is_some_and(|public| public.authority() == host);
    let scheme = public
        .filter(|_| is_public)
        .map_or("http", |public| public.scheme());
    format!("{scheme}://{host}/ofrep/v1/events{since}")
}

/// Whether the caller has an answer of that tag.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|known| known.to_str().ok());
    known
        .flat_map(|known| known.split(','))
        .map(str::trim)
        .any(|known| known == "*" || bare(known) == bare(tag))
}

/// A tag without its quotes, and without the mark of a weak one.
fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

#[derive(Deserialize)]
struct Since {
    since: Option<String>,
}

async fn events(
    State(door): State<Door>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()).map(str::to_owned);
    let known = last.or(since.since);
    door.changes.answer(known.as_deref().map(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_however_it_is_sent() {
        for (sent, is_it) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("abc", true),
            ("\"ab\"", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(sent).unwrap());
            assert_eq!(is_known(&headers, "\"abc\""), is_it, "{sent}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"abc\""));
    }
}
