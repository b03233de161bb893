//! `switchyard audit`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use anyhow::Context;
use chrono::DateTime;

use super::{ExitStatus, Globals, moment::Moment, output::say, table};
use crate::{
    config::Config,
    rollout::audit::{Broken, Chain, Sealed},
    store::WhichEntries,
};

/// What `switchyard audit` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Reads the whole chain, of all environments, and says whether anything was changed or removed.
    #[arg(long)]
    verify: bool,
    /// Checks an export without the database: whether anything was changed or removed within it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verify", "export"])]
    verify_file: Option<PathBuf>,
    /// Prints the chain of all environments as JSON lines, each with its hash and that of the one before.
    #[arg(long, conflicts_with = "verify")]
    export: bool,
    /// Lists or exports what was written from then on: a day, or a moment as 2026-03-02T12:00:00Z.
    #[arg(long, conflicts_with_all = ["verify", "verify_file"], value_name = "TIME")]
    since: Option<Moment>,
    /// Lists or exports what was written before.
    #[arg(long, conflicts_with_all = ["verify", "verify_file"], value_name = "TIME")]
    until: Option<Moment>,
    /// Lists entries of this action alone, e.g. breaker.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["verify", "verify_file", "export"])]
    action: Option<String>,
    /// Lists entries of this person or program alone.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["verify", "verify_file", "export"])]
    by: Option<String>,
    /// How many entries are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
    /// How many of the newest are left out before.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    skip: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    if let Some(file) = &args.verify_file {
        return verify_file(file, globals);
    }
    let app = globals.app().await?;
    if args.verify {
        return match app.store.verify_audit().await? {
            Ok(length) => whole(globals, length, "The audit trail is whole"),
            Err(broken) => {
                let remedy = "keep the database as it is and restore a copy from before beside it to compare";
                self::broken(
                    globals,
                    &broken,
                    &format!("the audit trail is broken: {broken}; {remedy}"),
                )
            }
        };
    }
    if args.export {
        let mut after = 0;
        loop {
            let times = (
                args.since.map(|moment| moment.0),
                args.until.map(|moment| moment.0),
            );
            let entries = app.store.audit_between(times, after).await?;
            for sealed in &entries {
                say!("{}", serde_json::to_string(sealed)?);
            }
            match entries.last() {
                Some(last) => after = last.entry.seq,
                None => return Ok(ExitStatus::Success),
            }
        }
    }
    let which = WhichEntries {
        action: args.action,
        by: args.by,
        since: args.since.map(|moment| moment.0),
        until: args.until.map(|moment| moment.0),
    };
    let flag = Config::flag();
    let page = (args.skip.max(0), args.limit);
    let asking = app.store.audit_page((&app.name, &flag), &which, page);
    let (entries, of) = asking.await?;
    if globals.json {
        Globals::print_json(&entries)?;
        return Ok(ExitStatus::Success);
    }
    if entries.is_empty() {
        if of == 0 && which == WhichEntries::default() {
            say!("Nothing was changed in {} so far.", app.name);
        } else {
            say!("There is no such entry.");
        }
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

fn whole(globals: &Globals, entries: i64, line: &str) -> anyhow::Result<ExitStatus> {
    if globals.json {
        Globals::print_json(&serde_json::json!({ "whole": true, "entries": entries }))?;
    } else {
        say!("{line}: {entries} entries.");
    }
    Ok(ExitStatus::Success)
}

fn broken(globals: &Globals, broken: &Broken, line: &str) -> anyhow::Result<ExitStatus> {
    if globals.json {
        let why = broken.to_string();
        Globals::print_json(&serde_json::json!({ "whole": false, "broken": why }))?;
        return Ok(ExitStatus::Failure);
    }
    anyhow::bail!("{line}")
}

/// Reads an export, line by line.
fn verify_file(path: &Path, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let doing = || format!("reading the export `{}`", path.display());
    let file = std::fs::File::open(path).with_context(doing)?;
    let mut chain: Option<Chain> = None;
    let mut entries = 0;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(doing)?;
        let sealed: Sealed = serde_json::from_str(&line).with_context(|| {
            format!(
                "line {} of `{}` is no entry of an export",
                number + 1,
                path.display()
            )
        })?;
        let chain = chain.get_or_insert_with(|| Chain::before(&sealed));
        if let Err(found) = chain.check(&sealed) {
            let line = format!("the export `{}` is broken: {found}", path.display());
            return broken(globals, &found, &line);
        }
        entries += 1;
    }
    let ends = chain.map_or(0, |chain| chain.len());
    whole(
        globals,
        entries,
        &format!("The export is whole and ends at entry {ends}"),
    )
}
