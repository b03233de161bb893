//! What the transcript's row keeps and what browsers were told, in order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{Documents, Order, bytes_changed, patterns};
use super::payload::{self, Payload};
use super::{Finding, Measuring};
use crate::compare::comparison::DIFFERENCES_KEPT;
use crate::compare::difference::{Difference, DifferenceKind};
use crate::compare::metrics::json::{self as json_metric, Found, Pattern, Place};
use crate::compare::metrics::{bytes, event_order, json_text};
use crate::compare::policy::FieldPolicy;
use crate::model::{Outcome, Published};

pub(super) fn events(policy: &FieldPolicy, control: &Outcome, candidate: &Outcome) -> Measuring {
    fn told(outcome: &Outcome) -> Vec<Told<'_>> {
        let each = outcome.events.iter();
        each.map(|event| Told::new(&event.event, "", None, &event.data))
            .collect()
    }
    let (found, more, order) = sequence(policy, &told(control), &told(candidate));
    Measuring::Documents(Documents::new(found, more, order))
}

pub(super) fn messages(policy: &FieldPolicy, control: &Outcome, candidate: &Outcome) -> Measuring {
    if control.published.is_empty() && !candidate.published.is_empty() {
        return Finding::not_comparable("the control's live messages were not recorded").into();
    }
    let (left_payloads, right_payloads) = (payloads(control), payloads(candidate));
    let left = read_messages(&control.published, &left_payloads);
    let right = read_messages(&candidate.published, &right_payloads);
    let (found, mut more, order) = sequence(policy, &left, &right);
    let forms = |told: &[Told<'_>], outcome: &Outcome, payloads: &[Option<Payload<'_>>]| {
        let mut forms: BTreeMap<String, Vec<Option<bytes::Form>>> = BTreeMap::new();
        for ((told, message), payload) in told.iter().zip(&outcome.published).zip(payloads) {
            let form = payload.as_ref().map(|_| bytes::form_of(&message.payload));
            forms.entry(told.label.clone()).or_default().push(form);
        }
        forms
    };
    let (left, right) = (
        forms(&left, control, &left_payloads),
        forms(&right, candidate, &right_payloads),
    );
    for (label, forms) in &left {
        let others = right.get(label).map_or(&[][..], Vec::as_slice);
        let changed = forms
            .iter()
            .zip(others)
            .enumerate()
            .filter(|(_, (left, right))| left != right);
        more.extend(changed.map(|(at, _)| bytes_changed(format!("/{label}/{at}"))));
    }
    Measuring::Documents(Documents::new(found, more, order))
}

fn payloads(outcome: &Outcome) -> Vec<Option<Payload<'_>>> {
    let messages = outcome.published.iter();
    messages
        .map(|message| Payload::read(&message.payload))
        .collect()
}

/// An event with what tells it from others, and its data.
struct Told<'a> {
    /// `TOPIC`, or `ts/TOPIC` for a live message.
    label: String,
    /// The label and, for a status, which: `STATUS:ended`.
    step: String,
    /// The whole channel's name, of a live message.
    channel: Option<&'a str>,
    data: Cow<'a, Value>,
    /// What is long in its data and not in it here.
    long: &'a [(String, &'a str)],
}

