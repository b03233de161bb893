//! The settings: one `switchyard.toml`, read once and validated at once.
//!
//! Every value is described in `docs/switchyard.example.toml`; a test holds that file to these
//! types. Errors name the key, what is wrong with it and what to write.

mod secret;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use url::Url;

use crate::model::{Bounds, Caps, EnvironmentName, FlagName, HealthLimits};

pub use secret::Secret;

/// The one migration this version knows.
pub const FLAG: &str = "daily_diarization_pipeline";

/// Everything in `switchyard.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Our own database.
    pub database: Database,
    /// The HTTP server of `serve` and `up`.
    #[serde(default)]
    pub server: Server,
    /// The embedded engine; `engine` and `up` serve it.
    #[serde(default)]
    pub engine: Engine,
    /// The workers of `worker` and `up`.
    #[serde(default)]
    pub worker: Worker,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
}

/// Our own database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: DatabaseUrl,
    /// The PostgreSQL schema our tables lie in; the user's default when left out. It is made where
    /// there is none. In Reflector's own database, a row and the ledger are written together.
    pub schema: Option<String>,
}

/// A database URL; its password is not printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes the URL as text.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL, password included; for the driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Url::parse(&self.0) {
            Ok(url) if url.password().is_some() => write!(
                f,
                "{}://{}:***@{}{}",
                url.scheme(),
                url.username(),
                url.host_str().unwrap_or_default(),
                url.path()
            ),
            _ => f.write_str(&self.0),
        }
    }
}

/// The HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port. Without sign-in only loopback is allowed.
    pub listen: SocketAddr,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8480)),
        }
    }
}

/// The embedded engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Address and port.
    pub listen: SocketAddr,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8481)),
        }
    }
}

/// The workers of one process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// How the engine sees this process, and no other; the default is host name and process id. A
    /// process started again under the same id hands back at once what it was killed at.
    pub id: Option<String>,
    /// Tasks of one kind that run at once.
    pub concurrency: usize,
    /// Audio tasks (`pad_track`, `mixdown_tracks`, `generate_waveform`) that run at once, all kinds
    /// together; they burn processors.
    pub audio_concurrency: usize,
    /// Milliseconds one poll waits at the engine, 5000 at most.
    pub poll_ms: u64,
    /// Seconds that running tasks get to end when the process is told to stop.
    pub drain_s: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            id: None,
            concurrency: 4,
            audio_concurrency: 2,
            poll_ms: 1000,
            drain_s: 30,
        }
    }
}

impl Worker {
    /// How long running tasks get to end.
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }
}

/// One environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Conductor or the embedded engine.
    pub conductor: Conductor,
    /// Where recordings and results lie.
    pub objects: Objects,
    /// Daily's REST API.
    pub daily: Daily,
    /// The transcription service.
    pub transcription: Transcription,
    /// The language model.
    pub llm: Llm,
    /// Facts about Reflector itself.
    pub reflector: Reflector,
    /// The legacy side, where recordings come from Celery or by transcript.
    pub legacy: Option<Legacy>,
    /// Zulip, where rooms post to it.
    pub zulip: Option<Zulip>,
    /// Where people are told what happens to the migration; the log alone without it.
    pub notices: Option<Notices>,
    /// Where to connect to instead, by host (with port, if the URL has one), for Zulip and
    /// customers' webhooks. Requests keep their own `Host`.
    #[serde(default)]
    pub relays: BTreeMap<String, Url>,
    /// Replaces prompts: a folder with files named as those in `src/workers/prompts/`.
    pub prompts: Option<PathBuf>,
    /// Replaces the comparison policy: a file like `comparisons/daily_diarization_pipeline.json`.
    pub comparisons: Option<PathBuf>,
    /// How requests for recordings are answered.
    #[serde(default)]
    pub routing: Routing,
    /// The most that shadow runs may use in a day.
    #[serde(default)]
    pub shadow: Caps,
    /// What has to be seen before the migration goes forward here.
    #[serde(default)]
    pub rollout: Bounds,
    /// How closely Conductor is watched.
    #[serde(default)]
    pub health: HealthLimits,
    /// Prices, for the cost lines of reports. What has no price is shown as unknown.
    #[serde(default)]
    pub prices: Vec<crate::model::Price>,
}

