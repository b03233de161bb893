//! One comparison, told three ways from the same data: for a terminal, for programs, and as one
//! self-contained page. Pure: what is shown is passed in, what comes out is text.

pub mod html;
pub mod json;
pub mod terminal;

mod charts;
mod fields;
mod sections;
mod transcript;
mod words;

use serde::{Deserialize, Serialize};

use crate::compare::Comparison;
use crate::model::{Outcome, Pipeline, RecordingId, RunId};

/// Everything a report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

/// What one step used of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Costs of one side added up; none when no line of it has a price.
    pub fn total_cost(&self, pipeline: Pipeline) -> Option<f64> {
        let lines = self.costs.iter().filter(|line| line.pipeline == pipeline);
        lines
            .filter_map(|line| line.cost)
            .reduce(|sum, cost| sum + cost)
    }
}

#[cfg(test)]
mod tests;
