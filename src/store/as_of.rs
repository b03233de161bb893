//! How things stood at another time, for whoever asks what changed since.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::Row;

use super::{Store, evidence::read_facts, facts::About, millis, time};
use crate::{gate::Decision, rollout::Evidence};

impl Store {
    /// What the gate would have said then: of what was known by then, under the versions that were
    /// compared last, by the rules as they are now. None where nothing was compared yet.
    pub async fn gate_as_of(
        &self,
        about: &About,
        at: DateTime<Utc>,
    ) -> anyhow::Result<Option<(Evidence, Decision)>> {
        let doing = "reading the evidence as it was";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- versions_as_of
            select comparisons.epoch
            from comparisons join runs on runs.id = comparisons.run_id
            where runs.environment = $1 and runs.flag = $2 and runs.epoch is null
              and runs.origin <> 'rehearsal' and comparisons.compared_at <= $3
            order by comparisons.compared_at desc, comparisons.id limit 1";
        let row = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(at))
            .fetch_optional(&mut *tx)
            .await
            .context(doing)?;
        let read = match row {
            None => None,
            Some(row) => {
                let then = About {
                    epoch: row.try_get("epoch")?,
                    ..about.clone()
                };
                let (evidence, decision, _) = read_facts(&mut tx, &then, at, millis(at)).await?;
                Some((evidence, decision))
            }
        };
        tx.rollback().await.context(doing)?;
        Ok(read)
    }

    /// When each sort of difference was seen first, by its signature, whatever the versions.
    pub async fn first_seen(
        &self,
        about: &About,
    ) -> anyhow::Result<BTreeMap<String, DateTime<Utc>>> {
        let sql = "-- first_seen
            select signature, min(made_at) as first_at from review_items
            where environment = $1 and flag = $2 and signature is not null group by signature";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading when differences were seen first")?;
        rows.iter()
            .map(|row| Ok((row.try_get("signature")?, time(row.try_get("first_at")?))))
            .collect()
    }
}
