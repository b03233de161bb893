//! The one place where what went wrong becomes a status: for programs as problem details
//! (RFC 9457), for people as a page.

use std::fmt::Display;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;

use super::ui;
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
            Self::Conflict(_) | Self::Refused(_) => StatusCode::CONFLICT,
            Self::Unauthorized(Turned::TooOften(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized(Turned::Unknown | Turned::Invalid(_)) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What programs are told beside the body: how to say who they are, or when to try again.
    fn header(&self) -> Option<(header::HeaderName, HeaderValue)> {
        let Self::Unauthorized(turned) = self else {
            return None;
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
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
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

/// Problem details.
#[derive(Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// What it takes to understand a refused move: what changed, what is missing, who holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Box<Refusal>>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let more = self.header();
        let mut response = (status, kind, Json(self.problem())).into_response();
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, value);
        }
        response
    }
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
