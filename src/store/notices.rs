//! Notices: what people are to be told, written with what it tells of and delivered later, at least
//! once.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{Any, Row, Transaction};

use super::{Store, facts::About, millis, plain, time};
use crate::model::{EnvironmentName, FlagName};

/// A row of `notices`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its id; the same however often it is delivered.
    pub id: String,
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// What it is about, e.g. `flip`.
    pub kind: String,
    /// One sentence.
    pub text: String,
    /// The same for machines.
    pub document: Value,
    /// When it came to be.
    pub created_at: DateTime<Utc>,
    /// How often its delivery was tried.
    pub attempts: i64,
}

/// Notes something to be told.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    (kind, text, document): (&str, &str, &Value),
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let sql = "-- insert_notice
        insert into notices (id, environment, flag, kind, text, document, created_at, attempts, next_at)
        values ($1, $2, $3, $4, $5, $6, $7, 0, $7)
        on conflict (id) do nothing";
    sqlx::query(sql)
        .bind(about.id("ntc", &[kind, text], now))
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(kind)
        .bind(plain(text).as_ref())
        .bind(plain(&document.to_string()).as_ref())
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .context("noting something to be told")?;
    Ok(())
}

impl Store {
    /// Notes something to be told on its own.
    pub async fn tell(
        &self,
        about: &About,
        told: (&str, &str, &Value),
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("noting something to be told")?;
        insert(&mut tx, about, told, now).await?;
        tx.commit().await.context("noting something to be told")
    }

    /// Notices to be delivered now, oldest first.
    pub async fn notices_to_deliver(
        &self,
        environment: &EnvironmentName,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Notice>> {
        let sql = "-- notices_to_deliver
            select id, environment, flag, kind, text, document, created_at, attempts from notices
            where environment = $1 and delivered_at is null and next_at <= $2
            order by created_at, id limit 100";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(millis(now))
            .fetch_all(&self.pool)
            .await
            .context("reading what is to be told")?;
        rows.iter()
            .map(|row| {
                let document: String = row.try_get("document")?;
                Ok(Notice {
                    id: row.try_get("id")?,
                    environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
                    flag: FlagName::new(row.try_get::<String, _>("flag")?),
                    kind: row.try_get("kind")?,
                    text: row.try_get("text")?,
                    document: serde_json::from_str(&document).context("reading a notice")?,
                    created_at: time(row.try_get("created_at")?),
                    attempts: row.try_get("attempts")?,
                })
            })
            .collect()
    }

    /// Notes that a notice was delivered.
    pub async fn notice_delivered(&self, id: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- notice_delivered
            update notices set delivered_at = $2 where id = $1 and delivered_at is null";
        sqlx::query(sql)
            .bind(id)
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that something was told")?;
        Ok(())
    }

    /// Notes that a notice could not be delivered, and when it is tried again.
    pub async fn notice_failed(
        &self,
        id: &str,
        again_in: TimeDelta,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- notice_failed
            update notices set attempts = attempts + 1, next_at = $2 where id = $1";
        sqlx::query(sql)
            .bind(id)
            .bind(millis(now + again_in))
            .execute(&self.pool)
            .await
            .context("noting that something could not be told")?;
        Ok(())
    }
}
