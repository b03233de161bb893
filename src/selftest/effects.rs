//! Faults of what others see, and of what is kept and deleted.

use serde_json::Value;

use super::dice::Dice;
use crate::contract::python_json;
use crate::model::Outcome;

/// Values of a webhook that are new in every delivery.
const VARIES: [&str; 2] = ["event_id", "timestamp"];

pub(super) fn alter_webhook(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let webhook = outcome.webhook.as_mut()?;
    let mut body: Value = serde_json::from_str(&webhook.body).ok()?;
    let mut pointers = Vec::new();
    leaves(&body, "", &mut pointers);
    pointers.retain(|pointer| !VARIES.contains(&pointer.trim_start_matches('/')));
    let pointer = dice.pick(&pointers)?;
    let value = body.pointer_mut(pointer)?;
    *value = match &*value {
        Value::String(text) => Value::String(format!("{text} altered")),
        Value::Bool(value) => Value::Bool(!value),
        Value::Number(number) => Value::from(number.as_f64().unwrap_or_default() + 1234.5),
        Value::Null | Value::Array(_) | Value::Object(_) => Value::String("altered".to_owned()),
    };
    webhook.body = python_json::to_string_compact(&body).ok()?;
    Some(())
}

/// Pointers to everything that is no object and no list.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                leaves(value, &format!("{at}/{}", escaped(key)), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push(at.to_owned());
        }
    }
}

/// Another topic, or another message where an edit names one.
pub(super) fn wrong_recipient(outcome: &mut Outcome) -> Option<()> {
    let zulip = outcome.zulip.as_mut()?;
    let form = url::form_urlencoded::parse(zulip.body.as_bytes());
    let form: Vec<(String, String)> = form.into_owned().collect();
    if form.iter().any(|(name, _)| name == "topic") {
        let elsewhere = |(name, value): (String, String)| {
            let value = if name == "topic" {
                format!("{value} elsewhere")
            } else {
                value
            };
            (name, value)
        };
        let form = form.into_iter().map(elsewhere);
        zulip.body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
    } else {
        zulip.url.push('7');
    }
    Some(())
}

pub(super) fn lose_object(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    if outcome.objects.is_empty() {
        return None;
    }
    outcome.objects.remove(dice.below(outcome.objects.len()));
    Some(())
}

pub(super) fn keep_deleted(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    if outcome.deleted.is_empty() {
        return None;
    }
    outcome.deleted.remove(dice.below(outcome.deleted.len()));
    Some(())
}

pub(super) fn delete_kept(outcome: &mut Outcome) -> Option<()> {
    if outcome.audio_deleted {
        return None;
    }
    outcome.audio_deleted = true;
    Some(())
}

pub(super) fn lose_event(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    if outcome.events.is_empty() {
        return None;
    }
    outcome.events.remove(dice.below(outcome.events.len()));
    Some(())
}
