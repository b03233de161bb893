//! Sends a message elsewhere by changing one value in its text.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use serde_json::value::RawValue;

use super::EnvelopeError;
use crate::contract::python_json;

/// The text of a message with `queue` as its routing key; every other byte stays.
///
/// kombu puts messages back, and Celery sends retries, by routing key: with the old one, both
/// would come back to the queue the message was taken from. A message on a named exchange has its
/// exchange emptied too, since kombu looks a key up among that exchange's bindings, and drops the
/// message when it finds none.
pub fn with_routing_key(raw: &str, queue: &str) -> Result<String, EnvelopeError> {
    let message = members(raw).ok_or(EnvelopeError::new("message", "is no JSON object"))?;
    let properties = member(&message, "properties")
        .ok_or(EnvelopeError::new("/properties", "is missing or no object"))?;
    let delivery = member(&properties, "delivery_info").ok_or(EnvelopeError::new(
        "/properties/delivery_info",
        "is missing or no object",
    ))?;
    let routing_key = delivery.get("routing_key").ok_or(EnvelopeError::new(
        "/properties/delivery_info/routing_key",
        "is missing",
    ))?;
    let queue = python_json::to_string_spaced(queue).expect("a text can always be printed");
    let mut changes = vec![(place(raw, routing_key), queue)];
    if let Some(exchange) = delivery.get("exchange")
        && exchange.get() != r#""""#
    {
        changes.push((place(raw, exchange), r#""""#.to_owned()));
    }
    // From the end, so that places before stay true.
    changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut text = raw.to_owned();
    for (place, new) in changes {
        text.replace_range(place, &new);
    }
    Ok(text)
}

/// The members of an object, each with its own text. Of a name that occurs twice the last counts,
/// as in Python.
type Members<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

fn members(text: &str) -> Option<Members<'_>> {
    serde_json::from_str(text).ok()
}

fn member<'a>(members: &Members<'a>, name: &str) -> Option<Members<'a>> {
    self::members(members.get(name)?.get())
}

/// Where a value's text lies in the text it was read from.
fn place(raw: &str, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr().addr() - raw.as_ptr().addr();
    start..start + value.get().len()
}
