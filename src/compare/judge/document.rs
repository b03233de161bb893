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
pub(super) enum Order {
    Same,
    /// Another interleaving of steps that run at the same time: noise.
    Interleaved,
}

/// Differences of two documents, after masks and what other fields judge.
pub(super) fn document(
    policy: &FieldPolicy,
    control: &Value,
    candidate: &Value,
    earlier: &[FieldResult],
) -> Vec<Difference> {
    let found = differences(control, candidate, &patterns(policy));
    answered(policy, found, earlier)
}

/// Places a policy treats apart: masks, then what other fields judge.
pub(super) fn patterns(policy: &FieldPolicy) -> Vec<Pattern> {
    let masks = policy.masks.iter().map(|mask| mask.path.clone());
    let judged = policy.judged_by.iter().map(|part| part.path.clone());
    masks.chain(judged).collect()
}

/// What is left of found differences; they have the numbers of [`patterns`].
pub(super) fn answered(
    policy: &FieldPolicy,
    found: Vec<Found>,
    earlier: &[FieldResult],
) -> Vec<Difference> {
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

pub(super) fn is_judged_elsewhere(difference: &Difference) -> bool {
    difference.kind == DifferenceKind::JudgedElsewhere
}

/// Tells the first difference by its place, which is the program's and never the meeting's words.
pub(super) fn settled(differences: Vec<Difference>, order: Order) -> Finding {
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
