//! The one place where what went wrong becomes a status: for programs as problem details
//! (RFC 9457), for people as a page.

use std::fmt::Display;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header, response::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::error;

use super::{caller::is_page, ui};
use crate::{access::Turned, rollout::Refusal};

/// Why a request was not answered as asked.
#[derive(Debug)]
pub(super) enum Error {
    /// What is asked for is not there; says what.
    NotFound(String),
    /// It was there, and may not or cannot be had any more; says why.
    Gone(String),
    /// What was sent cannot be understood; says what and how to put it right.
    BadRequest(String),
    /// It contradicts how things are; says how.
    Conflict(String),
    /// The same request is being answered, or was begun and nobody knows how it ended; says which.
    UnderWay(String),
    /// The key of another request was sent with this one.
    KeyOfAnother(String),
    /// A move was refused.
    Refused(Box<Refusal>),
    /// They did not say who they are, or what they showed does not count.
    Unauthorized(Turned),
    /// They may not; says what it takes.
    Forbidden(String),
    /// The address exists, but not for this method.
    MethodNotAllowed,
    /// The request is addressed to a name that is not ours.
    Misdirected(String),
    /// What was sent is longer than anything we take; says how long that is.
    TooLarge(String),
    /// What was sent is not of the kind we read; says which that is.
    NotJson(String),
    /// Too much was asked for; says what of.
    TooMany(String),
    /// It is understood, and cannot be done; says why and what would help.
    Unprocessable(String),
    /// It cannot be answered now; says why.
    Unavailable(String),
    /// Our own fault, told to the log only.
    Internal,
}

impl Error {
    pub(super) fn no_run(id: impl Display) -> Self {
        Self::NotFound(format!("there is no run `{id}`"))
    }

    pub(super) fn no_recording(id: impl Display) -> Self {
        Self::NotFound(format!(
            "no recording and no transcript `{id}` was routed or run here"
        ))
    }

    pub(super) fn not_compared(id: impl Display) -> Self {
        Self::NotFound(format!("run `{id}` has not been compared yet"))
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Gone(_) => StatusCode::GONE,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) | Self::Refused(_) | Self::UnderWay(_) => StatusCode::CONFLICT,
            Self::Unauthorized(Turned::TooOften(_)) | Self::TooMany(_) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unauthorized(Turned::Unknown | Turned::Invalid(_)) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Unprocessable(_) | Self::KeyOfAnother(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What programs are told beside the body: how to say who they are, or when to try again.
    fn header(&self) -> Option<(header::HeaderName, HeaderValue)> {
        let turned = match self {
            Self::Unauthorized(turned) => turned,
            Self::UnderWay(_) => return Some((header::RETRY_AFTER, HeaderValue::from(1))),
            _ => return None,
        };
        Some(match turned {
            Turned::Unknown => (
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"switchyard\""),
            ),
            Turned::Invalid(_) => (
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"switchyard\", error=\"invalid_token\""),
            ),
            Turned::TooOften(wait) => (
                header::RETRY_AFTER,
                HeaderValue::from(wait.num_seconds().max(1)),
            ),
        })
    }

    /// Why, and what helps, in a sentence.
    pub(super) fn into_detail(self) -> String {
        self.problem().detail
    }

    fn problem(self) -> Problem {
        let status = self.status();
        Problem {
            kind: match self {
                Self::Refused(_) => "urn:switchyard:problem:move-refused",
                Self::UnderWay(_) => "urn:switchyard:problem:under-way",
                Self::KeyOfAnother(_) => "urn:switchyard:problem:key-of-another-request",
                _ => "about:blank",
            },
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            instance: None,
            refusal: if let Self::Refused(refusal) = &self {
                Some(refusal.clone())
            } else {
                None
            },
            detail: match self {
                Self::NotFound(detail)
                | Self::Gone(detail)
                | Self::BadRequest(detail)
                | Self::Conflict(detail)
                | Self::UnderWay(detail)
                | Self::KeyOfAnother(detail)
                | Self::TooLarge(detail)
                | Self::NotJson(detail)
                | Self::TooMany(detail)
                | Self::Forbidden(detail)
                | Self::Misdirected(detail)
                | Self::Unprocessable(detail)
                | Self::Unavailable(detail) => detail,
                Self::Refused(refusal) => refusal.to_string(),
                Self::Unauthorized(turned) => turned.to_string(),
                Self::MethodNotAllowed => "this address does not answer that method".to_owned(),
                Self::Internal => "something went wrong here; the log says what".to_owned(),
            },
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        error!("cannot answer a request: {error:#}");
        Self::Internal
    }
}

/// Problem details (RFC 9457).
#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// What kind of problem it is: `about:blank` where the status says it all, else
    /// `urn:switchyard:problem:` and `move-refused`, `under-way` or `key-of-another-request`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, and what would help.
    detail: String,
    /// What it takes to understand a refused move: what changed, which preconditions are missing, who
    /// holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Box<Refusal>>,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let more = self.header();
        let mut response = self.problem().into_response();
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, PROBLEM)];
        let mut response = (status, kind, Json(&self)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The media type of problem details.
const PROBLEM: &str = "application/problem+json";

/// The longest text in which a library of ours says what is wrong with a request.
const LONGEST_REJECTION: usize = 4096;

/// Completes what programs are told of errors: which request it was, and what the router and what reads
/// requests say in words of their own.
pub(super) async fn complete(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let asked = request.uri().path_and_query();
    let holds_nul = asked.is_some_and(|asked| asked.as_str().contains("%00"));
    let response = if holds_nul && !is_page(&path) {
        Error::BadRequest("addresses may hold no NUL".to_owned()).into_response()
    } else {
        next.run(request).await
    };
    let status = response.status();
    if is_page(&path) || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let mut problem = if let Some(problem) = parts.extensions.remove::<Problem>() {
        problem
    } else {
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let is_kept = kind.is_some_and(|kind| kind == PROBLEM);
        if is_kept {
            return placed(parts, body, &path).await;
        }
        if kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain")) {
            return Response::from_parts(parts, body);
        }
        let said = to_bytes(body, LONGEST_REJECTION).await.unwrap_or_default();
        let title = status.canonical_reason().unwrap_or("Error");
        let said = String::from_utf8_lossy(&said);
        Problem {
            kind: "about:blank",
            title: title.to_owned(),
            status: status.as_u16(),
            detail: if said.trim().is_empty() { title } else { &said }.to_owned(),
            instance: None,
            refusal: None,
        }
    };
    problem.instance = Some(path);
    let mut response = problem.into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// A problem that was answered before, as it was.
async fn placed(mut parts: Parts, body: Body, path: &str) -> Response {
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Error::Internal.into_response();
    };
    let Ok(mut told) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    told.insert("instance".to_owned(), Value::from(path));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json!(told).to_string()))
}

/// An error where somebody expects a page.
pub(super) struct PageError(Error);

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.0.status();
        match ui::error_page(&self.0.problem()) {
            Ok(page) => (status, page).into_response(),
            Err(error) => error.into_response(),
        }
    }
}
