//! The self-check: every connection of the settings is tried, and what is wrong is named with its
//! remedy.

use std::time::Duration;

use serde::Serialize;

use super::App;
use crate::{
    conductor::{Error, definitions},
    config::{Config, Legacy, Secret, Tap},
    legacy::celery::{Broker, Limits, Queue, RedisLocation},
    model::RecordingId,
    objects::ErrorKind,
};

/// What one check found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The connection.
    pub what: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            ok: true,
            found: found.into(),
            remedy: None,
        }
    }

    fn bad(what: &'static str, found: impl std::fmt::Display, remedy: impl Into<String>) -> Self {
        Self {
            what,
            ok: false,
            found: found.to_string(),
            remedy: Some(remedy.into()),
        }
    }
}

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries everything that one environment of the settings names.
pub async fn check(config: Config, environment: Option<&str>) -> Vec<Finding> {
    let url = config.database.url.clone();
    let app = match App::open(config, environment).await {
        Ok(app) => app,
        Err(error) => {
            let remedy = "start the database, or change `database.url` in the settings";
            let found = format!("{url:?}: {error:#}");
            return vec![Finding::bad("our database", found, remedy)];
        }
    };
    let mut findings = vec![
        database(&app).await,
        within("workflow engine", engine(&app)).await,
        within("definitions", registered(&app)).await,
        within("objects", store(&app)).await,
        within("Daily", daily(&app)).await,
        within("transcription", transcription(&app)).await,
        within("language model", llm(&app)).await,
        prompts(&app),
        policy(&app),
    ];
    if let Some(legacy) = &app.environment.legacy {
        findings.push(within("Reflector's database", reflector(&app)).await);
        if let Some(url) = &legacy.broker_url {
            findings.push(within("Celery's broker", broker(url)).await);
        }
        if let Some(tap) = &legacy.tap {
            findings.push(within("the tap's queues", queues(legacy, tap)).await);
        }
    }
    findings
}

async fn within(what: &'static str, check: impl Future<Output = Finding>) -> Finding {
    tokio::time::timeout(PATIENCE, check)
        .await
        .unwrap_or_else(|_| {
            let found = format!("no answer within {} s", PATIENCE.as_secs());
            Finding::bad(
                what,
                found,
                "see whether the service runs and can be reached from here",
            )
        })
}

async fn database(app: &App) -> Finding {
    match app.store.ping().await {
        Ok(()) => Finding::good("our database", app.store.kind()),
        Err(error) => Finding::bad(
            "our database",
            error,
            "start the database, or change `database.url` in the settings",
        ),
    }
}

async fn engine(app: &App) -> Finding {
    const WHAT: &str = "workflow engine";
    let url = &app.environment.conductor.url;
    let client = match app.client() {
        Ok(client) => client,
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), "change `conductor.url`"),
    };
    match client.health().await {
        Ok(_) => Finding::good(WHAT, format!("{url} answers")),
        Err(error) => Finding::bad(
            WHAT,
            format!("{url}: {error}"),
            "start Conductor or `switchyard engine`, or change `conductor.url` (it ends in /api)",
        ),
    }
}

async fn registered(app: &App) -> Finding {
    const WHAT: &str = "definitions";
    let workflow = definitions::workflow();
    let name = &workflow.name;
    let Ok(client) = app.client() else {
        return Finding::bad(
            WHAT,
            "not asked",
            "mend the workflow engine's settings first",
        );
    };
    match client.workflow_def(name, Some(workflow.version)).await {
        Ok(_) => Finding::good(WHAT, format!("workflow `{name}` is registered")),
        Err(Error::NotFound { .. }) => Finding::bad(
            WHAT,
            format!("the engine does not know workflow `{name}`"),
            "run `switchyard register`",
        ),
        Err(error) => Finding::bad(WHAT, error, "mend the workflow engine first"),
    }
}

async fn store(app: &App) -> Finding {
    const WHAT: &str = "objects";
    let bucket = &app.environment.objects.bucket;
    let objects = match app.objects() {
        Ok(objects) => objects,
        Err(error) => {
            return Finding::bad(
                WHAT,
                format!("{error:#}"),
                "change `objects` in the settings",
            );
        }
    };
    match objects.check(bucket).await {
        Ok(()) => Finding::good(WHAT, format!("bucket `{bucket}` can be read")),
        Err(error) => {
            let remedy = match error.kind {
                ErrorKind::NotFound => "create the bucket, or change `objects.bucket`",
                ErrorKind::Denied => {
                    "check `objects.access_key` and `objects.secret_key`, and what they may do"
                }
                ErrorKind::Transient | ErrorKind::Other => {
                    "start the object store, or change `objects.endpoint`"
                }
            };
            Finding::bad(WHAT, error, remedy)
        }
    }
}

/// A recording that cannot exist: a 404 for it proves address and key.
async fn daily(app: &App) -> Finding {
    const WHAT: &str = "Daily";
    let daily = match app.daily() {
        Ok(daily) => daily,
        Err(error) => {
            return Finding::bad(WHAT, format!("{error:#}"), "change `daily` in the settings");
        }
    };
    let nowhere = RecordingId::new("00000000-0000-4000-8000-000000000000");
    match daily.recording(&nowhere).await {
        Ok(_) => Finding::good(WHAT, "it answers"),
        Err(error) if error.status() == Some(404) => Finding::good(WHAT, "it takes our key"),
        Err(error) => Finding::bad(WHAT, error, "check `daily.url` and `daily.api_key`"),
    }
}

