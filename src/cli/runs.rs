//! `switchyard runs`.

use anyhow::Context;

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    app::App,
    controller::status::{AttemptLine, Expected, RunDetail, RunStatus},
    cost::Sum,
    model::RunId,
    progress::Progress,
};

/// What `switchyard runs` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One run, shown with its attempts.
    run: Option<RunId>,
    /// How many runs are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match &args.run {
        Some(id) => one(&app, id, globals.json).await?,
        None => all(&app, args.limit, globals.json).await?,
    }
    Ok(ExitStatus::Success)
}

async fn all(app: &App, limit: i64, json: bool) -> anyhow::Result<()> {
    let runs = app.shadow()?.recent(limit).await?;
    if json {
        return Globals::print_json(&runs);
    }
    if runs.is_empty() {
        say!("There are no runs yet; start one with `switchyard dispatch`.");
        return Ok(());
    }
    let mut table = table::table(&["run", "recording", "started", "state", "verdict"]);
    for run in &runs {
        let state = match &run.progress {
            Some(progress) => format!("{} % {}", progress.percent, progress.label),
            None => run.state.as_str().to_owned(),
        };
        table.add_row([
            run.run_id.to_string(),
            run.recording_id.to_string(),
            run.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            state,
            run.verdict.clone().unwrap_or_default(),
        ]);
    }
    table::print(&table);
    Ok(())
}

async fn one(app: &App, id: &RunId, json: bool) -> anyhow::Result<()> {
    let detail = app
        .shadow()?
        .detail(id)
        .await?
        .with_context(|| format!("there is no run `{id}`; `switchyard runs` lists them"))?;
    if json {
        return Globals::print_json(&detail);
    }
    let RunDetail { run, attempts, .. } = &detail;
    print_facts(run);
    if detail.cost != Sum::default() {
        say!("cost       {}", detail.cost);
    }
    if let Some(Expected { from, to, runs }) = detail.expected {
        let time = "%Y-%m-%d %H:%M:%S";
        let (from, to) = (from.format(time), to.format(time));
        say!("ends       between {from} and {to}, by {runs} runs of like length");
    }
    if let Some(url) = &detail.conductor_url {
        say!("conductor  {url}");
    }
    say!();
    let mut table = table::table(&["step", "attempt", "status", "took", "cause"]);
    for attempt in attempts {
        table.add_row([
            attempt.task_ref.clone(),
            attempt.attempt.to_string(),
            attempt.status.replace('_', " "),
            took(attempt),
            attempt.cause.clone().unwrap_or_default(),
        ]);
    }
    table::print(&table);
    Ok(())
}

fn print_facts(run: &RunStatus) {
    say!("run        {}", run.run_id);
    say!("recording  {}", run.recording_id);
    match &run.workflow_id {
        Some(id) => say!("workflow   {id}"),
        None => say!("workflow   none yet"),
    }
    say!("state      {}", run.state.as_str());
    if let Some(progress) = &run.progress {
        let Progress {
            step_index,
            total_steps,
            percent,
            label,
            ..
        } = progress;
        say!("progress   step {step_index} of {total_steps}, {percent} %: {label}");
    }
    if let Some(verdict) = &run.verdict {
        say!("verdict    {verdict}");
    }
    if let Some(failure) = &run.failure {
        say!("failure    {failure}");
    }
}

fn took(attempt: &AttemptLine) -> String {
    attempt
        .duration_ms
        .map_or_else(String::new, |milliseconds| {
            format!("{:.1} s", milliseconds as f64 / 1000.0)
        })
}
