//! One comparison, told three ways from the same data: for a terminal, for programs, and as one
//! self-contained page; and the evidence of all of them ([`evidence`]). Pure: what is shown is passed in,
//! what comes out is text.

pub mod beside;
pub mod evidence;
pub mod html;
pub mod json;
pub mod terminal;

mod charts;
mod fields;
mod heard;
mod lanes;
mod marked;
mod sections;
mod transcript;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compare::{Comparison, FieldResult, Pinned, Severity};
use crate::model::{Outcome, OutcomeStatus, Pipeline, RecordingId, RunId};

/// Everything a report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportData {
    /// The recording both pipelines processed.
    pub recording: RecordingId,
    /// The environment it was processed in.
    pub environment: String,
    /// The flag it was processed under.
    pub flag: String,
    /// The control's run; none when it was recorded elsewhere.
    pub control_run: Option<RunId>,
    /// The candidate's run.
    pub candidate_run: Option<RunId>,
    /// When they were compared, as it is to be shown.
    pub compared_at: String,
    /// What the comparison found.
    pub comparison: Comparison,
    /// What the control made of the recording.
    pub control: Outcome,
    /// What the candidate made of it.
    pub candidate: Outcome,
    /// What both used and what that cost, in the order of the steps.
    pub costs: Vec<CostLine>,
    /// The currency of all costs, e.g. `USD`.
    pub currency: String,
    /// Whether the candidate ran beside the control, so that what it cost came on top.
    #[serde(default)]
    pub is_shadow: bool,
    /// What the candidate was spared where it got what the control was answered.
    #[serde(default)]
    pub shared: Vec<SharedLine>,
    /// Which step the differences come from; none where that was not looked into.
    #[serde(default)]
    pub pinned: Option<Pinned>,
    /// Differences that people bear for a while, or a rule hides, under the versions it was compared
    /// under.
    #[serde(default)]
    pub borne: Vec<Borne>,
    /// When and by which rule what was said was deleted of it; none while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts_deleted: Option<TextsDeleted>,
}

/// Says that what was said is not there any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextsDeleted {
    /// When, as it is to be shown.
    pub at: String,
    /// By which rule.
    pub rule: String,
}

impl TextsDeleted {
    /// The same as a sentence.
    pub fn sentence(&self) -> String {
        format!(
            "Texts were deleted on {} by the rule \"{}\". Verdicts and numbers stay as they were.",
            self.at, self.rule
        )
    }
}

/// A difference that counts as dealt with because somebody bears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Borne {
    /// The field, as people read it.
    pub field: String,
    /// What sort of difference, as people read it.
    pub class: String,
    /// How bad it is.
    pub severity: Severity,
    /// Waived, or hidden by which rule.
    pub how: BorneHow,
    /// Who signed or made the rule.
    pub by: Vec<String>,
    /// Until when, as it is to be shown.
    pub until: String,
    /// Why, in their own words.
    pub reason: String,
}

/// How a difference is borne.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "as", content = "id", rename_all = "snake_case")]
pub enum BorneHow {
    /// People waived it.
    Waived,
    /// A rule of that id hides it.
    Hidden(String),
}

impl Borne {
    /// What is borne and how, with nothing that was said about it.
    pub fn sentence(&self) -> String {
        let how = match &self.how {
            BorneHow::Waived => "waived".to_owned(),
            BorneHow::Hidden(rule) => format!("hidden by rule {rule}"),
        };
        format!(
            "{}, {} ({}): {how} until {} by {}",
            self.field,
            self.class,
            self.severity,
            self.until,
            self.by.join(" and ")
        )
    }
}

/// What a run was spared at one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedLine {
    /// Who would have been asked.
    pub service: String,
    /// Requests of the run.
    pub asked: i64,
    /// Of these, answered as the control was.
    pub reused: i64,
    /// Tokens, in and out, that the control had paid for.
    pub tokens: i64,
    /// Seconds of a GPU that the control had paid for.
    pub gpu_seconds: f64,
}

/// What one step used of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostLine {
    /// Whose step.
    pub pipeline: Pipeline,
    /// The step.
    pub step: String,
    /// What was used, e.g. `tokens in, golden-model`.
    pub what: String,
    /// How much.
    pub amount: f64,
    /// Unit of the amount, e.g. `s` or `bytes`.
    pub unit: String,
    /// What it cost; none where no price is known.
    pub cost: Option<f64>,
}

impl ReportData {
    /// The same without anything that was said: verdicts, numbers, times and costs stay.
    #[must_use]
    pub fn without_texts(mut self, deleted: TextsDeleted) -> Self {
        self.control = self.control.without_texts();
        self.candidate = self.candidate.without_texts();
        for field in &mut self.comparison.fields {
            field.texts.clear();
            field.classes.clear();
            field.differences_left_out += field.differences.len();
            field.differences.clear();
        }
        self.texts_deleted = Some(deleted);
        self
    }

    /// Whether anything that was said is in it.
    pub fn has_texts(&self) -> bool {
        let quotes = |field: &FieldResult| !field.texts.is_empty() || !field.differences.is_empty();
        self.control.has_texts()
            || self.candidate.has_texts()
            || self.comparison.fields.iter().any(quotes)
    }

    /// Costs of one side added up; none when no line of it has a price.
    pub fn total_cost(&self, pipeline: Pipeline) -> Option<f64> {
        let lines = self.costs.iter().filter(|line| line.pipeline == pipeline);
        lines
            .filter_map(|line| line.cost)
            .reduce(|sum, cost| sum + cost)
    }

    /// Sides that failed, and why.
    pub fn failures(&self) -> Vec<(&'static str, String)> {
        [("Control", &self.control), ("Candidate", &self.candidate)]
            .into_iter()
            .filter(|(_, outcome)| match outcome.status {
                OutcomeStatus::Error => true,
                // The sentence says it; it is no failure.
                OutcomeStatus::Ended | OutcomeStatus::Withdrawn => false,
            })
            .map(|(side, outcome)| {
                let cause = outcome.failure.clone();
                let cause = cause.unwrap_or_else(|| "no cause was recorded".to_owned());
                (side, cause)
            })
            .collect()
    }

    /// What the run was spared, in words; none where nothing was shared.
    pub fn spared(&self) -> Option<String> {
        let sum = |of: fn(&SharedLine) -> i64| self.shared.iter().map(of).sum::<i64>();
        let (asked, reused) = (sum(|line| line.asked), sum(|line| line.reused));
        let gpu: f64 = self.shared.iter().map(|line| line.gpu_seconds).sum();
        (asked > 0).then(|| {
            format!(
                "{reused} of {asked} answers were the control's, which spared {} tokens and {gpu:.1} GPU seconds",
                sum(|line| line.tokens)
            )
        })
    }

    /// What the shadow run cost on top, in words; none where it was none, or has no price.
    pub fn overhead(&self) -> Option<String> {
        let extra = self.total_cost(Pipeline::Candidate)?;
        if !self.is_shadow {
            return None;
        }
        let share = self
            .total_cost(Pipeline::Control)
            .filter(|control| *control > 0.0)
            .map(|control| format!(", {:.0} % of the control's", extra / control * 100.0));
        Some(format!(
            "shadow overhead {extra:.4} {}{}",
            self.currency,
            share.unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests;
