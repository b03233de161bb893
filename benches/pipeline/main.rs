//! What the workflow gains and what it costs: `scripts/bench pipeline`.
//!
//! Transcription of several tracks by a stand-in that answers after a fixed time: one after the other,
//! as the legacy asks, and as our workflow does, on the embedded engine and on a real Conductor. Then
//! what an engine costs: the time between a task's end and the next one's beginning, and tasks a second
//! when many runs are open.

mod engine;
mod transcription;

use std::time::Duration;

use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use serde_json::json;
use url::Url;

use engine::EngineCost;
use transcription::Transcribed;

/// Transcription one by one and side by side, and what an engine costs a task.
#[derive(Parser)]
#[command(name = "scripts/bench pipeline")]
pub struct Options {
    /// How many tracks the meetings have.
    #[arg(long, value_name = "NUMBER", default_values = ["3", "6", "10"], num_args = 1.., value_parser = clap::value_parser!(u32).range(3..=32))]
    pub tracks: Vec<u32>,
    /// After how long the stand-in answers a transcription.
    #[arg(long, value_name = "MS", default_value = "2000")]
    pub latency_ms: u64,
    /// Tasks in a chain.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub steps: u32,
    /// A real Conductor's base URL with /api at the end, as `scripts/bench` starts one.
    #[arg(long, env = "SWITCHYARD_BENCH_CONDUCTOR", value_name = "URL")]
    pub conductor: Option<Url>,
    /// Prints JSON for machines.
    #[arg(long)]
    pub json: bool,
    /// Says that cargo runs it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// All that was measured on one engine.
#[derive(Serialize)]
pub struct OnEngine {
    engine: &'static str,
    transcription: Vec<Transcribed>,
    cost: EngineCost,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    switchyard::app::prepare();
    let mut all = vec![measured("embedded", None, &options).await];
    match &options.conductor {
        Some(url) => all.push(measured("Conductor", Some(url), &options).await),
        None => eprintln!("without a real Conductor: SWITCHYARD_BENCH_CONDUCTOR names none"),
    }
    if options.json {
        let all = json!({ "latency_ms": options.latency_ms, "engines": all });
        println!("{}", serde_json::to_string_pretty(&all).expect("numbers"));
    } else {
        show(&all, Duration::from_millis(options.latency_ms));
    }
}

async fn measured(engine: &'static str, conductor: Option<&Url>, options: &Options) -> OnEngine {
    let mut transcription = Vec::new();
    let mut cost = None;
    for tracks in &options.tracks {
        eprintln!("{engine}: {tracks} tracks");
        let world = transcription::World::open(*tracks as usize, conductor).await;
        if cost.is_none() {
            cost = Some(engine::measure(&world.client, options.steps).await);
        }
        let latency = Duration::from_millis(options.latency_ms);
        transcription.push(world.measure(latency).await);
    }
    OnEngine {
        engine,
        transcription,
        cost: cost.expect("one meeting at least"),
    }
}

fn show(all: &[OnEngine], latency: Duration) {
    println!(
        "transcription answers after {:.1} s; workers take 4 transcriptions at once\n",
        latency.as_secs_f64()
    );
    let headings = [
        "engine",
        "tracks",
        "one by one s",
        "workflow s",
        "times faster",
        "at best",
    ];
    let mut table = aligned(&headings);
    for on in all {
        for row in &on.transcription {
            table.add_row([
                on.engine.to_owned(),
                row.tracks.to_string(),
                format!("{:.2}", row.serial_s),
                format!("{:.2}", row.workflow_s),
                format!("{:.2}", row.serial_s / row.workflow_s),
                format!("{:.2}", row.at_best),
            ]);
        }
    }
    print(table);
    println!();
    let headings = ["engine", "ms a task, p50", "p95", "tasks a second"];
    let mut table = aligned(&headings);
    for on in all {
        let EngineCost {
            step_p50_ms,
            step_p95_ms,
            tasks_per_s,
        } = on.cost;
        table.add_row([
            on.engine.to_owned(),
            format!("{step_p50_ms:.1}"),
            format!("{step_p95_ms:.1}"),
            format!("{tasks_per_s:.0}"),
        ]);
    }
    print(table);
    if let [ours, real, ..] = all {
        println!(
            "\na task costs {:.1} times as long on {} as on the embedded engine",
            real.cost.step_p50_ms / ours.cost.step_p50_ms,
            real.engine
        );
    }
}

fn aligned(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    table
}

fn print(mut table: Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.to_string().lines() {
        println!("{}", line.trim_end());
    }
}