/// How requests for recordings are answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Routing {
    /// Milliseconds an answer may take; what takes longer is left to Celery. Users wait for it.
    pub answer_ms: u64,
}

impl Default for Routing {
    fn default() -> Self {
        Self { answer_ms: 300 }
    }
}

/// Conductor or the embedded engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conductor {
    /// Base URL with `/api` at the end.
    pub url: Url,
    /// Seconds one request may take.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

/// An S3 API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Base URL of the S3 API; none means AWS.
    pub endpoint: Option<Url>,
    /// Served as S3 at the endpoint by `objects`, `up` and `demo`.
    pub local_dir: Option<PathBuf>,
    /// AWS region.
    #[serde(default = "us_east_1")]
    pub region: String,
    /// Access key id.
    pub access_key: Secret,
    /// Secret access key.
    pub secret_key: Secret,
    /// Reflector's own bucket, where results go.
    pub bucket: String,
}

/// Daily's REST API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daily {
    /// Base URL.
    #[serde(default = "daily_url")]
    pub url: Url,
    /// The API key.
    pub api_key: Secret,
    /// Seconds one request may take.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

/// The transcription service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcription {
    /// Base URL.
    pub url: Url,
    /// The API key, where the service wants one.
    pub api_key: Option<Secret>,
    /// Seconds one request may take.
    #[serde(default = "ten_minutes")]
    pub timeout_s: u64,
}

/// The language model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Llm {
    /// Base URL of an OpenAI-compatible API, usually with `/v1` at the end.
    pub url: Url,
    /// The API key.
    pub api_key: Secret,
    /// The model's name.
    pub model: String,
    /// Seconds one request may take.
    #[serde(default = "one_minute")]
    pub timeout_s: u64,
    /// Tokens the model can take, question and answer together.
    #[serde(default = "context_window")]
    pub context_window: usize,
    /// How often a malformed structured answer is asked for again.
    #[serde(default = "three")]
    pub parse_retries: u32,
}

/// Facts about Reflector itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reflector {
    /// Reflector's `UI_BASE_URL`, which messages link to.
    pub ui_base_url: Url,
    /// Reflector's `MIN_TRANSCRIPT_LENGTH`, in characters.
    #[serde(default = "min_transcript_length")]
    pub min_transcript_length: usize,
    /// Bits per second of the mix.
    #[serde(default = "mp3_bitrate")]
    pub mp3_bitrate: u32,
    /// Zulip's host name, for the address of posts.
    pub zulip_realm: Option<String>,
    /// Reflector's `DATA_DIR`, where this process shares it: the waveform file goes there.
    pub data_dir: Option<PathBuf>,
    /// The channel that gets `PIPELINE_PROGRESS`, `{transcript_id}` standing for the transcript.
    /// None by default: old web clients take an event they do not know for an error.
    pub progress_channel: Option<String>,
}

/// Zulip's bot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zulip {
    /// The bot's address.
    pub email: String,
    /// The bot's key.
    pub api_key: Secret,
    /// Seconds one request may take.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

/// Where people are told what happens to the migration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// Gets a POST request with JSON for each notice.
    pub url: Url,
    /// Signs these requests.
    pub secret: Option<Secret>,
    /// Seconds one request may take.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

/// The legacy side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legacy {
    /// Reflector's own `PostgreSQL`, as its `DATABASE_URL` has it. Shadow runs only read it.
    pub database_url: Secret,
    /// Celery's broker, as Reflector's `CELERY_BROKER_URL` has it.
    pub broker_url: Option<Secret>,
    /// Celery's results, as Reflector's `CELERY_RESULT_BACKEND` has it; the broker's by default.
    pub results_url: Option<Secret>,
    /// The Redis browsers are told through: `redis://REDIS_HOST:REDIS_PORT`.
    pub redis_url: Option<Secret>,
    /// Kombu's `global_keyprefix`, where one is set.
    #[serde(default)]
    pub key_prefix: String,
    /// The tap, where Celery's messages pass through us.
    pub tap: Option<Tap>,
}

