//! The trail: every attempt of every task, and what it used.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Any, Row, Transaction};

use super::{Store, millis, plain, time};
use crate::model::{EnvironmentName, FlagName, RunId, Usage, UsageKind};

/// A row of `attempts`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Attempt {
    /// The engine's id of this attempt.
    pub task_id: String,
    /// The task's reference name in the workflow.
    pub task_ref: String,
    /// The task kind.
    pub task_name: String,
    /// 1 is the first.
    pub attempt: i64,
    /// Who worked on it.
    pub worker: String,
    /// When it was received.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// `running`, `completed`, `failed` or `failed_terminally`.
    pub status: String,
    /// Why it failed.
    pub cause: Option<String>,
}

/// Usage with the task it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct MeteredUsage {
    /// The task's reference name in the workflow.
    pub task_ref: String,
    /// What and how much.
    pub usage: Usage,
}

/// The same with its run.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageOfRun {
    /// The run.
    pub run: RunId,
    /// Whether it served users.
    pub is_live: bool,
    /// What its task used.
    pub metered: MeteredUsage,
}

/// Attempts at one kind of task that failed for one cause.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FailedStep {
    /// The task kind.
    pub task_name: String,
    /// Why they failed.
    pub cause: String,
    /// How many there were.
    pub times: i64,
    /// When the newest began.
    pub last_at: DateTime<Utc>,
}

/// How many causes of failures are told.
const CAUSES: i64 = 50;

impl Store {
    /// Why attempts of an environment failed since, by task kind, the most frequent causes first, 50 at
    /// most.
    pub async fn failed_steps(
        &self,
        environment: &EnvironmentName,
        since: DateTime<Utc>,
    ) -> anyhow::Result<Vec<FailedStep>> {
        let sql = "-- failed_steps
            select attempts.task_name, coalesce(attempts.cause, '') as cause, count(*) as times,
                max(attempts.started_at) as last_at
            from attempts join runs on runs.id = attempts.run_id
            where runs.environment = $1 and attempts.started_at >= $2
              and attempts.status in ('failed', 'failed_terminally')
            group by attempts.task_name, coalesce(attempts.cause, '')
            order by times desc, last_at desc, attempts.task_name, cause limit $3";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(millis(since))
            .bind(CAUSES)
            .fetch_all(&self.pool)
            .await
            .context("reading what failed")?;
        rows.iter()
            .map(|row| {
                Ok(FailedStep {
                    task_name: row.try_get("task_name")?,
                    cause: row.try_get("cause")?,
                    times: row.try_get("times")?,
                    last_at: time(row.try_get("last_at")?),
                })
            })
            .collect()
    }

    /// Notes that an attempt began. The engine makes a new attempt at a task only when it has given
    /// up the earlier ones, so those that nobody ended are ended here.
    pub async fn begin_attempt(&self, run: &RunId, attempt: &Attempt) -> anyhow::Result<()> {
        let mut tx = self
            .begin()
            .await
            .context("noting the begin of an attempt")?;
        let sql = "-- give up earlier attempts
            update attempts set status = 'failed', finished_at = $4,
                cause = 'its worker fell silent, and the engine gave it up'
            where run_id = $1 and task_ref = $2 and task_id <> $3 and status = 'running'";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(attempt.task_ref.as_str())
            .bind(attempt.task_id.as_str())
            .bind(millis(attempt.started_at))
            .execute(&mut *tx)
            .await
            .context("giving up earlier attempts")?;
        let sql = "-- begin_attempt
            insert into attempts (task_id, run_id, task_ref, task_name, attempt, worker,
                started_at, status)
            values ($1, $2, $3, $4, $5, $6, $7, 'running')
            on conflict (task_id) do update
            set worker = excluded.worker, started_at = excluded.started_at, finished_at = null,
                status = 'running', cause = null";
        sqlx::query(sql)
            .bind(attempt.task_id.as_str())
            .bind(run.as_str())
            .bind(attempt.task_ref.as_str())
            .bind(attempt.task_name.as_str())
            .bind(attempt.attempt)
            .bind(attempt.worker.as_str())
            .bind(millis(attempt.started_at))
            .execute(&mut *tx)
            .await
            .context("noting the begin of an attempt")?;
        tx.commit().await.context("noting the begin of an attempt")
    }

    /// Notes how an attempt ended.
    pub async fn end_attempt(
        &self,
        task_id: &str,
        status: &str,
        cause: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        Self::end(&self.pool, task_id, status, cause, now).await
    }

    pub(super) async fn end(
        db: impl sqlx::Executor<'_, Database = Any>,
        task_id: &str,
        status: &str,
        cause: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- end_attempt
            update attempts set status = $2, cause = $3, finished_at = $4 where task_id = $1";
        sqlx::query(sql)
            .bind(task_id)
            .bind(status)
            .bind(cause.map(plain).as_deref())
            .bind(millis(now))
            .execute(db)
            .await
            .context("noting the end of an attempt")?;
        Ok(())
    }

