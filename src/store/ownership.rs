//! Who owns a recording. Every change of owner is a compare-and-set that raises the epoch.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{Store, audit, backup::RESTORED, millis, plain};
use crate::{
    model::{EnvironmentName, FlagName, RecordingId, RunId},
    rollout::{Live, Owner, Ownership, audit::Entry},
};

/// How far the owner of a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Its users wait for the transcript.
    Open,
    /// The transcript is ended: nothing is run again, only deliveries are completed.
    Finalized,
    /// Everything was delivered.
    Delivered,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Open, Self::Finalized, Self::Delivered];

    /// The name in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finalized => "finalized",
            Self::Delivered => "delivered",
        }
    }
}

/// A change of owner somebody wants.
#[derive(Clone, Debug)]
pub struct Takeover<'a> {
    /// Where.
    pub environment: &'a EnvironmentName,
    /// For which migration.
    pub flag: &'a FlagName,
    /// The recording.
    pub recording: &'a RecordingId,
    /// The epoch it was seen in. Another by now, and nothing changes.
    pub seen: i64,
    /// Who shall own it.
    pub owner: Owner,
    /// The run, where that is ours.
    pub run: Option<&'a RunId>,
    /// Why, for people.
    pub reason: &'a str,
    /// What is on record of it, where a person did it.
    pub entry: Option<Entry>,
}

