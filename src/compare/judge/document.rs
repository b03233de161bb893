//! Two JSON documents under a policy: masks taken out, repeated values told apart. What is left no
//! tolerance covers.

use serde_json::Value;

use super::Finding;
use crate::compare::comparison::FieldResult;
use crate::compare::difference::{Difference, DifferenceKind};
use crate::compare::field::Field;
use crate::compare::metrics::json::{Found, Pattern, differences};
use crate::compare::policy::FieldPolicy;
use crate::compare::verdict::FieldVerdict;

/// How the order of events compares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::compare) enum Order {
    Same,
    /// Another interleaving of steps that run at the same time: noise.
    Interleaved,
}

/// What two documents differ in, before other fields have answered for their part.
pub(in crate::compare) struct Documents {
    /// With the numbers of [`patterns`].
    found: Vec<Found>,
    /// Differences that no other field answers for.
    more: Vec<Difference>,
    order: Order,
    /// Where bytes differ, for documents that say the same but for what other fields judge.
    bytes: Option<String>,
}

impl Documents {
    pub(super) fn new(found: Vec<Found>, more: Vec<Difference>, order: Order) -> Self {
        Self {
            found,
            more,
            order,
            bytes: None,
        }
    }

    /// Of two values, masked as the policy says.
    pub(super) fn between(policy: &FieldPolicy, control: &Value, candidate: &Value) -> Self {
        let found = differences(control, candidate, &patterns(policy));
        Self::new(found, Vec::new(), Order::Same)
    }

    /// Where values differ, keys may too; the bytes tell something new only where they do not.
    pub(super) fn or_bytes(mut self, path: Option<String>) -> Self {
        self.bytes = path;
        self
    }

    /// Once other fields have their results.
    pub(super) fn settled(self, policy: &FieldPolicy, earlier: &[FieldResult]) -> Finding {
        let mut differences = answered(policy, self.found, earlier);
        differences.extend(self.more);
        if let Some(path) = self.bytes
            && differences.iter().all(is_judged_elsewhere)
        {
            differences.push(bytes_changed(path));
        }
        settled(differences, self.order)
    }
}

/// Places a policy treats apart: masks, then what other fields judge.
pub(super) fn patterns(policy: &FieldPolicy) -> Vec<Pattern> {
    let masks = policy.masks.iter().map(|mask| mask.path.clone());
    let judged = policy.judged_by.iter().map(|part| part.path.clone());
    masks.chain(judged).collect()
}

/// What is left of found differences; they have the numbers of [`patterns`].
fn answered(policy: &FieldPolicy, found: Vec<Found>, earlier: &[FieldResult]) -> Vec<Difference> {
    found
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

/// A difference another field answers for, whatever it says of it: a soft field's would be held against
/// the candidate without tolerance here, though the control differs from itself as far. When all of
/// those fields agree, it is one nobody answers for.
fn answered_for(found: Found, fields: &[Field], earlier: &[FieldResult]) -> Difference {
    let verdict = |field: &Field| {
        earlier
            .iter()
            .find(|result| result.field == *field)
            .map(|result| result.verdict)
    };
    let difference = Difference::between(found.path, found.control, found.candidate);
    match fields.iter().filter_map(verdict).max() {
        Some(FieldVerdict::WithinNoise | FieldVerdict::NotComparable | FieldVerdict::Differs) => {
            difference.of_kind(DifferenceKind::JudgedElsewhere)
        }
        Some(FieldVerdict::Match) | None => difference,
    }
}

pub(super) fn bytes_changed(path: String) -> Difference {
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

/// Tells the first difference by its place, which is the program's and never the meeting's words.
fn settled(differences: Vec<Difference>, order: Order) -> Finding {
    let own: Vec<&Difference> = differences
        .iter()
        .filter(|difference| !is_judged_elsewhere(difference))
        .collect();
    let told = own.first().map(|first| {
        let place = match (
            first.path.as_str(),
            first.control.as_ref().or(first.candidate.as_ref()),
        ) {
            ("", Some(Value::String(step))) => step.as_str(),
            ("", Some(_) | None) => "events",
            (path, _) => path,
        };
        let more = if own.len() > 1 {
            format!(", and {} more", own.len() - 1)
        } else {
            String::new()
        };
        format!("{place} {}{more}", first.kind.label())
    });
    Finding {
        equal: differences.is_empty() && order == Order::Same,
        broken: told.into_iter().collect(),
        numbers: vec![("differences", Some(own.len() as f64))],
        differences,
        ..Finding::default()
    }
}
