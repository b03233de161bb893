//! Tells people what happens to their migration, each target by itself, so that one that does not answer
//! holds up nobody.
//!
//! A notice is first given out: logged, and noted for each target that wants it. Then whoever claims such
//! a delivery sends it, so that of several processes one does. It arrives once, unless its answer was
//! lost: then it is sent again, and whoever can be asked is asked first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::shadow::Clock;
use crate::{
    model::{EnvironmentName, Gravity, NoticeKind},
    notices::{self, Covered, Next, Pace, Told, pace},
    store::{About, Came, Claimed, Delivery, Notice, Store, ToldNotice},
};

/// Sends a notice to a target. It may be there already where that is said.
pub type Deliver =
    Arc<dyn Fn(Told, MayBeThere) -> BoxFuture<'static, Result<(), Undelivered>> + Send + Sync>;

/// Whether a notice may have arrived at an earlier try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayBeThere {
    /// No earlier try can have reached the target.
    No,
    /// An answer was lost.
    Yes,
}

/// A notice that is not known to have arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Why, for people; no address.
    pub why: String,
    /// Whether it may be there all the same.
    pub may_be_there: bool,
    /// How long the target asked to be left alone.
    pub asked: Option<TimeDelta>,
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Target {
    /// What the settings call it.
    pub name: String,
    /// How it is spoken to, for people.
    pub kind: &'static str,
    /// Whether it wants notices of that kind and gravity.
    pub wants: Arc<dyn Fn(NoticeKind, Gravity) -> bool + Send + Sync>,
    /// Messages a minute; what is more is told in one.
    pub per_minute: usize,
    /// Sends it one.
    pub deliver: Deliver,
}

/// How a target stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TargetStands {
    /// What the settings call it.
    pub name: String,
    /// How it is spoken to.
    pub kind: String,
    /// Whether the settings name it.
    pub is_set: bool,
    /// Notices that were given up in the last week.
    pub given_up: i64,
    /// Notices that wait for longer than ten minutes.
    pub late: i64,
    /// Why the newest of these are not there.
    pub why: String,
}

/// The notices of an environment, and who is told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NoticeList {
    /// Who is told.
    pub targets: Vec<TargetStands>,
    /// The newest notices.
    pub notices: Vec<ToldNotice>,
}

/// The settings name no target of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the settings name no target `{name}`; they have: {known}")]
pub struct NoTarget {
    name: String,
    known: String,
}

/// Targets that are left alone after failures: how many in a row, and until when.
pub type LeftAlone = Arc<Mutex<HashMap<String, (i64, DateTime<Utc>)>>>;

/// Delivers the notices of one environment.
#[derive(Clone)]
pub struct Notices {
    /// What they are about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// Who is told beside the log.
    pub targets: Vec<Target>,
    /// The console's address.
    pub console: String,
    /// How this process is told from others.
    pub holder: String,
    /// The time.
    pub clock: Clock,
    /// Targets that are left alone after failures: how many in a row, and until when.
    pub left_alone: LeftAlone,
}

/// How often there is looked for notices.
const EVERY: Duration = Duration::from_secs(1);

/// How long a process that fell silent while it sent is waited for; longer than looking for a message and
/// posting it take.
pub const NOTICES_LEASE: TimeDelta = TimeDelta::seconds(90);

/// How long sending one may take, looking for it included.
const LONGEST: Duration = Duration::from_secs(80);

/// What is counted as a storm is counted over this.
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// What waits for longer is late.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// How far back what was given up is shown.
const SHOWN: TimeDelta = TimeDelta::days(7);

/// How long what waits for a target that is gone from the settings is kept: another process may have newer
/// ones.
const UNKNOWN: TimeDelta = TimeDelta::hours(1);

/// How many are told to one target between two looks.
const AT_ONCE: usize = 100;