/// Where the tap stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    /// The queue it takes from: one that `task_routes` sends the task to, or `celery` where the
    /// legacy workers were started with `-Q` on another.
    pub from: String,
    /// The queue the legacy workers take from.
    #[serde(default = "celery")]
    pub legacy: String,
}

const fn three() -> u32 {
    3
}
const fn ten() -> u64 {
    10
}
const fn one_minute() -> u64 {
    60
}
const fn ten_minutes() -> u64 {
    600
}
const fn context_window() -> usize {
    16_000
}
const fn min_transcript_length() -> usize {
    750
}
const fn mp3_bitrate() -> u32 {
    128_000
}
fn celery() -> String {
    "celery".to_owned()
}
fn us_east_1() -> String {
    "us-east-1".to_owned()
}
fn daily_url() -> Url {
    Url::parse("https://api.daily.co/v1").expect("it is a URL")
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error(
        "cannot read the settings file `{path}`: {why}; copy docs/switchyard.example.toml there, or name another with --config"
    )]
    Unreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is not what we expect; the message names line and key.
    #[error("the settings file `{path}` is wrong: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, key and remedy.
        message: String,
    },
    /// A value makes no sense.
    #[error("`{key}` in the settings is wrong: {message}")]
    Invalid {
        /// The key with its sections.
        key: String,
        /// What is wrong and what to write.
        message: String,
    },
    /// There are several environments, or none of that name.
    #[error("{0}")]
    Environment(String),
}

impl Config {
    /// Reads and validates a settings file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|why| Error::Unreadable {
            path: path.to_owned(),
            why,
        })?;
        Self::parse(&text).map_err(|error| match error {
            Error::Malformed { message, .. } => Error::Malformed {
                path: path.to_owned(),
                message,
            },
            other => other,
        })
    }

    /// Parses and validates settings given as text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|error| Error::Malformed {
            path: PathBuf::from("switchyard.toml"),
            message: explain(text, &error),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The environment of that name, or the only one.
    pub fn environment(
        &self,
        name: Option<&str>,
    ) -> Result<(EnvironmentName, &Environment), Error> {
        let known = || {
            let names: Vec<_> = self.environments.keys().map(String::as_str).collect();
            names.join(", ")
        };
        match name {
            Some(name) => self
                .environments
                .get_key_value(name)
                .ok_or_else(|| {
                    Error::Environment(format!(
                        "the settings have no environment `{name}`; they have: {}",
                        known()
                    ))
                })
                .map(|(name, environment)| (EnvironmentName::new(name.as_str()), environment)),
            None => match self.environments.iter().next() {
                Some((name, environment)) if self.environments.len() == 1 => {
                    Ok((EnvironmentName::new(name.as_str()), environment))
                }
                _ => Err(Error::Environment(format!(
                    "the settings have several environments; name one with --environment: {}",
                    known()
                ))),
            },
        }
    }

    /// The one migration this version knows.
    pub fn flag() -> FlagName {
        FlagName::new(FLAG)
    }

    fn validate(&self) -> Result<(), Error> {
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: key.to_owned(),
                message: message.to_owned(),
            })
        };
        if self.environments.is_empty() {
            return invalid(
                "environments",
                "there is none; add a section `[environments.NAME]`",
            );
        }
        if !self.server.listen.ip().is_loopback() {
            return invalid(
                "server.listen",
                "without sign-in the server binds to loopback only; write `127.0.0.1:8480` and put a proxy that signs people in before it",
            );
        }
        if self.worker.concurrency == 0 || self.worker.audio_concurrency == 0 {
            return invalid(
                "worker.concurrency",
                "a worker that runs nothing at once does nothing; write 1 or more (the same for `worker.audio_concurrency`)",
            );
        }
        if !(1..=5000).contains(&self.worker.poll_ms) {
            return invalid("worker.poll_ms", "Conductor accepts 1 to 5000 milliseconds");
        }
        if let Some(schema) = &self.database.schema {
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            if schema.is_empty() || !schema.chars().all(is_plain) {
                return invalid(
                    "database.schema",
                    "it is one word of small letters and `_`, e.g. `switchyard`",
                );
            }
            if self.database.url.expose().starts_with("sqlite:") {
                return invalid(
                    "database.schema",
                    "SQLite knows no schemas; leave it out, or write a `postgres://` URL",
                );
            }
        }
        for (name, environment) in &self.environments {
            environment.validate(&format!("environments.{name}"))?;
            environment.validate_caps(&format!("environments.{name}"))?;
            if environment.rollout.after.as_ref() == Some(name) {
                return invalid(
                    &format!("environments.{name}.rollout.after"),
                    "an environment cannot come after itself; name the one that goes first, or leave it out",
                );
            }
        }
        Ok(())
    }
}

