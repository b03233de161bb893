//! `switchyard recordings`.

use anyhow::Context;

use super::{ExitStatus, Globals, moment::Moment, output::say, table};
use crate::{
    access::Reach,
    app::App,
    compare::Verdict,
    controller::status::{RecordingDetail, RecordingLine},
    model::FlagName,
    store::{Place, RunStanding, Serves, Sought},
};

/// What `switchyard recordings` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One recording by its id or its transcript's, shown with all there is of it.
    id: Option<String>,
    /// Those that have this in the id of recording, transcript, room or run.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Those of all environments in the database.
    #[arg(long)]
    everywhere: bool,
    /// Those of one migration.
    #[arg(long, value_name = "NAME")]
    flag: Option<FlagName>,
    /// By who serves: `control` alone, the control and the candidate `beside`, the `candidate`; `unrouted`
    /// are runs that no route led to.
    #[arg(long, value_name = "PIPELINE", value_parser = pipeline)]
    pipeline: Option<Serves>,
    /// By how far the run is: `starting`, `running`, `completed`, `failed`, `terminated` or `no_run`.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<RunStanding>,
    /// By what the comparison came to, e.g. `differs`.
    #[arg(long, value_name = "VERDICT", value_parser = verdict)]
    verdict: Option<Verdict>,
    /// Those that came then or later: a day, or a moment as 2026-03-02T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Those that came before.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// The page behind that which said so.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    before: Option<Place>,
    /// How many are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: usize,
}

fn pipeline(text: &str) -> Result<Serves, String> {
    let known = Serves::ALL.map(Serves::as_str).join(", ");
    Serves::parse(text).ok_or_else(|| format!("write one of {known}"))
}

fn state(text: &str) -> Result<RunStanding, String> {
    let known = RunStanding::ALL.map(RunStanding::as_str).join(", ");
    RunStanding::parse(text).ok_or_else(|| format!("write one of {known}"))
}

fn verdict(text: &str) -> Result<Verdict, String> {
    let known = Verdict::ALL.map(Verdict::as_str).join(", ");
    Verdict::parse(text).ok_or_else(|| format!("write one of {known}"))
}

fn place(text: &str) -> Result<Place, String> {
    Place::parse(text).ok_or_else(|| "write what the page before said".to_owned())
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match &args.id {
        Some(id) => one(&app, id, &args, globals).await?,
        None => all(&app, args, globals).await?,
    }
    Ok(ExitStatus::Success)
}

async fn all(app: &App, args: Args, globals: &Globals) -> anyhow::Result<()> {
    let sought = Sought {
        environments: (!args.everywhere).then(|| vec![app.name.clone()]),
        flag: args.flag,
        serves: args.pipeline,
        standing: args.state,
        verdict: args.verdict.map(|verdict| verdict.as_str().to_owned()),
        since: args.since.map(|moment| moment.0),
        until: args.until.map(|moment| moment.0),
        text: args.search,
    };
    let found = app
        .shadow()?
        .recordings(&sought, args.before.as_ref(), args.limit.max(1))
        .await?;
    if globals.json {
        return Globals::print_json(&found);
    }
    if found.recordings.is_empty() {
        say!("There are no such recordings; `docs/tap.md` tells how they come in.");
        return Ok(());
    }
    let mut table = table::table(&[
        "recording",
        "pipeline",
        "phase",
        "run",
        "verdict",
        "started",
        "took",
        "reason",
    ]);
    for line in &found.recordings {
        table.add_row([
            line.id.clone(),
            line.pipeline.to_owned(),
            line.phase.clone(),
            run_of(line),
            line.verdict.clone().unwrap_or_default(),
            line.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            took(line.took_ms),
            line.reason.clone(),
        ]);
    }
    table::print(&table);
    if let Some(next) = &found.next {
        say!();
        say!("Older ones: add `--before {next}`");
    }
    Ok(())
}

fn run_of(line: &RecordingLine) -> String {
    match &line.run_id {
        Some(run) => format!("{run} {}", line.state),
        None => String::new(),
    }
}

async fn one(app: &App, id: &str, args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let reach = if args.everywhere {
        Reach::All
    } else {
        Reach::Only([app.name.clone()].into())
    };
    let found = app.shadow()?.recording(id, &reach).await?;
    let found = found.with_context(|| {
        format!("no recording and no transcript `{id}` was routed or run here; `switchyard recordings` lists those that were")
    })?;
    if globals.json {
        return Globals::print_json(&found);
    }
    let RecordingDetail {
        routes,
        runs,
        controls,
        mirrors,
        times,
        ..
    } = &found;
    for route in routes {
        say!(
            "route      {} generation {}: {} ({}), {}",
            route.transcript_id,
            route.generation,
            route.pipeline,
            route.state,
            route.reason
        );
    }
    for run in runs {
        let verdict = run.verdict.as_deref().unwrap_or("no verdict");
        let state = run.state.as_str();
        say!("run        {} {state}, {verdict}", run.run_id);
    }
    for control in controls {
        say!("control    {} from {}", control.control_id, control.source);
    }
    for mirror in mirrors {
        let outcome = mirror.outcome.unwrap_or("under way");
        say!(
            "mirror     {} {}, {outcome}",
            mirror.transcript_id,
            mirror.state
        );
    }
    say!();
    let mut table = table::table(&["at", "what", "run"]);
    for moment in times {
        table.add_row([
            moment.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            moment.what.clone(),
            moment
                .run_id
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
        ]);
    }
    table::print(&table);
    Ok(())
}

fn took(milliseconds: Option<i64>) -> String {
    milliseconds.map_or_else(String::new, |milliseconds| {
        format!("{:.1} s", milliseconds as f64 / 1000.0)
    })
}
