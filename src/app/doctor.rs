//! What whoever helps from afar asks for first, in one file: what is installed, what is set, what
//! answers, how far everything is, and what failed lately. No meeting text, no secret, no name of a
//! person.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::{App, Finding, check, files};
use crate::{config::Config, http::Examine, model::digest, store::FailedStep};

/// How far back failures are told.
const LATELY: TimeDelta = TimeDelta::days(7);
/// How long everything that is no check may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everything there is to tell.
#[derive(Debug, Serialize)]
pub struct Bundle {
    /// Switchyard's version.
    pub version: &'static str,
    /// SHA-256 of its sources.
    pub sources: &'static str,
    /// Operating system and processor.
    pub platform: String,
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// The settings in force, secrets masked.
    pub settings: Value,
    /// What answers.
    pub checks: Vec<Finding>,
    /// How far the environment is; or why that cannot be said.
    pub stands: Value,
}

impl Bundle {
    /// Asks everything. Whatever cannot be answered says so, and the rest is told all the same.
    pub async fn gather(config: Config, environment: Option<&str>) -> Self {
        let settings = config.shown();
        let checks = check(config.clone(), environment).await;
        let at = super::now();
        let stands = match tokio::time::timeout(PATIENCE, stands(config, environment)).await {
            Ok(Ok(stands)) => stands,
            Ok(Err(error)) => json!({ "unknown": format!("{error:#}") }),
            Err(_) => {
                json!({ "unknown": format!("our database took more than {} s", PATIENCE.as_secs()) })
            }
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            sources: env!("SWITCHYARD_SOURCES"),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            at,
            settings,
            checks,
            stands,
        }
    }

    /// Writes it to a new file; its SHA-256.
    pub async fn write(&self, path: &Path) -> anyhow::Result<String> {
        let text = serde_json::to_string_pretty(self).context("writing what was found")?;
        let (_, mut file) = files::create(path).await?;
        tokio::io::AsyncWriteExt::write_all(&mut file, text.as_bytes())
            .await
            .with_context(|| format!("writing `{}`", path.display()))?;
        files::finish(file, path).await?;
        Ok(digest::of_text(&text))
    }
}

impl App {
    /// Asks everything of this environment, as `switchyard doctor` does.
    pub fn examine(&self) -> Examine {
        let (config, name) = (self.config.clone(), self.name.to_string());
        Arc::new(move || {
            let (config, name) = (config.clone(), name.clone());
            Box::pin(async move {
                let bundle = Bundle::gather(config, Some(&name)).await;
                serde_json::to_value(bundle).context("writing what was found")
            })
        })
    }
}

async fn stands(config: Config, environment: Option<&str>) -> anyhow::Result<Value> {
    let app = App::open(config, environment).await?;
    let now = (app.clock)();
    let mover = app.mover()?;
    let phase = mover.stands().await?;
    let plan = mover.plan(None).await?;
    let (evidence, decision) = mover.gate().await?;
    let audit = match app.store.verify_audit().await? {
        Ok(entries) => json!({ "whole": true, "entries": entries }),
        Err(broken) => json!({ "whole": false, "broken": broken.to_string() }),
    };
    let failures: Vec<FailedStep> = app.store.failed_steps(&app.name, now - LATELY).await?;
    Ok(json!({
        "environment": app.name,
        "database": app.store.kind(),
        "rows": app.store.row_counts().await?.into_iter().collect::<serde_json::Map<_, _>>(),
        "phase": {
            "position": phase.position.to_string(),
            "version": phase.version,
            "since": phase.changed_at,
        },
        "next_step": plan.map(|plan| json!({
            "to": plan.to,
            "preconditions": plan.preconditions,
            "held": plan.hold.is_some(),
            "ready": plan.ready,
        })),
        "gate": { "verdict": decision.verdict, "lines": decision.lines, "evidence": evidence },
        "health": app.standing().await?,
        "retention": app.retention()?.plan().await?,
        "audit": audit,
        "failures_of_seven_days": failures,
    }))
}
