//! What a comparison found, as it is stored and reported.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::class::Class;
use super::difference::{Difference, TextDifference};
use super::field::Field;
use super::found::Found;
use super::measure::Measure;
use super::policy::{Bound, Strictness};
use super::severity::Severity;
use super::verdict::{FieldVerdict, Verdict};
use crate::model::OutcomeStatus;

/// Control against candidate, for one recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What it comes to.
    pub verdict: Verdict,
    /// How the control ended.
    pub control: OutcomeStatus,
    /// How the candidate ended.
    pub candidate: OutcomeStatus,
    /// Every field the policy names. Only the status when a side failed: half a result is no
    /// result to compare.
    pub fields: Vec<FieldResult>,
    /// The policy's digest.
    pub policy: String,
}

/// One field's verdict and all that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldResult {
    /// Which.
    pub field: Field,
    /// How it was compared.
    pub measure: Measure,
    /// What a difference means for the gate.
    pub strictness: Strictness,
    /// What it comes to.
    pub verdict: FieldVerdict,
    /// The numbers, with their limits.
    pub measured: Vec<Measured>,
    /// One line for people. Never quotes the meeting, so that it may go anywhere.
    pub reason: String,
    /// What no tolerance excuses, without quoting anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<String>,
    /// Why the policy is as it is.
    pub why: String,
    /// What differs, at most [`DIFFERENCES_KEPT`] of it.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub differences_left_out: usize,
    /// Texts with what was taken out and put in.
    pub texts: Vec<TextDifference>,
    /// Class and severity of each of `differences`; empty in comparisons made before there were any.
    #[serde(default)]
    pub classes: Vec<(Class, Severity)>,
    /// What was found, by class and pattern, worst first, with what is left out above.
    #[serde(default)]
    pub found: Vec<Found>,
}

/// A number, its limits, and whether it keeps them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Its unit; empty for rates and counts.
    pub unit: String,
    /// None when it could not be measured, which keeps no limit.
    pub value: Option<f64>,
    /// Its limits, if it is judged.
    pub bound: Option<Bound>,
    /// Whether the limits are kept.
    pub holds: bool,
}

/// Differences kept per field; a thousandth one tells nobody anything.
pub const DIFFERENCES_KEPT: usize = 200;

impl Comparison {
    /// A field's result.
    pub fn field(&self, field: Field) -> Option<&FieldResult> {
        self.fields.iter().find(|result| result.field == field)
    }

    /// What speaks against a match, hard fields first, worst first.
    pub fn reasons(&self) -> Vec<&FieldResult> {
        let mut against: Vec<&FieldResult> = self
            .fields
            .iter()
            .filter(|result| result.verdict != FieldVerdict::Match)
            .collect();
        against.sort_by_key(|result| {
            (
                std::cmp::Reverse(result.verdict),
                result.strictness != Strictness::Hard,
            )
        });
        against
    }

    /// How many fields came to a verdict.
    pub fn count(&self, verdict: FieldVerdict) -> usize {
        self.fields
            .iter()
            .filter(|result| result.verdict == verdict)
            .count()
    }
}
