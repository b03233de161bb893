//! Deletes the copies of sound that ended runs keep for themselves, once people took it back.
//!
//! Only sound goes, as in the legacy: padded tracks and mixes below the run's own prefix. Words,
//! titles, summaries and waveforms stay in our database, as they stay in Reflector's, and so do
//! the answers of the transcription service, which are text; but answers kept to be shared go too. What a run shares with Reflector, its
//! published mix and the raw tracks, is `cleanup_consent`'s to delete, in the order users see.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Gateway, Withdrawal};
use crate::{
    legacy::reflector::ReflectorError,
    model::{EnvironmentName, RunId, TranscriptId},
    rollout::Isolation,
    store::Unswept,
};

/// How often is looked for copies to delete. What the control deletes has to be gone from the
/// shadow within the hour.
const EVERY: Duration = Duration::from_mins(10);

/// A run that was swept sooner after its end is swept again: a worker that has not heard of the
/// end may put an object for as long as its task may take, which is 10 minutes for a mix.
const SETTLE: TimeDelta = TimeDelta::minutes(15);

/// How many runs are read at once.
const BATCH: i64 = 200;

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// The runs of which nothing is left.
    pub swept: Vec<Swept>,
    /// The runs that the next sweep has to come back to.
    pub unfinished: Vec<Unfinished>,
}

/// A run of which nothing is left.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// The run.
    pub run_id: RunId,
    /// Why.
    pub why: Withdrawal,
    /// How many objects were deleted.
    pub objects: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// A run that could not be swept, or not be asked about.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// The run.
    pub run_id: RunId,
    /// What went wrong.
    pub problem: String,
}

impl Gateway {
    /// Sweeps until told to stop, first at once. A sweep that is cut off is finished by the next.
    pub async fn sweep(
        self,
        environment: EnvironmentName,
        bucket: String,
        shutdown: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let sweeping = async {
            loop {
                ticks.tick().await;
                if let Err(error) = self.sweep_once(&environment, &bucket).await {
                    warn!("cannot look for copies to delete, trying again: {error:#}");
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sweeping => {}
        }
    }

    /// Looks once at every ended run that still has copies; `bucket` is Reflector's own.
    ///
    /// # Errors
    ///
    /// Our database or Reflector's does not answer. What is wrong with one run is told in the
    /// result.
    pub async fn sweep_once(
        &self,
        environment: &EnvironmentName,
        bucket: &str,
    ) -> anyhow::Result<Sweep> {
        let runs = self.unswept(environment).await?;
        let deleted = self.deleted_since_oldest(&runs).await?;
        let mut sweep = Sweep::default();
        for run in &runs {
            match self.sweep_run(run, &deleted, bucket).await {
                Ok(Some(swept)) => sweep.swept.push(swept),
                Ok(None) => {}
                Err(error) => {
                    warn!(run.id = %run.run_id, recording.id = %run.recording_id, "cannot delete a run's copies, trying again: {error:#}");
                    sweep.unfinished.push(Unfinished {
                        run_id: run.run_id.clone(),
                        problem: format!("{error:#}"),
                    });
                }
            }
        }
        Ok(sweep)
    }

    async fn unswept(&self, environment: &EnvironmentName) -> anyhow::Result<Vec<Unswept>> {
        let mut all: Vec<Unswept> = Vec::new();
        loop {
            let after = all.last().map(|run| run.run_id.clone());
            let after = after.unwrap_or_else(|| RunId::new(""));
            let store = &self.0.store;
            let batch = store.unswept(environment, SETTLE, &after, BATCH).await?;
            if batch.is_empty() {
                return Ok(all);
            }
            all.extend(batch);
        }
    }

    /// The transcripts whose audio the serving pipeline has deleted. One row that cannot be read
    /// leaves the answers to the question of consent to go by.
    async fn deleted_since_oldest(
        &self,
        runs: &[Unswept],
    ) -> anyhow::Result<HashSet<TranscriptId>> {
        let made = |run: &Unswept| DateTime::parse_from_rfc3339(&run.transcript_created_at).ok();
        let Some(oldest) = runs.iter().filter_map(made).min() else {
            return Ok(HashSet::new());
        };
        match self.audio_deleted(oldest.to_utc()).await {
            Err(error @ (ReflectorError::Row(_) | ReflectorError::NotJson(_))) => {
                warn!("cannot see whose audio was deleted, going by the answers alone: {error}");
                Ok(HashSet::new())
            }
            deleted => deleted.context("asking whose audio was deleted"),
        }
    }

    /// What was deleted of a run; none where its sound may be kept.
    async fn sweep_run(
        &self,
        run: &Unswept,
        deleted: &HashSet<TranscriptId>,
        bucket: &str,
    ) -> anyhow::Result<Option<Swept>> {
        let why = if deleted.contains(&run.transcript_id) {
            Some(Withdrawal::AudioDeleted)
        } else {
            self.answers(&run.transcript_id, &run.recording_id).await?
        };
        let why = match why {
            Some(Withdrawal::Gone) if !run.is_known_to_reflector => None,
            why => why,
        };
        let Some(why) = why else {
            return Ok(None);
        };
        let isolation = if run.is_live {
            Isolation::of_live(&run.run_id)
        } else {
            Isolation::of(&run.run_id)
        };
        let (objects, bytes) = self.clear(bucket, isolation.key("").as_str()).await?;
        // What was said is in them, and nobody but shadow runs asks for them.
        self.0.store.forget_shared(&run.transcript_id).await?;
        let now: DateTime<Utc> = (self.0.clock)();
        if why == Withdrawal::Gone {
            // Its texts went with the row; ours follow.
            self.0.store.note_source_gone(&run.run_id, now).await?;
        }
        self.0.store.mark_swept(&run.run_id, now).await?;
        if objects > 0 {
            info!(
                run.id = %run.run_id, recording.id = %run.recording_id, objects, bytes,
                "deleted {objects} objects of run `{}`: {}", run.run_id, why.as_str()
            );
        }
        Ok(Some(Swept {
            run_id: run.run_id.clone(),
            why,
            objects,
            bytes,
        }))
    }

    /// Deletes every object below a prefix; how many, and their bytes.
    async fn clear(&self, bucket: &str, prefix: &str) -> anyhow::Result<(u64, u64)> {
        let objects = &self.0.objects;
        let (mut count, mut bytes) = (0, 0);
        for object in objects.list(bucket, prefix).await? {
            objects.delete(bucket, &object.key).await?;
            count += 1;
            bytes += object.size;
        }
        Ok((count, bytes))
    }
}
