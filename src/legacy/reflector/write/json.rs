//! JSON as Reflector's rows hold it: compared by meaning, since `json` columns keep their text.

use std::borrow::Cow;

use serde_json::Value;

/// Whether both mean the same: the order of an object's members does not matter, nor whether a
/// number is written with a fraction of zero.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    let other = other.get(name);
                    other.is_some_and(|other| is_same(value, other))
                })
        }
        _ => one == other,
    }
}

/// As [`is_same`] of two texts; what cannot be read is the same as nothing.
pub(super) fn is_same_text(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    match (read(one), read(other)) {
        (Some(one), Some(other)) => is_same(&one, &other),
        _ => false,
    }
}

/// The text without NUL characters: PostgreSQL refuses them in text, so the legacy, which does not
/// look, ends in `error` when it stores such a topic's captions, a title or a summary.
pub(super) fn plain_text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The value without NUL characters. A `json` column would take them as `\u0000`, but whoever casts
/// it to `jsonb` or asks for the text inside would fail.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => plain_text(text).into_owned().into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (plain_text(name).into_owned(), plain(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meaning_counts_and_not_the_text() {
        for (one, other, same) in [
            (r#"{"a": 0, "b": [1]}"#, r#"{"b":[1.0],"a":0.0}"#, true),
            (r#"{"a": 0}"#, r#"{"a": 0, "b": null}"#, false),
            (r#"{"a": 0}"#, r#"{"b": 0}"#, false),
            ("[1, 2]", "[2, 1]", false),
            ("[1]", "[1, 2]", false),
            (r#""\u00e9""#, "\"\u{e9}\"", true),
            ("1", "\"1\"", false),
            ("null", "[]", false),
            ("nonsense", "nonsense", false),
        ] {
            assert_eq!(is_same_text(one, other), same, "{one} and {other}");
        }
    }
}
