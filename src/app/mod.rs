//! The composition root: settings become adapters, adapters become loops and doors. Owns the clock.

mod access;
mod backup;
mod by_hand;
mod check;
mod demo;
mod doctor;
mod files;
mod health;
mod intake;
mod mirror;
mod moving;
mod notices;
mod replay;
mod retention;
mod reviews;
mod roles;
mod sharing;
pub mod sound;
mod telemetry;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    audio::{self, source::Source},
    compare::Policy,
    conductor::{self, Client, ClientConfig},
    config::{self, Config, Environment},
    controller::{
        FROM_ROWS, Meaning, Shadow, Telling, as_before_the_run, intake::Intake, keep_control,
    },
    cost::PriceTable,
    engine::Engine,
    gateway::{Gateway, Outside, Sweep},
    http,
    legacy::{
        celery::{Limits, RedisLocation},
        recorded,
        reflector::{DataDir, Publisher, Reflector, RowWriter, same_database},
    },
    model::{EnvironmentName, Outcome, Subject, TranscriptId, digest},
    objects::{self, Objects},
    providers::{Daily, Embeddings, Llm, Retry, Transcription, Webhook, Zulip},
    sandbox,
    store::Store,
    workers::{Clock, Processors, Prompts, Runner, RunnerSettings, Services, Tuning},
};

pub use by_hand::{Place, Sound};
pub use check::{Finding, check};
pub use demo::{Demo, DemoSettings, put_tracks};
pub use doctor::Bundle;
pub use mirror::{
    ByItself, FROM_MIRROR, MirrorLimits, MirrorProgress, Mirrors, NoMirror, RehearsalStep,
    TellProgress,
};
pub use roles::{Doors, listen, listen_for_objects, make_bucket, run_all};

/// What programs are told of the HTTP API: an OpenAPI 3.1 document.
pub fn openapi() -> serde_json::Value {
    http::document()
}

/// Prepares the process: the one TLS provider that all clients use.
pub fn prepare() {
    conductor::install_crypto();
}

/// Serves the stand-ins for the services outside until told to stop.
pub async fn serve_sandbox(
    listen: SocketAddr,
    answers: PathBuf,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let settings = sandbox::Settings {
        listen,
        answers,
        clock: Arc::new(now),
    };
    sandbox::run(settings, shutdown).await
}

/// The one place that asks what time it is.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock that everything else is given"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// One environment of the settings, ready to be worked with.
pub struct App {
    /// All settings.
    pub config: Config,
    /// Which environment this is.
    pub name: EnvironmentName,
    /// Its settings.
    pub environment: Environment,
    /// Our database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// Opens our database for one environment of the settings.
    pub async fn open(config: Config, environment: Option<&str>) -> anyhow::Result<Self> {
        let (name, environment) = config.environment(environment)?;
        let environment = environment.clone();
        make_folder_of(config.database.url.expose())?;
        let database = &config.database;
        let store = Store::open_in(database.url.expose(), database.schema.as_deref()).await?;
        Ok(Self {
            name,
            environment,
            store,
            clock: Arc::new(now),
            config,
        })
    }

    /// The engine's client.
    pub fn client(&self) -> anyhow::Result<Client> {
        let conductor = &self.environment.conductor;
        let mut config = ClientConfig::new(conductor.url.clone());
        config.request_timeout = Duration::from_secs(conductor.timeout_s);
        config.ui_url.clone_from(&conductor.ui_url);
        Client::new(config)
    }

    /// The object store's client.
    pub fn objects(&self) -> anyhow::Result<Objects> {
        by_hand::objects_of(&self.environment)
    }

    /// Daily's client.
    pub fn daily(&self) -> anyhow::Result<Daily> {
        let settings = &self.environment.daily;
        let timeout = Duration::from_secs(settings.timeout_s);
        Daily::new(
            settings.url.clone(),
            settings.api_key.expose(),
            timeout,
            Retry::standard(timeout),
        )
    }

    /// The transcription service's client.
    pub fn transcription(&self) -> anyhow::Result<Transcription> {
        self.transcription_at(self.environment.transcription.url.clone())
    }

    pub(super) fn transcription_at(&self, url: Url) -> anyhow::Result<Transcription> {
        let settings = &self.environment.transcription;
        let timeout = Duration::from_secs(settings.timeout_s);
        Transcription::new(
            url,
            settings.api_key.as_ref().map(config::Secret::expose),
            timeout,
            Transcription::retry(timeout),
        )
    }

    /// The language model's client.
    pub fn llm(&self) -> anyhow::Result<Llm> {
        self.llm_at(self.environment.llm.url.clone())
    }

