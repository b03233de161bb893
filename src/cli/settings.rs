//! `switchyard settings`.

use super::{ExitStatus, Globals, output::say, table};

pub(super) fn run(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let settings = globals.settings()?;
    if globals.json {
        Globals::print_json(&settings.shown())?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["key", "in force"]);
    for (key, value) in settings.shown_lines() {
        table.add_row([key, value]);
    }
    table::print(&table);
    say!();
    say!("Secrets are shown as ***; what is empty is not set.");
    Ok(ExitStatus::Success)
}
