//! What the stand-ins were asked.

use std::collections::VecDeque;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use url::form_urlencoded;

use super::Service;

/// A request as it came.
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) method: String,
    /// Below the service's own segment, e.g. `/v1/recordings/x`; without the query.
    pub(super) path: String,
    pub(super) query: Option<String>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// Whether a bearer token is there; which one does not matter here.
    pub(super) fn has_bearer(&self) -> bool {
        self.header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| !token.trim().is_empty())
    }

    /// A field of a form body.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        field(&self.body, name)
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        field(self.query.as_deref()?.as_bytes(), name)
    }
}

fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form)
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// A request as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Counts all requests from 1, in order of arrival.
    pub n: u64,
    /// Whom it went to.
    pub service: Service,
    /// The method.
    pub method: String,
    /// Path and query, as the real service would see them.
    pub path: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(serialize_with = "text_or_base64")]
    pub body: Vec<u8>,
    /// What it is about, as the stand-in understood it.
    pub about: String,
    /// The status it was answered with; none while it is open, or if it never was.
    pub status: Option<u16>,
    /// Bytes of audio the transcription fetched for it.
    pub downloaded_bytes: Option<u64>,
}

impl Recorded {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

fn text_or_base64<S: serde::Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(body) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => serializer.serialize_str(&format!("base64:{}", BASE64_STANDARD.encode(body))),
    }
}

/// More would fill the memory of a stand-in that runs for weeks.
const KEPT: usize = 10_000;

/// The latest requests.
#[derive(Default)]
pub(super) struct Log {
    last: u64,
    kept: VecDeque<Recorded>,
}

impl Log {
    /// Writes a request down and gives its number.
    pub(super) fn add(&mut self, call: &Call, about: &str) -> u64 {
        self.last += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        let query = call.query.as_ref().map(|query| format!("?{query}"));
        self.kept.push_back(Recorded {
            n: self.last,
            service: call.service,
            method: call.method.clone(),
            path: format!("{}{}", call.path, query.unwrap_or_default()),
            headers: call.headers.clone(),
            body: call.body.clone(),
            about: about.to_owned(),
            status: None,
            downloaded_bytes: None,
        });
        self.last
    }

    pub(super) fn answered(&mut self, n: u64, status: u16) {
        if let Some(request) = self.find(n) {
            request.status = Some(status);
        }
    }

    pub(super) fn downloaded(&mut self, n: u64, bytes: u64) {
        if let Some(request) = self.find(n) {
            request.downloaded_bytes = Some(bytes);
        }
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.kept.iter().cloned().collect()
    }

    pub(super) fn of(&self, service: Service) -> Vec<Recorded> {
        let of_it = self.kept.iter().filter(|call| call.service == service);
        of_it.cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    fn find(&mut self, n: u64) -> Option<&mut Recorded> {
        self.kept.iter_mut().rev().find(|request| request.n == n)
    }
}
