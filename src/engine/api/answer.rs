//! Errors as Conductor answers them, and bodies as it reads them.

use axum::body::Bytes;
use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::{conductor::wire::ErrorAnswer, engine::Error};

/// How this server names itself in errors.
const INSTANCE: &str = "switchyard";

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::BadRequest(_) | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unexpected(_) | Self::Store(_) | Self::Document(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let mut answer = ErrorAnswer {
            status: status.as_u16(),
            message: Some(self.to_string()),
            instance: Some(INSTANCE.to_owned()),
            ..ErrorAnswer::default()
        };
        match self {
            Self::Invalid(broken) => {
                answer.validation_errors = broken;
                answer.instance = None;
            }
            Self::Store(_) | Self::Document(_) => {
                answer.retryable = true;
                tracing::error!("{:#}", anyhow::Error::new(self));
            }
            _ => {}
        }
        (status, Json(answer)).into_response()
    }
}

/// A JSON body. What cannot be read is answered with 500, as Conductor does; the content is not
/// repeated.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Error::Unexpected("the request's body cannot be received".to_owned()))?;
        if bytes.is_empty() || bytes.as_ref() == b"null" {
            return Err(Error::Unexpected(
                "Required request body is missing".to_owned(),
            ));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Error::Unexpected(format!(
                "JSON parse error: {} at line {} column {}",
                if error.is_data() {
                    "a value does not fit"
                } else {
                    "no JSON"
                },
                error.line(),
                error.column()
            ))
        })
    }
}

/// A bare text.
pub(super) fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain;charset=UTF-8")], text).into_response()
}
