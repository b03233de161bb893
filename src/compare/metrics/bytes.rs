//! The byte form of JSON texts: what a strict receiver, or a signature, sees beside the values.

use std::collections::BTreeSet;

use serde_json::Value;

/// How a JSON text was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What stands between elements.
    pub separators: Separators,
    /// Whether anything but ASCII occurs.
    pub ascii: bool,
    /// Whether every exponent has two digits, as Python writes it (`1e-07`).
    pub wide_exponents: bool,
    /// Whether numbers are written as whole numbers or with a fraction, by place as for `keys`.
    pub fractions: BTreeSet<(String, bool)>,
    /// Keys of every object in writing order, by JSON pointer with indexes as `*`.
    pub keys: Vec<(String, Vec<String>)>,
}

/// Blanks after commas and colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separators {
    /// `,` and `:`.
    Compact,
    /// `, ` and `: `, Python's default.
    Spaced,
    /// Both or neither, line ends included.
    Mixed,
}

/// Reads the form of a text; none when it is not JSON.
pub fn form(text: &str) -> Option<Form> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(form_of(text, &value))
}

/// The form of a text that says this value.
pub fn form_of(text: &str, value: &Value) -> Form {
    let outside = outside_strings(text);
    let (mut keys, mut fractions) = (Vec::new(), BTreeSet::new());
    collect(value, &mut String::new(), &mut keys, &mut fractions);
    Form {
        separators: separators(&outside),
        wide_exponents: wide_exponents(&outside),
        fractions,
        ascii: text.is_ascii(),
        keys,
    }
}

/// The text without the insides of its strings. Outside of them JSON is ASCII.
fn outside_strings(text: &str) -> String {
    let mut outside = String::with_capacity(text.len() / 2);
    let mut rest = text;
    while let Some((before, said)) = rest.split_once('"') {
        outside.extend([before, "\""]);
        rest = behind_string(said);
    }
    outside.push_str(rest);
    outside
}

/// What follows the string that this is the inside of.
fn behind_string(said: &str) -> &str {
    let mut from = 0;
    while let Some(quote) = said[from..].find('"').map(|at| from + at) {
        let before = said[from..quote].bytes().rev();
        let slashes = before.take_while(|byte| *byte == b'\\').count();
        if slashes % 2 == 0 {
            return &said[quote + 1..];
        }
        from = quote + 1;
    }
    ""
}

fn separators(outside: &str) -> Separators {
    let (mut spaced, mut compact) = (0, 0);
    let mut bytes = outside.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b',' || byte == b':' {
            if bytes.next_if_eq(&b' ').is_some() {
                spaced += 1;
            } else {
                compact += 1;
            }
        } else if byte.is_ascii_whitespace() {
            return Separators::Mixed;
        }
    }
    match (spaced, compact) {
        (_, 0) => Separators::Spaced,
        (0, _) => Separators::Compact,
        (_, _) => Separators::Mixed,
    }
}

/// `true` and `false` have an `e` too, with no digit after it.
fn wide_exponents(outside: &str) -> bool {
    let bytes = outside.as_bytes();
    let mut exponents = (0..bytes.len()).filter(|&at| matches!(bytes[at], b'e' | b'E'));
    exponents.all(|at| {
        let digits = bytes[at + 1..]
            .iter()
            .skip_while(|byte| matches!(byte, b'+' | b'-'));
        digits.take_while(|byte| byte.is_ascii_digit()).count() != 1
    })
}

fn collect(
    value: &Value,
    path: &mut String,
    keys: &mut Vec<(String, Vec<String>)>,
    fractions: &mut BTreeSet<(String, bool)>,
) {
    let above = path.len();
    match value {
        Value::Object(members) => {
            let is_known = |known: &(String, Vec<String>)| {
                known.0 == *path && known.1.iter().eq(members.keys())
            };
            if !keys.iter().any(is_known) {
                keys.push((path.clone(), members.keys().cloned().collect()));
            }
            for (key, member) in members {
                path.extend(["/", key]);
                collect(member, path, keys, fractions);
                path.truncate(above);
            }
        }
        Value::Array(elements) => {
            path.push_str("/*");
            for element in elements {
                collect(element, path, keys, fractions);
            }
            path.truncate(above);
        }
        Value::Number(number) => {
            let is_known = |known: &(String, bool)| known.0 == *path && known.1 == number.is_f64();
            if !fractions.iter().any(is_known) {
                fractions.insert((path.clone(), number.is_f64()));
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_a_quote_that_no_slash_is_for() {
        assert_eq!(
            outside_strings(r#"["a\\", "b\"c, ", "", 1]"#),
            r#"[", ", ", 1]"#
        );
        assert_eq!(outside_strings(r#"{"a\\\" ,": 1e5}"#), r#"{": 1e5}"#);
    }

    #[test]
    fn separators_inside_strings_do_not_count() {
        let form = form(r#"{"a":"x, \"y: z","b":1}"#).expect("JSON");
        assert_eq!(form.separators, Separators::Compact);
    }

    #[test]
    fn the_order_of_keys_is_part_of_the_form() {
        assert_ne!(form(r#"{"a": 1, "b": 2}"#), form(r#"{"b": 2, "a": 1}"#));
    }

    #[test]
    fn whole_numbers_and_fractions_are_two_forms_of_one_value() {
        assert_ne!(form(r#"{"duration": 0}"#), form(r#"{"duration": 0.0}"#));
        assert_ne!(form(r#"{"x": 1e-07}"#), form(r#"{"x": 1e-7}"#));
        assert_eq!(
            form(r#"{"x": 0.5, "e1": true}"#),
            form(r#"{"x": 0.7, "e1": true}"#)
        );
    }
}
