//! What is compared and how strictly, read from `comparisons/*.json`. Every field has exactly one
//! entry, every tolerance and every mask its reason: a policy that says less does not load.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::field::Field;
use super::measure::Measure;
use super::metrics::event_order::PartialOrder;
use super::metrics::json::Pattern;

mod entry;

/// The file that is compiled in.
pub const SHIPPED_FILE: &str = "comparisons/daily_diarization_pipeline.json";
const SHIPPED: &str = include_str!("../../comparisons/daily_diarization_pipeline.json");

/// How a recording's two outcomes are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// SHA-256 of the file's text, hex. Comparisons under different policies are not one evidence.
    pub digest: String,
    /// One entry a field, in the order of [`Field::ALL`].
    pub fields: Vec<FieldPolicy>,
}

/// How one field is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPolicy {
    /// Which.
    pub field: Field,
    /// How.
    pub measure: Measure,
    /// Limits by the number's name.
    pub bounds: BTreeMap<String, Bound>,
    /// What a difference means for the gate.
    pub strictness: Strictness,
    /// How much further from the control than the control from itself a soft field may be on average,
    /// as a distance between 0 and 1.
    pub margin: f64,
    /// For so many recordings under these versions it is shown and does not decide: its comparator is
    /// new.
    pub dry_run: u32,
    /// Why so, and what the candidate does otherwise on purpose.
    pub why: String,
    /// Values that vary by nature.
    pub masks: Vec<Mask>,
    /// Values that another field judges.
    pub judged_by: Vec<JudgedBy>,
    /// Events that happen at the same time.
    pub concurrent: PartialOrder,
}

/// Limits of a number, both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// The least good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The greatest good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl Bound {
    /// Whether a value is inside.
    pub fn holds(&self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least)
            && self.at_most.is_none_or(|most| value <= most)
    }
}

/// What a difference of a field means for the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// None is allowed.
    Hard,
    /// Allowed as often as the control differs from itself.
    Soft,
}

/// A value that varies by nature. Only its value is masked: its absence is a difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// JSON pointer with `*`.
    pub path: Pattern,
    /// Why it varies.
    pub why: String,
}

/// A value that repeats what other fields say. It may differ when one of them differs within
/// noise, and may not when they agree or differ.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedBy {
    /// JSON pointer with `*`.
    pub path: Pattern,
    /// The fields that say it.
    pub fields: Vec<Field>,
}

/// A policy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading {file}, {place}: {problem}; {remedy}")]
pub struct PolicyError {
    /// The file as the caller names it.
    pub file: String,
    /// The entry, by number and field.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Policy {
    /// The policy this program ships.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED_FILE, SHIPPED).expect("the shipped policy loads, as a test shows")
    }

    /// Reads a policy; `file` is only named in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let error = |place: &str, problem: String, remedy: &str| PolicyError {
            file: file.to_owned(),
            place: place.to_owned(),
            problem,
            remedy: remedy.to_owned(),
        };
        let raw: entry::RawPolicy = serde_json::from_str(text).map_err(|cause| {
            error(
                "the whole file",
                cause.to_string(),
                "write `{\"fields\": [ … ]}`",
            )
        })?;
        let mut fields: Vec<FieldPolicy> = Vec::new();
        for (at, entry) in raw.fields.into_iter().enumerate() {
            let name = entry
                .get("field")
                .and_then(serde_json::Value::as_str)
                .unwrap_or("no field")
                .to_owned();
            let place = format!("entry {} ({name})", at + 1);
            let entry = serde_json::from_value::<entry::RawField>(entry)
                .map_err(|cause| error(&place, cause.to_string(), entry::SHAPE))?;
            let entry = entry
                .checked()
                .map_err(|(problem, remedy)| error(&place, problem, &remedy))?;
            if fields.iter().any(|other| other.field == entry.field) {
                return Err(error(
                    &place,
                    "the field has an entry already".to_owned(),
                    "keep one of them",
                ));
            }
            fields.push(entry);
        }
        if let Some(missing) = Field::ALL
            .iter()
            .find(|field| fields.iter().all(|entry| entry.field != **field))
        {
            let remedy = "add one: a field that is not compared would pass unseen";
            return Err(error(
                "the list",
                format!("`{missing}` has no entry"),
                remedy,
            ));
        }
        fields.sort_by_key(|entry| entry.field);
        Ok(Self {
            digest: hex::encode(Sha256::digest(text)),
            fields,
        })
    }

    /// The same policy without some fields, for outcomes that cannot have them: a mirror run
    /// posts nothing, so it has neither webhook nor Zulip post nor deletions.
    #[must_use]
    pub fn without(mut self, fields: &[Field]) -> Self {
        self.fields.retain(|entry| !fields.contains(&entry.field));
        self
    }

    /// The entry of a field.
    pub fn field(&self, field: Field) -> Option<&FieldPolicy> {
        self.fields.iter().find(|entry| entry.field == field)
    }
}

#[cfg(test)]
mod tests;
