//! `switchyard cleanup`.

use std::path::PathBuf;

use console::style;

use super::{ExitStatus, Globals, output::say, phase, table};
use crate::{
    cleanup::{self, Kind, Scan},
    controller,
    rollout::{Phase, Position},
};

/// What `switchyard cleanup` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Writes what the legacy pipeline did under this migration into a new file, as JSON Lines
    /// without anything that was said, and notes the file's SHA-256.
    Export(Export),
    /// Lists what is left of the legacy task in a source tree, and what to do about it. Ends with 0
    /// if nothing has to go, 2 if something does.
    Scan(ScanArgs),
}

#[derive(clap::Args)]
struct Export {
    /// The file; it must not exist.
    file: PathBuf,
    /// Who exports it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(clap::Args)]
struct ScanArgs {
    /// The folder, e.g. a clone of Reflector.
    path: PathBuf,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    match args.action {
        None => show(globals).await,
        Some(Action::Export(args)) => export(args, globals).await,
        Some(Action::Scan(args)) => scan(&args, globals),
    }
}

/// How draining, archiving and removing stand.
async fn show(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let mover = app.mover()?;
    let stands = mover.stands().await?.position;
    let plan = if stands.phase() == Phase::Cleanup || stands == Position::Soak {
        mover.plan(None).await?
    } else {
        None
    };
    let exports = app.store.exports(&mover.about).await?;
    if globals.json {
        let exports: Vec<_> = exports.iter().map(told).collect();
        Globals::print_json(&serde_json::json!({
            "position": stands.to_string(),
            "has_celery": stands.has_celery(),
            "plan": plan,
            "exports": exports,
        }))?;
        return Ok(ExitStatus::Success);
    }
    match &plan {
        Some(plan) => phase::print_plan(plan),
        None if stands.has_celery() => say!(
            "{} is in {stands}; cleanup begins when the candidate has served everybody for a while.",
            app.name
        ),
        None => say!(
            "Celery is removed in {}: nothing is dispatched to it.",
            app.name
        ),
    }
    if !exports.is_empty() {
        say!();
        let mut table = table::table(&["export", "made", "by", "lines", "SHA-256"]);
        for export in exports {
            table.add_row([
                export.id,
                export.made_at.format("%Y-%m-%d %H:%M").to_string(),
                export.made_by,
                export.lines.to_string(),
                export.digest,
            ]);
        }
        table::print(&table);
    }
    Ok(ExitStatus::Success)
}

async fn export(args: Export, globals: &Globals) -> anyhow::Result<ExitStatus> {
    anyhow::ensure!(
        !args.by.trim().is_empty(),
        "`--by` names nobody; write who exports it"
    );
    let app = globals.app().await?;
    let (about, now) = (app.about()?, (app.clock)());
    let export = controller::export(&app.store, &about, &args.file, &args.by, now).await?;
    if globals.json {
        Globals::print_json(&told(&export))?;
    } else {
        let file = args.file.display();
        say!("{} lines in `{file}`", export.lines);
        say!("SHA-256 {}", export.digest);
    }
    Ok(ExitStatus::Success)
}

fn told(export: &crate::store::Export) -> serde_json::Value {
    serde_json::json!({
        "export": export.id,
        "sha256": export.digest,
        "lines": export.lines,
        "by": export.made_by,
        "made_at": export.made_at,
    })
}

fn scan(args: &ScanArgs, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let scan = cleanup::scan(&args.path)?;
    if globals.json {
        Globals::print_json(&scan)?;
    } else {
        print(&scan);
    }
    Ok(if scan.is_clean() {
        ExitStatus::Success
    } else {
        ExitStatus::NotYet
    })
}

fn print(scan: &Scan) {
    for kind in Kind::ALL {
        let mut heading = false;
        for left in scan.left.iter().filter(|left| left.kind == kind) {
            if !heading {
                say!("{}", style(kind.heading()).bold());
                heading = true;
            }
            let mark = if left.is_shared { "[?]" } else { "[ ]" };
            say!("  {mark} {}:{}  {}", left.file, left.line, left.found);
            say!("      {}", left.advice);
        }
        if heading {
            say!();
        }
    }
    let has_to_go = scan.left.iter().filter(|left| !left.is_shared).count();
    say!(
        "{has_to_go} of {} mentions in {} files have to go; [?] may be needed by others.",
        scan.left.len(),
        scan.files
    );
}