impl Store {
    /// Who owns a recording, and how far; none where it was never ours.
    pub async fn ownership(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        recording: &RecordingId,
    ) -> anyhow::Result<Option<(Ownership, Stage)>> {
        let sql = "-- ownership
            select recording_id, owner, run_id, epoch, stage from ownership
            where environment = $1 and flag = $2 and recording_id = $3";
        let row = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(recording.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("asking who owns a recording")?;
        row.map(|row| {
            let owner: String = row.try_get("owner")?;
            let stage: String = row.try_get("stage")?;
            let ownership = Ownership {
                recording_id: RecordingId::new(row.try_get::<String, _>("recording_id")?),
                owner: Owner::parse(&owner).with_context(|| format!("`{owner}` is no owner"))?,
                run_id: row.try_get::<Option<String>, _>("run_id")?.map(RunId::new),
                epoch: row.try_get("epoch")?,
            };
            let stage = Stage::ALL
                .into_iter()
                .find(|known| known.as_str() == stage)
                .with_context(|| format!("`{stage}` is no stage"))?;
            Ok((ownership, stage))
        })
        .transpose()
    }

    /// Hands a recording over and raises its epoch. False when its epoch is not what was seen.
    pub async fn take_over(
        &self,
        takeover: &Takeover<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "handing a recording over";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- take_over
            update ownership
            set owner = $5, run_id = $6, epoch = epoch + 1, reason = $7, changed_at = $8,
                given_at = null
            where environment = $1 and flag = $2 and recording_id = $3 and epoch = $4";
        let updated = sqlx::query(sql)
            .bind(takeover.environment.as_str())
            .bind(takeover.flag.as_str())
            .bind(takeover.recording.as_str())
            .bind(takeover.seen)
            .bind(takeover.owner.as_str())
            .bind(takeover.run.map(RunId::as_str))
            .bind(plain(takeover.reason).as_ref())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(entry) = &takeover.entry {
            audit::append(&mut tx, entry.clone()).await?;
        }
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Notes that Celery has the task of a recording that a run was taken from.
    pub async fn note_given(
        &self,
        run: &RunId,
        epoch: i64,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- note_given
            update ownership set given_at = $3
            where run_id = $1 and epoch = $2 and owner = 'control' and given_at is null";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(epoch)
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that Celery has a recording")?;
        Ok(())
    }

    /// Notes the same of a recording that a restored backup took from its run and gave to nobody;
    /// `entry` is on record then. False where it was another's.
    pub async fn note_restored_given(
        &self,
        run: &RunId,
        epoch: i64,
        reason: &str,
        entry: Option<Entry>,
    ) -> anyhow::Result<bool> {
        let doing = "noting that Celery has a recording";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- note_restored_given
            update ownership set reason = $3
            where run_id = $1 and epoch = $2 and owner = 'control' and reason = $4";
        let updated = sqlx::query(sql)
            .bind(run.as_str())
            .bind(epoch)
            .bind(plain(reason).as_ref())
            .bind(RESTORED)
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(entry) = entry {
            audit::append(&mut tx, entry).await?;
        }
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Whether Celery has the recording that was taken from a run. A restored backup gives none.
    pub async fn is_given(&self, run: &RunId) -> anyhow::Result<bool> {
        let sql = "-- is_given
            select count(*) from ownership
            where run_id = $1 and owner = 'control' and given_at is not null and reason <> $2";
        let found: i64 = sqlx::query_scalar(sql)
            .bind(run.as_str())
            .bind(RESTORED)
            .fetch_one(&self.pool)
            .await
            .context("asking whether Celery has a recording")?;
        Ok(found > 0)
    }

    /// Runs that were taken their recordings from without Celery having these yet, the oldest takeover
    /// first, with the reasons.
    pub async fn takeovers_under_way(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<(RunId, String)>> {
        let sql = "-- takeovers_under_way
            select run_id, reason from ownership
            where environment = $1 and owner = 'control' and run_id is not null
              and given_at is null
            order by changed_at, run_id limit $2";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("looking for takeovers under way")?;
        rows.iter()
            .map(|row| {
                let run = RunId::new(row.try_get::<String, _>("run_id")?);
                Ok((run, row.try_get("reason")?))
            })
            .collect()
    }

    /// Makes a new run the owner of its recording, whoever owned it before. The epoch.
    pub(super) async fn own(
        tx: &mut Transaction<'_, Any>,
        (environment, flag): (&EnvironmentName, &FlagName),
        recording: &RecordingId,
        run: &RunId,
        now: DateTime<Utc>,
    ) -> anyhow::Result<i64> {
        let sql = "-- own
            insert into ownership (environment, flag, recording_id, owner, run_id, epoch, stage,
                reason, changed_at)
            values ($1, $2, $3, 'candidate', $4, 1, 'open', 'routed to the candidate', $5)
            on conflict (environment, flag, recording_id) do update
            set owner = excluded.owner, run_id = excluded.run_id, epoch = ownership.epoch + 1,
                stage = excluded.stage, reason = excluded.reason, changed_at = excluded.changed_at,
                given_at = null
            returning epoch";
        sqlx::query_scalar(sql)
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(recording.as_str())
            .bind(run.as_str())
            .bind(millis(now))
            .fetch_one(&mut **tx)
            .await
            .context("making a run the owner of its recording")
    }

    /// Locks the ownership until the transaction ends. False when the proof holds no more.
    pub async fn fence(tx: &mut Transaction<'_, Any>, live: &Live) -> anyhow::Result<bool> {
        // A write that changes nothing is how both databases lock a row.
        let sql = "-- fence
            update ownership set epoch = epoch
            where run_id = $1 and owner = 'candidate' and epoch = $2";
        let locked = sqlx::query(sql)
            .bind(live.run().as_str())
            .bind(live.epoch())
            .execute(&mut **tx)
            .await
            .context("checking the epoch")?;
        Ok(locked.rows_affected() == 1)
    }

    /// Notes how far the owner is. A stage is never left backwards.
    pub async fn reach(&self, live: &Live, stage: Stage, now: DateTime<Utc>) -> anyhow::Result<()> {
        let before: Vec<_> = Stage::ALL.iter().filter(|known| **known < stage).collect();
        for earlier in before {
            let sql = "-- reach
                update ownership set stage = $3, changed_at = $4
                where run_id = $1 and owner = 'candidate' and epoch = $2 and stage = $5";
            sqlx::query(sql)
                .bind(live.run().as_str())
                .bind(live.epoch())
                .bind(stage.as_str())
                .bind(millis(now))
                .bind(earlier.as_str())
                .execute(&self.pool)
                .await
                .context("noting how far a recording is")?;
        }
        Ok(())
    }
}
