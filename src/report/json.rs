//! The report for programs: the data itself, and what differs as a tree.

use super::ReportData;

/// Pretty JSON with a line end; reads back into [`ReportData`].
pub fn render(data: &ReportData) -> serde_json::Result<String> {
    let mut told = serde_json::to_value(data)?;
    told["tree"] = serde_json::to_value(data.comparison.tree())?;
    let mut text = serde_json::to_string_pretty(&told)?;
    text.push('\n');
    Ok(text)
}
