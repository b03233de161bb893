//! What the transcript's row keeps and what browsers were told, in order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Finding;
use super::document::{Order, bytes_changed, document, settled};
use crate::compare::comparison::FieldResult;
use crate::compare::difference::{Difference, DifferenceKind};
use crate::compare::metrics::{bytes, event_order};
use crate::compare::policy::FieldPolicy;
use crate::model::{Outcome, Published};

pub(super) fn events(
    policy: &FieldPolicy,
    control: &Outcome,
    candidate: &Outcome,
    earlier: &[FieldResult],
) -> Finding {
    let told = |outcome: &Outcome| -> Vec<Told> {
        outcome
            .events
            .iter()
            .map(|event| Told::new(&event.event, "", &event.data))
            .collect()
    };
    let (differences, order) = sequence(policy, &told(control), &told(candidate), earlier);
    settled(differences, order)
}

pub(super) fn messages(
    policy: &FieldPolicy,
    control: &Outcome,
    candidate: &Outcome,
    earlier: &[FieldResult],
) -> Finding {
    if control.published.is_empty() && !candidate.published.is_empty() {
        return Finding::not_comparable("the control's live messages were not recorded");
    }
    let told = |outcome: &Outcome| {
        outcome
            .published
            .iter()
            .map(read_message)
            .collect::<Vec<_>>()
    };
    let (mut differences, order) = sequence(policy, &told(control), &told(candidate), earlier);
    let forms = |outcome: &Outcome| -> BTreeMap<String, Vec<Option<bytes::Form>>> {
        let mut forms: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for message in &outcome.published {
            forms
                .entry(read_message(message).label)
                .or_default()
                .push(bytes::form(&message.payload));
        }
        forms
    };
    let (left, right) = (forms(control), forms(candidate));
    for (label, forms) in &left {
        let others = right.get(label).map_or(&[][..], Vec::as_slice);
        let changed = forms
            .iter()
            .zip(others)
            .enumerate()
            .filter(|(_, (left, right))| left != right);
        differences.extend(changed.map(|(at, _)| bytes_changed(format!("/{label}/{at}"))));
    }
    settled(differences, order)
}

/// An event with what tells it from others, and its data.
struct Told {
    /// `TOPIC`, or `ts/TOPIC` for a live message.
    label: String,
    /// The label and, for a status, which: `STATUS:ended`.
    step: String,
    data: Value,
}

impl Told {
    fn new(event: &str, channel: &str, data: &Value) -> Self {
        let label = if channel.is_empty() {
            event.to_owned()
        } else {
            format!("{channel}/{event}")
        };
        let step = match data.get("value").and_then(Value::as_str) {
            Some(value) if event.ends_with("STATUS") => format!("{label}:{value}"),
            Some(_) | None => label.clone(),
        };
        Self {
            label,
            step,
            data: data.clone(),
        }
    }
}

fn read_message(message: &Published) -> Told {
    let channel = message.channel.split(':').next().unwrap_or_default();
    match serde_json::from_str::<Value>(&message.payload) {
        Ok(payload) => {
            let event = payload
                .get("event")
                .and_then(Value::as_str)
                .unwrap_or("no event");
            let mut told = Told::new(event, channel, payload.get("data").unwrap_or(&Value::Null));
            told.data = json!({"channel": message.channel, "data": told.data});
            told
        }
        Err(_) => Told::new("not JSON", channel, &json!(message.payload)),
    }
}

fn sequence(
    policy: &FieldPolicy,
    control: &[Told],
    candidate: &[Told],
    earlier: &[FieldResult],
) -> (Vec<Difference>, Order) {
    let steps =
        |told: &[Told]| -> Vec<String> { told.iter().map(|told| told.step.clone()).collect() };
    let (left, right) = (steps(control), steps(candidate));
    let departure = event_order::departure(&left, &right, &policy.concurrent);
    let mut differences = document(policy, &by_label(control), &by_label(candidate), earlier);
    // Whole events that one side lacks are told once, by their step.
    differences.retain(|difference| {
        let one_sided = difference.control.is_none() || difference.candidate.is_none();
        let depth = difference.path.matches('/').count();
        let data_depth = if left.iter().chain(&right).any(|step| step.contains('/')) {
            3
        } else {
            2
        };
        !(one_sided && depth <= data_depth)
    });
    differences.extend(
        departure
            .missing
            .iter()
            .map(|step| Difference::between("", Some(json!(step)), None)),
    );
    differences.extend(
        departure
            .extra
            .iter()
            .map(|step| Difference::between("", None, Some(json!(step)))),
    );
    if departure.reordered {
        let order = Difference::between("", Some(json!(left)), Some(json!(right)));
        differences.push(order.of_kind(DifferenceKind::Reordered));
    }
    (
        differences,
        if departure.interleaved {
            Order::Interleaved
        } else {
            Order::Same
        },
    )
}

/// `{"TOPIC": [data, data], …}`, so that a difference is told by label and ordinal.
fn by_label(told: &[Told]) -> Value {
    let mut labels: serde_json::Map<String, Value> = serde_json::Map::new();
    for told in told {
        let (channel, event) = told.label.split_once('/').unwrap_or(("", &told.label));
        let group = if channel.is_empty() {
            &mut labels
        } else {
            match labels.entry(channel).or_insert_with(|| json!({})) {
                Value::Object(group) => group,
                _ => continue,
            }
        };
        if let Value::Array(list) = group.entry(event).or_insert_with(|| json!([])) {
            list.push(told.data.clone());
        }
    }
    Value::Object(labels)
}
