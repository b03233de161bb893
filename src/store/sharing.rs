//! Answers the control got, kept for shadow runs that ask the same; and what they were spared.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

use super::{Store, millis};
use crate::model::{EnvironmentName, RunId, SharedService, TranscriptId};

/// An answer of the control's that is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedAnswer {
    /// Where it was asked.
    pub environment: EnvironmentName,
    /// Who answered.
    pub service: SharedService,
    /// Of what was asked.
    pub digest: String,
    /// Whose meeting it is about.
    pub transcript: TranscriptId,
    /// When it was asked: equal questions are answered in that order.
    pub asked_at: DateTime<Utc>,
    /// What was answered.
    pub given: GivenAnswer,
}

/// What a service answered.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenAnswer {
    /// Milliseconds from the question to the answer's end.
    pub took_ms: i64,
    /// As the service named it.
    pub content_type: String,
    /// The whole of it.
    pub body: String,
    /// What it cost.
    pub cost: AnswerCost,
}

/// What an answer cost whoever asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AnswerCost {
    /// Tokens sent.
    pub tokens_in: i64,
    /// Tokens received.
    pub tokens_out: i64,
    /// Seconds of a GPU.
    pub gpu_seconds: f64,
}

/// What a run was spared at one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Savings {
    /// Who would have been asked.
    pub service: SharedService,
    /// Requests of the run.
    pub asked: i64,
    /// Of these, answered as the control was.
    pub reused: i64,
    /// What those had cost the control.
    pub cost: AnswerCost,
}

impl GivenAnswer {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        Ok(Self {
            took_ms: row.try_get("took_ms")?,
            content_type: row.try_get("content_type")?,
            body: row.try_get("body")?,
            cost: AnswerCost::read(row)?,
        })
    }
}

impl AnswerCost {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        Ok(Self {
            tokens_in: row.try_get("tokens_in")?,
            tokens_out: row.try_get("tokens_out")?,
            gpu_seconds: row.try_get("gpu_seconds")?,
        })
    }
}

impl Store {
    /// Keeps an answer of the control's.
    pub async fn keep_shared(
        &self,
        id: &str,
        answer: &SharedAnswer,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- keep_shared
            insert into shared_answers (id, environment, service, digest, transcript_id, asked_at,
                kept_at, took_ms, content_type, body, bytes, tokens_in, tokens_out, gpu_seconds)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let given = &answer.given;
        sqlx::query(sql)
            .bind(id)
            .bind(answer.environment.as_str())
            .bind(answer.service.as_str())
            .bind(answer.digest.as_str())
            .bind(answer.transcript.as_str())
            .bind(millis(answer.asked_at))
            .bind(millis(now))
            .bind(given.took_ms)
            .bind(given.content_type.as_str())
            .bind(given.body.as_str())
            .bind(i64::try_from(given.body.len()).unwrap_or(i64::MAX))
            .bind(given.cost.tokens_in)
            .bind(given.cost.tokens_out)
            .bind(given.cost.gpu_seconds)
            .execute(&self.pool)
            .await
            .context("keeping an answer of the control's")?;
        Ok(())
    }

