//! The query string, where a name may stand more than once.

use std::str::FromStr;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::engine::Error;

/// Names and values in order.
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Ok(Self(pairs.into_owned().collect()))
    }
}

impl Params {
    /// The first value that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// Every value.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A value of another type. A value that does not fit is answered with 500, as Conductor does.
    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        self.text(name)
            .map(str::parse)
            .transpose()
            .map_err(|_| Error::Unexpected(format!("Failed to convert the value of `{name}`")))
    }
}
