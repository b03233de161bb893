//! What can go wrong with an object.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// An operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("objects: {operation} {place}: {cause}")]
pub struct Error {
    /// What a caller can make of it.
    pub kind: ErrorKind,
    /// What was being done.
    pub operation: &'static str,
    /// `bucket` or `bucket/key`, or a URL without its query.
    pub place: String,
    /// Status and code as the store gave them, or what became of the connection.
    pub cause: String,
}

/// What a caller can make of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such object or bucket.
    NotFound,
    /// The credentials may not do this.
    Denied,
    /// May succeed later: timeout, cut, 429, 5xx, an object that changed while it was read.
    Transient,
    /// Will not succeed: an invalid request, an object too large.
    Other,
}

/// An operation before its outcome is known.
pub(super) struct Asked {
    operation: &'static str,
    place: String,
}

impl Asked {
    pub(super) fn of_bucket(operation: &'static str, bucket: &str) -> Self {
        Self {
            operation,
            place: format!("`{bucket}`"),
        }
    }

    pub(super) fn of_object(operation: &'static str, bucket: &str, key: &str) -> Self {
        Self {
            operation,
            place: format!("`{bucket}/{key}`"),
        }
    }

    pub(super) fn of_url(operation: &'static str, url: &str) -> Self {
        Self {
            operation,
            place: format!("`{url}`"),
        }
    }

    pub(super) fn error(&self, kind: ErrorKind, cause: impl Into<String>) -> Error {
        Error {
            kind,
            operation: self.operation,
            place: self.place.clone(),
            cause: cause.into(),
        }
    }

    /// Reads the client's error. Of a message only the code is kept: the rest may hold keys.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata,
    {
        match error {
            SdkError::TimeoutError(_) => self.error(ErrorKind::Transient, "no answer in time"),
            SdkError::DispatchFailure(failure) if failure.is_user() => self.error(
                ErrorKind::Other,
                "the request cannot be put into HTTP; check the endpoint",
            ),
            SdkError::DispatchFailure(failure) => self.error(
                ErrorKind::Transient,
                format!(
                    "connection failed: {}",
                    failure
                        .as_connector_error()
                        .map_or_else(|| "no reason given".to_owned(), |error| innermost(error))
                ),
            ),
            SdkError::ResponseError(_) => {
                self.error(ErrorKind::Transient, "the answer cannot be read")
            }
            SdkError::ServiceError(refusal) => {
                let status = refusal.raw().status().as_u16();
                let code = refusal.err().code().unwrap_or("no code");
                let kind = kind(status, code);
                let remedy = match kind {
                    ErrorKind::Denied => "; check the credentials and what they may do",
                    ErrorKind::NotFound | ErrorKind::Transient | ErrorKind::Other => "",
                };
                self.error(kind, format!("status {status}, {code}{remedy}"))
            }
            _ => self.error(ErrorKind::Other, "the request cannot be built"),
        }
    }
}

fn kind(status: u16, code: &str) -> ErrorKind {
    match (status, code) {
        (404, _) => ErrorKind::NotFound,
        (401 | 403, _) => ErrorKind::Denied,
        // Amazon reports a slow upload as a bad request, and a copy that breaks off after its status.
        (200 | 408 | 429 | 500..=599, _) | (400, "RequestTimeout") => ErrorKind::Transient,
        _ => ErrorKind::Other,
    }
}

pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_upload_is_transient_and_another_bad_request_is_not() {
        assert_eq!(kind(400, "RequestTimeout"), ErrorKind::Transient);
        assert_eq!(kind(400, "InvalidArgument"), ErrorKind::Other);
        assert_eq!(kind(503, "SlowDown"), ErrorKind::Transient);
        assert_eq!(kind(200, "InternalError"), ErrorKind::Transient);
    }
}
