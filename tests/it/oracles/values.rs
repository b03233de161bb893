//! What a case file says, as Rust has it, and what is close enough.

use serde_json::Value;

pub(super) fn string(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

pub(super) fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(string)
        .collect()
}

pub(super) fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("a small count")
}

pub(super) fn counts(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(count)
        .collect()
}

pub(super) fn floats(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list").iter();
    list.map(|number| number.as_f64().expect("a number"))
        .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better at fifty calls")]
pub(super) fn equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    measured: T,
    expected: T,
) -> Result<(), String> {
    if measured == expected {
        return Ok(());
    }
    Err(format!(
        "{what} is {measured:?}, the oracle says {expected:?}"
    ))
}

/// Absolute 1e-9, as the case file says.
pub(super) fn close(what: &str, measured: Option<f64>, expected: &Value) -> Result<(), String> {
    match (measured, expected.as_f64()) {
        (Some(left), Some(right)) if (left - right).abs() <= 1e-9 => Ok(()),
        (None, None) => Ok(()),
        (left, right) => Err(format!("{what} is {left:?}, the oracle says {right:?}")),
    }
}
