//! `switchyard demo`: the whole pipeline on this machine alone.
//!
//! Everything is real but the five outside services, whose stand-ins answer over HTTP. The demo's
//! folder keeps database and objects, so a demo that was killed goes on where it stopped.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{ExitStatus, Globals, follow, report, serve};
use crate::{
    app::{App, Kept},
    config::{self, Config},
    controller::{self, Again, Dispatched, Shadow, Wanted},
    model::{RunId, RunState},
    sandbox::{Answers, Sandbox, Service},
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
    anyhow::ensure!(
        args.meeting.join("expected/base").is_dir(),
        "`{}` holds no recorded meeting; name tests/fixtures/standup of the repository with --meeting",
        args.meeting.display()
    );
    let shutdown = CancellationToken::new();
    serve::stop_on_signal(shutdown.clone());
    let answers = Answers::load(&args.meeting.join(match args.answers {
        Draw::SecondDraw => "providers-second-draw",
        Draw::Recorded => "providers",
    }))?;
    let sandbox = Sandbox::start(answers, local().await?)?;
    let http = match TcpListener::bind(args.listen).await {
        Ok(listener) => listener,
        // The demo must run beside another one.
        Err(_) => local().await?,
    };
    let doors = serve::Doors {
        http,
        engine: match args.conductor {
            Some(_) => None,
            None => Some(local().await?),
        },
        objects: Some(local().await?),
    };
    let pages = doors.http.local_addr()?;
    let config = settings(&args, &doors, &sandbox)?;
    let app = App::open(config, None).await?;
    let shadow = app.shadow()?;
    let kept = app
        .keep_recorded(&args.meeting.join("expected/base"))
        .await?;
    let objects = app.objects()?;
    let clock = app.clock.clone();
    let environment = app.name.clone();

    let stop = shutdown.clone();
    let mut roles = tokio::spawn(serve::run_all(app, doors, stop));
    let outcome = tokio::select! {
        outcome = async {
            put_tracks(&objects, &kept).await?;
            let wanted = Wanted {
                environment,
                flag: Config::flag(),
                subject: kept.subject,
                control_id: Some(kept.control_id),
                again: Again::Resume,
            };
            let id = start(&shadow, wanted, clock(), globals).await?;
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

async fn local() -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("finding a free port on this machine")
}

/// Waits until the local object store is there, then puts the recording's tracks where Daily
/// would have.
async fn put_tracks(objects: &crate::objects::Objects, kept: &Kept) -> anyhow::Result<()> {
    let bucket = &kept.subject.recording.bucket_name;
    objects.create_bucket_if_missing(bucket).await?;
    for source in &kept.sources {
        if !objects.exists(bucket, &source.key).await? {
            let file = std::fs::File::open(&source.path)
                .with_context(|| format!("opening `{}`", source.path.display()))?;
            objects
                .put_file(bucket, &source.key, file, Some("video/webm"))
                .await?;
        }
    }
    Ok(())
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
        Dispatched::Started(run) | Dispatched::Finished(run) => {
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

/// The settings of a demo: everything on loopback, everything in the demo's folder.
fn settings(args: &Args, doors: &serve::Doors, sandbox: &Sandbox) -> anyhow::Result<Config> {
    let folder = &args.dir;
    let objects = doors.objects.as_ref().context("the demo serves objects")?;
    let url = |address: SocketAddr, path: &str| format!("http://{address}{path}").parse();
    let environment = config::Environment {
        conductor: config::Conductor {
            url: match (&args.conductor, &doors.engine) {
                (None, Some(engine)) => url(engine.local_addr()?, "/api")?,
                (Some(conductor), _) => conductor.clone(),
                (None, None) => anyhow::bail!("the demo has no workflow engine"),
            },
            timeout_s: 10,
        },
        objects: config::Objects {
            endpoint: Some(url(objects.local_addr()?, "")?),
            local_dir: Some(folder.join("objects")),
            region: "us-east-1".to_owned(),
            access_key: config::Secret::new("demo"),
            secret_key: config::Secret::new("demo-secret"),
            bucket: "reflector-transcripts".to_owned(),
        },
        daily: config::Daily {
            url: sandbox.url(Service::Daily),
            api_key: config::Secret::new("demo"),
            timeout_s: 10,
        },
        transcription: config::Transcription {
            url: sandbox.url(Service::Transcription),
            api_key: Some(config::Secret::new("demo")),
            timeout_s: 600,
        },
        llm: config::Llm {
            url: sandbox.url(Service::Llm),
            api_key: config::Secret::new("demo"),
            model: "golden-model".to_owned(),
            timeout_s: 60,
            context_window: 16_000,
            parse_retries: 3,
        },
        reflector: config::Reflector {
            ui_base_url: "https://reflector.example.test".parse()?,
            min_transcript_length: 750,
            mp3_bitrate: 128_000,
            zulip_realm: Some("zulip.example.test".to_owned()),
        },
        prompts: None,
        comparisons: None,
        prices: demo_prices(),
    };
    Ok(Config {
        database: config::Database {
            url: database_in(folder),
        },
        server: config::Server {
            listen: args.listen,
        },
        engine: config::Engine::default(),
        worker: config::Worker {
            // A demo started again knows by this what a killed one was at.
            id: Some("demo".to_owned()),
            ..config::Worker::default()
        },
        environments: [("demo".to_owned(), environment)].into(),
    })
}

fn database_in(folder: &Path) -> config::DatabaseUrl {
    config::DatabaseUrl::new(format!("sqlite:{}", folder.join("switchyard.db").display()))
}

/// Prices of the size services have, so that the report shows where the money goes.
fn demo_prices() -> Vec<crate::model::Price> {
    use crate::model::{Price, UsageKind};
    let price = |kind, usd, per, why: &str| Price {
        kind,
        of: None,
        usd,
        per,
        why: why.to_owned(),
    };
    let example = "an example, not a bill";
    vec![
        price(UsageKind::GpuSeconds, 0.59, 3600.0, example),
        price(UsageKind::TokensIn, 0.07, 1e6, example),
        price(UsageKind::TokensOut, 0.14, 1e6, example),
        price(UsageKind::BytesRead, 0.0, 1.0, "reading costs nothing here"),
        price(
            UsageKind::BytesWritten,
            0.0,
            1.0,
            "writing costs nothing here",
        ),
    ]
}
