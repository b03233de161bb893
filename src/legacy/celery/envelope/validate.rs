//! What a Celery 5.5.3 worker (kombu 5.5.4) reads of a message before it runs the task. Seen on a
//! real one, with one field at a time removed or spoilt:
//!
//! - The worker dies, and of some messages every worker after it, as they are put back: no
//!   `headers.id`, `body`, `content-type`, `delivery_tag`, `exchange` or `routing_key`; a body that
//!   is no base64, or not of three parts; an unknown `body_encoding`; a `timelimit` that is no pair.
//! - The message is logged and dropped: no `headers`, `headers.task` or `body_encoding`; another
//!   `content-type`; an `eta` or `expires` that is no time.
//! - Nothing happens: no `lang`, `content-encoding`, `retries` or `priority`, or odd ones. These are
//!   held to what Celery writes all the same; we publish nothing else.

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;

use super::{Envelope, EnvelopeError};

const RESEND: &str = "build the message with `NewTask`, or hand on the recorded text unchanged";

pub(super) fn validate(envelope: &Envelope) -> Result<(), EnvelopeError> {
    // kombu keys its table of messages in flight by the tag, and puts back by the other two.
    text(envelope, "/properties/delivery_tag", May::NotBeEmpty)?;
    text(envelope, "/properties/delivery_info/exchange", May::BeEmpty)?;
    text(
        envelope,
        "/properties/delivery_info/routing_key",
        May::NotBeEmpty,
    )?;
    one_of(envelope, "/properties/body_encoding", &["base64", "utf-8"])?;
    one_of(envelope, "/content-type", &["application/json"])?;
    one_of(envelope, "/content-encoding", &["utf-8"])?;
    one_of(envelope, "/headers/lang", &["py"])?;
    time(envelope, "/headers/eta")?;
    time(envelope, "/headers/expires")?;
    time_limits(envelope)?;
    whole(envelope, "/headers/retries", u64::MAX)?;
    whole(envelope, "/properties/priority", 9)?;
    envelope.body().map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    BeEmpty,
    NotBeEmpty,
}

fn wrong(field: &'static str, problem: &'static str) -> EnvelopeError {
    EnvelopeError::new(field, problem).remedy(RESEND)
}

fn text<'a>(
    envelope: &'a Envelope,
    field: &'static str,
    may: May,
) -> Result<&'a str, EnvelopeError> {
    let text = envelope
        .text(field)
        .ok_or(wrong(field, "is missing or no text"))?;
    if text.is_empty() && may == May::NotBeEmpty {
        return Err(wrong(field, "is empty"));
    }
    Ok(text)
}

fn one_of(envelope: &Envelope, field: &'static str, allowed: &[&str]) -> Result<(), EnvelopeError> {
    let found = text(envelope, field, May::BeEmpty)?;
    if allowed.contains(&found) {
        Ok(())
    } else {
        Err(wrong(field, "is a value legacy workers do not accept"))
    }
}

/// Absent or null means none.
fn given<'a>(envelope: &'a Envelope, field: &str) -> Option<&'a Value> {
    let value = envelope.message.pointer(field);
    value.filter(|value| !value.is_null())
}

fn time(envelope: &Envelope, field: &'static str) -> Result<(), EnvelopeError> {
    let Some(value) = given(envelope, field) else {
        return Ok(());
    };
    let is_time = |text: &str| {
        DateTime::parse_from_rfc3339(text).is_ok() || text.parse::<NaiveDateTime>().is_ok()
    };
    match value.as_str() {
        Some(text) if is_time(text) => Ok(()),
        _ => Err(wrong(field, "is no time in ISO 8601")),
    }
}

/// The worker takes the two apart by position.
fn time_limits(envelope: &Envelope) -> Result<(), EnvelopeError> {
    let field = "/headers/timelimit";
    let is_limit = |value: &Value| value.is_null() || value.is_number();
    match given(envelope, field) {
        None => Ok(()),
        Some(Value::Array(limits)) if limits.len() == 2 && limits.iter().all(is_limit) => Ok(()),
        Some(_) => Err(wrong(field, "is not a pair of numbers or nulls")),
    }
}

fn whole(envelope: &Envelope, field: &'static str, most: u64) -> Result<(), EnvelopeError> {
    match given(envelope, field).map(Value::as_u64) {
        None => Ok(()),
        Some(Some(number)) if number <= most => Ok(()),
        Some(_) => Err(wrong(field, "is no whole number in its range")),
    }
}
