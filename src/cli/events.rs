//! `switchyard events`.

use super::{ExitStatus, Globals, table};
use crate::contract::dictionary;

pub(super) fn run(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let entries = dictionary::dictionary();
    if globals.json {
        Globals::print_json(&entries)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["event", "caused by", "stored", "told on", "data"]);
    for entry in &entries {
        let told: Vec<_> = entry
            .told
            .iter()
            .map(|told| format!("{} as {}", told.channel, told.event))
            .collect();
        let data: Vec<_> = entry
            .data
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default();
        table.add_row([
            entry.event.clone(),
            entry.caused_by.join(", "),
            if entry.stored { "yes" } else { "no" }.to_owned(),
            told.join(", "),
            data.join(", "),
        ]);
    }
    table::print(&table);
    println!("\nThe JSON schema of each event's data: switchyard events --json");
    Ok(ExitStatus::Success)
}