/// Line, key and cause. Never the value: it may be a secret written where none belongs.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else {
        return error.message().to_owned();
    };
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let key = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.split('=').next())
        .unwrap_or_default()
        .trim();
    format!("line {line}, `{key}`: {}", error.message())
}

impl Environment {
    /// How requests are answered, and what moves ask for.
    fn validate_moving(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        if ![10, 5, 2, 1].contains(&self.rollout.failure_percent) {
            return invalid(
                "rollout.failure_percent",
                "there are tables for 10, 5, 2 and 1".to_owned(),
            );
        }
        if !(10..=60_000).contains(&self.routing.answer_ms) {
            return invalid(
                "routing.answer_ms",
                "write 10 to 60000; users wait that long at most before Celery serves them"
                    .to_owned(),
            );
        }
        let rollout = &self.rollout;
        for (key, least) in [
            ("rollout.healthy_min", rollout.healthy_min),
            ("rollout.parallel_runs", rollout.parallel_runs),
            ("rollout.shadow_pairs", rollout.shadow_pairs),
            ("rollout.evidence_days", rollout.evidence_days),
            ("rollout.rehearsal_days", rollout.rehearsal_days),
            ("rollout.dwell_hours", rollout.dwell_hours),
            ("rollout.step_runs", rollout.step_runs),
            ("rollout.soak_days", rollout.soak_days),
            ("rollout.quiet_days", rollout.quiet_days),
            ("rollout.legacy_quiet_days", rollout.legacy_quiet_days),
        ] {
            if !(0..=100_000).contains(&least) {
                return invalid(key, "write a number from 0 to 100000".to_owned());
            }
        }
        Ok(())
    }

