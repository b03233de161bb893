//! Reports.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    compare::Comparison,
    cost::Cost,
    model::{Outcome, RecordingId, RunId},
};

/// Everything a report shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportData {
    /// The candidate run.
    pub run_id: RunId,
    /// The recording.
    pub recording_id: RecordingId,
    /// When it was compared.
    pub compared_at: DateTime<Utc>,
    /// The comparison.
    pub comparison: Comparison,
    /// The control.
    pub control: Outcome,
    /// The candidate.
    pub candidate: Outcome,
    /// What the candidate cost.
    pub cost: Cost,
}

/// JSON.
pub fn json(data: &ReportData) -> serde_json::Result<String> {
    serde_json::to_string_pretty(data)
}

/// Terminal.
pub fn terminal(data: &ReportData, _colour: bool) -> String {
    format!("{:?}\n", data.comparison.verdict)
}

/// HTML.
pub fn html(_: &ReportData) -> anyhow::Result<String> {
    Ok(String::new())
}
