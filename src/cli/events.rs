//! `switchyard events`.

use serde_json::Value;

use super::{ExitStatus, Globals, output::say, table};
use crate::{contract::dictionary, model::TaskName};

pub(super) fn run(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let entries = dictionary::dictionary();
    if globals.json {
        Globals::print_json(&entries)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["event", "caused by", "stored", "told on", "data"]);
    for entry in &entries {
        let told: Vec<_> = entry
            .channels
            .iter()
            .map(|told| {
                if told.event == entry.event {
                    told.channel.to_owned()
                } else {
                    format!("{} as {}", told.channel, told.event)
                }
            })
            .collect();
        let data: Vec<_> = entry
            .data
            .get("properties")
            .and_then(Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default();
        table.add_row([
            entry.event.to_owned(),
            causes(&entry.caused_by),
            if entry.stored { "yes" } else { "no" }.to_owned(),
            told.join(", "),
            data.join(", "),
        ]);
    }
    table::print(&table);
    say!("\nThe JSON schema of each event's data: switchyard events --json");
    Ok(ExitStatus::Success)
}

fn causes(tasks: &[TaskName]) -> String {
    if tasks.len() == TaskName::ALL.len() {
        return "every task".to_owned();
    }
    let names: Vec<_> = tasks.iter().map(|task| task.as_str()).collect();
    names.join(", ")
}
