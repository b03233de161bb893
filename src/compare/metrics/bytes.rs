//! The byte form of JSON texts: what a strict receiver, or a signature, sees beside the values.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;

use super::json_text::{Separators, Token, Tokens};

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

/// Reads the form of a text; none when it is not JSON.
pub fn form(text: &str) -> Option<Form> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(form_of(text))
}

/// The form of a text that is known to be JSON.
pub fn form_of(text: &str) -> Form {
    let mut tokens = Tokens::of(text);
    let mut places = Places::default();
    let mut wide_exponents = true;
    for token in tokens.by_ref() {
        if let Token::Number(number) = token {
            wide_exponents &= is_wide(number);
        }
        places.take(token);
    }
    Form {
        separators: tokens.separators(),
        ascii: text.is_ascii(),
        wide_exponents,
        fractions: places.fractions,
        keys: places.keys,
    }
}

/// Whether its exponent, if it has one, has more than one digit.
fn is_wide(number: &str) -> bool {
    let exponent = number.find(['e', 'E']).map(|at| &number[at + 1..]);
    exponent.is_none_or(|digits| digits.trim_start_matches(['+', '-']).len() != 1)
}

/// What stands where in a text, by JSON pointer with indexes as `*`.
#[derive(Default)]
struct Places<'a> {
    /// Where the text is.
    path: String,
    /// Objects and arrays that are open.
    open: Vec<Open>,
    /// Keys of the open objects so far.
    written: Vec<&'a str>,
    keys: Vec<(String, Vec<String>)>,
    fractions: BTreeSet<(String, bool)>,
}

/// An object or array that is open.
struct Open {
    is_array: bool,
    /// How long the path to it is.
    path: usize,
    /// How many keys of those around it were written.
    written: usize,
}

impl<'a> Places<'a> {
    fn take(&mut self, token: Token<'a>) {
        match token {
            Token::Open(is_array) => {
                self.open.push(Open {
                    is_array,
                    path: self.path.len(),
                    written: self.written.len(),
                });
                if is_array {
                    self.path.push_str("/*");
                }
            }
            Token::Close => {
                if let Some(closed) = self.open.pop() {
                    self.path.truncate(closed.path);
                    if !closed.is_array {
                        self.close(closed.written);
                    }
                }
                self.back();
            }
            Token::Key(key) => {
                self.written.push(key);
                self.path.extend(["/", key]);
            }
            Token::Number(number) => {
                let is_fraction = number.contains(['.', 'e', 'E']);
                let is_known =
                    |known: &(String, bool)| known.0 == self.path && known.1 == is_fraction;
                if !self.fractions.iter().any(is_known) {
                    self.fractions.insert((self.path.clone(), is_fraction));
                }
                self.back();
            }
            Token::Text(_) | Token::Word(_) => self.back(),
        }
    }

    /// Ends an object whose keys were written from there on.
    fn close(&mut self, written: usize) {
        let keys = &self.written[written..];
        let is_known = |known: &(String, Vec<String>)| {
            known.0 == self.path && known.1.iter().eq(keys.iter().copied())
        };
        if !self.keys.iter().any(is_known) {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            self.keys.push((self.path.clone(), keys));
        }
        self.written.truncate(written);
    }

    /// After a value, to where what it stands in begins.
    fn back(&mut self) {
        if let Some(around) = self.open.last() {
            let indexes = if around.is_array { "/*".len() } else { 0 };
            self.path.truncate(around.path + indexes);
        }
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
