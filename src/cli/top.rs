//! `switchyard top`: how everything stands, again and again.

use std::{fmt::Write as _, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use console::{Term, style};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{ExitStatus, Globals, output, routing, serve, table};
use crate::{
    app::App,
    config::Config,
    controller::{health::Standing, status::RunStatus},
    model::GateVerdict,
    rollout::BreakerState,
    store::{PhaseRow, Throughput},
};

/// What `switchyard top` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Seconds between two looks.
    #[arg(long, default_value_t = 2, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Shows it once and ends; so does output that is no terminal.
    #[arg(long)]
    once: bool,
}

/// How often the gate is asked, which reads all the evidence.
const GATE_EVERY: TimeDelta = TimeDelta::seconds(30);

/// How everything stands at one moment.
#[derive(Serialize)]
struct Seen {
    at: DateTime<Utc>,
    environment: String,
    phases: Vec<serde_json::Value>,
    gate: GateVerdict,
    gate_line: String,
    held: usize,
    breaker: Standing,
    last_hour: Throughput,
    last_day: Throughput,
    open: Vec<RunStatus>,
    shadow_today: Vec<String>,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let term = Term::stdout();
    let mut gate = Gate::default();
    if globals.json || args.once || !term.is_term() {
        let seen = look(&app, &mut gate).await?;
        if globals.json {
            Globals::print_json(&seen)?;
        } else {
            output::print(format_args!("{}", text(&seen)));
        }
        return Ok(ExitStatus::Success);
    }
    let stop = CancellationToken::new();
    serve::stop_on_signal(stop.clone());
    while !stop.is_cancelled() {
        let shown = match look(&app, &mut gate).await {
            Ok(seen) => text(&seen),
            // It is looked again; whoever watches sees since when nothing is known.
            Err(error) => format!("{}\n", style(format!("not known: {error:#}")).red()),
        };
        term.clear_screen()?;
        output::print(format_args!("{shown}"));
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(args.every)) => {}
        }
    }
    Ok(ExitStatus::Success)
}

/// What the gate said last.
#[derive(Default)]
struct Gate(Option<(DateTime<Utc>, GateVerdict, String)>);

impl Gate {
    async fn says(
        &mut self,
        app: &App,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(GateVerdict, String)> {
        if let Some((at, verdict, line)) = &self.0
            && now - *at < GATE_EVERY
        {
            return Ok((*verdict, line.clone()));
        }
        let (_, decision) = app.mover()?.gate().await?;
        self.0 = Some((now, decision.verdict, decision.line.clone()));
        Ok((decision.verdict, decision.line))
    }
}

async fn look(app: &App, gate: &mut Gate) -> anyhow::Result<Seen> {
    let now = (app.clock)();
    let (gate, gate_line) = gate.says(app, now).await?;
    let mover = app.mover()?;
    let mut phases = app.store.phases().await?;
    if !phases.iter().any(|row| row.environment == app.name) {
        phases.push(mover.stands().await?);
    }
    let flag = Config::flag();
    let place = (&app.name, &flag);
    let routing = app.routing()?.stands().await?;
    let capped = !routing.caps.is_none();
    Ok(Seen {
        at: now,
        environment: app.name.to_string(),
        phases: phases.iter().map(PhaseRow::told).collect(),
        gate,
        gate_line,
        held: mover.holds().await?.len(),
        breaker: app.standing().await?,
        last_hour: app
            .store
            .throughput(place, now - TimeDelta::hours(1))
            .await?,
        last_day: app
            .store
            .throughput(place, now - TimeDelta::days(1))
            .await?,
        open: app.shadow()?.open().await?,
        shadow_today: if capped {
            routing::spent_lines(&routing)
        } else {
            Vec::new()
        },
    })
}

fn text(seen: &Seen) -> String {
    let mut text = format!(
        "{}  {}\n\n",
        style(&seen.environment).bold(),
        seen.at.format("%Y-%m-%d %H:%M:%S UTC")
    );
    let mut add = |label: &str, line: &str| {
        // A String takes any text.
        let _ = writeln!(text, "{label:<11}{line}");
    };
    for phase in &seen.phases {
        let of = |key: &str| phase[key].as_str().unwrap_or_default();
        let mut line = format!("{}: {}", of("environment"), of("phase"));
        if !of("sub").is_empty() {
            let _ = write!(line, ", {}", of("sub"));
        } else if let Some(percent) = phase["percent"].as_f64().filter(|percent| *percent > 0.0) {
            let _ = write!(line, " {percent} %");
        }
        if seen.held > 0 && of("environment") == seen.environment {
            let _ = write!(line, "  {}", style("held").yellow());
        }
        add("phase", &line);
    }
    let gate = style(&seen.gate_line);
    let gate = match seen.gate {
        GateVerdict::Pass => gate.green(),
        GateVerdict::NotYet => gate.yellow(),
        GateVerdict::Fail => gate.red(),
    };
    add("gate", &gate.to_string());
    let breaker = style(&seen.breaker.line);
    let breaker = match seen.breaker.state {
        Some(BreakerState::Closed) => breaker.green(),
        None => breaker.dim(),
        Some(_) => breaker.red(),
    };
    add("breaker", &breaker.to_string());
    for (label, went) in [("last hour", seen.last_hour), ("last day", seen.last_day)] {
        add(
            label,
            &format!(
                "{} arrived, {} of them the candidate's; runs: {} completed, {} failed, {} stopped",
                went.arrived, went.to_candidate, went.completed, went.failed, went.terminated
            ),
        );
    }
    for line in &seen.shadow_today {
        add("shadow", line);
    }
    let count = seen.open.len();
    add("open runs", &count.to_string());
    if count > 0 {
        let mut table = table::table(&["run", "recording", "for", "step"]);
        for run in &seen.open {
            let minutes = (seen.at - run.started_at).num_seconds();
            let step = run.progress.as_ref().map_or_else(
                || run.state.as_str().to_owned(),
                |progress| format!("{:>3} %  {}", progress.percent, progress.label),
            );
            table.add_row([
                run.run_id.to_string(),
                run.recording_id.to_string(),
                format!("{}:{:02}", minutes / 60, minutes % 60),
                step,
            ]);
        }
        text.push('\n');
        for line in table.to_string().lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}
