//! `switchyard backup` and `switchyard restore`.

use std::path::PathBuf;

use super::{ExitStatus, Globals, output::say, table};

/// What `switchyard backup` takes.
#[derive(clap::Args)]
pub(super) struct BackupArgs {
    /// The file to write; it must not exist yet.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// What `switchyard restore` takes.
#[derive(clap::Args)]
pub(super) struct RestoreArgs {
    /// A file that `switchyard backup` wrote.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Who restores, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn back_up(args: BackupArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let copied = globals.app().await?.back_up(&args.path).await?;
    if globals.json {
        Globals::print_json(&copied)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["table", "rows"]);
    for (name, rows) in &copied.tables {
        table.add_row([name.clone(), rows.to_string()]);
    }
    table::print(&table);
    say!();
    say!(
        "{} rows are in `{}`. It holds meetings and webhook secrets: keep it as you keep the database.",
        copied.rows(),
        args.path.display()
    );
    Ok(ExitStatus::Success)
}

pub(super) async fn restore(args: RestoreArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    anyhow::ensure!(
        !args.by.trim().is_empty() && !args.reason.trim().is_empty(),
        "a restore is on record with a name and a reason; write both after `--by` and `--reason`"
    );
    let app = globals.app().await?;
    let restored = app.restore(&args.path, &args.by, &args.reason).await?;
    if globals.json {
        Globals::print_json(&restored)?;
        return Ok(ExitStatus::Success);
    }
    say!(
        "{} rows are back, as they were on {}.",
        restored.copied.rows(),
        restored.copied.made_at.format("%Y-%m-%d at %H:%M UTC")
    );
    if restored.fenced > 0 {
        say!(
            "{} recordings were being served by the candidate then. No run does anything more for them: see with `switchyard runs` and in Reflector what their users have, then `switchyard takeover` those that lack something.",
            restored.fenced
        );
    }
    for name in &restored.held {
        say!("{name} is held; `switchyard hold release` lets it go on.");
    }
    Ok(ExitStatus::Success)
}
