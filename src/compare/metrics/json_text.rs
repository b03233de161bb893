//! JSON texts, read without making values of them: a live message of a topic holds every word of it, and a
//! meeting has a hundred topics.
//!
//! Texts are known to be JSON: whoever hands one over has had it checked.

use serde_json::Number;

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

/// What a text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// An object begins, or an array: true.
    Open(bool),
    /// Either ends.
    Close,
    /// A key, as it is written between its quotes.
    Key(&'a str),
    /// A string, as it is written between its quotes.
    Text(&'a str),
    /// A number, as it is written.
    Number(&'a str),
    /// `true`, `false` or `null`.
    Word(&'a str),
}

/// The tokens of a text, and what stands between them.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Commas and colons with one blank behind them.
    spaced: usize,
    /// Those without.
    compact: usize,
    /// Whether there are other blanks.
    has_blanks: bool,
}

impl<'a> Tokens<'a> {
    /// From the text's beginning.
    pub fn of(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            spaced: 0,
            compact: 0,
            has_blanks: false,
        }
    }

    /// What stood between the tokens so far.
    pub fn separators(&self) -> Separators {
        match (self.spaced, self.compact) {
            _ if self.has_blanks => Separators::Mixed,
            (_, 0) => Separators::Spaced,
            (0, _) => Separators::Compact,
            (_, _) => Separators::Mixed,
        }
    }

    fn skip(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b',' | b':' if bytes.get(self.at + 1) == Some(&b' ') => {
                    self.spaced += 1;
                    self.at += 2;
                }
                b',' | b':' => {
                    self.compact += 1;
                    self.at += 1;
                }
                b' ' | b'\n' | b'\r' | b'\t' => {
                    self.has_blanks = true;
                    self.at += 1;
                }
                _ => return,
            }
        }
    }

    /// What stands between the quote before this place and the one that ends it.
    fn quoted(&mut self) -> &'a str {
        let from = self.at;
        while let Some(quote) = self.text[self.at..].find('"').map(|at| self.at + at) {
            let before = self.text[from..quote].bytes().rev();
            let slashes = before.take_while(|byte| *byte == b'\\').count();
            self.at = quote + 1;
            if slashes.is_multiple_of(2) {
                return &self.text[from..quote];
            }
        }
        self.at = self.text.len();
        &self.text[from..]
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip();
        let bytes = self.text.as_bytes();
        let from = self.at;
        let first = *bytes.get(from)?;
        self.at += 1;
        Some(match first {
            b'{' | b'[' => Token::Open(first == b'['),
            b'}' | b']' => Token::Close,
            b'"' => {
                let said = self.quoted();
                let mut behind = bytes[self.at..].iter();
                if behind.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
                    Token::Key(said)
                } else {
                    Token::Text(said)
                }
            }
            _ => {
                let ends = |byte: &u8| {
                    byte.is_ascii_whitespace() || matches!(byte, b',' | b':' | b'}' | b']')
                };
                let end = bytes[from..].iter().position(ends);
                self.at = end.map_or(bytes.len(), |end| from + end);
                let said = &self.text[from..self.at];
                if first == b'-' || first.is_ascii_digit() {
                    Token::Number(said)
                } else {
                    Token::Word(said)
                }
            }
        })
    }
}

/// Whether two texts say the same value; 1 and 1.0 are one number. None where keys stand in another
/// order, which takes values to tell.
pub fn same(left: &str, right: &str) -> Option<bool> {
    if left == right {
        return Some(true);
    }
    let (mut left, mut right) = (Tokens::of(left), Tokens::of(right));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(true),
            (Some(Token::Key(one)), Some(Token::Key(other))) => {
                if one != other {
                    return None;
                }
            }
            (Some(Token::Text(one)), Some(Token::Text(other))) => {
                if one != other && !is_same_text(one, other) {
                    return Some(false);
                }
            }
            (Some(Token::Number(one)), Some(Token::Number(other))) => {
                if one != other && !is_same_number(one, other) {
                    return Some(false);
                }
            }
            (one, other) => {
                if one != other {
                    return Some(false);
                }
            }
        }
    }
}

/// Only what is written with a slash can be written in another way.
fn is_same_text(left: &str, right: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
    (left.contains('\\') || right.contains('\\')) && read(left) == read(right)
}

fn is_same_number(left: &str, right: &str) -> bool {
    let read = |text: &str| text.parse::<Number>().ok();
    match (read(left), read(right)) {
        (Some(left), Some(right)) => left == right || left.as_f64() == right.as_f64(),
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::compare::metrics::json::differences;

    #[test]
    fn a_string_ends_at_a_quote_that_no_slash_is_for() {
        let tokens: Vec<_> = Tokens::of(r#"["a\\", "b\"c, ", "", 1]"#).collect();
        assert_eq!(
            tokens,
            [
                Token::Open(true),
                Token::Text(r"a\\"),
                Token::Text(r#"b\"c, "#),
                Token::Text(""),
                Token::Number("1"),
                Token::Close
            ]
        );
        let tokens: Vec<_> = Tokens::of(r#"{"a\\\" ,": 1e5}"#).collect();
        assert_eq!(tokens[1], Token::Key(r#"a\\\" ,"#));
    }

    #[test]
    fn notation_makes_no_other_value() {
        assert_eq!(
            same(r#"{"a":[1,"\u00e9"]}"#, r#"{"a": [1.0, "é"]}"#),
            Some(true)
        );
        assert_eq!(same(r#"{"a":1}"#, r#"{"a":2}"#), Some(false));
        assert_eq!(same(r#"{"a":1}"#, r#"{"a":1,"b":2}"#), Some(false));
        assert_eq!(same("[1]", "[1,2]"), Some(false));
        assert_eq!(same("[]", "{}"), Some(false));
        assert_eq!(same(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0_i64..3).prop_map(Value::from),
            (0_i64..3).prop_map(|whole| json!(whole as f64)),
            "[a\\\"é, ]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[ab\"]{0,1}", inner), 0..3)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn texts_say_the_same_where_their_values_do(left in value(), right in value()) {
            for (one, other) in [(&left, &right), (&left, &left)] {
                let told = same(&one.to_string(), &format!("{other:#}"));
                let truly = differences(one, other, &[]).is_empty();
                prop_assert!(told.is_none_or(|told| told == truly));
            }
        }
    }
}