    /// Gives a run the oldest answer to the same question about the same transcript that no run had
    /// yet and that was kept after `oldest`; none where there is none.
    pub async fn use_shared(
        &self,
        environment: &EnvironmentName,
        digest: &str,
        (run, transcript): (&RunId, &TranscriptId),
        oldest: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<GivenAnswer>> {
        let sql = "-- use_shared
            update shared_answers set used_by = $1, used_at = $2
            where used_by is null and id = (
                select id from shared_answers
                where environment = $3 and digest = $4 and transcript_id = $5
                  and used_by is null and kept_at > $6
                order by asked_at, id limit 1)
            returning took_ms, content_type, body, tokens_in, tokens_out, gpu_seconds";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(millis(now))
            .bind(environment.as_str())
            .bind(digest)
            .bind(transcript.as_str())
            .bind(millis(oldest))
            .fetch_optional(&self.pool)
            .await
            .context("looking for an answer of the control's")?
            .as_ref()
            .map(GivenAnswer::read)
            .transpose()
    }

    /// Counts a request of a run, and what it was spared where it got an answer of the control's.
    pub async fn note_saving(
        &self,
        run: &RunId,
        service: SharedService,
        spared: Option<AnswerCost>,
    ) -> anyhow::Result<()> {
        let sql = "-- note_saving
            insert into shared_savings (run_id, service, asked, reused, tokens_in, tokens_out,
                gpu_seconds)
            values ($1, $2, 1, $3, $4, $5, $6)
            on conflict (run_id, service) do update
            set asked = shared_savings.asked + 1,
                reused = shared_savings.reused + excluded.reused,
                tokens_in = shared_savings.tokens_in + excluded.tokens_in,
                tokens_out = shared_savings.tokens_out + excluded.tokens_out,
                gpu_seconds = shared_savings.gpu_seconds + excluded.gpu_seconds";
        let cost = spared.unwrap_or_default();
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(service.as_str())
            .bind(i64::from(spared.is_some()))
            .bind(cost.tokens_in)
            .bind(cost.tokens_out)
            .bind(cost.gpu_seconds)
            .execute(&self.pool)
            .await
            .context("noting what a run was spared")?;
        Ok(())
    }

    /// What a run was spared, by service; empty for one that shared nothing.
    pub async fn savings(&self, run: &RunId) -> anyhow::Result<Vec<Savings>> {
        let sql = "-- savings
            select service, asked, reused, tokens_in, tokens_out, gpu_seconds from shared_savings
            where run_id = $1 order by service";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading what a run was spared")?
            .iter()
            .map(|row| {
                let service: String = row.try_get("service")?;
                Ok(Savings {
                    service: SharedService::parse(&service)
                        .with_context(|| format!("`{service}` is no service that is shared"))?,
                    asked: row.try_get("asked")?,
                    reused: row.try_get("reused")?,
                    cost: AnswerCost::read(row)?,
                })
            })
            .collect()
    }

    /// The transcript that a Celery task works on, if the task came by us.
    pub async fn transcript_of_task(
        &self,
        environment: &EnvironmentName,
        task_id: &str,
    ) -> anyhow::Result<Option<TranscriptId>> {
        let sql = "-- transcript_of_task
            select transcript_id from routes where environment = $1 and task_id = $2
            union
            select transcript_id from arrivals where environment = $1 and task_id = $2";
        let row = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(task_id)
            .fetch_optional(&self.pool)
            .await
            .context("asking what a Celery task works on")?;
        row.map(|row| Ok(TranscriptId::new(row.try_get::<String, _>(0)?)))
            .transpose()
    }

    /// Forgets answers kept at `oldest` or before, then the oldest of the others until no more than
    /// `most_bytes` are left. How many.
    pub async fn sweep_shared(
        &self,
        environment: &EnvironmentName,
        oldest: DateTime<Utc>,
        most_bytes: i64,
    ) -> anyhow::Result<u64> {
        let doing = "forgetting answers of the control's";
        let sql = "-- sweep_shared
            delete from shared_answers where environment = $1 and kept_at <= $2";
        let expired = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(millis(oldest))
            .execute(&self.pool)
            .await
            .context(doing)?
            .rows_affected();
        let sql = "-- sweep_shared
            delete from shared_answers where id in (
                select id from (
                    select id, sum(bytes) over (order by kept_at desc, id desc
                        rows between unbounded preceding and current row) as so_far
                    from shared_answers where environment = $1) counted
                where so_far > $2)";
        let beyond = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(most_bytes)
            .execute(&self.pool)
            .await
            .context(doing)?
            .rows_affected();
        Ok(expired + beyond)
    }

    /// Forgets every answer about a transcript: its sound was taken back. How many.
    pub async fn forget_shared(&self, transcript: &TranscriptId) -> anyhow::Result<u64> {
        let sql = "-- forget_shared
            delete from shared_answers where transcript_id = $1";
        Ok(sqlx::query(sql)
            .bind(transcript.as_str())
            .execute(&self.pool)
            .await
            .context("forgetting answers about a transcript")?
            .rows_affected())
    }
}
