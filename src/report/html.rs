//! The report as one page that needs nothing else: styles and drawings are inside, scripts there
//! are none.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};

use super::{ReportData, sections};

const TEMPLATE: &str = include_str!("report.html");

/// Renders the page. All values are escaped. Fails only if the template is wrong.
pub fn render(data: &ReportData) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment
        .template_from_str(TEMPLATE)?
        .render(Serde(sections::page(data)))
}