    pub(super) fn llm_at(&self, url: Url) -> anyhow::Result<Llm> {
        let settings = &self.environment.llm;
        let timeout = Duration::from_secs(settings.timeout_s);
        Llm::new(
            url,
            Some(settings.api_key.expose()),
            settings.model.clone(),
            timeout,
            Retry::standard(timeout),
        )
    }

    /// The model that says what texts mean, if the settings name one.
    pub fn embeddings(&self) -> anyhow::Result<Option<Embeddings>> {
        let Some(settings) = &self.environment.embeddings else {
            return Ok(None);
        };
        let timeout = Duration::from_secs(settings.timeout_s);
        let embeddings = Embeddings::new(
            settings.url.clone(),
            settings.api_key.as_ref().map(config::Secret::expose),
            settings.model.clone(),
            timeout,
            Retry::standard(timeout),
        )?;
        Ok(Some(embeddings))
    }

    /// The same as what the controller asks.
    fn meaning(&self) -> anyhow::Result<Option<Meaning>> {
        let Some(embeddings) = self.embeddings()? else {
            return Ok(None);
        };
        let embeddings = Arc::new(embeddings);
        Ok(Some(Arc::new(move |pairs| {
            let embeddings = Arc::clone(&embeddings);
            Box::pin(async move { Ok(embeddings.cosines(&pairs).await?) })
        })))
    }

    /// The prompts.
    pub fn prompts(&self) -> anyhow::Result<Prompts> {
        Prompts::load(self.environment.prompts.as_deref())
    }