impl Notices {
    /// Delivers until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tick().await {
                warn!("cannot deliver notices, trying again: {error:#}");
            }
        }
    }

    /// Gives out what is new, and sends every target what is due; tells how many messages arrived.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        self.give_out().await?;
        let sent = join_all(self.targets.iter().map(|target| self.serve(target))).await;
        let mut arrived = 0;
        for sent in sent {
            arrived += sent?;
        }
        Ok(arrived)
    }

    async fn give_out(&self) -> anyhow::Result<()> {
        let (store, now) = (&self.store, (self.clock)());
        let environment = &self.about.environment;
        store.tell_expired_holds(&self.about, now).await?;
        for notice in store.new_notices(environment).await? {
            let gravity = notice.gravity();
            let wanting: Vec<&str> = self
                .targets
                .iter()
                .filter(|target| (target.wants)(notice.kind, gravity))
                .map(|target| target.name.as_str())
                .collect();
            // Logged before it counts as given out: rather twice than never.
            info!(notice.id = %notice.id, notice.kind = %notice.kind, "notice: {}", notice.text);
            store.give_out(&notice.id, &wanting, now).await?;
        }
        let known: Vec<&str> = self
            .targets
            .iter()
            .map(|target| target.name.as_str())
            .collect();
        let given_up = store
            .give_up_unknown(environment, &known, now - UNKNOWN, now)
            .await?;
        if given_up > 0 {
            warn!("gave up {given_up} notices for targets that the settings do not name any more");
        }
        Ok(())
    }

    /// Sends one target what is due, as far as its pace allows.
    async fn serve(&self, target: &Target) -> anyhow::Result<usize> {
        let environment = &self.about.environment;
        let mut arrived = 0;
        for _ in 0..AT_ONCE {
            let now = (self.clock)();
            if self.is_left_alone(&target.name, now) {
                break;
            }
            let backlog = self
                .store
                .backlog(environment, &target.name, now - MINUTE, now)
                .await?;
            if backlog.due == 0 {
                break;
            }
            match pace(backlog.due, backlog.lately, target.per_minute) {
                Pace::Wait => break,
                Pace::Singly => {}
                Pace::Together => {
                    let summed = self.sum_up(target, now).await?;
                    if summed > 0 {
                        warn!("telling `{}` of {summed} notices in one", target.name);
                    }
                }
            }
            let Some(claimed) = self.claim(target, None).await? else {
                break;
            };
            match self.deliver(target, claimed).await? {
                Ok(()) => arrived += 1,
                Err(_) => break,
            }
        }
        Ok(arrived)
    }

    async fn sum_up(&self, target: &Target, now: DateTime<Utc>) -> anyhow::Result<usize> {
        let tell = |notices: &[Notice]| {
            let covered: Vec<Covered> = notices
                .iter()
                .map(|notice| Covered {
                    id: notice.id.clone(),
                    kind: notice.kind,
                    gravity: notice.gravity(),
                    text: notice.text.clone(),
                    at: notice.created_at,
                })
                .collect();
            let summary = notices::summary(&covered);
            (summary.text, summary.document)
        };
        self.store
            .sum_up(&self.about, &target.name, tell, now)
            .await
    }

    async fn claim(&self, target: &Target, only: Option<&str>) -> anyhow::Result<Option<Claimed>> {
        let now = (self.clock)();
        self.store
            .claim_delivery(
                &self.about.environment,
                (&target.name, only),
                (&self.holder, now + NOTICES_LEASE),
                now,
            )
            .await
    }

    /// Sends what was claimed, and notes what came of it.
    async fn deliver(
        &self,
        target: &Target,
        claimed: Claimed,
    ) -> anyhow::Result<Result<(), String>> {
        let Claimed {
            notice,
            attempts,
            in_doubt,
        } = claimed;
        let (id, created_at) = (notice.id.clone(), notice.created_at);
        let may_be_there = if in_doubt {
            MayBeThere::Yes
        } else {
            MayBeThere::No
        };
        let sending = (target.deliver)(self.told(notice), may_be_there);
        // No longer than nobody else may try: then another may send it.
        let sent = tokio::time::timeout(LONGEST, sending).await;
        let sent = sent.unwrap_or_else(|_| {
            Err(Undelivered {
                why: format!("it took more than {} s", LONGEST.as_secs()),
                may_be_there: true,
                asked: None,
            })
        });
        let now = (self.clock)();
        let name = target.name.as_str();
        let (came, result) = match &sent {
            Ok(()) => {
                self.forgive(name);
                (Came::Sent, Ok(()))
            }
            Err(failed) => {
                let why = failed.why.as_str();
                self.leave_alone(name, failed.asked, now);
                let came = match notices::after_failure(attempts, created_at, failed.asked, now) {
                    Next::Again(at) => {
                        let seconds = (at - now).num_seconds();
                        warn!(notice.id = %id, "cannot tell `{name}`, trying again in {seconds} s: {why}");
                        Came::Again {
                            at,
                            in_doubt: failed.may_be_there,
                            why,
                        }
                    }
                    Next::GivenUp => {
                        warn!(notice.id = %id, "gave up telling `{name}` after {attempts} tries: {why}");
                        Came::GivenUp { why }
                    }
                };
                (came, Err(why.to_owned()))
            }
        };
        let noted = self
            .store
            .note_delivery((&id, name), &self.holder, &came, now);
        if !noted.await? {
            warn!(notice.id = %id, "told `{name}` for longer than anybody waits; it may be told twice");
        }
        Ok(result)
    }

    fn told(&self, notice: Notice) -> Told {
        let (environment, flag) = (notice.environment.as_str(), notice.flag.as_str());
        Told {
            link: notices::page(&self.console, notice.kind, environment, flag),
            gravity: notice.gravity(),
            environment: environment.to_owned(),
            flag: flag.to_owned(),
            kind: notice.kind,
            id: notice.id,
            text: notice.text,
            document: notice.document,
            at: notice.created_at,
        }
    }

    fn is_left_alone(&self, target: &str, now: DateTime<Utc>) -> bool {
        let left_alone = self.left_alone.lock();
        let left_alone = left_alone.unwrap_or_else(PoisonError::into_inner);
        left_alone
            .get(target)
            .is_some_and(|(_, until)| *until > now)
    }

    /// A target that fails is left alone for longer each time, whatever there is to tell.
    fn leave_alone(&self, target: &str, asked: Option<TimeDelta>, now: DateTime<Utc>) {
        let left_alone = self.left_alone.lock();
        let mut left_alone = left_alone.unwrap_or_else(PoisonError::into_inner);
        let failures = left_alone.get(target).map_or(0, |(failures, _)| *failures) + 1;
        let until = now + notices::left_alone(failures, asked);
        left_alone.insert(target.to_owned(), (failures, until));
    }

    fn forgive(&self, target: &str) {
        let left_alone = self.left_alone.lock();
        let mut left_alone = left_alone.unwrap_or_else(PoisonError::into_inner);
        left_alone.remove(target);
    }

    /// The newest notices with what became of them, and how each target stands.
    pub async fn list(&self, at_most: i64) -> anyhow::Result<NoticeList> {
        Ok(NoticeList {
            targets: self.stands().await?,
            notices: self
                .store
                .recent_notices(&self.about.environment, at_most)
                .await?,
        })
    }

    /// How each target stands, those of earlier settings that were given up on among them.
    pub async fn stands(&self) -> anyhow::Result<Vec<TargetStands>> {
        let now = (self.clock)();
        let environment = &self.about.environment;
        let troubled = self
            .store
            .undelivered(environment, now - SHOWN, now - LATE)
            .await?;
        let mut stands: Vec<TargetStands> = self
            .targets
            .iter()
            .map(|target| TargetStands {
                name: target.name.clone(),
                kind: target.kind.to_owned(),
                is_set: true,
                given_up: 0,
                late: 0,
                why: String::new(),
            })
            .collect();
        for (name, given_up, late, why) in troubled {
            let known = stands.iter_mut().find(|target| target.name == name);
            if let Some(target) = known {
                (target.given_up, target.late, target.why) = (given_up, late, why);
            } else {
                stands.push(TargetStands {
                    name,
                    kind: String::new(),
                    is_set: false,
                    given_up,
                    late,
                    why,
                });
            }
        }
        Ok(stands)
    }

    /// Sends one target a notice that says it is a test, at once; what became of it.
    pub async fn test(&self, target: &str, by: &str) -> anyhow::Result<Result<Delivery, NoTarget>> {
        let Some(target) = self.targets.iter().find(|known| known.name == target) else {
            let known: Vec<&str> = self
                .targets
                .iter()
                .map(|target| target.name.as_str())
                .collect();
            return Ok(Err(NoTarget {
                name: target.chars().take(40).collect(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            }));
        };
        let text = format!(
            "a test by {by}: notices of {} reach `{}`",
            self.about.environment, target.name
        );
        let document: Value = json!({ "by": by, "target": target.name });
        let told = (NoticeKind::Test, text.as_str(), &document);
        let now = (self.clock)();
        let id = self
            .store
            .tell_target(&self.about, &target.name, told, now)
            .await?;
        // Another process may be faster; then it tells.
        if let Some(claimed) = self.claim(target, Some(&id)).await? {
            // What came of it is noted with it.
            drop(self.deliver(target, claimed).await?);
        }
        let delivery = self.store.delivery(&id, &target.name).await?;
        delivery
            .map(Ok)
            .context("the test that was just noted is gone")
    }
}

/// Who is not told what happens in an environment, and why: a sentence for each target.
pub(super) async fn not_told(
    store: &Store,
    environment: &EnvironmentName,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<String>> {
    let troubled = store
        .undelivered(environment, now - SHOWN, now - LATE)
        .await?;
    let sentences = troubled
        .into_iter()
        .filter_map(|(name, given_up, late, why)| {
            let stands = TargetStands {
                name,
                kind: String::new(),
                is_set: true,
                given_up,
                late,
                why,
            };
            let trouble = stands.trouble()?;
            Some(format!("`{}`: {trouble}", stands.name))
        });
    Ok(sentences.collect())
}

impl TargetStands {
    /// What is not as it should be, for people; none where all is.
    pub fn trouble(&self) -> Option<String> {
        if self.given_up == 0 && self.late == 0 {
            return None;
        }
        let mut parts = Vec::new();
        if self.late > 0 {
            parts.push(format!("{} notices wait", self.late));
        }
        if self.given_up > 0 {
            parts.push(format!("{} were given up within a week", self.given_up));
        }
        let why = if self.why.is_empty() {
            String::new()
        } else {
            format!(": {}", self.why)
        };
        Some(format!("{}{why}", parts.join(", ")))
    }
}
