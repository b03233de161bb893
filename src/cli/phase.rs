//! `switchyard phase`.

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    app::App,
    config::Config,
    rollout::{Percent, Phase},
    store::{Flip, PhaseRow},
};

/// What `switchyard phase` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Changes the phase, for recordings that arrive from now on.
    Set(Set),
}

#[derive(clap::Args)]
struct Set {
    /// infrastructure, parallel, shadow, cutover or cleanup.
    phase: Phase,
    /// Of recordings in shadow, of rooms in cutover; up to two decimals.
    #[arg(long, value_name = "NUMBER")]
    percent: Option<Percent>,
    /// Who changes it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// The version you saw: refused when it has changed since. The newest by default.
    #[arg(long, value_name = "VERSION")]
    seen: Option<i64>,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match args.action {
        None => show(&app, globals.json).await,
        Some(Action::Set(set)) => change(&app, set, globals).await,
    }
}

async fn show(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let row = app.store.phase(&app.name, &Config::flag()).await?;
    if json {
        Globals::print_json(&[told(&row)])?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&[
        "environment",
        "flag",
        "phase",
        "percent",
        "version",
        "changed",
        "by",
    ]);
    let changed = row.changed_at.map(|at| at.format("%Y-%m-%d %H:%M:%S"));
    table.add_row([
        row.environment.to_string(),
        row.flag.to_string(),
        row.phase.to_string(),
        percent(&row).unwrap_or_default(),
        row.version.to_string(),
        changed.map_or_else(|| "never".to_owned(), |at| at.to_string()),
        row.changed_by.unwrap_or_default(),
    ]);
    table::print(&table);
    Ok(ExitStatus::Success)
}

async fn change(app: &App, set: Set, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let flag = Config::flag();
    anyhow::ensure!(
        !set.by.trim().is_empty(),
        "`--by` names nobody; write who changes the phase"
    );
    let percent = match (set.phase.has_percent(), set.percent) {
        (true, Some(percent)) => percent,
        (true, None) => anyhow::bail!(
            "phase {} goes by a percentage; add e.g. `--percent 10`",
            set.phase
        ),
        (false, None) => Percent::default(),
        (false, Some(_)) => {
            anyhow::bail!(
                "phase {} has no percentage; leave out `--percent`",
                set.phase
            )
        }
    };
    if set.phase.lets_candidate_serve() {
        app.may_serve()?;
    }
    let seen = match set.seen {
        Some(seen) => seen,
        None => app.store.phase(&app.name, &flag).await?.version,
    };
    let flip = Flip {
        environment: app.name.clone(),
        flag: flag.clone(),
        phase: set.phase,
        percent,
        seen,
        by: set.by,
    };
    let changed = app.store.flip_phase(&flip, (app.clock)()).await?;
    let now = app.store.phase(&app.name, &flag).await?;
    anyhow::ensure!(
        changed,
        "the phase is {} at version {} by now, not at version {seen}; look at it with `switchyard phase`, and set it again if it is still wanted",
        now.phase,
        now.version
    );
    if globals.json {
        Globals::print_json(&told(&now))?;
    } else {
        say!("{}: {}, version {}", app.name, worded(&now), now.version);
    }
    Ok(ExitStatus::Success)
}

fn worded(row: &PhaseRow) -> String {
    match percent(row) {
        Some(percent) => format!("phase {} at {percent}", row.phase),
        None => format!("phase {}", row.phase),
    }
}

/// The percentage, where it means anything.
fn percent(row: &PhaseRow) -> Option<String> {
    row.phase
        .has_percent()
        .then(|| format!("{} %", row.percent))
}

fn told(row: &PhaseRow) -> serde_json::Value {
    serde_json::json!({
        "environment": row.environment,
        "flag": row.flag,
        "phase": row.phase.as_str(),
        "percent": f64::from(row.percent.hundredths()) / 100.0,
        "version": row.version,
        "changed_at": row.changed_at,
        "changed_by": row.changed_by,
    })
}
