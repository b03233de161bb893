//! The report for programs: the data itself.

use super::ReportData;

/// Pretty JSON with a line end; reads back into [`ReportData`].
pub fn render(data: &ReportData) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(data)?;
    text.push('\n');
    Ok(text)
}