    /// Ends what a worker began and can no longer end itself.
    pub async fn fail_open_attempts(
        &self,
        worker: &str,
        cause: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- fail_open_attempts
            update attempts set status = 'failed', cause = $2, finished_at = $3
            where worker = $1 and status = 'running'";
        sqlx::query(sql)
            .bind(worker)
            .bind(cause)
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("ending a killed worker's attempts")?;
        Ok(())
    }

    /// All attempts of a run, in the order they began.
    pub async fn attempts(&self, run: &RunId) -> anyhow::Result<Vec<Attempt>> {
        let sql = "-- attempts
            select task_id, task_ref, task_name, attempt, worker, started_at, finished_at,
                status, cause
            from attempts where run_id = $1 order by started_at, task_ref, attempt";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading attempts")?
            .iter()
            .map(|row| {
                Ok(Attempt {
                    task_id: row.try_get("task_id")?,
                    task_ref: row.try_get("task_ref")?,
                    task_name: row.try_get("task_name")?,
                    attempt: row.try_get("attempt")?,
                    worker: row.try_get("worker")?,
                    started_at: time(row.try_get("started_at")?),
                    finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(time),
                    status: row.try_get("status")?,
                    cause: row.try_get("cause")?,
                })
            })
            .collect()
    }

    pub(super) async fn add_usage(
        tx: &mut Transaction<'_, Any>,
        run: &RunId,
        task_ref: &str,
        task_id: &str,
        usage: &[Usage],
    ) -> anyhow::Result<()> {
        let sql = "-- add_usage
            insert into usages (task_id, run_id, task_ref, kind, used_of, amount)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (task_id, kind, used_of) do update
            set amount = usages.amount + excluded.amount";
        for used in usage {
            sqlx::query(sql)
                .bind(task_id)
                .bind(run.as_str())
                .bind(task_ref)
                .bind(used.kind.as_str())
                .bind(used.of.as_str())
                .bind(used.amount)
                .execute(&mut **tx)
                .await
                .context("noting usage")?;
        }
        Ok(())
    }

    /// Notes what a failed attempt used: it is paid for all the same.
    pub async fn note_usage(
        &self,
        run: &RunId,
        task_ref: &str,
        task_id: &str,
        usage: &[Usage],
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("noting usage")?;
        Self::add_usage(&mut tx, run, task_ref, task_id, usage).await?;
        tx.commit().await.context("noting usage")
    }

    /// What a run used, by task.
    pub async fn usages(&self, run: &RunId) -> anyhow::Result<Vec<MeteredUsage>> {
        let sql = "-- usages
            select task_ref, kind, used_of, sum(amount) as amount from usages where run_id = $1
            group by task_ref, kind, used_of order by task_ref, kind, used_of";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading usage")?
            .iter()
            .map(metered)
            .collect()
    }

    /// What each run of an environment used that began since then.
    pub async fn usages_since(
        &self,
        environment: &EnvironmentName,
        since: DateTime<Utc>,
    ) -> anyhow::Result<Vec<UsageOfRun>> {
        let sql = "-- usages_since
            select u.run_id, r.epoch, u.task_ref, u.kind, u.used_of, sum(u.amount) as amount
            from usages u join runs r on r.id = u.run_id
            where r.environment = $1 and r.started_at >= $2
            group by u.run_id, r.epoch, u.task_ref, u.kind, u.used_of
            order by u.run_id, u.task_ref, u.kind, u.used_of";
        sqlx::query(sql)
            .bind(environment.as_str())
            .bind(millis(since))
            .fetch_all(&self.pool)
            .await
            .context("reading what runs used")?
            .iter()
            .map(|row| {
                Ok(UsageOfRun {
                    run: RunId::new(row.try_get::<String, _>("run_id")?),
                    is_live: row.try_get::<Option<i64>, _>("epoch")?.is_some(),
                    metered: metered(row)?,
                })
            })
            .collect()
    }

    /// What the shadow runs of a migration used in attempts that began in that time, all together.
    pub async fn shadow_usage(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> anyhow::Result<Vec<Usage>> {
        // A run of an earlier day may still be at work.
        let sql = "-- shadow_usage
            select '' as task_ref, u.kind, u.used_of, sum(u.amount) as amount
            from runs r join usages u on u.run_id = r.id
            left join attempts a on a.task_id = u.task_id
            where r.environment = $1 and r.flag = $2 and r.epoch is null and r.started_at >= $3
              and coalesce(a.started_at, r.started_at) >= $4
              and coalesce(a.started_at, r.started_at) < $5
            group by u.kind, u.used_of order by u.kind, u.used_of";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(millis(from - TimeDelta::days(2)))
            .bind(millis(from))
            .bind(millis(to))
            .fetch_all(&self.pool)
            .await
            .context("reading what shadow runs used")?;
        rows.iter().map(|row| Ok(metered(row)?.usage)).collect()
    }
}

pub(super) fn metered(row: &sqlx::any::AnyRow) -> anyhow::Result<MeteredUsage> {
    let kind: String = row.try_get("kind")?;
    Ok(MeteredUsage {
        task_ref: row.try_get("task_ref")?,
        usage: Usage {
            kind: UsageKind::parse(&kind)
                .with_context(|| format!("`{kind}` is nothing we meter"))?,
            of: row.try_get("used_of")?,
            amount: row.try_get("amount")?,
        },
    })
}
