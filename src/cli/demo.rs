//! `switchyard demo`: the whole pipeline on this machine alone.
//!
//! Everything is real but the five outside services, whose stand-ins answer over HTTP. The demo's
//! folder keeps database and objects, so a demo that was killed goes on where it stopped.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{ExitStatus, Globals, follow, report, serve};
use crate::{
    app::{Demo, DemoSettings, put_tracks, run_all},
    config::Config,
    controller::{self, Again, Dispatched, Shadow, Wanted},
    model::{Origin, RunId, RunState},
    store::Effects,
};

/// What `switchyard demo` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Ends when the report is written, instead of serving it until stopped.
    #[arg(long)]
    once: bool,
    /// The demo's own folder.
    #[arg(long, default_value = "switchyard-data/demo", value_name = "FOLDER")]
    dir: PathBuf,
    /// The bundled meeting.
    #[arg(long, default_value = "tests/fixtures/standup", value_name = "FOLDER")]
    meeting: PathBuf,
    /// What the stand-ins answer: what the legacy was answered (`recorded`), or what the same models
    /// may say another time, so that there is something to compare (`second-draw`).
    #[arg(long, default_value = "second-draw", value_name = "DRAW")]
    answers: Draw,
    /// A Conductor server to run the workflow, instead of the embedded engine; its base URL with
    /// /api at the end.
    #[arg(long, value_name = "URL")]
    conductor: Option<Url>,
    /// Where the report and the state of runs are served.
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS")]
    listen: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Draw {
    SecondDraw,
    Recorded,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let recorded = args.meeting.join("expected/base");
    anyhow::ensure!(
        recorded.is_dir(),
        "`{}` holds no recorded meeting; name tests/fixtures/standup of the repository with --meeting",
        args.meeting.display()
    );
    let shutdown = CancellationToken::new();
    serve::stop_on_signal(shutdown.clone());
    let Demo {
        app,
        doors,
        sandbox,
        kept,
    } = Demo::open(&DemoSettings {
        folder: args.dir.clone(),
        answers: args.meeting.join(match args.answers {
            Draw::SecondDraw => "providers-second-draw",
            Draw::Recorded => "providers",
        }),
        recorded,
        conductor: args.conductor.clone(),
        listen: args.listen,
    })
    .await?;
    let pages = doors.http.local_addr()?;
    let (shadow, objects) = (app.shadow()?, app.objects()?);
    let now = (app.clock)();

    let mut roles = tokio::spawn(run_all(app, doors, shutdown.clone()));
    let outcome = tokio::select! {
        outcome = async {
            put_tracks(&objects, &kept).await?;
            let wanted = Wanted {
                environment: shadow.environment.clone(),
                flag: Config::flag(),
                subject: kept.subject,
                control_id: Some(kept.control_id),
                again: Again::Resume,
                effects: Effects::Shadow,
                origin: Origin::Manual,
            };
            let id = start(&shadow, wanted, now, globals).await?;
            finish(&shadow, &id, &args, &shutdown, globals).await
        } => outcome,
        ended = &mut roles => {
            ended.context("running the demo")??;
            anyhow::bail!("the demo was stopped; start it again and it goes on")
        }
    };
    if let Ok(ExitStatus::Success) = &outcome
        && !args.once
    {
        globals.tell(format_args!(
            "\nServing the report at http://{pages} until you press Ctrl-C"
        ));
        shutdown.cancelled().await;
    }
    shutdown.cancel();
    roles.await.context("stopping the demo")??;
    sandbox.stop().await;
    outcome
}

async fn start(
    shadow: &Shadow,
    mut wanted: Wanted,
    now: chrono::DateTime<chrono::Utc>,
    globals: &Globals,
) -> anyhow::Result<RunId> {
    globals.tell(format_args!(
        "A meeting of {} tracks goes through the new pipeline, beside what the legacy made of it.",
        wanted.subject.track_keys.len()
    ));
    controller::register(&shadow.client).await?;
    let mut dispatched = controller::dispatch(&shadow.store, &shadow.client, &wanted, now).await?;
    if let Dispatched::Finished(_) = dispatched {
        // The demo has run here before; it shows the whole way again, paid answers included.
        wanted.again = Again::Fresh;
        dispatched = controller::dispatch(&shadow.store, &shadow.client, &wanted, now).await?;
    }
    match &dispatched {
        Dispatched::Started(run) | Dispatched::Finished(run) | Dispatched::TakenOver(run) => {
            globals.tell(format_args!("Started run {run}\n"));
        }
        Dispatched::Resumed(run) | Dispatched::Running(run) => {
            let done = shadow.store.outputs(run).await?.len();
            globals.tell(format_args!(
                "Run {run} goes on: {done} tasks were done already and are not done again\n"
            ));
        }
    }
    Ok(dispatched.run().clone())
}

async fn finish(
    shadow: &Shadow,
    id: &RunId,
    args: &Args,
    stop: &CancellationToken,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    let run = follow::to_the_end(shadow, id, stop).await?;
    let compared = shadow.compare(&run).await?;
    report::print(&compared, globals.json)?;
    let path = args.dir.join("report.html");
    report::write_html(&compared, &path)?;
    globals.tell(format_args!("\nReport: {}", path.display()));
    if let Some(failure) = &run.failure {
        globals.tell(format_args!("The run has failed: {failure}"));
    }
    Ok(match run.state {
        RunState::Completed => ExitStatus::Success,
        _ => ExitStatus::Failure,
    })
}
