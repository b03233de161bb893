//! The settings in force, as they may be shown: defaults filled in, secrets masked.

use serde_json::Value;
use url::Url;

use super::Config;

impl Config {
    /// Everything in force. Secrets are `***`, and URLs are without passwords and queries, which may
    /// hold some.
    pub fn shown(&self) -> Value {
        // Nothing in the settings fails to be JSON.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        mask(&mut value);
        value
    }

    /// The same key by key, in the order of the settings file, each with its sections.
    pub fn shown_lines(&self) -> Vec<(String, String)> {
        lines(&self.shown())
    }
}

/// Settings as they are shown, key by key.
pub fn lines(shown: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    flatten(String::new(), shown, &mut lines);
    lines
}

/// Settings as they are shown, of environments those alone that `keeps` names.
pub fn of_environments(shown: &Value, keeps: impl Fn(&str) -> bool) -> Value {
    let mut shown = shown.clone();
    let environments = shown.get_mut("environments").and_then(Value::as_object_mut);
    if let Some(environments) = environments {
        environments.retain(|name, _| keeps(name));
    }
    shown
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => {
            let Ok(mut url) = Url::parse(text) else {
                return;
            };
            if url.password().is_none() && url.query().is_none() && url.fragment().is_none() {
                return;
            }
            url.set_query(None);
            url.set_fragment(None);
            // A URL without a host takes no password, and has none.
            if url.password().is_some() && url.set_password(Some("***")).is_err() {
                "***".clone_into(text);
                return;
            }
            *text = url.to_string();
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn flatten(key: String, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                flatten(key, value, lines);
            }
        }
        Value::Null => lines.push((key, String::new())),
        Value::String(text) => lines.push((key, text.clone())),
        other => lines.push((key, other.to_string())),
    }
}
