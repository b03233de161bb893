//! What the gate decides on: plain data, whoever gathered it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::coverage::Stratum;
use crate::model::{GateBounds, Origin, RecordingId, RunId};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// How much has to be seen.
    pub bounds: GateBounds,
    /// Every field that is compared.
    pub fields: Vec<FieldRule>,
}

/// What a field has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRule {
    /// Its name in `comparisons/`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// What a difference means.
    pub kind: FieldKind,
    /// For so many recordings of the evidence it is shown and does not decide: its comparator is new.
    pub dry_run: i64,
}

/// What a difference of a field means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A failure.
    Hard,
    /// Allowed as far as the control differs from itself, and on average by that much more: a distance
    /// between 0 and 1.
    Soft(f64),
}

/// Everything that was seen under one digest of versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// One for each recording whose comparison counts, oldest first.
    pub pairs: Vec<Pair>,
    /// What was seen of each field.
    pub fields: BTreeMap<String, FieldFacts>,
    /// What does not count, and why.
    pub left_out: LeftOut,
    /// Every stratum that ever arrived, under whatever versions.
    pub known_strata: Vec<Stratum>,
    /// What people looked at; none where nobody has.
    pub reviews: Option<Reviews>,
    /// Whether planted defects were caught; none where that was not tried.
    pub self_test: Option<SelfTest>,
    /// What people put up with.
    pub in_force: InForce,
}

/// A recording that went through both pipelines.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Which.
    pub recording: RecordingId,
    /// The candidate's run that counts.
    pub run: RunId,
    /// When the candidate began.
    pub at: DateTime<Utc>,
    /// What it was run for.
    pub origin: Origin,
    /// What kind of recording it is.
    pub stratum: Stratum,
    /// How the candidate ended.
    pub candidate: Ended,
    /// Fields with a failure: a hard one that differs; a soft one with a changed number, name,
    /// negation or structure, or a distance that is no number.
    pub broken: Vec<String>,
    /// Soft fields outside the bounds that `comparisons/` declares.
    pub outside: Vec<String>,
    /// How many fields were compared.
    pub compared: i64,
    /// Milliseconds each pipeline took, where both are known.
    pub took_ms: Option<Sides>,
    /// US dollars each pipeline cost, where both are known.
    pub usd: Option<Sides>,
    /// Length of the recording, where known.
    pub audio_ms: Option<f64>,
    /// Whether what others would have seen is the same; none where the control does not tell.
    pub effects_equal: Option<bool>,
}

/// How a candidate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a result.
    Well,
    /// Without.
    Failed,
    /// Not in time.
    TimedOut,
}

/// The same quantity of both pipelines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sides {
    /// The control's.
    pub control: f64,
    /// The candidate's.
    pub candidate: f64,
}

/// What was seen of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldFacts {
    /// Recordings it was compared in.
    pub compared: i64,
    /// Of these, outside of what `comparisons/` declares, or broken.
    pub differs: i64,
    /// Recordings whose control ran twice, in the order in which that was measured.
    pub noise: Vec<NoisePair>,
}

/// A recording whose control ran twice: the candidate's distances from both, and theirs from each
/// other. Distances are between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NoisePair {
    /// Which.
    pub recording: RecordingId,
    /// What the candidate was run for.
    pub origin: Origin,
    /// Candidate and control.
    pub candidate_control: Distance,
    /// Candidate and the control's second run.
    pub candidate_again: Distance,
    /// The control and its second run.
    pub control_again: Distance,
    /// The candidate and its own second run; shown, and never subtracted: a candidate that wavers
    /// more than the control would hide behind its own noise.
    pub candidate_twice: Option<Distance>,
}

/// How far two results of a field are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distance {
    /// 0 is the same, 1 has nothing in common. No number where it could not be measured.
    pub value: f64,
    /// A number, name, negation or the structure changed.
    pub broken: bool,
    /// Outside of what `comparisons/` declares, or broken.
    pub differs: bool,
}

/// Recordings that were compared and say nothing of the candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// The control failed, the candidate did not or did as well.
    pub control_failed: i64,
    /// Something that must be compared could not be, or consent was withdrawn.
    pub not_comparable: i64,
    /// Further runs of a recording that counts already.
    pub repeats: i64,
}

/// What people looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reviews {
    /// Open items of severity S0: data lost, consent, the wrong recipient, an effect twice.
    pub open_s0: i64,
    /// Open items of severity S1: a fact, polarity, speaker or section changed.
    pub open_s1: i64,
    /// Differences that somebody rejected.
    pub rejected: i64,
    /// Obligations met.
    pub done: i64,
    /// Obligations there are.
    pub needed: i64,
}

/// Whether planted defects were caught.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct SelfTest {
    /// One entry a defect.
    pub defects: Vec<Defect>,
}

/// A defect planted into controls' results.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Defect {
    /// Its name.
    pub name: String,
    /// How bad it would be.
    pub severity: Severity,
    /// How often it was caught.
    pub caught: i64,
    /// How often it was planted.
    pub of: i64,
}

/// How bad a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Severity {
    /// Data lost, consent, the wrong recipient, an effect twice.
    S0,
    /// A fact, polarity, speaker or section changed.
    S1,
    /// Worse, within the margin.
    S2,
    /// Cosmetic.
    S3,
}

/// What people put up with; a verdict says it in the same breath.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InForce {
    /// Waivers in force.
    pub waivers: i64,
    /// Rules in force that suppress differences.
    pub rules: i64,
}
