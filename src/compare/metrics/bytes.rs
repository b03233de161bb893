//! The byte form of JSON texts: what a strict receiver, or a signature, sees beside the values.

use serde_json::Value;

/// How a JSON text was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What stands between elements.
    pub separators: Separators,
    /// Whether anything but ASCII occurs.
    pub ascii: bool,
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
    let mut keys = Vec::new();
    collect_keys(&value, "", &mut keys);
    Some(Form {
        separators: separators(text),
        ascii: text.is_ascii(),
        keys,
    })
}

fn separators(text: &str) -> Separators {
    let (mut spaced, mut compact) = (0, 0);
    let (mut quoted, mut escaped) = (false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted {
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else if letter == '"' {
            quoted = true;
        } else if letter == ',' || letter == ':' {
            if letters.next_if_eq(&' ').is_some() {
                spaced += 1;
            } else {
                compact += 1;
            }
        } else if letter.is_whitespace() {
            return Separators::Mixed;
        }
    }
    match (spaced, compact) {
        (_, 0) => Separators::Spaced,
        (0, _) => Separators::Compact,
        (_, _) => Separators::Mixed,
    }
}

fn collect_keys(value: &Value, path: &str, keys: &mut Vec<(String, Vec<String>)>) {
    match value {
        Value::Object(members) => {
            let names = (path.to_owned(), members.keys().cloned().collect());
            if !keys.contains(&names) {
                keys.push(names);
            }
            for (key, member) in members {
                collect_keys(member, &format!("{path}/{key}"), keys);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect_keys(element, &format!("{path}/*"), keys);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_strings_do_not_count() {
        let form = form(r#"{"a":"x, \"y: z","b":1}"#).expect("JSON");
        assert_eq!(form.separators, Separators::Compact);
    }

    #[test]
    fn the_order_of_keys_is_part_of_the_form() {
        assert_ne!(form(r#"{"a": 1, "b": 2}"#), form(r#"{"b": 2, "a": 1}"#));
    }
}
