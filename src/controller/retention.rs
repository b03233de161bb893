//! Deletes what is over its time: one process at a time, in small batches, each with its proof, and looks
//! afterwards whether anything is left.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::shadow::Clock;
use crate::{
    model::{NoticeKind, RetentionDays, RunId},
    retention::{Class, Need, Stands, stands},
    store::{About, Batch, Proof, Store},
};

/// Deletes what is over its time of one environment's migration.
#[derive(Clone)]
pub struct Retention {
    /// What it is about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// How long each class is kept.
    pub days: RetentionDays,
    /// How this process is told from others.
    pub holder: String,
    /// The time.
    pub clock: Clock,
}

/// How a class stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClassPlan {
    /// Which.
    pub class: Class,
    /// Days it is kept.
    pub days: i64,
    /// The rule.
    pub rule: String,
    /// How many runs, controls, answers or notices would be deleted now.
    pub due: i64,
    /// The oldest of them.
    pub oldest: Option<DateTime<Utc>>,
}

/// What would be deleted now, and what is kept though its time is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RetentionPlan {
    /// Class by class.
    pub classes: Vec<ClassPlan>,
    /// Runs whose texts are kept because something needs them, by what.
    pub kept: Vec<Kept>,
    /// Since when deleting fails; none where it does not.
    pub failing_since: Option<DateTime<Utc>>,
}

/// Runs whose texts are kept for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Kept {
    /// Why.
    pub need: Need,
    /// The same for people.
    pub why: &'static str,
    /// How many.
    pub runs: i64,
    /// One of them.
    pub example: RunId,
}

/// Another process is deleting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another process is deleting; try again in a minute")]
pub struct Busy;

/// How often is looked for what is over its time.
const EVERY: Duration = Duration::from_hours(1);

/// Runs, controls, answers or notices of one transaction: nobody waits long for it.
const BATCH: i64 = 25;

/// Candidates read at once.
const PAGE: i64 = 200;

/// How long a process that fell silent while it deleted is waited for.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// Who deletes where nobody does by hand.
const BY: &str = "switchyard";

const SAID: &str = "retention";
const WELL: &str = "well";
const FAILED: &str = "failed";

