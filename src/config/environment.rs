//! What concerns one environment.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Notices, Secret};
use crate::model::{Bounds, Caps, GateBounds, HealthLimits, Mirroring, RetentionDays, Timing};

/// One environment.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// A model that says how near two summaries are in meaning; nobody is asked without it.
    pub embeddings: Option<Embeddings>,
    /// Facts about Reflector itself.
    pub reflector: Reflector,
    /// The legacy side, where recordings come from Celery or by transcript.
    pub legacy: Option<Legacy>,
    /// Zulip, where rooms post to it.
    pub zulip: Option<Zulip>,
    /// Who is told what happens to the migration, beside the log.
    #[serde(default)]
    pub notices: Notices,
    /// Where to connect to instead, by host (with port, if the URL has one), for Zulip and
    /// customers' webhooks. Requests keep their own `Host`.
    #[serde(default)]
    pub relays: BTreeMap<String, Url>,
    /// Replaces prompts: a folder with files named as those in `src/workers/prompts/`.
    pub prompts: Option<PathBuf>,
    /// Replaces the comparison policy: a file like `comparisons/daily_diarization_pipeline.json`.
    pub comparisons: Option<PathBuf>,
    /// How many mirrors the controller runs by itself; none without it.
    pub mirrors: Option<Mirroring>,
    /// How requests for recordings are answered.
    #[serde(default)]
    pub routing: Routing,
    /// The most that shadow runs may use in a day.
    #[serde(default)]
    pub shadow: Caps,
    /// The proxy before the language model and the transcription service; none without it.
    pub sharing: Option<Sharing>,
    /// What else is looked at where a comparison finds differences.
    #[serde(default)]
    pub comparison: Comparison,
    /// What has to be seen before the migration goes forward here.
    #[serde(default)]
    pub rollout: Bounds,
    /// What evidence has to show before the candidate serves here.
    #[serde(default)]
    pub gate: GateBounds,
    /// How closely Conductor is watched.
    #[serde(default)]
    pub health: HealthLimits,
    /// How long what is kept of recordings is kept.
    #[serde(default)]
    pub retention: RetentionDays,
    /// Prices, for the cost lines of reports. What has no price is shown as unknown.
    #[serde(default)]
    pub prices: Vec<crate::model::Price>,
}

/// How requests for recordings are answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
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

/// The proxy through which the control asks the language model and the transcription service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sharing {
    /// Whether shadow runs get what the control was answered.
    pub mode: SharingMode,
    /// With `sample`: percent of recordings whose shadow runs ask anew all the same.
    pub anew_percent: u8,
    /// Address and port. Without sign-in only loopback is allowed.
    pub listen: SocketAddr,
    /// Where the proxy asks the language model; `llm.url` without it.
    pub llm_url: Option<Url>,
    /// Where the proxy asks the transcription service; `transcription.url` without it.
    pub transcription_url: Option<Url>,
    /// Seconds a shadow run waits at most for the control to have asked, and never more than a third
    /// of what its request may take.
    pub wait_s: u64,
    /// Hours that answers are kept.
    pub keep_hours: u32,
    /// Megabytes of answers that are kept.
    pub keep_mb: u32,
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            mode: SharingMode::Off,
            anew_percent: 10,
            listen: SocketAddr::from(([127, 0, 0, 1], 8484)),
            llm_url: None,
            transcription_url: None,
            wait_s: 300,
            keep_hours: 24,
            keep_mb: 256,
        }
    }
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingMode {
    /// Nobody: requests pass, and nothing is kept.
    Off,
    /// All shadow runs.
    Share,
    /// All but those of some recordings.
    Sample,
}

/// What else is looked at where a comparison finds differences.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Comparison {
    /// Percent of recordings with differences whose steps are run once more on what the control had made
    /// before them.
    pub pinned_percent: u8,
}

/// Conductor or the embedded engine.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Conductor {
    /// Base URL with `/api` at the end.
    pub url: Url,
    /// Where people see Conductor's own pages; pages and reports link to them. The embedded engine has
    /// none.
    pub ui_url: Option<Url>,
    /// Seconds one request may take.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

/// An S3 API.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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

/// A model that says how near two summaries are in meaning. It gets titles and summaries of both
/// pipelines to read; its answer is shown and decides nothing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Embeddings {
    /// Base URL of an OpenAI-compatible API, usually with `/v1` at the end.
    pub url: Url,
    /// The API key, where it wants one.
    pub api_key: Option<Secret>,
    /// The model's name.
    pub model: String,
    /// Seconds one request may take.
    #[serde(default = "one_minute")]
    pub timeout_s: u64,
}

/// Facts about Reflector itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// Whose rule decides where tracks lie on the recording's clock: `exact` or `legacy`.
    #[serde(default)]
    pub audio_timing: Timing,
    /// Zulip's host name, for the address of posts.
    pub zulip_realm: Option<String>,
    /// Reflector's `DATA_DIR`, where this process shares it: the waveform file goes there.
    pub data_dir: Option<PathBuf>,
    /// The channel that gets `PIPELINE_PROGRESS`, `{transcript_id}` standing for the transcript.
    /// None by default: old web clients take an event they do not know for an error.
    pub progress_channel: Option<String>,
}

/// Zulip's bot.
#[derive(Clone, Debug, Deserialize, Serialize)]
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

/// The legacy side.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