    fn validate_caps(&self, section: &str) -> Result<(), Error> {
        for (key, cap) in [
            ("max_gpu_seconds", self.shadow.max_gpu_seconds),
            ("max_tokens", self.shadow.max_tokens),
            ("max_usd", self.shadow.max_usd),
        ] {
            if cap.is_some_and(|cap| !cap.is_finite() || cap < 0.0) {
                return Err(Error::Invalid {
                    key: format!("{section}.shadow.{key}"),
                    message: "write the most that shadow runs may use in a day, 0 for nothing; leave it out where there is no bound".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn validate(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        for (key, url) in [
            ("conductor.url", &self.conductor.url),
            ("daily.url", &self.daily.url),
            ("transcription.url", &self.transcription.url),
            ("llm.url", &self.llm.url),
            ("reflector.ui_base_url", &self.reflector.ui_base_url),
        ] {
            if !matches!(url.scheme(), "http" | "https") {
                return invalid(
                    key,
                    format!(
                        "`{}:` is no scheme we speak; write http:// or https://",
                        url.scheme()
                    ),
                );
            }
        }
        for (key, seconds) in [
            ("conductor.timeout_s", self.conductor.timeout_s),
            ("daily.timeout_s", self.daily.timeout_s),
            ("transcription.timeout_s", self.transcription.timeout_s),
            ("llm.timeout_s", self.llm.timeout_s),
        ] {
            if seconds == 0 {
                return invalid(
                    key,
                    "a request cannot take 0 seconds; write 1 or more".to_owned(),
                );
            }
        }
        if let Some(channel) = &self.reflector.progress_channel
            && !channel.contains("{transcript_id}")
        {
            return invalid(
                "reflector.progress_channel",
                "all transcripts would share one channel; write `{transcript_id}` somewhere in it"
                    .to_owned(),
            );
        }
        if let Some(tap) = self.legacy.as_ref().and_then(|legacy| legacy.tap.as_ref())
            && tap.from == tap.legacy
        {
            return invalid(
                "legacy.tap.from",
                format!(
                    "the tap would take what it hands on to `{}`; name another queue",
                    tap.legacy
                ),
            );
        }
        if self.objects.bucket.is_empty() || self.objects.bucket.contains('/') {
            return invalid(
                "objects.bucket",
                "it is the bucket's bare name, without a key prefix".to_owned(),
            );
        }
        if self.objects.local_dir.is_some() && self.objects.endpoint.is_none() {
            return invalid(
                "objects.local_dir",
                "it is served on the port of `objects.endpoint`, which is missing".to_owned(),
            );
        }
        self.validate_moving(section)?;
        if let Some(notices) = &self.notices {
            notices.validate(section)?;
        }
        self.validate_health(section)?;
        if self.llm.context_window < 4096 {
            return invalid(
                "llm.context_window",
                format!(
                    "{} tokens do not hold a question and its answer; write 4096 or more",
                    self.llm.context_window
                ),
            );
        }
        if ![64_000, 96_000, 128_000, 160_000, 192_000].contains(&self.reflector.mp3_bitrate) {
            return invalid(
                "reflector.mp3_bitrate",
                "the encoder knows 64000, 96000, 128000, 160000 and 192000".to_owned(),
            );
        }
        for (key, path) in [
            ("prompts", &self.prompts),
            ("comparisons", &self.comparisons),
        ] {
            if let Some(path) = path
                && !path.exists()
            {
                return invalid(key, format!("`{}` does not exist", path.display()));
            }
        }
        Ok(())
    }

    fn validate_health(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        let health = &self.health;
        for (key, seconds) in [
            ("health.every_s", health.every_s),
            ("health.timeout_s", health.timeout_s),
            ("health.canary_s", health.canary_s),
            ("health.polled_s", health.polled_s),
            ("health.starting_s", health.starting_s),
            ("health.stalled_s", health.stalled_s),
            ("health.cool_down_s", health.cool_down_s),
            ("health.good_looks", health.good_looks.into()),
        ] {
            if !(1..=100_000).contains(&seconds) {
                return invalid(key, "write a number from 1 to 100000".to_owned());
            }
        }
        for (key, seconds) in [
            ("health.confirm_s", health.confirm_s),
            ("health.steady_s", health.steady_s),
            ("health.drain_s", health.drain_s),
        ] {
            if !(0..=100_000).contains(&seconds) {
                return invalid(key, "write a number from 0 to 100000".to_owned());
            }
        }
        if health.every_s + health.timeout_s.max(health.canary_s) > 20 {
            return invalid(
                "health.every_s",
                "routers rely on no look older than 30 s; write less, so that it and the longer of `timeout_s` and `canary_s` are 20 together at most"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

impl Notices {
    fn validate(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.notices.{key}"),
                message,
            })
        };
        let scheme = self.url.scheme();
        if !matches!(scheme, "http" | "https") {
            let remedy = "is no scheme we speak; write http:// or https://";
            return invalid("url", format!("`{scheme}:` {remedy}"));
        }
        if !(1..=30).contains(&self.timeout_s) {
            return invalid("timeout_s", "write 1 to 30 seconds".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