impl Retention {
    /// Deletes until told to stop. What fails is told, and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => {
                    // What was begun is whole or not at all; others need not wait.
                    drop(self.store.release_lease(&self.lease(), &self.holder).await);
                    return;
                }
                ticked = self.tick() => if let Err(error) = ticked {
                    error!("cannot delete what is over its time, trying again in an hour: {error:#}");
                }
            }
        }
    }

    /// Deletes once, and tells when that began to fail, or goes well again.
    pub async fn tick(&self) -> anyhow::Result<Vec<Proof>> {
        let deleted = self.delete(BY).await;
        let now = (self.clock)();
        let environment = &self.about.environment;
        let (said, text) = match &deleted {
            Ok(Err(Busy)) => return Ok(Vec::new()),
            Ok(Ok(proofs)) => {
                let left: i64 = proofs.iter().filter_map(|proof| proof.left_over).sum();
                if left == 0 {
                    (
                        WELL,
                        format!("what is over its time in {environment} is deleted again"),
                    )
                } else {
                    (
                        FAILED,
                        format!(
                            "{left} rows were found in {environment} after they were deleted; `switchyard retention proofs` says of what"
                        ),
                    )
                }
            }
            // What went wrong is in the log; it may name rows.
            Err(_) => (
                FAILED,
                format!(
                    "what is over its time in {environment} cannot be deleted; the log of `switchyard serve` says why, `switchyard retention plan` what waits"
                ),
            ),
        };
        let before = self.store.said(&self.about, SAID).await?;
        let is_news = said == FAILED || before.is_some_and(|(said, _)| said == FAILED);
        let document = json!({ "state": said });
        let told = is_news.then_some((NoticeKind::Retention, text.as_str(), &document));
        self.store
            .tell_change(&self.about, (SAID, said), told, None, now)
            .await?;
        Ok(deleted?.unwrap_or_default())
    }

    /// Deletes everything that is over its time; the proofs, or that another process is at it.
    pub async fn delete(&self, by: &str) -> anyhow::Result<Result<Vec<Proof>, Busy>> {
        if !self.hold().await? {
            return Ok(Err(Busy));
        }
        let deleted = self.delete_all(by).await;
        self.store
            .release_lease(&self.lease(), &self.holder)
            .await?;
        deleted.map(Ok)
    }

    async fn delete_all(&self, by: &str) -> anyhow::Result<Vec<Proof>> {
        let mut proofs = Vec::new();
        for class in Class::ALL {
            let of_class = match class {
                Class::Texts => self.delete_texts(by).await,
                _ => self.delete_others(class, by).await,
            };
            let of_class = of_class.with_context(|| format!("deleting {class}"))?;
            let things: i64 = of_class.iter().map(|proof| proof.things).sum();
            if things > 0 {
                info!("deleted {things} of {class}, whose time was over");
            }
            for proof in of_class.iter().filter(|proof| proof.left_over != Some(0)) {
                warn!("something is left of what was deleted by `{}`", proof.id);
            }
            proofs.extend(of_class);
        }
        Ok(proofs)
    }

    async fn delete_texts(&self, by: &str) -> anyhow::Result<Vec<Proof>> {
        let mut proofs = Vec::new();
        let (due, _) = self.texts_due().await?;
        let rule = Class::Texts.rule(&self.days);
        for runs in due.chunks(usize::try_from(BATCH)?) {
            if !self.hold().await? {
                break;
            }
            let batch = self.batch(Class::Texts, &rule, by);
            let runs: Vec<RunId> = runs.iter().map(|(run, _)| run.clone()).collect();
            if let Some(id) = self.store.delete_texts(&self.about, &runs, &batch).await? {
                let left = self.store.texts_left(&self.about, batch.now).await?;
                let proof = self.store.note_left_over(&id, left, (self.clock)()).await?;
                proofs.push(proof);
            }
            tokio::task::yield_now().await;
        }
        Ok(proofs)
    }

    /// Runs whose texts are deleted now, with their ends; and what is kept for what.
    async fn texts_due(&self) -> anyhow::Result<(Vec<(RunId, DateTime<Utc>)>, Vec<Kept>)> {
        let now = (self.clock)();
        let until = Class::Texts.until(&self.days, now);
        let book = self.store.review_book(&self.about, now).await?;
        let asked_for = book.asked_for(now);
        let (mut due, mut kept) = (Vec::new(), BTreeMap::<Need, (i64, RunId)>::new());
        let mut after: Option<(DateTime<Utc>, RunId)> = None;
        loop {
            let last = after.as_ref().map(|(at, run)| (*at, run));
            let page = self
                .store
                .runs_with_texts(&self.about, until, last, PAGE)
                .await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some((last.finished_at, last.run.clone()));
            for mut candidate in page {
                candidate.known.reviewed = asked_for.contains(&candidate.run);
                match stands(&candidate.known, until) {
                    Stands::Due => due.push((candidate.run, candidate.finished_at)),
                    Stands::NotYet => {}
                    Stands::Needed(need) => {
                        kept.entry(need).or_insert((0, candidate.run)).0 += 1;
                    }
                }
            }
        }
        let kept = kept.into_iter().map(|(need, (runs, example))| Kept {
            need,
            why: need.as_str(),
            runs,
            example,
        });
        Ok((due, kept.collect()))
    }

    async fn delete_others(&self, class: Class, by: &str) -> anyhow::Result<Vec<Proof>> {
        let (store, about) = (&self.store, &self.about);
        let rule = class.rule(&self.days);
        let until = class.until(&self.days, (self.clock)());
        let mut proofs = Vec::new();
        while self.hold().await? {
            let batch = self.batch(class, &rule, by);
            let deleted = match class {
                Class::Texts => None,
                Class::Controls => {
                    match store.delete_controls(about, until, BATCH, &batch).await? {
                        Some(id) => Some((id, store.controls_left(batch.now).await?)),
                        None => None,
                    }
                }
                Class::Answers => store.delete_answers(about, until, BATCH, &batch).await?,
                Class::Numbers => store.delete_numbers(about, until, BATCH, &batch).await?,
                Class::Notices => store.delete_notices(about, until, BATCH, &batch).await?,
            };
            let Some((id, left)) = deleted else {
                break;
            };
            proofs.push(store.note_left_over(&id, left, (self.clock)()).await?);
            tokio::task::yield_now().await;
        }
        Ok(proofs)
    }

    fn batch<'a>(&self, class: Class, rule: &'a str, by: &'a str) -> Batch<'a> {
        Batch {
            class,
            rule,
            by,
            now: (self.clock)(),
        }
    }

    /// What would be deleted now, and what is kept for what.
    pub async fn plan(&self) -> anyhow::Result<RetentionPlan> {
        let now = (self.clock)();
        let (store, about) = (&self.store, &self.about);
        let (texts, kept) = self.texts_due().await?;
        let mut classes = Vec::new();
        for class in Class::ALL {
            let until = class.until(&self.days, now);
            let (due, oldest) = match class {
                Class::Texts => (
                    i64::try_from(texts.len())?,
                    texts.iter().map(|(_, at)| *at).min(),
                ),
                Class::Controls => store.controls_due(about, until).await?,
                Class::Answers => store.answers_due(until).await?,
                Class::Numbers => store.numbers_due(about, until).await?,
                Class::Notices => store.notices_due(about, until).await?,
            };
            classes.push(ClassPlan {
                class,
                days: class.days(&self.days),
                rule: class.rule(&self.days),
                due,
                oldest,
            });
        }
        Ok(RetentionPlan {
            classes,
            kept,
            failing_since: self.failing_since().await?,
        })
    }

    /// The newest proofs, newest first.
    pub async fn proofs(&self, at_most: i64) -> anyhow::Result<Vec<Proof>> {
        self.store.proofs(&self.about, at_most).await
    }

    /// Since when deleting fails; none where it does not.
    async fn failing_since(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let said = self.store.said(&self.about, SAID).await?;
        Ok(said.filter(|(said, _)| said == FAILED).map(|(_, at)| at))
    }

    async fn hold(&self) -> anyhow::Result<bool> {
        self.store
            .hold_lease(&self.lease(), &self.holder, LEASE, (self.clock)())
            .await
    }

    fn lease(&self) -> String {
        format!("retention/{}", self.about.environment)
    }
}
