//! Arguments as Celery prints them for people, in `argsrepr` and `kwargsrepr`: like Python's
//! `repr`, but no deeper than three levels and no longer than about 1024 characters.
//!
//! Celery's own rules (`celery.utils.saferepr`), oddities included: quotes are the only thing
//! escaped, a cut text ends at its last blank, and what is open when the room ends is closed, but
//! for a bracket that would have been next.

use serde_json::{Map, Number, Value};

use crate::contract::python_json;

/// Celery's `argsrepr_maxsize` and `kwargsrepr_maxsize`, in characters.
const ROOM: usize = 1024;
const LEVELS: usize = 3;

/// `argsrepr`: a tuple.
pub(super) fn of_args(args: &[Value]) -> String {
    let mut tokens = Vec::new();
    let close = if args.len() == 1 { ",)" } else { ")" };
    sequence(args, ("(", close), 0, &mut tokens);
    fit(tokens)
}

/// `kwargsrepr`: a dictionary.
pub(super) fn of_kwargs(kwargs: &Map<String, Value>) -> String {
    let mut tokens = Vec::new();
    dictionary(kwargs, 0, &mut tokens);
    fit(tokens)
}

enum Token {
    Open(&'static str),
    Close(&'static str),
    /// Cut where the room ends.
    Plain(String),
    Quoted(String),
    /// Printed whole or not at all.
    Separator(&'static str),
}

fn value(value: &Value, level: usize, tokens: &mut Vec<Token>) {
    match value {
        Value::Null => tokens.push(Token::Plain("None".to_owned())),
        Value::Bool(true) => tokens.push(Token::Plain("True".to_owned())),
        Value::Bool(false) => tokens.push(Token::Plain("False".to_owned())),
        Value::Number(number) => tokens.push(Token::Plain(self::number(number))),
        Value::String(text) => tokens.push(Token::Quoted(text.clone())),
        Value::Array(_) if level >= LEVELS => tokens.push(Token::Plain("[...]".to_owned())),
        Value::Object(_) if level >= LEVELS => tokens.push(Token::Plain("{...}".to_owned())),
        Value::Array(items) => sequence(items, ("[", "]"), level, tokens),
        Value::Object(members) => dictionary(members, level, tokens),
    }
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            python_json::to_string_spaced(&float).unwrap_or_else(|_| number.to_string())
        }
        _ => number.to_string(),
    }
}

fn sequence(
    items: &[Value],
    (open, close): (&'static str, &'static str),
    level: usize,
    tokens: &mut Vec<Token>,
) {
    tokens.push(Token::Open(open));
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            tokens.push(Token::Separator(", "));
        }
        value(item, level + 1, tokens);
    }
    tokens.push(Token::Close(close));
}

fn dictionary(members: &Map<String, Value>, level: usize, tokens: &mut Vec<Token>) {
    tokens.push(Token::Open("{"));
    for (index, (name, member)) in members.iter().enumerate() {
        if index > 0 {
            tokens.push(Token::Separator(", "));
        }
        tokens.push(Token::Quoted(name.clone()));
        tokens.push(Token::Separator(": "));
        value(member, level + 1, tokens);
    }
    tokens.push(Token::Close("}"));
}

fn fit(tokens: Vec<Token>) -> String {
    let mut text = String::new();
    let mut room = ROOM;
    let mut open = 0_usize;
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Open(_) => open += 1,
            Token::Close(_) => open -= 1,
            _ => {}
        }
        if room == 0 {
            text.push_str(", ...");
            close(open, tokens, &mut text);
            break;
        }
        let printed = match token {
            Token::Open(fixed) | Token::Close(fixed) | Token::Separator(fixed) => fixed.to_owned(),
            Token::Plain(plain) => cut(plain, room),
            Token::Quoted(quoted) => format!("'{}'", cut(quoted, room).replace('\'', "\\'")),
        };
        room = room.saturating_sub(printed.chars().count());
        text.push_str(&printed);
    }
    text
}

/// Closes what is open. What would have opened further on closes itself, so it is skipped.
fn close(mut open: usize, rest: impl Iterator<Item = Token>, text: &mut String) {
    let mut skipped = 0_usize;
    for token in rest {
        match token {
            Token::Open(_) => skipped += 1,
            Token::Close(_) if skipped > 0 => skipped -= 1,
            Token::Close(fixed) if open > 0 => {
                open -= 1;
                text.push_str(fixed);
            }
            _ => {}
        }
    }
}

/// `celery.utils.text.truncate`.
fn cut(text: String, room: usize) -> String {
    if text.chars().count() < room {
        return text;
    }
    let kept: String = text.chars().take(room).collect();
    let kept = kept
        .rsplit_once(' ')
        .map_or(kept.as_str(), |(before, _)| before);
    format!("{kept}...")
}
