//! `switchyard mirror`.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{ExitStatus, Globals, follow::View, output::say, serve, table};
use crate::{
    app::{App, MirrorLimits, MirrorProgress, TellProgress},
    compare::Comparison,
    model::TranscriptId,
    rollout::Direction,
    store::{Mirror, MirrorOutcome},
};

/// What is to be done.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Mirrors a transcript that the legacy pipeline has finished, to the end.
    #[arg(long, value_name = "ID")]
    transcript: Option<TranscriptId>,
    /// Lists mirrors and what came of them.
    #[arg(long)]
    list: bool,
    /// Removes what an interrupted mirror left.
    #[arg(long)]
    cleanup: bool,
    /// Tells why no mirror begins by itself, and how many pairs there are.
    #[arg(long)]
    status: bool,
}

/// What `switchyard mirror` takes.
#[derive(clap::Args)]
#[command(
    after_help = "Run it in a quiet hour: the legacy writes in SERIALIZABLE transactions, and a mirror's can end \
        somebody's run in `error`. It does not begin while another legacy run is active; nothing can stop it once \
        another one begins."
)]
pub(super) struct Args {
    #[command(flatten)]
    what: What,
    /// How many mirrors are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

/// What shows how far a mirror or a rehearsal is, and what is to be told.
pub(super) fn watched() -> (Arc<Mutex<View>>, TellProgress) {
    let view = Arc::new(Mutex::new(View::new()));
    let shown = Arc::clone(&view);
    let tell = move |progress: MirrorProgress| {
        let mut view = shown.lock().unwrap_or_else(PoisonError::into_inner);
        view.line(progress.percent, progress.label);
    };
    (view, Arc::new(tell))
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    if args.what.list {
        list(&app, args.limit, globals.json).await?;
        return Ok(ExitStatus::Success);
    }
    if args.what.status {
        status(&app, globals.json).await?;
        return Ok(ExitStatus::Success);
    }
    let (view, tell) = watched();
    let mirrors = app.mirrors(MirrorLimits::default(), tell)?;
    let stop = CancellationToken::new();
    serve::stop_on_signal(stop.clone());
    let done = match &args.what.transcript {
        Some(original) => mirrors.run(original, &stop).await.map(Some),
        None => mirrors.clean_up(&stop).await,
    };
    view.lock().unwrap_or_else(PoisonError::into_inner).end();
    let Some(mirror) = done? else {
        globals.tell(format_args!("No mirror was left."));
        if globals.json {
            Globals::print_json(&Value::Null)?;
        }
        return Ok(ExitStatus::Success);
    };
    print(&mirror, globals.json)?;
    Ok(match mirror.outcome {
        // Whoever asked for a mirror wants its measure; whoever cleans up wants it gone.
        Some(MirrorOutcome::Compared) => ExitStatus::Success,
        _ if args.what.cleanup => ExitStatus::Success,
        _ => ExitStatus::Failure,
    })
}

async fn status(app: &App, json: bool) -> anyhow::Result<()> {
    let (_, decision) = app.mover()?.gate().await?;
    let paused = match &app.environment.mirrors {
        None => Some(format!(
            "the settings have no section `environments.{}.mirrors`",
            app.name
        )),
        Some(settings) => app.mirrors_paused(settings).await?,
    };
    if json {
        return Globals::print_json(&json!({ "paused": paused, "noise": decision.noise }));
    }
    say!("noise: {}", decision.noise);
    match paused {
        None => say!("mirrors run by themselves"),
        Some(why) => say!("no mirror begins by itself: {why}"),
    }
    Ok(())
}

async fn list(app: &App, limit: i64, json: bool) -> anyhow::Result<()> {
    let mirrors = app.store.mirrors(&app.name, limit).await?;
    if json {
        let lines: Vec<_> = mirrors.iter().map(line).collect();
        return Globals::print_json(&lines);
    }
    if mirrors.is_empty() {
        say!("There are no mirrors yet; run one with `switchyard mirror --transcript`.");
        return Ok(());
    }
    let mut table = table::table(&["mirror", "transcript", "for", "started", "state", "outcome"]);
    for mirror in &mirrors {
        table.add_row([
            mirror.transcript.to_string(),
            mirror.original.to_string(),
            direction(mirror).as_str().to_owned(),
            mirror.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            mirror.state.as_str().to_owned(),
            outcome(mirror).replace('_', " "),
        ]);
    }
    table::print(&table);
    Ok(())
}

const fn direction(mirror: &Mirror) -> Direction {
    if mirror.reverse_of.is_some() {
        Direction::Reverse
    } else {
        Direction::Noise
    }
}

fn outcome(mirror: &Mirror) -> &str {
    let outcome = mirror.outcome.map_or("", MirrorOutcome::as_str);
    mirror.verdict.as_deref().unwrap_or(outcome)
}

fn print(mirror: &Mirror, json: bool) -> anyhow::Result<()> {
    let comparison = mirror.comparison.clone();
    if json {
        let mut line = line(mirror);
        line["comparison"] = comparison.unwrap_or_default();
        return Globals::print_json(&line);
    }
    let (id, original) = (&mirror.transcript, &mirror.original);
    let Some(comparison) = comparison else {
        let outcome = outcome(mirror).replace('_', " ");
        let reason = mirror.reason.as_deref().unwrap_or_default();
        say!("mirror `{id}` of transcript `{original}` was removed: {outcome}: {reason}");
        return Ok(());
    };
    let comparison: Comparison =
        serde_json::from_value(comparison).context("reading a mirror's comparison")?;
    let verdict = comparison.verdict.as_str().replace('_', " ");
    let of = match &mirror.reverse_of {
        None => format!("transcript `{original}` against its mirror `{id}`, which was removed"),
        Some(run) => format!(
            "what the control made in mirror `{id}`, which was removed, against what run `{run}` served as transcript `{original}`"
        ),
    };
    say!("{of}: {verdict}");
    say!();
    let mut table = table::table(&["field", "verdict", "measured", "why"]);
    for field in &comparison.fields {
        let measured = field.measured.iter().filter_map(|measured| {
            let value = measured.value?;
            Some(format!(
                "{} {value:.3}{}",
                measured.name.replace('_', " "),
                unit(&measured.unit)
            ))
        });
        table.add_row([
            field.field.label().to_owned(),
            field.verdict.as_str().replace('_', " "),
            measured.collect::<Vec<_>>().join("\n"),
            field.reason.clone(),
        ]);
    }
    table::print(&table);
    Ok(())
}

fn unit(unit: &str) -> String {
    if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    }
}

fn line(mirror: &Mirror) -> Value {
    json!({
        "mirror": mirror.transcript,
        "transcript": mirror.original,
        "recording": mirror.recording_id,
        "direction": direction(mirror).as_str(),
        "baseline": match direction(mirror) {
            Direction::Noise => "the control's first run",
            Direction::Reverse => "the control, run after the candidate served",
        },
        "run": mirror.reverse_of,
        "state": mirror.state.as_str(),
        "outcome": mirror.outcome.map(MirrorOutcome::as_str),
        "verdict": mirror.verdict,
        "reason": mirror.reason,
        "control": mirror.original_control_id,
        "mirror_control": mirror.control_id,
        "started_at": mirror.started_at,
        "dispatched_at": mirror.dispatched_at,
        "changed_at": mirror.changed_at,
    })
}
