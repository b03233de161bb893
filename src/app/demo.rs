//! A demo's world: everything on this machine, everything in one folder, and stand-ins for the
//! services outside.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tokio::net::TcpListener;
use url::Url;

use super::{App, Doors, Kept};
use crate::{
    config::{self, Config},
    model::{Bounds, HealthLimits, Timing},
    objects::Objects,
    sandbox::{Answers, Sandbox, Service},
};

/// What a demo is made of.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// Keeps database and objects, so that a demo that was killed goes on where it stopped.
    pub folder: PathBuf,
    /// The stand-ins' answers.
    pub answers: PathBuf,
    /// The recorded outcome of the meeting.
    pub recorded: PathBuf,
    /// A Conductor server, instead of the embedded engine.
    pub conductor: Option<Url>,
    /// Where pages are served; elsewhere if somebody is there already.
    pub listen: SocketAddr,
}

/// A demo's world, ready to be started.
pub struct Demo {
    /// Its application.
    pub app: App,
    /// Its sockets.
    pub doors: Doors,
    /// The stand-ins, which answer already.
    pub sandbox: Sandbox,
    /// The meeting.
    pub kept: Kept,
}

impl Demo {
    /// Binds the sockets, starts the stand-ins, opens the database, reads the meeting.
    pub async fn open(wanted: &DemoSettings) -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(Answers::load(&wanted.answers)?, local().await?)?;
        let doors = Doors {
            http: match TcpListener::bind(wanted.listen).await {
                Ok(listener) => listener,
                // A demo must run beside another one.
                Err(_) => local().await?,
            },
            engine: match wanted.conductor {
                Some(_) => None,
                None => Some(local().await?),
            },
            objects: Some(local().await?),
            sharing: None,
        };
        let app = App::open(settings(wanted, &doors, &sandbox)?, None).await?;
        let kept = app.keep_recorded(&wanted.recorded).await?;
        Ok(Self {
            app,
            doors,
            sandbox,
            kept,
        })
    }
}

async fn local() -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("finding a free port on this machine")
}

/// Puts the recording's tracks where Daily would have.
pub async fn put_tracks(objects: &Objects, kept: &Kept) -> anyhow::Result<()> {
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

/// The settings of a demo: everything on loopback, everything in the demo's folder.
fn settings(wanted: &DemoSettings, doors: &Doors, sandbox: &Sandbox) -> anyhow::Result<Config> {
    let folder = &wanted.folder;
    let objects = doors.objects.as_ref().context("the demo serves objects")?;
    let url = |address: SocketAddr, path: &str| format!("http://{address}{path}").parse();
    let environment = config::Environment {
        conductor: config::Conductor {
            url: match (&wanted.conductor, &doors.engine) {
                (None, Some(engine)) => url(engine.local_addr()?, "/api")?,
                (Some(conductor), _) => conductor.clone(),
                (None, None) => anyhow::bail!("the demo has no workflow engine"),
            },
            ui_url: None,
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
        embeddings: None,
        reflector: config::Reflector {
            ui_base_url: "https://reflector.example.test".parse()?,
            min_transcript_length: 750,
            mp3_bitrate: 128_000,
            audio_timing: Timing::Exact,
            zulip_realm: Some("zulip.example.test".to_owned()),
            data_dir: None,
            progress_channel: None,
        },
        legacy: None,
        zulip: None,
        notices: config::Notices::default(),
        sharing: None,
        comparison: config::Comparison::default(),
        relays: BTreeMap::new(),
        prompts: None,
        comparisons: None,
        mirrors: None,
        routing: config::Routing::default(),
        shadow: crate::model::Caps::default(),
        rollout: Bounds::default(),
        gate: crate::model::GateBounds::default(),
        health: HealthLimits::default(),
        retention: crate::model::RetentionDays::default(),
        prices: demo_prices(),
    };
    Ok(Config {
        database: config::Database {
            url: database_in(folder),
            schema: None,
        },
        server: config::Server {
            listen: wanted.listen,
        },
        access: None,
        engine: config::Engine::default(),
        telemetry: config::Telemetry::default(),
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
