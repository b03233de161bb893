//! The self-check: every connection of the settings is tried, and what is wrong is named with its
//! remedy.

mod legacy;
mod models;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use crate::{
    conductor::{Error, definitions},
    config::Config,
    model::RecordingId,
    objects::ErrorKind,
};

/// What one check found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
    findings.extend(models::all(&app).await);
    if app.config.telemetry.traces.is_some() {
        findings.push(within("traces", traces(&app)).await);
    }
    findings.extend(legacy::all(&app).await);
    if app
        .config
        .access
        .as_ref()
        .is_some_and(|access| access.oidc.is_some())
    {
        findings.push(within("sign-in provider", provider(&app)).await);
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

/// What it says of itself, and its keys. Whether it knows us shows when somebody signs in.
async fn provider(app: &App) -> Finding {
    const WHAT: &str = "sign-in provider";
    let oidc = match app.oidc() {
        Ok(Some(oidc)) => oidc,
        Ok(None) => return Finding::good(WHAT, "there is none"),
        Err(error) => {
            let remedy = "change `access.oidc` in the settings";
            return Finding::bad(WHAT, format!("{error:#}"), remedy);
        }
    };
    match oidc.reach((app.clock)()).await {
        Ok(0) => Finding::bad(
            WHAT,
            format!("{} has no key whose signatures we can check", oidc.issuer()),
            "have it sign ID tokens with RS256 or ES256",
        ),
        Ok(keys) => Finding::good(WHAT, format!("{} answers, with {keys} keys", oidc.issuer())),
        Err(why) => Finding::bad(
            WHAT,
            why,
            "start it, or change `access.oidc.issuer`; who has signed in stays so, and tokens go on",
        ),
    }
}

async fn traces(app: &App) -> Finding {
    const WHAT: &str = "traces";
    let remedy = "check `telemetry.traces.url`, which ends in `/v1/traces`, and its headers";
    let collector = match app.collector() {
        Ok(Some(collector)) => collector,
        Ok(None) => return Finding::good(WHAT, "nobody is told"),
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), remedy),
    };
    // None at all is a request that every collector takes.
    match collector.send(&[]).await {
        Ok(_) => Finding::good(WHAT, "the collector takes them"),
        Err(error) => Finding::bad(WHAT, error, remedy),
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
