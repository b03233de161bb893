//! JSON bodies: an object with known fields, each read with a message that says what to send.

use axum::{Json, extract::rejection::JsonRejection, http::StatusCode};
use serde_json::{Map, Value};

use super::{Error, field::Field};
use crate::access::Caller;

/// A body as it comes. JSON is asked for even where it says nothing, since a page on the web cannot
/// send that here unasked.
pub(super) type Body = Result<Json<Value>, JsonRejection>;

/// The longest text a field may hold, in bytes.
pub(super) const LONGEST: usize = 1024;

/// The fields of a body.
pub(super) struct Fields(Map<String, Value>);

/// Reads a body whose fields say nothing.
pub(super) fn any(body: Body) -> Result<Map<String, Value>, Error> {
    let remedy = "the body must be a JSON object, sent as `content-type: application/json`";
    match body {
        Ok(Json(Value::Object(fields))) if fields.values().any(has_nul) => Err(Error::BadRequest(
            "texts may hold no NUL; leave it out".to_owned(),
        )),
        Ok(Json(Value::Object(fields))) => Ok(fields),
        Ok(_) => Err(Error::BadRequest(remedy.to_owned())),
        Err(rejection) => Err(match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge("the body is too long".to_owned()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Error::NotJson(remedy.to_owned()),
            _ => Error::BadRequest(remedy.to_owned()),
        }),
    }
}

/// Whether a text in it holds what databases take for the end of one.
pub(super) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.values().any(has_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Reads a body that may have the fields of this list and no others.
pub(super) fn read(body: Body, known: &[Field]) -> Result<Fields, Error> {
    let names: Vec<_> = known.iter().map(|field| field.name).collect();
    object(body, &names)
}

/// Reads a body that may have these fields and no others.
pub(super) fn object(body: Body, known: &[&str]) -> Result<Fields, Error> {
    let fields = any(body)?;
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        // Callers may write anything there.
        let name: String = unknown.chars().take(40).collect();
        let known = known.join("`, `");
        return Err(wrong(
            &name,
            &format!("is no field of this request; send `{known}`"),
        ));
    }
    Ok(Fields(fields))
}

/// What is wrong with a field, and what to send.
pub(super) fn wrong(field: &str, remedy: &str) -> Error {
    Error::BadRequest(format!("`{field}`: {remedy}"))
}

impl Fields {
    /// A field's value as it came.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text that has to be there; `remedy` says what to send.
    pub(super) fn text_or(&self, name: &str, remedy: &str) -> Result<String, Error> {
        let text = self.0.get(name).and_then(Value::as_str);
        let text = text.filter(|text| !text.trim().is_empty() && text.len() <= LONGEST);
        text.map(str::to_owned).ok_or_else(|| wrong(name, remedy))
    }

    /// A text that has to be there.
    pub(super) fn text(&self, name: &str) -> Result<String, Error> {
        self.text_or(name, "send a text that is not empty")
    }

    /// Who acts: whoever is signed in, or the name that was sent where nobody has to sign in.
    pub(super) fn by(&self, caller: &Caller) -> Result<String, Error> {
        let Some(name) = &caller.name else {
            return self.text("by");
        };
        match self.text_if_any("by")? {
            Some(sent) if sent != *name => Err(wrong(
                "by",
                &format!("you are signed in as `{name}`, and act as nobody else; leave it out"),
            )),
            _ => Ok(name.clone()),
        }
    }

    /// A text that may be left out.
    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<String>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= LONGEST => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name, "send a text, or leave it out")),
        }
    }

    /// A whole number that may be left out.
    pub(super) fn number_if_any(&self, name: &str) -> Result<Option<i64>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| wrong(name, "send a whole number, or leave it out")),
        }
    }

    /// A list of texts that may be left out.
    pub(super) fn texts_if_any(&self, name: &str) -> Result<Vec<String>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(value) => value
                .as_array()
                .and_then(|items| {
                    let text = |item: &Value| item.as_str().map(str::to_owned);
                    items.iter().map(text).collect::<Option<Vec<_>>>()
                })
                .ok_or_else(|| wrong(name, "send a list of texts, or leave it out")),
        }
    }
}
