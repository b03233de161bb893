//! The report for programs.

use super::EvidenceReport;

/// Renders as indented JSON.
pub fn render(report: &EvidenceReport) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report)
}
