//! Aligned tables.

use super::output::say;
use comfy_table::{ContentArrangement, Table, presets};

/// A table with these headings, as wide as the terminal allows.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings.iter().map(|heading| heading.to_uppercase()));
    if let Some((_, columns)) = console::Term::stdout().size_checked() {
        table.set_width(columns);
    }
    table
}

/// A table's text without blanks at line ends.
pub fn print(table: &Table) {
    for line in table.to_string().lines() {
        say!("{}", line.trim_end());
    }
}
