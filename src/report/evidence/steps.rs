//! How long steps typically take, by some runs whose steps were read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{Outcome, StepTiming},
    report::{ReportData, charts::paired_steps},
};

/// The steps of one run, as its report has them; the rest of the report is passed over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct StepsOfRun {
    /// The control's.
    pub control: Side,
    /// The candidate's.
    pub candidate: Side,
}

/// One side's steps.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Side {
    /// In order.
    #[serde(default)]
    pub steps: Vec<StepTiming>,
}

impl From<&ReportData> for StepsOfRun {
    fn from(data: &ReportData) -> Self {
        let side = |outcome: &Outcome| Side {
            steps: outcome.steps.clone(),
        };
        Self {
            control: side(&data.control),
            candidate: side(&data.candidate),
        }
    }
}

/// How long the steps take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Steps {
    /// Recordings whose steps were read.
    pub recordings: usize,
    /// In the order of the first recording that has them.
    pub steps: Vec<TypicalStep>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TypicalStep {
    /// Its name.
    pub name: String,
    /// Median seconds of the control; none where no control tells of it.
    pub control_s: Option<f64>,
    /// Median seconds of the candidate.
    pub candidate_s: Option<f64>,
}

impl Steps {
    pub(super) fn of(runs: &[StepsOfRun]) -> Self {
        let mut seen: Vec<(String, Vec<f64>, Vec<f64>)> = Vec::new();
        let outcome = |side: &Side| Outcome {
            steps: side.steps.clone(),
            ..Outcome::default()
        };
        for run in runs {
            for step in paired_steps(&outcome(&run.control), &outcome(&run.candidate)) {
                let at = seen.iter().position(|one| one.0 == step.name);
                let at = at.unwrap_or_else(|| {
                    seen.push((step.name.clone(), Vec::new(), Vec::new()));
                    seen.len() - 1
                });
                seen[at].1.extend(step.control_ms);
                seen[at].2.extend(step.candidate_ms);
            }
        }
        let steps = seen
            .into_iter()
            .map(|(name, control, candidate)| TypicalStep {
                name,
                control_s: median_s(control),
                candidate_s: median_s(candidate),
            });
        Self {
            recordings: runs.len(),
            steps: steps.collect(),
        }
    }
}

fn median_s(mut ms: Vec<f64>) -> Option<f64> {
    ms.sort_unstable_by(f64::total_cmp);
    let middle = ms.len() / 2;
    let high = *ms.get(middle)?;
    let low = if ms.len().is_multiple_of(2) {
        ms[middle - 1]
    } else {
        high
    };
    Some(f64::midpoint(low, high) / 1000.0)
}
