//! What others receive: stored events, live messages, the Zulip post, the webhook. Values that
//! repeat another field are judged there; everything else must be the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Finding;
use crate::compare::comparison::FieldResult;
use crate::compare::difference::{Difference, DifferenceKind};
use crate::compare::field::Field;
use crate::compare::metrics::json::{Found, Pattern, differences};
use crate::compare::metrics::{bytes, event_order, zulip_text};
use crate::compare::policy::FieldPolicy;
use crate::compare::verdict::FieldVerdict;
use crate::model::{HttpRequest, Outcome, Published};

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

pub(super) fn zulip(
    policy: &FieldPolicy,
    control: &Outcome,
    candidate: &Outcome,
    earlier: &[FieldResult],
) -> Finding {
    let read = |request: &HttpRequest| {
        let mut form: serde_json::Map<String, Value> =
            url::form_urlencoded::parse(request.body.as_bytes())
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect();
        let content = form.remove("content");
        let content = content
            .as_ref()
            .and_then(Value::as_str)
            .map(zulip_text::skeleton);
        json!({"method": request.method, "url": request.url, "form": form, "content": content})
    };
    match both(policy, control.zulip.as_ref(), candidate.zulip.as_ref()) {
        Ok((left, right)) => settled(
            document(policy, &read(left), &read(right), earlier),
            Order::Same,
        ),
        Err(finding) => *finding,
    }
}

pub(super) fn webhook(
    policy: &FieldPolicy,
    control: &Outcome,
    candidate: &Outcome,
    earlier: &[FieldResult],
) -> Finding {
    let read = |request: &HttpRequest| {
        let body: Value = serde_json::from_str(&request.body)
            .unwrap_or_else(|_| json!({"not_json": request.body}));
        json!({"method": request.method, "url": request.url, "headers": headers(request), "body": body})
    };
    match both(policy, control.webhook.as_ref(), candidate.webhook.as_ref()) {
        Ok((left, right)) => {
            let mut differences = document(policy, &read(left), &read(right), earlier);
            // Where values differ, keys may too; the bytes tell something new only where they do not.
            if bytes::form(&left.body) != bytes::form(&right.body)
                && differences.iter().all(is_judged_elsewhere)
            {
                differences.push(bytes_changed("/body".to_owned()));
            }
            settled(differences, Order::Same)
        }
        Err(finding) => *finding,
    }
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

/// How the order of events compares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    /// Another interleaving of steps that run at the same time: noise.
    Interleaved,
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

/// The two requests. A control's request that was not seen leaves nothing to compare; one the
/// candidate did not make is a lost effect.
fn both<'a>(
    policy: &FieldPolicy,
    control: Option<&'a HttpRequest>,
    candidate: Option<&'a HttpRequest>,
) -> Result<(&'a HttpRequest, &'a HttpRequest), Box<Finding>> {
    Err(Box::new(match (control, candidate) {
        (Some(left), Some(right)) => return Ok((left, right)),
        (None, None) => Finding::equal(),
        (None, Some(_)) => {
            Finding::not_comparable("the control's request was not seen, or it made none")
        }
        (Some(left), None) => {
            let path = format!("/{}", policy.field);
            Finding::one_sided(
                Difference::between(path, Some(json!(left.method)), None),
                "such request",
            )
        }
    }))
}

/// Header names in lower case with their values, without those the HTTP library adds.
fn headers(request: &HttpRequest) -> Value {
    const TRANSPORT: [&str; 5] = [
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
    ];
    let named = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), json!(value)));
    let mut kept: Vec<(String, Value)> = named
        .filter(|(name, _)| !TRANSPORT.contains(&name.as_str()))
        .collect();
    kept.sort_by(|left, right| left.0.cmp(&right.0));
    Value::Object(kept.into_iter().collect())
}

/// Differences of two documents, after masks and what other fields judge.
fn document(
    policy: &FieldPolicy,
    control: &Value,
    candidate: &Value,
    earlier: &[FieldResult],
) -> Vec<Difference> {
    let masks = policy.masks.iter().map(|mask| mask.path.clone());
    let judged = policy.judged_by.iter().map(|part| part.path.clone());
    let patterns: Vec<Pattern> = masks.chain(judged).collect();
    differences(control, candidate, &patterns)
        .into_iter()
        .filter_map(|found| {
            let one_sided = found.control.is_none() || found.candidate.is_none();
            match found.pattern {
                Some(at) if one_sided || at >= policy.masks.len() => {
                    let judged_by = at.checked_sub(policy.masks.len()).filter(|_| !one_sided);
                    let fields =
                        judged_by.map_or(&[][..], |at| policy.judged_by[at].fields.as_slice());
                    Some(answered_for(found, fields, earlier))
                }
                Some(_) => None,
                None => Some(answered_for(found, &[], earlier)),
            }
        })
        .collect()
}

/// A difference another field answers for; or, when all of those agree, one nobody answers for.
fn answered_for(found: Found, fields: &[Field], earlier: &[FieldResult]) -> Difference {
    let verdict = |field: &Field| {
        earlier
            .iter()
            .find(|result| result.field == *field)
            .map(|result| result.verdict)
    };
    let difference = Difference::between(found.path, found.control, found.candidate);
    match fields.iter().filter_map(verdict).max() {
        Some(FieldVerdict::WithinNoise | FieldVerdict::NotComparable) => {
            difference.of_kind(DifferenceKind::JudgedElsewhere)
        }
        Some(FieldVerdict::Match | FieldVerdict::Differs) | None => difference,
    }
}

fn bytes_changed(path: String) -> Difference {
    Difference {
        path,
        kind: DifferenceKind::BytesChanged,
        control: None,
        candidate: None,
    }
}

fn is_judged_elsewhere(difference: &Difference) -> bool {
    difference.kind == DifferenceKind::JudgedElsewhere
}

fn settled(differences: Vec<Difference>, order: Order) -> Finding {
    let own = differences
        .iter()
        .filter(|difference| !is_judged_elsewhere(difference))
        .count();
    let plural = if own == 1 { "" } else { "s" };
    Finding {
        equal: differences.is_empty() && order == Order::Same,
        broken: if own == 0 {
            Vec::new()
        } else {
            vec![format!("{own} difference{plural} that no tolerance covers")]
        },
        numbers: vec![("differences", Some(own as f64))],
        differences,
        ..Finding::default()
    }
}
