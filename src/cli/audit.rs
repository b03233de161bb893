//! `switchyard audit`.

use chrono::DateTime;

use super::{ExitStatus, Globals, output::say, table};
use crate::config::Config;

/// What `switchyard audit` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Reads the whole chain, of all environments, and says whether anything was changed or removed.
    #[arg(long)]
    verify: bool,
    /// How many entries are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    if args.verify {
        return match app.store.verify_audit().await? {
            Ok(length) => {
                if globals.json {
                    Globals::print_json(&serde_json::json!({ "whole": true, "entries": length }))?;
                } else {
                    say!("The audit trail is whole: {length} entries.");
                }
                Ok(ExitStatus::Success)
            }
            Err(broken) => {
                if globals.json {
                    let why = broken.to_string();
                    Globals::print_json(&serde_json::json!({ "whole": false, "broken": why }))?;
                    return Ok(ExitStatus::Failure);
                }
                anyhow::bail!(
                    "the audit trail is broken: {broken}; keep the database as it is and restore a copy from before beside it to compare"
                )
            }
        };
    }
    let entries = app
        .store
        .recent_audit(&app.name, &Config::flag(), args.limit)
        .await?;
    if globals.json {
        Globals::print_json(&entries)?;
        return Ok(ExitStatus::Success);
    }
    if entries.is_empty() {
        say!("Nothing was changed in {} so far.", app.name);
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["entry", "at", "by", "action", "before", "after", "reason"]);
    for sealed in entries {
        let entry = sealed.entry;
        let at = DateTime::from_timestamp_millis(entry.at).unwrap_or_default();
        table.add_row([
            entry.seq.to_string(),
            at.format("%Y-%m-%d %H:%M:%S").to_string(),
            entry.actor,
            entry.action,
            entry.before,
            entry.after,
            entry.reason,
        ]);
    }
    table::print(&table);
    Ok(ExitStatus::Success)
}
