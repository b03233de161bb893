//! Gives a recording back to Celery while our run is under way: the run is fenced first, and only
//! when nothing of it can act any more the legacy task is dispatched, once.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use tracing::{info, warn};
use uuid::Uuid;

use super::shadow::Clock;
use crate::{
    conductor::Client,
    legacy::{
        celery::{Broker, NewTask, Queue},
        reflector::Publisher,
    },
    model::{EnvironmentName, FlagName, RunId, RunState},
    rollout::{MayDispatch, Owner, audit::Entry},
    store::{RouteRow, Run, Stage, Store, Takeover},
};

/// What it takes to give a recording back.
#[derive(Clone)]
pub struct GiveBack {
    /// Our database.
    pub store: Store,
    /// The engine, where the run is stopped as well as that goes.
    pub client: Client,
    /// Celery's broker.
    pub broker: Broker,
    /// The queue of the legacy workers.
    pub queue: Queue,
    /// Reflector's Redis, where what the run still tells is refused from now on.
    pub publisher: Option<Publisher>,
    /// The time.
    pub clock: Clock,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaveBack {
    /// The epoch of the legacy pipeline's ownership.
    pub epoch: i64,
    /// The Celery task; the same however often this is done.
    pub task_id: String,
    /// Whether this call published it; false when an earlier one did.
    pub published: bool,
}

/// Why a recording stays where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is a shadow run: the legacy pipeline serves the recording anyway.
    #[error("run `{0}` is a shadow run; the legacy pipeline serves its recording already")]
    Shadow(RunId),
    /// The transcript is ended: what is missing of the deliveries is completed, nothing is run again.
    #[error(
        "run `{0}` has ended its transcript; dispatch it again to complete what is missing of its deliveries"
    )]
    Finalized(RunId),
    /// The same, and a restored backup does not tell what was delivered since.
    #[error(
        "run `{0}` had ended its transcript when our database was backed up, so Celery must not make it again; see in Reflector what is missing of its deliveries, and complete that by hand"
    )]
    Restored(RunId),
    /// Celery is removed.
    #[error(
        "Celery is removed in {0}, so no recording is given back to it; `switchyard phase set archived` goes back, once legacy workers run again"
    )]
    NoCelery(EnvironmentName),
    /// Somebody else took it over.
    #[error("the recording of run `{0}` belongs to another run by now")]
    NotTheOwner(RunId),
}

/// Names below it are the ids of tasks given back, so that one published twice is one task.
const TASKS: Uuid = Uuid::from_u128(0x2b1f_93d8_04c7_5e6a_8f21_6ab0_95d3_c74e);

/// How often is looked whether the run is still acting.
const EVERY: Duration = Duration::from_millis(250);

/// The same for the same name.
fn task_id(name: &str) -> String {
    Uuid::new_v5(&TASKS, name.as_bytes()).to_string()
}

/// The task that a route is handed back as.
fn task_of(route: &RouteRow) -> String {
    task_id(&format!(
        "{}/{}/{}/{}",
        route.environment, route.flag, route.transcript_id, route.generation
    ))
}

impl GiveBack {
    /// Takes the recording of a run away from it and hands it to Celery. Every step may be
    /// repeated: called again after a crash it goes on where it stopped, and until it has come to the end
    /// [`Store::takeovers_under_way`] knows of it.
    pub async fn give_back(
        &self,
        run: &Run,
        reason: &str,
    ) -> anyhow::Result<Result<GaveBack, Refusal>> {
        self.give(run, reason, None).await
    }

    /// The same for somebody who asked for it, which is on record as soon as the run is fenced.
    pub async fn give_back_for(
        &self,
        run: &Run,
        reason: &str,
        entry: Entry,
    ) -> anyhow::Result<Result<GaveBack, Refusal>> {
        self.give(run, reason, Some(entry)).await
    }

    /// Why nothing of that migration can be given to Celery; none where it can.
    pub(super) async fn no_celery(
        &self,
        place: (&EnvironmentName, &FlagName),
    ) -> anyhow::Result<Option<String>> {
        let may = self.may_dispatch(place).await?;
        let (environment, _) = place;
        Ok(may.is_none().then(|| {
            format!("it is removed in {environment}; `switchyard phase set archived` goes back, once legacy workers run again")
        }))
    }