impl<'a> Told<'a> {
    fn new(event: &str, channel: &str, whole_channel: Option<&'a str>, data: &'a Value) -> Self {
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
            channel: whole_channel,
            data: Cow::Borrowed(data),
            long: &[],
        }
    }

    /// What differs between two events of one label.
    fn differences(
        &self,
        other: &Told<'_>,
        path: Vec<String>,
        patterns: &[Pattern],
        found: &mut Vec<Found>,
    ) {
        if let Some(at) = patterns.iter().position(|pattern| pattern.covers(&path)) {
            let (control, candidate) = (self.whole(), other.whole());
            if control != candidate {
                found.push(Found {
                    path: json_metric::pointer(&path),
                    control: Some(control),
                    candidate: Some(candidate),
                    pattern: Some(at),
                });
            }
            return;
        }
        let mut compare = |path: Vec<String>, control: &Value, candidate: &Value| {
            let place = Place {
                path,
                patterns,
                values: DIFFERENCES_KEPT,
            };
            place.differences(control, candidate, found);
        };
        if self.channel.is_none() && other.channel.is_none() {
            compare(path, &self.data, &other.data);
            return;
        }
        let below = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect();
        let (channel, others) = (json!(self.channel), json!(other.channel));
        compare(below("channel"), &channel, &others);
        if !self
            .long
            .iter()
            .map(|one| &one.0)
            .eq(other.long.iter().map(|one| &one.0))
        {
            let (control, candidate) = (self.whole_data(), other.whole_data());
            compare(below("data"), &control, &candidate);
            return;
        }
        compare(below("data"), &self.data, &other.data);
        for ((key, control), (_, candidate)) in self.long.iter().zip(other.long) {
            let told = json_text::same(control, candidate);
            if told == Some(true) {
                continue;
            }
            let mut path: Vec<String> = below("data");
            path.push(key.clone());
            let pattern = patterns.iter().position(|pattern| pattern.fits(&path));
            if told == Some(false) && pattern.is_some() {
                found.push(Found {
                    path: json_metric::pointer(&path),
                    control: Some(Value::Null),
                    candidate: Some(Value::Null),
                    pattern,
                });
            } else {
                let place = Place {
                    path,
                    patterns,
                    values: DIFFERENCES_KEPT,
                };
                let (control, candidate) = (payload::value(control), payload::value(candidate));
                place.differences(&control, &candidate, found);
            }
        }
    }

    fn whole_data(&self) -> Value {
        payload::whole(&self.data, self.long)
    }

    /// Its data, with the channel where there is one.
    fn whole(&self) -> Value {
        let Some(channel) = self.channel else {
            return self.whole_data();
        };
        json!({"channel": channel, "data": self.whole_data()})
    }
}

fn read_messages<'a>(
    messages: &'a [Published],
    payloads: &'a [Option<Payload<'a>>],
) -> Vec<Told<'a>> {
    let read = |(message, payload): (&'a Published, &'a Option<Payload<'a>>)| {
        let channel = message.channel.split(':').next().unwrap_or_default();
        let Some(payload) = payload else {
            let mut told = Told::new("not JSON", channel, None, &Value::Null);
            told.data = Cow::Owned(json!(message.payload));
            return told;
        };
        let event = payload.event.as_deref().unwrap_or("no event");
        Told {
            long: &payload.long,
            ..Told::new(event, channel, Some(&message.channel), &payload.data)
        }
    };
    messages.iter().zip(payloads).map(read).collect()
}

fn sequence(
    policy: &FieldPolicy,
    control: &[Told<'_>],
    candidate: &[Told<'_>],
) -> (Vec<Found>, Vec<Difference>, Order) {
    let steps =
        |told: &[Told<'_>]| -> Vec<String> { told.iter().map(|told| told.step.clone()).collect() };
    let (left, right) = (steps(control), steps(candidate));
    let departure = event_order::departure(&left, &right, &policy.concurrent);
    let patterns = patterns(policy);
    let (groups, others) = (by_label(control), by_label(candidate));
    let mut found = Vec::new();
    // Whole events that one side lacks are told once, below, by their step.
    for (label, told) in &groups {
        let same_label = others.iter().find(|other| other.0 == *label);
        let others = same_label.map_or(&[][..], |other| other.1.as_slice());
        for (at, (told, other)) in told.iter().zip(others).enumerate() {
            let path: Vec<String> = label
                .split('/')
                .map(str::to_owned)
                .chain([at.to_string()])
                .collect();
            told.differences(other, path, &patterns, &mut found);
        }
    }
    let mut differences: Vec<Difference> = Vec::new();
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
        found,
        differences,
        if departure.interleaved {
            Order::Interleaved
        } else {
            Order::Same
        },
    )
}

/// Events of one label together, so that a difference is told by label and ordinal; labels of one
/// channel together, as they first come.
fn by_label<'a, 'b>(told: &'b [Told<'a>]) -> Vec<(&'b str, Vec<&'b Told<'a>>)> {
    let mut groups: Vec<(&str, Vec<&Told<'_>>)> = Vec::new();
    let mut channels: Vec<&str> = Vec::new();
    for told in told {
        match groups.iter_mut().find(|group| group.0 == told.label) {
            Some(group) => group.1.push(told),
            None => groups.push((&told.label, vec![told])),
        }
        if !channels.contains(&channel_of(&told.label)) {
            channels.push(channel_of(&told.label));
        }
    }
    let place = |label: &str| {
        channels
            .iter()
            .position(|channel| *channel == channel_of(label))
    };
    groups.sort_by_key(|group| place(group.0));
    groups
}

/// Empty for what the row keeps.
fn channel_of(label: &str) -> &str {
    label.split_once('/').map_or("", |(channel, _)| channel)
}
