//! Answers that were paid for, found again by the hash of what was asked.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, millis};

impl Store {
    /// The answer to the same question, if one was kept.
    pub async fn cached_answer(
        &self,
        scope: &str,
        kind: &str,
        input_hash: &str,
    ) -> anyhow::Result<Option<serde_json::Value>> {
        let sql = "-- cached_answer
            select answer from cached_answers where scope = $1 and kind = $2 and input_hash = $3";
        let row = sqlx::query(sql)
            .bind(scope)
            .bind(kind)
            .bind(input_hash)
            .fetch_optional(&self.pool)
            .await
            .context("reading a cached answer")?;
        row.map(|row| {
            let answer: String = row.try_get("answer")?;
            serde_json::from_str(&answer).context("reading a cached answer")
        })
        .transpose()
    }

    /// Keeps an answer. The first one stays: everybody who asked must see the same.
    pub async fn keep_answer(
        &self,
        scope: &str,
        kind: &str,
        input_hash: &str,
        answer: &serde_json::Value,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- keep_answer
            insert into cached_answers (scope, kind, input_hash, answer, created_at)
            values ($1, $2, $3, $4, $5)
            on conflict (scope, kind, input_hash) do nothing";
        sqlx::query(sql)
            .bind(scope)
            .bind(kind)
            .bind(input_hash)
            .bind(answer.to_string())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("keeping an answer")?;
        Ok(())
    }

    /// Forgets an answer that turned out to be of no use.
    pub async fn forget_answer(
        &self,
        scope: &str,
        kind: &str,
        input_hash: &str,
    ) -> anyhow::Result<()> {
        let sql = "-- forget_answer
            delete from cached_answers where scope = $1 and kind = $2 and input_hash = $3";
        sqlx::query(sql)
            .bind(scope)
            .bind(kind)
            .bind(input_hash)
            .execute(&self.pool)
            .await
            .context("forgetting an answer")?;
        Ok(())
    }
}
