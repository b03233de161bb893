//! Reports as pages that need nothing else: styles and drawings are inside, and the one script there is where sound can be
//! heard.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

pub use super::heard::{Heard, Players, SCRIPT, Side, players, script_hash};
use super::{ReportData, sections};

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("style.css");

/// Renders the page. All values are escaped. Fails only if the template is wrong.
pub fn render(data: &ReportData, heard: &Heard) -> Result<String, minijinja::Error> {
    page(TEMPLATE, &sections::page(data, heard))
}

/// Renders a page of which `template` is the text; it may include `style.css`.
pub(super) fn page(template: &str, shown: &impl Serialize) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.add_template("style.css", STYLE)?;
    environment
        .template_from_str(template)?
        .render(Serde(shown))
}
