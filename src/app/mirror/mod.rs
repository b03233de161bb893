//! Mirrors: the unmodified legacy pipeline runs a recording a second time, into a row that is ours,
//! to measure how far the control differs from itself.
//!
//! What surprises most: the row in our own table is written before anything is done outside, and
//! every step may be done twice. Whatever dies, the next process finds what there is to remove.

mod by_itself;
mod noise;
mod planning;
mod rehearsal;
mod removal;
mod waiting;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

pub use crate::controller::FROM_MIRROR;
pub use by_itself::ByItself;
pub use planning::NoMirror;
pub use rehearsal::RehearsalStep;

use super::App;
use crate::{
    compare::Policy,
    config::Config,
    legacy::{
        celery::{Broker, Limits, NewTask, Queue, RedisLocation, Results, Withdrawal},
        reflector::{DataDir, Reflector, RowWriter},
    },
    model::TranscriptId,
    objects::Objects,
    rollout::MayDispatch,
    store::{Lease, Mirror, MirrorOutcome, MirrorState},
};

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct MirrorLimits {
    /// From the task's publication to the run's end.
    pub run: Duration,
    /// Each post task, and a result that is late.
    pub post: Duration,
    /// Between two looks.
    pub poll: Duration,
}

impl Default for MirrorLimits {
    fn default() -> Self {
        Self {
            run: Duration::from_hours(3),
            post: Duration::from_mins(2),
            poll: Duration::from_secs(2),
        }
    }
}

/// How far a mirror is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorProgress {
    /// 0 to 100.
    pub percent: u8,
    /// What is being done.
    pub label: String,
}

/// Is told how far a mirror is.
pub type TellProgress = Arc<dyn Fn(MirrorProgress) + Send + Sync>;

/// Runs mirrors of one environment, one at a time.
pub struct Mirrors<'a> {
    app: &'a App,
    reflector: Reflector,
    rows: RowWriter,
    broker: Broker,
    results: Results,
    queue: Queue,
    objects: Objects,
    data_dir: Option<DataDir>,
    policy: Policy,
    limits: MirrorLimits,
    tell: TellProgress,
    holder: String,
}

/// What to do once Celery is removed.
const BACK: &str = "`switchyard phase set archived` goes back, once legacy workers run again";

/// For how long a process that fell silent is waited for.
const LEASE: TimeDelta = TimeDelta::seconds(60);

impl App {
    /// What it takes to run mirrors. Fails where the settings do not say where Celery is.
    pub fn mirrors(&self, limits: MirrorLimits, tell: TellProgress) -> anyhow::Result<Mirrors<'_>> {
        let legacy = self.legacy()?;
        let url = legacy.broker_url.as_ref().with_context(|| {
            let name = &self.name;
            format!("a mirror is run by the legacy's own workers, and `environments.{name}.legacy.broker_url` is missing, which says where their queue is")
        })?;
        let broker = RedisLocation::parse(url.expose()).context("`legacy.broker_url`")?;
        let results = match &legacy.results_url {
            Some(url) => RedisLocation::parse(url.expose()).context("`legacy.results_url`")?,
            None => broker.clone(),
        };
        let prefix = &legacy.key_prefix;
        // Never by way of the tap: it would take the mirror for a recording of somebody's.
        let queue = match &legacy.tap {
            Some(tap) => Queue::new(tap.legacy.as_str()),
            None => Queue::new("celery"),
        };
        Ok(Mirrors {
            app: self,
            reflector: self.reflector()?,
            rows: RowWriter::open(legacy.database_url.expose())?,
            broker: Broker::new(&broker, prefix.as_str(), Limits::default())?,
            results: Results::new(&results, prefix, Limits::default())?,
            queue: queue.context("`legacy.tap.legacy`")?,
            objects: self.objects()?,
            data_dir: self
                .environment
                .reflector
                .data_dir
                .as_ref()
                .map(DataDir::new),
            policy: self.policy()?,
            limits,
            tell,
            holder: format!("mirror-{}", Uuid::new_v4().simple()),
        })
    }
}