/// The service has no call that is free of charge, so it is only asked whether it is there.
async fn transcription(app: &App) -> Finding {
    const WHAT: &str = "transcription";
    let transcription = match app.transcription() {
        Ok(transcription) => transcription,
        Err(error) => {
            return Finding::bad(
                WHAT,
                format!("{error:#}"),
                "change `transcription` in the settings",
            );
        }
    };
    match transcription.reach().await {
        Ok(()) => Finding::good(
            WHAT,
            "it can be reached; its key is not tested, a test would cost",
        ),
        Err(error) => Finding::bad(
            WHAT,
            error,
            "start the service, or change `transcription.url`",
        ),
    }
}

async fn llm(app: &App) -> Finding {
    const WHAT: &str = "language model";
    let llm = match app.llm() {
        Ok(llm) => llm,
        Err(error) => {
            return Finding::bad(WHAT, format!("{error:#}"), "change `llm` in the settings");
        }
    };
    match llm.reach().await {
        Ok(()) => Finding::good(WHAT, format!("it answers; model `{}`", llm.model())),
        Err(error) => Finding::bad(
            WHAT,
            error,
            "check `llm.url` (it often ends in /v1) and `llm.api_key`",
        ),
    }
}

async fn reflector(app: &App) -> Finding {
    const WHAT: &str = "Reflector's database";
    let remedy = "check `legacy.database_url`";
    let found = match app.reflector() {
        Ok(reflector) => reflector.check().await,
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), remedy),
    };
    match found {
        Ok(found) if found.faults.is_empty() && found.may_write => Finding::good(
            WHAT,
            "it can be read; the role may also write, which it need not",
        ),
        Ok(found) if found.faults.is_empty() => Finding::good(WHAT, "it can be read"),
        Ok(found) => {
            let faults: Vec<_> = found.faults.iter().map(ToString::to_string).collect();
            Finding::bad(WHAT, faults.join("; "), "mend what is named")
        }
        Err(error) => Finding::bad(WHAT, error, remedy),
    }
}

async fn broker(url: &Secret) -> Finding {
    const WHAT: &str = "Celery's broker";
    let remedy = "start Redis, or change `legacy.broker_url`";
    let location = match RedisLocation::parse(url.expose()) {
        Ok(location) => location,
        Err(error) => return Finding::bad(WHAT, error, remedy),
    };
    let asked = async { Broker::new(&location, "", Limits::default())?.ping().await };
    match asked.await {
        Ok(()) => Finding::good(WHAT, "it answers"),
        Err(error) => Finding::bad(WHAT, error, remedy),
    }
}

/// Whether the legacy workers take from where the tap hands on, and from nowhere before it.
async fn queues(legacy: &Legacy, tap: &Tap) -> Finding {
    const WHAT: &str = "the tap's queues";
    let Some(url) = &legacy.broker_url else {
        let found = "`legacy.tap` is set and `legacy.broker_url` is not";
        let remedy = "write Reflector's `CELERY_BROKER_URL` to `legacy.broker_url`";
        return Finding::bad(WHAT, found, remedy);
    };
    let (from, to) = (&tap.from, &tap.legacy);
    let asked = async {
        let location = RedisLocation::parse(url.expose())?;
        let broker = Broker::new(&location, legacy.key_prefix.as_str(), Limits::default())?;
        let waiting = broker.length(&Queue::new(from.as_str())?).await?;
        anyhow::Ok((waiting, broker.consumers().await?))
    };
    let (waiting, consumers) = match asked.await {
        Ok(found) => found,
        Err(error) => {
            return Finding::bad(WHAT, format!("{error:#}"), "mend Celery's broker first");
        }
    };
    let of = |queue: &str| consumers.get(queue).copied().unwrap_or_default();
    match (of(from), of(to)) {
        (0, 0) => Finding::bad(
            WHAT,
            format!("no worker answers that it takes from `{to}`"),
            format!(
                "start the legacy workers with `-Q {to}`, or ask again when they are less busy"
            ),
        ),
        (0, workers) => Finding::good(
            WHAT,
            format!("{waiting} wait on `{from}`; {workers} workers take from `{to}`"),
        ),
        (workers, _) => Finding::bad(
            WHAT,
            format!("{workers} workers take from `{from}` beside the tap, and messages past it"),
            format!("restart these workers with `-Q {to}`"),
        ),
    }
}

fn prompts(app: &App) -> Finding {
    match app.prompts() {
        Ok(_) => Finding::good("prompts", "all can be read"),
        Err(error) => Finding::bad(
            "prompts",
            format!("{error:#}"),
            "mend the file, or take it away",
        ),
    }
}

fn policy(app: &App) -> Finding {
    match app.policy() {
        Ok(policy) => Finding::good(
            "comparison policy",
            format!("{} fields", policy.fields.len()),
        ),
        Err(error) => Finding::bad(
            "comparison policy",
            format!("{error:#}"),
            "mend the file named by `comparisons`",
        ),
    }
}
