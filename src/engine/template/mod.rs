//! `${…}` expressions: how a task's input is made of the run's input and other tasks' outputs.
//!
//! A value that is one whole expression keeps its type; inside text it takes the form Java prints,
//! `null` and `{k=v}` included. A missing path is null, with its key kept.

mod path;
mod text;

use serde_json::Value;

pub use path::Unsupported;

use crate::conductor::wire::Map;

/// Resolves every expression in every string below `template`. Keys are left alone. `root` gives
/// the value of a path's first word, if there is one.
pub fn resolve(template: &Value, root: &dyn Fn(&str) -> Option<Value>) -> Value {
    match template {
        Value::String(text) => resolve_text(text, root),
        Value::Array(items) => items.iter().map(|item| resolve(item, root)).collect(),
        Value::Object(map) => Value::Object(resolve_map(map, root)),
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    }
}

/// [`resolve`] for an object.
pub fn resolve_map(template: &Map, root: &dyn Fn(&str) -> Option<Value>) -> Map {
    template
        .iter()
        .map(|(key, value)| (key.clone(), resolve(value, root)))
        .collect()
}

/// The expressions in a text, without `${` and `}`, outermost only.
pub fn expressions(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = next_expression(rest) {
        found.push(&rest[start + 2..end - 1]);
        rest = &rest[end..];
    }
    found
}

/// Whether this engine can read an expression. One with another inside is checked as far as it goes
/// only when it is resolved.
pub fn check(expression: &str) -> Result<(), Unsupported> {
    if expression.contains("${") {
        return Ok(());
    }
    path::parse(expression).map(drop)
}

fn resolve_text(text: &str, root: &dyn Fn(&str) -> Option<Value>) -> Value {
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((start, end)) = next_expression(rest) {
        let inner = text::of(&resolve_text(&rest[start + 2..end - 1], root));
        let value = if inner.trim().is_empty() {
            Value::String(String::new())
        } else {
            // Conductor suppresses what its path reader throws: null.
            path::parse(&inner).map_or(Value::Null, |path| path.read(root))
        };
        if start == 0 && end == text.len() {
            return value;
        }
        resolved.push_str(&rest[..start]);
        resolved.push_str(&text::of(&value));
        rest = &rest[end..];
    }
    resolved.push_str(rest);
    Value::String(resolved.replace("$${", "${"))
}

/// Where the next `${…}` with balanced braces starts and ends, in bytes. `$${` starts none.
fn next_expression(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(offset) = text[from..].find("${") {
        let start = from + offset;
        from = start + 2;
        if start > 0 && bytes[start - 1] == b'$' {
            continue;
        }
        let mut depth = 0;
        for (index, byte) in bytes.iter().enumerate().skip(start + 1) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((start, index + 1));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