    /// How strictly is compared.
    pub fn policy(&self) -> anyhow::Result<Policy> {
        let Some(path) = &self.environment.comparisons else {
            return Ok(Policy::shipped());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading the comparison policy `{}`", path.display()))?;
        Ok(Policy::parse(&path.display().to_string(), &text)?)
    }

    /// What things cost.
    pub fn prices(&self) -> anyhow::Result<PriceTable> {
        let table = PriceTable {
            prices: self.environment.prices.clone(),
        };
        table
            .check()
            .with_context(|| format!("`environments.{}.prices` in the settings", self.name))?;
        Ok(table)
    }

    /// The digest of everything but the comparison policy that decides what a run makes: the program,
    /// the workflow, the prompts, the models. Evidence gathered under another says nothing.
    pub fn versions(&self) -> anyhow::Result<String> {
        let environment = &self.environment;
        let workflow = serde_json::to_string(conductor::definitions::workflow())
            .context("writing the workflow")?;
        let prompts = self.prompts()?;
        let parts = [
            env!("SWITCHYARD_SOURCES"),
            &workflow,
            prompts.digest(),
            &environment.llm.model,
            environment.transcription.url.as_str(),
        ];
        Ok(digest::of_text(&parts.join("\0")))
    }

    /// Follows and compares this environment's runs.
    pub fn shadow(&self) -> anyhow::Result<Shadow> {
        Ok(Shadow {
            environment: self.name.clone(),
            store: self.store.clone(),
            client: self.client()?,
            policy: Arc::new(self.policy()?),
            prices: Arc::new(self.prices()?),
            telling: self.telling()?,
            meaning: self.meaning()?,
            versions: self.versions()?.into(),
            clock: Arc::clone(&self.clock),
        })
    }

    /// Where the progress of live runs is told, if the settings name a channel.
    fn telling(&self) -> anyhow::Result<Option<Telling>> {
        let Some(channel) = &self.environment.reflector.progress_channel else {
            return Ok(None);
        };
        let publisher = self.publisher()?.with_context(|| {
            let name = &self.name;
            format!("`environments.{name}.reflector.progress_channel` is on Reflector's Redis, and `environments.{name}.legacy.redis_url` is missing")
        })?;
        Ok(Some(Telling {
            publisher,
            channel: channel.clone(),
        }))
    }

    /// Reflector's Redis, to tell browsers; none where the settings do not name it.
    pub fn publisher(&self) -> anyhow::Result<Option<Publisher>> {
        let url = self.environment.legacy.as_ref();
        let Some(url) = url.and_then(|legacy| legacy.redis_url.as_ref()) else {
            return Ok(None);
        };
        let location = RedisLocation::parse(url.expose()).context("`legacy.redis_url`")?;
        Ok(Some(Publisher::new(&location, Limits::default())?))
    }

    /// Whether the settings name everything that a run needs to serve users. What is missing would
    /// otherwise be noticed by the first recording.
    pub fn may_serve(&self) -> anyhow::Result<()> {
        let name = &self.name;
        let legacy = self.legacy()?;
        for (key, is_there) in [
            ("broker_url", legacy.broker_url.is_some()),
            ("redis_url", legacy.redis_url.is_some()),
        ] {
            anyhow::ensure!(
                is_there,
                "the candidate cannot serve anybody: `environments.{name}.legacy.{key}` is missing in the settings"
            );
        }
        self.gateway().map(drop)
    }

    /// Zulip's bot, where the settings have one.
    pub fn zulip(&self) -> anyhow::Result<Option<Zulip>> {
        let environment = &self.environment;
        let (Some(zulip), Some(realm)) = (&environment.zulip, &environment.reflector.zulip_realm)
        else {
            return Ok(None);
        };
        let timeout = Duration::from_secs(zulip.timeout_s);
        let key = zulip.api_key.expose();
        let bot = Zulip::new(realm, &zulip.email, key, timeout, &environment.relays)?;
        Ok(Some(bot))
    }

    /// Carries out what live runs show to others; none where the settings do not say where
    /// Reflector is.
    pub fn gateway(&self) -> anyhow::Result<Option<Gateway>> {
        let environment = &self.environment;
        let Some(legacy) = &environment.legacy else {
            return Ok(None);
        };
        let theirs = legacy.database_url.expose();
        Ok(Some(Gateway::new(Outside {
            store: self.store.clone(),
            reflector: self.reflector()?,
            rows: RowWriter::open(theirs)?,
            shares_database: same_database(self.config.database.url.expose(), theirs),
            publisher: self.publisher()?,
            data_dir: environment.reflector.data_dir.as_ref().map(DataDir::new),
            objects: self.objects()?,
            zulip: self.zulip()?,
            webhook: Webhook::new(&environment.relays)?,
            clock: Arc::clone(&self.clock),
        })))
    }

    /// Deletes at once what ended runs keep of sound that people took back.
    pub async fn sweep(&self) -> anyhow::Result<Sweep> {
        // Says which section is missing.
        self.legacy()?;
        let gateway = self.gateway()?.context("there is no Reflector to ask")?;
        let bucket = &self.environment.objects.bucket;
        gateway.sweep_once(&self.name, bucket).await
    }

    /// What tasks use; without a gateway they are of shadow runs alone.
    fn services(&self, gateway: Option<Gateway>) -> anyhow::Result<Services> {
        let worker = &self.config.worker;
        let environment = &self.environment;
        Ok(Services {
            store: self.store.clone(),
            objects: self.objects()?,
            daily: self.daily()?,
            transcription: self.transcription()?,
            llm: self.llm()?,
            shared: self.shared()?,
            prompts: self.prompts()?,
            tuning: Tuning {
                bucket: environment.objects.bucket.clone(),
                context_window: environment.llm.context_window,
                parse_retries: environment.llm.parse_retries,
                min_transcript_length: environment.reflector.min_transcript_length,
                mp3_bitrate: environment.reflector.mp3_bitrate,
                audio_timing: environment.reflector.audio_timing,
                zulip_realm: environment.reflector.zulip_realm.clone(),
            },
            processors: Processors::new(worker.audio_concurrency),
            gateway,
            clock: Arc::clone(&self.clock),
        })
    }

    /// The workers of this process.
    fn runner(&self, services: Arc<Services>) -> anyhow::Result<Runner> {
        let worker = &self.config.worker;
        let settings = RunnerSettings {
            worker_id: worker.id.clone().unwrap_or_else(default_worker_id),
            concurrency: worker.concurrency,
            poll: Duration::from_millis(worker.poll_ms),
            drain: worker.drain(),
            resend: Duration::from_secs(2),
        };
        Ok(Runner::new(self.client()?, services, settings))
    }

    /// Serves the embedded engine until told to stop.
    pub async fn serve_engine(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let engine = Engine::open(self.store.clone(), Arc::clone(&self.clock)).await?;
        let router = engine.router();
        let stop = shutdown.clone();
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        let (served, ()) = tokio::join!(serving.into_future(), engine.run(shutdown));
        served.context("serving the embedded engine")
    }

    /// Serves the folder `objects.local_dir` as S3 until told to stop.
    pub async fn serve_objects(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let settings = &self.environment.objects;
        let root = settings.local_dir.as_deref();
        let root = root.context("`objects.local_dir` names no folder to serve")?;
        let (access, secret) = (settings.access_key.expose(), settings.secret_key.expose());
        objects::local::serve(root, listener, access, secret, shutdown).await
    }

    /// Serves pages and API until told to stop.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        intake: Intake,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let router = http::router(http::State {
            shadow: self.shadow()?,
            mending: self.mending()?,
            intake,
            mover: self.mover()?,
            reviews: self.reviews()?,
            sound: self.sound()?,
            health: self.environment.health,
            replays: match &self.environment.legacy {
                Some(_) => Some(self.replays()?),
                None => None,
            },
            settings: Arc::new(self.config.shown()),
            examine: self.examine(),
            notices: self.notices()?,
            retention: self.retention()?,
            access: self.access()?,
            metering: self.metering()?,
            patience: http::Patience::default(),
            shutdown: shutdown.clone(),
        });
        // Where a request comes from is what tries are counted by.
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let stop = shutdown.clone();
        let serving = axum::serve(listener, service)
            .with_graceful_shutdown(async move { stop.cancelled().await });
        let (served, ()) = tokio::join!(
            serving.into_future(),
            self.access()?.sweep_repeats(shutdown)
        );
        served.context("serving HTTP")
    }

    /// Reads a recorded outcome of the legacy pipeline and keeps it as a control. Returns what a
    /// run of the same recording is about, the control's id, and the recording's local tracks.
    pub async fn keep_recorded(&self, folder: &Path) -> anyhow::Result<Kept> {
        let base = self.environment.reflector.ui_base_url.as_str();
        let mut recorded = recorded::load(folder, Some(base.trim_end_matches('/')))
            .with_context(|| format!("reading the recorded outcome in `{}`", folder.display()))?;
        if let Some(path) = recorded.mp3.take() {
            let facts = tokio::task::spawn_blocking(move || {
                let file = std::fs::File::open(&path)?;
                audio::decode::facts_of_mp3(Source::new(file))
            });
            recorded.outcome.audio = Some(facts.await.context("reading the recorded mix")??);
        }
        let source = folder.display().to_string();
        let control_id = self
            .keep(&recorded.subject, source, recorded.outcome)
            .await?;
        Ok(Kept {
            subject: recorded.subject,
            control_id,
            sources: recorded.sources,
        })
    }

    /// Reads a transcript that the legacy pipeline has finished from Reflector's own database, and
    /// keeps what it made as a control.
    pub async fn keep_finished(&self, transcript: &TranscriptId) -> anyhow::Result<Kept> {
        let reflector = self.reflector()?;
        let snapshot = reflector
            .snapshot(transcript)
            .await?
            .with_context(|| not_finished(transcript))?;
        anyhow::ensure!(
            !snapshot.edited,
            "people have edited transcript `{transcript}` since; its row no longer says what the pipeline made"
        );
        let base = self.environment.reflector.ui_base_url.as_str();
        let mut subject = reflector
            .subject(transcript, None, base.trim_end_matches('/'))
            .await?
            .with_context(|| not_finished(transcript))?;
        reflector.close().await;
        as_before_the_run(&mut subject);
        let mut outcome = snapshot.outcome;
        if !outcome.audio_deleted {
            outcome.audio = self.mix_of(transcript).await?;
        }
        let control_id = self.keep(&subject, FROM_ROWS.to_owned(), outcome).await?;
        Ok(Kept {
            subject,
            control_id,
            sources: Vec::new(),
        })
    }

    async fn keep(
        &self,
        subject: &Subject,
        source: String,
        outcome: Outcome,
    ) -> anyhow::Result<String> {
        let recording = &subject.recording.id;
        keep_control(&self.store, recording, source, outcome, (self.clock)()).await
    }

    /// Reflector's own database.
    pub fn reflector(&self) -> anyhow::Result<Reflector> {
        Ok(Reflector::open(self.legacy()?.database_url.expose())?)
    }

    fn legacy(&self) -> anyhow::Result<&config::Legacy> {
        self.environment.legacy.as_ref().with_context(|| {
            let name = &self.name;
            format!("the settings have no section `environments.{name}.legacy`, which says where Reflector's database is")
        })
    }
}

fn not_finished(transcript: &TranscriptId) -> String {
    format!(
        "Reflector has no transcript `{transcript}` that its pipeline has finished; a run under way is not compared"
    )
}

/// An outcome of the legacy pipeline, kept as a control.
pub struct Kept {
    /// What a run of the same recording is about.
    pub subject: Subject,
    /// The control.
    pub control_id: String,
    /// The recording's tracks as local files; none where they lie in its bucket.
    pub sources: Vec<recorded::Source>,
}

/// A SQLite file needs a folder to lie in.
fn make_folder_of(url: &str) -> anyhow::Result<()> {
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Ok(());
    };
    let path = path
        .trim_start_matches("//")
        .split('?')
        .next()
        .unwrap_or_default();
    if let Some(folder) = Path::new(path).parent()
        && !folder.as_os_str().is_empty()
        && path != ":memory:"
    {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating the folder `{}`", folder.display()))?;
    }
    Ok(())
}

fn default_worker_id() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "worker",
        host => host,
    };
    format!("{host}-{}", std::process::id())
}
