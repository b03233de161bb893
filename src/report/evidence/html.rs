//! The report as one page that needs nothing else.

use super::{EvidenceReport, Links, page};
use crate::report::html;

const TEMPLATE: &str = include_str!("evidence.html");

/// Renders the page. All values are escaped. Fails only if the template is wrong.
pub fn render(report: &EvidenceReport, links: Links) -> Result<String, minijinja::Error> {
    html::page(TEMPLATE, &page::page(report, links))
}