impl Mirrors<'_> {
    /// Mirrors a finished transcript to the end: until nothing of the mirror is left but what was
    /// measured. An interrupted mirror of the same transcript is taken up where it stopped.
    pub async fn run(
        &self,
        original: &TranscriptId,
        stop: &CancellationToken,
    ) -> anyhow::Result<Mirror> {
        let mirror = match self.app.store.unfinished_mirror(&self.app.name).await? {
            Some(mirror) if mirror.original == *original => {
                self.take(&mirror).await?;
                mirror
            }
            Some(mirror) => anyhow::bail!(
                "mirror `{}` of transcript `{}` is not finished; there is one at a time: wait for it, or remove it with `switchyard mirror --cleanup`",
                mirror.transcript,
                mirror.original,
            ),
            None => {
                self.ensure_celery().await?;
                self.plan(original).await?
            }
        };
        self.finish(mirror, stop).await
    }

    async fn ensure_celery(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.may_dispatch().await?.is_some(),
            "Celery is removed in {}, so nobody runs a mirror; {BACK}",
            self.app.name
        );
        Ok(())
    }

    /// Takes up what an interrupted mirror left, and removes it; none where nothing was left. A run
    /// that a worker has begun cannot be stopped: it is waited for, and its end measured.
    pub async fn clean_up(&self, stop: &CancellationToken) -> anyhow::Result<Option<Mirror>> {
        let Some(mut mirror) = self.app.store.unfinished_mirror(&self.app.name).await? else {
            return Ok(None);
        };
        self.take(&mirror).await?;
        if mirror.outcome.is_none() {
            let withdrawn = self.broker.withdraw(&self.queue, &mirror.task_id).await?;
            let was_never_begun = withdrawn != Withdrawal::Taken;
            match mirror.state {
                MirrorState::Planned | MirrorState::Inserted | MirrorState::Dispatched
                    if was_never_begun =>
                {
                    let reason = "it was interrupted before a worker began it";
                    self.give_up(&mut mirror, MirrorOutcome::Abandoned, reason.to_owned())
                        .await?;
                }
                MirrorState::Ended => {
                    if let Err(error) = self.compare(&mut mirror).await {
                        let reason = format!("what it made could not be compared: {error:#}");
                        self.give_up(&mut mirror, MirrorOutcome::Failed, reason)
                            .await?;
                    }
                }
                _ => {}
            }
        }
        self.finish(mirror, stop).await.map(Some)
    }

    /// Does the next step. Each may be done again after a crash.
    pub async fn step(&self, mirror: &mut Mirror, stop: &CancellationToken) -> anyhow::Result<()> {
        match (mirror.state, mirror.outcome) {
            (MirrorState::Planned, _) => {
                let (original, transcript) = (&mirror.original, &mirror.transcript);
                self.rows
                    .insert_mirror(original, transcript, mirror.started_at)
                    .await?;
                self.save(mirror, MirrorState::Inserted).await
            }
            (MirrorState::Inserted, _) => self.dispatch(mirror).await,
            (MirrorState::Dispatched, _) => self.wait(mirror, stop).await,
            (MirrorState::Ended, None) => self.compare(mirror).await,
            (MirrorState::Ended, Some(_)) | (MirrorState::Compared, _) => self.remove(mirror).await,
            (MirrorState::Removed, _) => Ok(()),
        }
    }

    async fn finish(&self, mut mirror: Mirror, stop: &CancellationToken) -> anyhow::Result<Mirror> {
        let finished = self.steps(&mut mirror, stop).await;
        let (store, transcript) = (&self.app.store, &mirror.transcript);
        if let Err(error) = store.release_mirror(transcript, &self.holder).await {
            warn!("cannot release a mirror, others have to wait for it: {error:#}");
        }
        let original = &mirror.original;
        finished.with_context(|| format!("mirror `{transcript}` of transcript `{original}` is not finished; `switchyard mirror --transcript {original}` goes on, `switchyard mirror --cleanup` removes it"))?;
        Ok(mirror)
    }

    async fn steps(&self, mirror: &mut Mirror, stop: &CancellationToken) -> anyhow::Result<()> {
        while mirror.state != MirrorState::Removed {
            self.hold(mirror).await?;
            self.step(mirror, stop).await?;
        }
        self.tell(100, "nothing of the mirror is left");
        Ok(())
    }

    /// Publishes the task, once, unless somebody else's run has begun.
    async fn dispatch(&self, mirror: &mut Mirror) -> anyhow::Result<()> {
        let was_published = self.broker.was_published(&mirror.task_id).await?;
        if !was_published && let Some(reason) = self.disturbed(&mirror.transcript).await? {
            return self.give_up(mirror, MirrorOutcome::Refused, reason).await;
        }
        let (bucket, keys) = (&mirror.bucket_name, &mirror.track_keys);
        let mut task = NewTask::pipeline(&mirror.transcript, bucket, keys, "switchyard");
        task.id.clone_from(&mirror.task_id);
        let message = task
            .for_queue(&self.queue)
            .context("writing a Celery task")?;
        let Some(proof) = self.may_dispatch().await? else {
            let reason = format!("Celery is removed; {BACK}");
            return self.give_up(mirror, MirrorOutcome::Refused, reason).await;
        };
        self.broker.push_once(&proof, &self.queue, &message).await?;
        info!(mirror.id = %mirror.transcript, "dispatched mirror `{}`", mirror.transcript);
        mirror.dispatched_at = Some(self.now());
        self.save(mirror, MirrorState::Dispatched).await
    }

    /// Whether Celery may be given work, as the migration stands now.
    async fn may_dispatch(&self) -> anyhow::Result<Option<MayDispatch>> {
        let (store, flag) = (&self.app.store, Config::flag());
        let phase = store.phase(&self.app.name, &flag).await?;
        Ok(MayDispatch::of(&phase.position))
    }

    /// Ends a mirror that came to nothing; what is left of it is removed next.
    async fn give_up(
        &self,
        mirror: &mut Mirror,
        outcome: MirrorOutcome,
        reason: String,
    ) -> anyhow::Result<()> {
        mirror.outcome = Some(outcome);
        mirror.reason = Some(reason);
        self.save(mirror, MirrorState::Ended).await
    }

    async fn save(&self, mirror: &mut Mirror, state: MirrorState) -> anyhow::Result<()> {
        mirror.state = state;
        mirror.changed_at = self.now();
        let is_ours = self.app.store.save_mirror(mirror, &self.holder).await?;
        anyhow::ensure!(is_ours, "another process has taken it");
        Ok(())
    }

    /// Takes an interrupted mirror.
    async fn take(&self, mirror: &Mirror) -> anyhow::Result<()> {
        let (id, seconds) = (&mirror.transcript, LEASE.num_seconds());
        anyhow::ensure!(
            self.try_hold(mirror).await?,
            "another process is at work on mirror `{id}`; if that was killed, try again in {seconds} s"
        );
        Ok(())
    }

    /// Keeps the mirror for as long as a lease lasts.
    async fn hold(&self, mirror: &Mirror) -> anyhow::Result<()> {
        let is_ours = self.try_hold(mirror).await?;
        anyhow::ensure!(is_ours, "another process has taken it");
        Ok(())
    }

    async fn try_hold(&self, mirror: &Mirror) -> anyhow::Result<bool> {
        let (store, id) = (&self.app.store, &mirror.transcript);
        store.hold_mirror(id, self.lease(), self.now()).await
    }

    fn lease(&self) -> Lease<'_> {
        Lease {
            holder: &self.holder,
            until: self.now() + LEASE,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.app.clock)()
    }

    fn tell(&self, percent: u8, label: &str) {
        (self.tell)(MirrorProgress {
            percent,
            label: label.to_owned(),
        });
    }
}
