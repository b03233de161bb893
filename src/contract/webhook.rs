//! The customer's webhook: body, headers, signature, and what an answer means.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

mod again;
mod body;

pub use again::{NotOurs, again};
pub use body::{BodyError, Row, body};

use crate::model::{HttpRequest, Subject, TranscriptId};

/// The legacy tries again after this many seconds, the same every time.
pub const RETRY_DELAY_SECONDS: u64 = 60;
/// And so often; with the first that is 31 requests.
pub const MAX_RETRIES: u32 = 30;
/// How long a customer may take to answer.
pub const TIMEOUT_SECONDS: u64 = 30;

const EVENT: &str = "transcript.completed";
const RETRY: &str = "X-Webhook-Retry";
const SIGNATURE: &str = "X-Webhook-Signature";
/// The id of a transcript's event: the same for every attempt of one generation of its
/// processing, so that a delivery repeated after a crash is recognised as the same one.
pub fn event_id(transcript: &TranscriptId, generation: u64) -> String {
    effect_id("webhook", &format!("{transcript}/{generation}"))
        .simple()
        .to_string()
}

/// What an effect of a kind on one thing is called, wherever and however often it is asked.
pub fn effect_id(kind: &str, of: &str) -> Uuid {
    let name = format!("urn:effect:{kind}:{of}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// The URL to call, if any: only rooms have one, and it must not be empty.
pub fn target(subject: &Subject) -> Option<&str> {
    let transcript = &subject.transcript;
    if transcript.source_kind != "room" || transcript.room_id.is_none() {
        return None;
    }
    let room = subject.room.as_ref()?;
    room.webhook_url.as_deref().filter(|url| !url.is_empty())
}

/// The request of one attempt. `retry` counts from 0; `secret` is the room's, and empty means none.
pub fn request(
    url: &str,
    body: String,
    secret: Option<&str>,
    retry: u32,
    now: DateTime<Utc>,
) -> HttpRequest {
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("User-Agent".to_owned(), "Reflector-Webhook/1.0".to_owned()),
        ("X-Webhook-Event".to_owned(), EVENT.to_owned()),
        (RETRY.to_owned(), retry.to_string()),
    ];
    headers.extend(signed(secret, now, &body));
    HttpRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers,
        body,
    }
}

/// The header that signs a body, where there is a secret.
fn signed(secret: Option<&str>, now: DateTime<Utc>, body: &str) -> Option<(String, String)> {
    let secret = secret.filter(|secret| !secret.is_empty())?;
    Some((
        SIGNATURE.to_owned(),
        signature(secret, now.timestamp(), body),
    ))
}

/// `t={unix seconds},v1={hex}`, the hex being HMAC-SHA256 of `{t}.{body}` under the secret's own
/// bytes.
pub fn signature(secret: &str, unix_seconds: i64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{unix_seconds}.{body}").as_bytes());
    let digest = hex::encode(mac.finalize().into_bytes());
    format!("t={unix_seconds},v1={digest}")
}

/// What an answer means for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: delivered.
    Delivered,
    /// 4xx: the customer does not want it; it is not sent again.
    Refused,
    /// Anything else, redirects included: try again. No answer at all means the same.
    TryAgain,
}

impl Answer {
    /// Reads an HTTP status.
    pub const fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            400..=499 => Self::Refused,
            _ => Self::TryAgain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_signature_is_reproduced() {
        assert_eq!(
            signature("whsec-test", 1_735_306_800, r#"{"event":"test"}"#),
            "t=1735306800,v1=5002413507e66a62a30b0815d0f70cf278c6f4bc0e9981886b50ea894b5e8612"
        );
    }

    #[test]
    fn an_event_id_names_transcript_and_generation() {
        let first = event_id(&"t1".into(), 1);
        assert_eq!(first, event_id(&"t1".into(), 1));
        assert_ne!(first, event_id(&"t1".into(), 2));
        assert_ne!(first, event_id(&"t2".into(), 1));
        assert_eq!(first.len(), 32);
        assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn redirects_are_tried_again_and_refusals_are_not() {
        for (status, answer) in [
            (200, Answer::Delivered),
            (204, Answer::Delivered),
            (302, Answer::TryAgain),
            (100, Answer::TryAgain),
            (400, Answer::Refused),
            (410, Answer::Refused),
            (429, Answer::Refused),
            (500, Answer::TryAgain),
            (503, Answer::TryAgain),
        ] {
            assert_eq!(Answer::of(status), answer, "{status}");
        }
    }

    #[test]
    fn an_unsigned_request_has_no_signature_header() {
        let now = DateTime::UNIX_EPOCH;
        let names = |secret| {
            request("https://c.example", "{}".to_owned(), secret, 3, now)
                .headers
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(None), names(Some("")));
        assert!(!names(None).contains(&"X-Webhook-Signature".to_owned()));
        assert!(names(Some("s")).contains(&"X-Webhook-Signature".to_owned()));
    }
}
