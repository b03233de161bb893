//! Forms: what was sent as a type, and a refusal on the page it was sent from, with what was typed.
//!
//! Fields are texts, since what somebody typed is shown again as they typed it; handlers read them. A
//! form that does what it says ends with [`Done::at`](super::done::Done::at), so that loading the page
//! again sends nothing twice.

use std::fmt::Display;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    super::{Error, body::LONGEST, error::PageError},
    Page,
};
use crate::access::Caller;

/// The kind of body that forms are sent as.
const KIND: &str = "application/x-www-form-urlencoded";

/// A form's fields. `T` has `deny_unknown_fields`, and `default`, since browsers leave out boxes that are
/// not ticked. Before a handler runs, `csrf` was looked at and is none of its fields.
pub(in crate::http) struct Form<T>(pub(in crate::http) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // Only of these it is known that they came from a page of ours.
        if !kind.eq_ignore_ascii_case(KIND) {
            let remedy = format!("this address takes a form, sent as `content-type: {KIND}`");
            return Err(Error::BadRequest(remedy).into());
        }
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| Error::BadRequest("the form is too long".to_owned()))?;
        Ok(Self(read(&body)?))
    }
}

/// Reads fields; one that was sent several times is a list.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body).filter(|(name, _)| name != "csrf") {
        let value = Value::String(value.into_owned());
        match fields.get_mut(&*name) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Value::Array(several)) => several.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    serde_json::from_value(Value::Object(fields)).map_err(|problem| {
        // Whoever sends it may have written anything there.
        let problem: String = problem.to_string().chars().take(200).collect();
        Error::BadRequest(format!(
            "the form cannot be read: {problem}; load the page again and repeat it"
        ))
    })
}

/// Reads a field that may be sent any number of times, as boxes of one name are.
pub(in crate::http) fn several<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Sent {
        One(String),
        More(Vec<String>),
    }
    Ok(match Sent::deserialize(deserializer)? {
        Sent::One(one) => vec![one],
        Sent::More(more) => more,
    })
}

/// A text that has to be there; `label` is what stands over its field.
pub(in crate::http) fn text(typed: &str, label: &str, remedy: &str) -> Result<String, Error> {
    let typed = short(typed, label)?;
    if typed.is_empty() {
        return Err(Error::BadRequest(format!("{label} is empty; {remedy}")));
    }
    Ok(typed)
}

/// A text that may be empty.
pub(in crate::http) fn short(typed: &str, label: &str) -> Result<String, Error> {
    let typed = typed.trim();
    if typed.len() > LONGEST {
        return Err(Error::BadRequest(format!(
            "{label} is longer than {LONGEST} bytes; say it shorter"
        )));
    }
    Ok(typed.to_owned())
}

/// A whole number that may be left out.
pub(in crate::http) fn number(typed: &str, label: &str) -> Result<Option<i64>, Error> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let number = typed.parse().ok();
    number
        .map(Some)
        .ok_or_else(|| Error::BadRequest(format!("{label} is no whole number; write one")))
}

/// Who acts: whoever is signed in, or the name that was typed where nobody has to sign in.
pub(in crate::http) fn by(caller: &Caller, typed: &str) -> Result<String, Error> {
    match &caller.name {
        Some(name) => Ok(name.clone()),
        None => text(typed, "your name", "write who does this, for the record"),
    }
}

/// Why what a form asked for was not done, as the page it came from shows it.
#[derive(Serialize)]
pub(in crate::http) struct Refused {
    /// The id of the form on its page.
    form: String,
    /// That it was not done, in few words.
    headline: &'static str,
    /// Why, and what helps.
    detail: String,
    /// The same in more than one part, where it has parts.
    parts: Vec<String>,
    #[serde(skip)]
    status: StatusCode,
}

impl Refused {
    /// What is a fault of ours, or of what was shown to sign in, is a page of its own.
    pub(in crate::http) fn of(form: impl Display, error: Error) -> Result<Self, PageError> {
        if matches!(error, Error::Internal | Error::Unauthorized(_)) {
            return Err(error.into());
        }
        let headline = match &error {
            Error::BadRequest(_) => "Something is missing or cannot be read",
            Error::Forbidden(_) => "You may not do that",
            _ => "Nothing was changed",
        };
        Ok(Self {
            form: form.to_string(),
            headline,
            status: error.status(),
            detail: error.into_detail(),
            parts: Vec::new(),
        })
    }

    /// What contradicts how things are, in parts.
    pub(in crate::http) fn in_parts(
        form: impl Display,
        headline: &'static str,
        detail: String,
        parts: Vec<String>,
    ) -> Self {
        Self {
            form: form.to_string(),
            headline,
            detail,
            parts,
            status: StatusCode::CONFLICT,
        }
    }

    /// Whether it was that form.
    pub(in crate::http) fn is_of(&self, form: &str) -> bool {
        self.form == form
    }

    /// The page that shows it, with its status.
    pub(in crate::http) fn on(&self, page: Page) -> Response {
        (self.status, page).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Fields {
        reason: String,
        #[serde(deserialize_with = "several")]
        takes: Vec<String>,
    }

    #[test]
    fn fields_are_read_by_name_and_boxes_of_one_name_together() {
        let fields = |reason: &str, takes: &[&str]| Fields {
            reason: reason.to_owned(),
            takes: takes.iter().map(|&text| text.to_owned()).collect(),
        };
        for (sent, expected) in [
            ("", fields("", &[])),
            ("csrf=0&reason=a+b%26c", fields("a b&c", &[])),
            ("takes=health", fields("", &["health"])),
            (
                "takes=a&reason=r&takes=b&takes=c",
                fields("r", &["a", "b", "c"]),
            ),
        ] {
            let read: Fields = read(sent.as_bytes()).expect("it is read");
            assert_eq!(read, expected, "{sent}");
        }
    }

    #[test]
    fn a_field_that_is_none_of_the_forms_or_sent_twice_is_refused() {
        for sent in ["force=yes", "reason=a&reason=b", "reason=a&%00=b"] {
            let read = read::<Fields>(sent.as_bytes());
            assert!(matches!(read, Err(Error::BadRequest(_))), "{sent}");
        }
    }

    #[test]
    fn a_text_that_is_blank_or_too_long_says_which_and_what_to_do() {
        let told = |typed: &str| match text(typed, "reason", "write why") {
            Ok(text) => text,
            Err(error) => error.into_detail(),
        };
        assert_eq!(told(" because "), "because");
        assert_eq!(told(" \n"), "reason is empty; write why");
        let long = told(&"x".repeat(LONGEST + 1));
        assert!(
            long.starts_with("reason is longer than 1024 bytes"),
            "{long}"
        );
    }
}
