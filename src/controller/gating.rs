//! What the gate asks of evidence gathered under a policy.

use crate::{
    compare::{FieldPolicy, Policy, Strictness},
    gate::{FieldKind, FieldRule, Rules},
    model::GateBounds,
};

/// The rules of an environment: its bounds, and every field of the policy.
pub fn gate_rules(policy: &Policy, bounds: &GateBounds) -> Rules {
    let rule = |entry: &FieldPolicy| FieldRule {
        name: entry.field.to_string(),
        label: entry.field.label().to_owned(),
        kind: match entry.strictness {
            Strictness::Hard => FieldKind::Hard,
            Strictness::Soft => FieldKind::Soft(entry.margin),
        },
        dry_run: entry.dry_run.into(),
    };
    Rules {
        bounds: bounds.clone(),
        fields: policy.fields.iter().map(rule).collect(),
    }
}
