//! `switchyard runs`.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{ExitStatus, Globals, table};
use crate::{
    app::App,
    model::RunId,
    progress::Progress,
    store::{Attempt, Run},
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

#[derive(Serialize)]
struct Line {
    run_id: String,
    recording_id: String,
    generation: i64,
    state: &'static str,
    workflow_id: Option<String>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    verdict: Option<String>,
    failure: Option<String>,
    progress: Option<Progress>,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match &args.run {
        Some(id) => one(&app, id, globals.json).await?,
        None => all(&app, args.limit, globals.json).await?,
    }
    Ok(ExitStatus::Success)
}

async fn line(app: &App, run: &Run) -> anyhow::Result<Line> {
    let progress = if run.state.is_final() {
        None
    } else {
        // An engine that does not answer leaves the progress out, not the list.
        let seen = app.shadow()?.look(run).await;
        seen.ok().and_then(|seen| seen.progress)
    };
    Ok(Line {
        run_id: run.id.to_string(),
        recording_id: run.recording_id.to_string(),
        generation: run.generation,
        state: run.state.as_str(),
        workflow_id: run.workflow_id.as_ref().map(ToString::to_string),
        started_at: run.started_at,
        finished_at: run.finished_at,
        verdict: app
            .store
            .newest_comparison(&run.id)
            .await?
            .map(|found| found.verdict),
        failure: run.failure.clone(),
        progress,
    })
}

async fn all(app: &App, limit: i64, json: bool) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for run in app.store.recent_runs(limit).await? {
        lines.push(line(app, &run).await?);
    }
    if json {
        return Globals::print_json(&lines);
    }
    if lines.is_empty() {
        println!("There are no runs yet; start one with `switchyard dispatch`.");
        return Ok(());
    }
    let mut table = table::table(&["run", "recording", "started", "state", "verdict"]);
    for line in &lines {
        let state = match &line.progress {
            Some(progress) => format!("{} % {}", progress.percent, progress.label),
            None => line.state.to_owned(),
        };
        table.add_row([
            line.run_id.clone(),
            line.recording_id.clone(),
            line.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            state,
            line.verdict.clone().unwrap_or_default(),
        ]);
    }
    table::print(&table);
    Ok(())
}

async fn one(app: &App, id: &RunId, json: bool) -> anyhow::Result<()> {
    let run = app
        .store
        .run(id)
        .await?
        .with_context(|| format!("there is no run `{id}`; `switchyard runs` lists them"))?;
    let line = line(app, &run).await?;
    let attempts = app.store.attempts(id).await?;
    if json {
        return Globals::print_json(&serde_json::json!({ "run": line, "attempts": attempts }));
    }
    println!("run        {}", line.run_id);
    println!("recording  {}", line.recording_id);
    println!(
        "workflow   {}",
        line.workflow_id.as_deref().unwrap_or("none yet")
    );
    println!("state      {}", line.state);
    if let Some(progress) = &line.progress {
        let Progress {
            step_index,
            total_steps,
            percent,
            label,
            ..
        } = progress;
        println!("progress   step {step_index} of {total_steps}, {percent} %: {label}");
    }
    if let Some(verdict) = &line.verdict {
        println!("verdict    {verdict}");
    }
    if let Some(failure) = &line.failure {
        println!("failure    {failure}");
    }
    println!();
    let mut table = table::table(&["step", "attempt", "status", "took", "cause"]);
    for attempt in &attempts {
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

fn took(attempt: &Attempt) -> String {
    attempt.finished_at.map_or_else(String::new, |end| {
        let milliseconds = (end - attempt.started_at).num_milliseconds();
        format!("{:.1} s", milliseconds as f64 / 1000.0)
    })
}
