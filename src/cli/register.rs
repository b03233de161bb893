//! `switchyard register`.

use super::{ExitStatus, Globals, output::say, table};
use crate::controller::{self, Change};

pub(super) async fn run(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let registered = controller::register(&app.client()?).await?;
    if globals.json {
        Globals::print_json(&registered)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["kind", "name", "change"]);
    for entry in &registered {
        let change = match entry.change {
            Change::Created => "created",
            Change::Updated => "updated",
            Change::Unchanged => "unchanged",
        };
        table.add_row([entry.kind, &entry.name, change]);
    }
    table::print(&table);
    let changed = registered
        .iter()
        .filter(|entry| entry.change != Change::Unchanged)
        .count();
    say!("\n{changed} of {} definitions changed", registered.len());
    Ok(ExitStatus::Success)
}
