//! Tests of the comparison with known defects.

use anyhow::Context;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{AnyConnection, Row};

use super::{Store, facts::About, millis, time};
use crate::{
    compare::Severity,
    selftest::{Score, Tested},
};

/// A test as it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SelfTest {
    /// Its id.
    pub id: String,
    /// The digest of versions it was made under.
    pub epoch: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What it came to.
    #[serde(flatten)]
    pub tested: Tested,
}

/// The newest test of a migration until then, whatever versions it was made under.
pub(super) async fn newest(
    db: &mut AnyConnection,
    about: &About,
    until: i64,
) -> anyhow::Result<Option<SelfTest>> {
    let doing = "reading the newest test of the comparison";
    let sql = "-- newest_selftest
        select id, epoch, controls, tested_at from selftests
        where environment = $1 and flag = $2 and tested_at <= $3
        order by tested_at desc, id limit 1";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(until)
        .fetch_optional(&mut *db)
        .await
        .context(doing)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let id: String = row.try_get("id")?;
    let sql = "-- selftest_scores
        select defect, severity, caught, tried from selftest_scores
        where selftest_id = $1 order by place";
    let scores = sqlx::query(sql)
        .bind(id.as_str())
        .fetch_all(&mut *db)
        .await
        .context(doing)?;
    let scores = scores.iter().map(|row| {
        let severity: String = row.try_get("severity")?;
        Ok(Score {
            defect: row.try_get("defect")?,
            severity: Severity::parse(&severity)
                .with_context(|| format!("`{severity}` is no severity"))?,
            caught: u64::try_from(row.try_get::<i64, _>("caught")?)?,
            of: u64::try_from(row.try_get::<i64, _>("tried")?)?,
        })
    });
    Ok(Some(SelfTest {
        epoch: row.try_get("epoch")?,
        at: time(row.try_get("tested_at")?),
        tested: Tested {
            controls: u64::try_from(row.try_get::<i64, _>("controls")?)?,
            scores: scores.collect::<anyhow::Result<_>>()?,
        },
        id,
    }))
}

impl Store {
    /// The newest test of a migration's comparison; under other versions it says nothing any more.
    pub async fn newest_selftest(&self, about: &About) -> anyhow::Result<Option<SelfTest>> {
        let connection = self.pool.acquire().await;
        newest(
            &mut *connection.context("reading a test of the comparison")?,
            about,
            i64::MAX,
        )
        .await
    }

    /// Keeps a test; its id.
    pub async fn keep_selftest(
        &self,
        about: &About,
        tested: &Tested,
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let doing = "keeping a test of the comparison";
        let id = about.id("slf", &[&about.epoch], now);
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- keep_selftest
            insert into selftests (id, environment, flag, epoch, controls, tested_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (id) do nothing";
        let kept = sqlx::query(sql)
            .bind(id.as_str())
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(about.epoch.as_str())
            .bind(i64::try_from(tested.controls)?)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if kept.rows_affected() == 0 {
            return Ok(id);
        }
        let sql = "-- keep_selftest
            insert into selftest_scores (selftest_id, place, defect, severity, caught, tried)
            values ($1, $2, $3, $4, $5, $6)";
        for (place, score) in tested.scores.iter().enumerate() {
            sqlx::query(sql)
                .bind(id.as_str())
                .bind(i64::try_from(place)?)
                .bind(score.defect.as_str())
                .bind(score.severity.as_str())
                .bind(i64::try_from(score.caught)?)
                .bind(i64::try_from(score.of)?)
                .execute(&mut *tx)
                .await
                .context(doing)?;
        }
        tx.commit().await.context(doing)?;
        Ok(id)
    }

    /// The newest controls that runs of a migration are compared with, one at a time so that they need
    /// not all be in memory: their ids, the newest first.
    pub async fn newest_controls(
        &self,
        about: &About,
        at_most: i64,
    ) -> anyhow::Result<Vec<String>> {
        let sql = "-- newest_controls
            select id from controls
            where id in (
                select control_id from runs
                where environment = $1 and flag = $2 and control_id is not null
            ) and texts_deleted_at is null
            order by taken_at desc, id limit $3";
        sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading the newest controls")?
            .iter()
            .map(|row| Ok(row.try_get("id")?))
            .collect()
    }

    /// How many controls of a migration were taken after that moment.
    pub async fn controls_since(&self, about: &About, since: DateTime<Utc>) -> anyhow::Result<i64> {
        let sql = "-- controls_since
            select count(*) as how_many from controls
            where taken_at > $3 and texts_deleted_at is null and id in (
                select control_id from runs
                where environment = $1 and flag = $2 and control_id is not null
            )";
        let row = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(since))
            .fetch_one(&self.pool)
            .await
            .context("counting new controls")?;
        Ok(row.try_get("how_many")?)
    }
}
