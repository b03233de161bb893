//! `Idempotency-Key`: a request that is sent again under the same key is answered as the first was, and
//! done once (draft-ietf-httpapi-idempotency-key-header).
//!
//! A request that was begun and whose answer nobody kept, since the program died in between, is not done
//! again either: nobody can tell whether it was done. Answers that hold a secret are not kept, and what
//! is kept is locked by the key.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::Error;
use crate::{
    access::{Caller, RepeatKey},
    controller::access::{Access, owner_of},
    store::{Begun, REPEATS_AT_MOST, Repeat},
};

/// The header that holds the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What says that an answer is the first one's.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest body that is taken under a key; the longest that is read without one.
const LONGEST_BODY: usize = 2 * 1024 * 1024;

/// The longest answer that is kept.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Marks an answer that nobody may keep, since it holds a secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotKept;

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    /// In base64.
    body: String,
}

/// Whether a request is sent under a key, to where that counts.
pub(super) fn is_asked(path: &str, request: &Request) -> bool {
    path.starts_with("/api/v1/") && request.headers().contains_key(KEY)
}

/// Answers a request that is sent under a key.
pub(super) async fn once(
    access: &Access,
    caller: &Caller,
    address: &str,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let owner = owner_of(caller);
    let key = key_of(&parts, &owner)?;
    let body = to_bytes(body, LONGEST_BODY)
        .await
        .map_err(|_| Error::TooLarge(format!("a body holds {LONGEST_BODY} bytes at most")))?;
    let request_hash = key.of_request(address, &body);
    match access.begin_repeat(&key, &owner, &request_hash).await? {
        Begun::First => {
            let request = Request::from_parts(parts, Body::from(body));
            // It is done to its end, and the answer kept, though whoever asked may have left.
            let doing = tokio::spawn(first(access.clone(), key, request, next));
            doing.await.map_err(|problem| {
                error!("what was sent under a key broke off: {problem}");
                Error::Internal
            })
        }
        Begun::Again(repeat) if repeat.request_hash != request_hash => Err(Error::KeyOfAnother(
            "`Idempotency-Key`: another request was sent under this key; send a fresh UUID with each"
                .to_owned(),
        )),
        Begun::Again(repeat) => again(&key, &repeat),
        Begun::TooMany => Err(Error::TooMany(format!(
            "{REPEATS_AT_MOST} requests were sent under keys within a day, and no more are known; send this one without a key, or tomorrow"
        ))),
    }
}

fn key_of(parts: &Parts, owner: &str) -> Result<RepeatKey, Error> {
    let mut sent = parts.headers.get_all(KEY).iter();
    let one = sent.next().and_then(|sent| sent.to_str().ok());
    let one = one.filter(|_| sent.next().is_none()).unwrap_or_default();
    RepeatKey::parse(one, owner).map_err(|wrong| Error::BadRequest(wrong.to_string()))
}

/// Does it, and keeps the answer.
async fn first(access: Access, key: RepeatKey, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Error::Internal.into_response();
    };
    let kept = if was_not_done(parts.status) {
        access.forget_repeat(&key).await
    } else {
        let is_secret = parts.extensions.get::<NotKept>().is_some();
        let may_be_kept = !is_secret && body.len() <= LONGEST_ANSWER;
        let answer = may_be_kept.then(|| written(&parts, &body)).flatten();
        access.answer_repeat(&key, answer.as_deref()).await
    };
    if let Err(problem) = kept {
        warn!(
            "what was answered under a key could not be kept; sent again, it is not done again: {problem:#}"
        );
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether it may be sent again since nothing was done: it was put off, or whoever asked was not known.
fn was_not_done(status: StatusCode) -> bool {
    [
        StatusCode::UNAUTHORIZED,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&status)
}

fn written(parts: &axum::http::response::Parts, body: &Bytes) -> Option<Vec<u8>> {
    let headers = parts.headers.iter();
    let headers = headers.filter(|(name, _)| **name != header::CONTENT_LENGTH);
    let headers = headers.filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let kept = Kept {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: STANDARD.encode(body),
    };
    serde_json::to_vec(&kept).ok()
}

/// What was answered the first time.
fn again(key: &RepeatKey, repeat: &Repeat) -> Result<Response, Error> {
    let began = repeat.begun_at.format("%Y-%m-%d %H:%M:%S UTC");
    if repeat.answered_at.is_none() {
        return Err(Error::UnderWay(format!(
            "this was sent under the same key on {began}, and is not answered yet; ask again in a moment. If it stays so, nobody knows \
             whether it was done: look, and send it under a fresh key if it was not"
        )));
    }
    let Some(locked) = &repeat.answer else {
        return Err(Error::Conflict(format!(
            "this was sent under the same key on {began} and answered then; the answer held a secret or was too long, and is not kept. \
             It was not done again"
        )));
    };
    let kept = key.unlock(locked);
    let kept = kept.and_then(|kept| serde_json::from_slice::<Kept>(&kept).ok());
    let read = kept.and_then(|kept| {
        let mut response = Response::new(Body::from(STANDARD.decode(&kept.body).ok()?));
        *response.status_mut() = StatusCode::from_u16(kept.status).ok()?;
        for (name, value) in &kept.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            response
                .headers_mut()
                .append(name, HeaderValue::from_str(value).ok()?);
        }
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        Some(response)
    });
    read.ok_or_else(|| {
        error!("an answer that was kept under a key cannot be read");
        Error::Internal
    })
}
