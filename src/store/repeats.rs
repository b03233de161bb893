//! Requests that were sent under a key, and how they were answered.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::{Store, millis, plain, time};

/// How long it is known that a request was answered.
pub const REPEATS_KEPT: TimeDelta = TimeDelta::hours(24);

/// How many requests of one caller are known at once.
pub const REPEATS_AT_MOST: i64 = 10_000;

/// A request that was sent under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Of address and body.
    pub request_hash: String,
    /// When it was sent first.
    pub begun_at: DateTime<Utc>,
    /// When it was answered; none while it is under way, or where whoever was at it died.
    pub answered_at: Option<DateTime<Utc>>,
    /// The answer, locked by the key; none where it may not be kept.
    pub answer: Option<String>,
}

/// What sending a request under a key comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is the first: do it.
    First,
    /// It was sent before.
    Again(Repeat),
    /// The caller has sent as many as are kept.
    TooMany,
}

impl Store {
    /// Notes that a request is under way under a key, unless one was sent under it within a day. Of two
    /// at once one is the first.
    pub async fn begin_repeat(
        &self,
        (key_hash, caller): (&str, &str),
        request_hash: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Begun> {
        let doing = "noting a request";
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query("-- forget_repeats\n delete from repeats where begun_at <= $1")
            .bind(millis(now - REPEATS_KEPT))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let sql = "-- begin_repeat
            insert into repeats (key_hash, caller, request_hash, begun_at)
            select $1, $2, $3, $4
            where (select count(*) from repeats where caller = $2) < $5
            on conflict (key_hash) do nothing";
        let begun = sqlx::query(sql)
            .bind(key_hash)
            .bind(plain(caller).as_ref())
            .bind(request_hash)
            .bind(millis(now))
            .bind(REPEATS_AT_MOST)
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if begun.rows_affected() == 1 {
            tx.commit().await.context(doing)?;
            return Ok(Begun::First);
        }
        let sql = "-- repeat
            select request_hash, begun_at, answered_at, answer from repeats where key_hash = $1";
        let row = sqlx::query(sql)
            .bind(key_hash)
            .fetch_optional(&mut *tx)
            .await
            .context(doing)?;
        tx.commit().await.context(doing)?;
        let Some(row) = row else {
            return Ok(Begun::TooMany);
        };
        Ok(Begun::Again(Repeat {
            request_hash: row.try_get("request_hash")?,
            begun_at: time(row.try_get("begun_at")?),
            answered_at: row.try_get::<Option<i64>, _>("answered_at")?.map(time),
            answer: row.try_get("answer")?,
        }))
    }

    /// Keeps how a request was answered; no answer where it may not be kept.
    pub async fn answer_repeat(
        &self,
        key_hash: &str,
        answer: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- answer_repeat
            update repeats set answered_at = $2, answer = $3
            where key_hash = $1 and answered_at is null";
        sqlx::query(sql)
            .bind(key_hash)
            .bind(millis(now))
            .bind(answer)
            .execute(&self.pool)
            .await
            .context("keeping an answer")?;
        Ok(())
    }

    /// Forgets a request that was not done, so that it can be sent again under its key.
    pub async fn forget_repeat(&self, key_hash: &str) -> anyhow::Result<()> {
        sqlx::query("-- forget_repeat\n delete from repeats where key_hash = $1")
            .bind(key_hash)
            .execute(&self.pool)
            .await
            .context("forgetting a request")?;
        Ok(())
    }

    /// Forgets requests that were sent longer ago than they are kept; how many.
    pub async fn sweep_repeats(&self, now: DateTime<Utc>) -> anyhow::Result<u64> {
        let swept = sqlx::query("-- sweep_repeats\n delete from repeats where begun_at <= $1")
            .bind(millis(now - REPEATS_KEPT))
            .execute(&self.pool)
            .await
            .context("forgetting requests")?;
        Ok(swept.rows_affected())
    }
}
