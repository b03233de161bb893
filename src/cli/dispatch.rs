//! `switchyard dispatch`.

use std::path::PathBuf;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{ExitStatus, Globals, follow, output::say, serve};
use crate::{
    config::Config,
    controller::{self, Again, Dispatched, Wanted},
    model::{Origin, RunState, TranscriptId},
    store::Effects,
};

/// What the legacy pipeline did with the recording.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The folder of a recorded legacy outcome: the run's control, and what Reflector's rows said
    /// when it began.
    #[arg(long, value_name = "FOLDER")]
    recorded: Option<PathBuf>,
    /// A transcript that the legacy pipeline has finished, read from Reflector's own database.
    #[arg(long, value_name = "ID")]
    transcript: Option<TranscriptId>,
}

/// What `switchyard dispatch` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Runs a recording again that has run already, with the answers paid for then.
    #[arg(long)]
    anew: bool,
    /// Runs it again, and pays for transcription and language model again.
    #[arg(long, conflicts_with = "anew")]
    fresh: bool,
    /// Follows the run to its end.
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let kept = match (&args.source.recorded, &args.source.transcript) {
        (Some(folder), _) => app.keep_recorded(folder).await?,
        (None, Some(transcript)) => app.keep_finished(transcript).await?,
        (None, None) => anyhow::bail!("name what to dispatch with --recorded or --transcript"),
    };
    let wanted = Wanted {
        environment: app.name.clone(),
        flag: Config::flag(),
        subject: kept.subject,
        control_id: Some(kept.control_id),
        again: match (args.anew, args.fresh) {
            (_, true) => Again::Fresh,
            (true, false) => Again::Anew,
            (false, false) => Again::Resume,
        },
        effects: Effects::Shadow,
        origin: Origin::Manual,
    };
    let shadow = app.shadow()?;
    let now = (app.clock)();
    let dispatched = controller::dispatch(&app.store, &shadow.client, &wanted, now)
        .await
        .context("dispatching the recording")?;
    let id = dispatched.run().clone();
    if !globals.json {
        say!("{}", say(&dispatched));
    }
    let mut state = None;
    if args.wait {
        let stop = CancellationToken::new();
        serve::stop_on_signal(stop.clone());
        let run = follow::to_the_end(&shadow, &id, &stop).await?;
        state = Some(run.state);
        if !globals.json {
            match &run.failure {
                Some(failure) => say!("run `{id}` has failed: {failure}"),
                None => say!("run `{id}` has {}", run.state.as_str()),
            }
        }
    }
    if globals.json {
        Globals::print_json(&serde_json::json!({
            "run_id": id,
            "dispatched": word(&dispatched),
            "state": state,
        }))?;
    }
    Ok(match state {
        Some(RunState::Failed | RunState::Terminated) => ExitStatus::Failure,
        _ => ExitStatus::Success,
    })
}

fn word(dispatched: &Dispatched) -> &'static str {
    match dispatched {
        Dispatched::Started(_) => "started",
        Dispatched::Resumed(_) => "resumed",
        Dispatched::Running(_) => "running",
        Dispatched::Finished(_) => "finished",
        Dispatched::TakenOver(_) => "taken_over",
    }
}

fn say(dispatched: &Dispatched) -> String {
    match dispatched {
        Dispatched::Started(run) => format!("started run `{run}`"),
        Dispatched::Resumed(run) => format!("run `{run}` goes on where it stopped"),
        Dispatched::Running(run) => format!("run `{run}` is under way already"),
        Dispatched::Finished(run) => {
            format!("run `{run}` has ended well before; --anew runs the recording again")
        }
        Dispatched::TakenOver(run) => format!(
            "the recording of run `{run}` was given back to Celery, which serves it; --anew runs it beside, as a shadow"
        ),
    }
}