    async fn give(
        &self,
        run: &Run,
        reason: &str,
        entry: Option<Entry>,
    ) -> anyhow::Result<Result<GaveBack, Refusal>> {
        if run.epoch.is_none() {
            return Ok(Err(Refusal::Shadow(run.id.clone())));
        }
        // Before anything is taken from the run.
        let place = (&run.environment, &run.flag);
        if self.may_dispatch(place).await?.is_none() {
            return Ok(Err(Refusal::NoCelery(run.environment.clone())));
        }
        let epoch = match self.fence(run, reason, entry.clone()).await? {
            Ok(epoch) => epoch,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(publisher) = &self.publisher {
            let raised = publisher.raise(&run.recording_id, epoch).await;
            raised.context("fencing what the run still tells browsers; run the takeover again")?;
        }
        self.wait_for_quiet(run).await?;
        if let Some(workflow) = &run.workflow_id
            && let Err(error) = self.client.terminate(workflow, reason).await
        {
            // The fence holds without it.
            warn!(run.id = %run.id, recording.id = %run.recording_id, "cannot stop the workflow of a run that was taken over: {error}");
        }
        let subject = &run.subject;
        let transcript = &subject.transcript.id;
        let bucket = &subject.recording.bucket_name;
        let mut task = NewTask::pipeline(transcript, bucket, &subject.track_keys, "switchyard");
        task.id = task_id(&format!("{}/{epoch}", run.id));
        let published = self.publish(place, &task).await;
        let published = published.context("publishing a Celery task; run the takeover again")?;
        let now = (self.clock)();
        self.store.note_given(&run.id, epoch, now).await?;
        let restored = self
            .store
            .note_restored_given(&run.id, epoch, reason, entry);
        restored.await?;
        let ended = self
            .store
            .finish_run(&run.id, RunState::Terminated, Some(reason), now);
        ended.await?;
        info!(run.id = %run.id, recording.id = %run.recording_id, "gave the recording of run `{}` back to Celery", run.id);
        Ok(Ok(GaveBack {
            epoch,
            task_id: task.id,
            published,
        }))
    }

    /// The proof that Celery may be given a recording, as the migration stands now.
    async fn may_dispatch(
        &self,
        (environment, flag): (&EnvironmentName, &FlagName),
    ) -> anyhow::Result<Option<MayDispatch>> {
        let phase = self.store.phase(environment, flag).await?;
        Ok(MayDispatch::of(&phase.position))
    }

    /// Hands a route back that the candidate alone has the task of and has not begun on. False when it
    /// has begun, or the route is not the candidate's.
    pub async fn hand_back(&self, route: &RouteRow, reason: &str) -> anyhow::Result<bool> {
        let place = (&route.environment, &route.flag);
        if self.may_dispatch(place).await?.is_none() {
            return Ok(false);
        }
        let id = task_of(route);
        let now = (self.clock)();
        if !self.store.hand_route_back(route, &id, reason, now).await? {
            return Ok(false);
        }
        self.publish_of(route).await?;
        warn!(transcript.id = %route.transcript_id, "handed transcript `{}` back to Celery: {reason}", route.transcript_id);
        Ok(true)
    }

    /// Publishes what a [`GiveBack::hand_back`] came not to, if the route is of one; true if it was not
    /// published before.
    pub async fn hand_back_again(&self, route: &RouteRow) -> anyhow::Result<bool> {
        if route.task_id != task_of(route) {
            return Ok(false);
        }
        self.publish_of(route).await
    }

    async fn publish_of(&self, route: &RouteRow) -> anyhow::Result<bool> {
        let RouteRow {
            transcript_id,
            bucket_name,
            track_keys,
            ..
        } = route;
        let mut task = NewTask::pipeline(transcript_id, bucket_name, track_keys, "switchyard");
        task.id = task_of(route);
        self.publish((&route.environment, &route.flag), &task).await
    }

    async fn publish(
        &self,
        place: (&EnvironmentName, &FlagName),
        task: &NewTask,
    ) -> anyhow::Result<bool> {
        let proof = self.may_dispatch(place).await?;
        let proof = proof.context("Celery was removed meanwhile")?;
        let message = task
            .for_queue(&self.queue)
            .context("writing a Celery task")?;
        let published = self.broker.push_once(&proof, &self.queue, &message).await;
        published.context("publishing a Celery task")
    }

    /// Raises the epoch, unless an earlier call did.
    async fn fence(
        &self,
        run: &Run,
        reason: &str,
        entry: Option<Entry>,
    ) -> anyhow::Result<Result<i64, Refusal>> {
        loop {
            let owned = self
                .store
                .ownership(&run.environment, &run.flag, &run.recording_id)
                .await?;
            let Some((ownership, stage)) = owned else {
                return Ok(Err(Refusal::NotTheOwner(run.id.clone())));
            };
            let was_ours = ownership.run_id.as_ref() == Some(&run.id);
            match ownership.owner {
                // A takeover refuses that; only a restored backup leaves it so.
                Owner::Control if was_ours && stage >= Stage::Finalized => {
                    return Ok(Err(Refusal::Restored(run.id.clone())));
                }
                // An earlier call got as far: the run is kept in the row for that.
                Owner::Control if was_ours => return Ok(Ok(ownership.epoch)),
                Owner::Candidate if was_ours => {}
                Owner::Control | Owner::Candidate => {
                    return Ok(Err(Refusal::NotTheOwner(run.id.clone())));
                }
            }
            if stage >= Stage::Finalized {
                return Ok(Err(Refusal::Finalized(run.id.clone())));
            }
            let takeover = Takeover {
                environment: &run.environment,
                flag: &run.flag,
                recording: &run.recording_id,
                seen: ownership.epoch,
                owner: Owner::Control,
                run: Some(&run.id),
                reason,
                entry: entry.clone(),
            };
            if self.store.take_over(&takeover, (self.clock)()).await? {
                return Ok(Ok(ownership.epoch + 1));
            }
        }
    }

    /// Waits until no effect the run claimed before it was fenced can still be under way: as long
    /// as a lease lasts, at most.
    async fn wait_for_quiet(&self, run: &Run) -> anyhow::Result<()> {
        while let Some(until) = self.store.sending_until(&run.id).await? {
            let now: DateTime<Utc> = (self.clock)();
            if until <= now {
                break;
            }
            tokio::time::sleep(EVERY).await;
        }
        Ok(())
    }
}
