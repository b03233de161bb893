//! What happened to a migration, for a drawing of it.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

use super::{Store, facts::About, health, millis, phases, time};
use crate::{
    compare::Verdict,
    model::RunState,
    report::evidence::{Change, Gathered, Held, History, How},
};

/// The newest entries of the audit trail that are read.
const CHANGES: i64 = 1000;

/// The newest holds that are read.
const HOLDS: i64 = 200;

impl Store {
    /// What happened to a migration since `from`.
    pub async fn history(&self, about: &About, from: DateTime<Utc>) -> anyhow::Result<History> {
        let phase = phases::read_phase(&self.pool, &about.environment, &about.flag).await?;
        let breaker = health::read_breaker(&self.pool, &about.environment).await?;
        Ok(History {
            moves: self.audited_changes(about, "flip", from).await?,
            phase: phase.position.to_string(),
            breaker: self.audited_changes(about, "breaker", from).await?,
            breaker_now: breaker.map(|row| row.breaker.state.to_string()),
            holds: self.past_holds(about, from).await?,
            versions: self.versions_compared(about, from).await?,
            runs: self.how_runs_ended(about, from).await?,
        })
    }

    async fn audited_changes(
        &self,
        about: &About,
        action: &str,
        from: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Change>> {
        let sql = "-- audited_changes
            select at, state_before, state_after, actor, reason from audit
            where environment = $1 and flag = $2 and action = $3 and at >= $4
            order by seq desc limit $5";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(action)
            .bind(millis(from))
            .bind(CHANGES)
            .fetch_all(&self.pool)
            .await
            .context("reading what changed")?;
        let change = |row: &AnyRow| {
            Ok(Change {
                at: time(row.try_get("at")?),
                before: row.try_get("state_before")?,
                after: row.try_get("state_after")?,
                by: row.try_get("actor")?,
                reason: row.try_get("reason")?,
            })
        };
        rows.iter().rev().map(change).collect()
    }

    async fn past_holds(&self, about: &About, from: DateTime<Utc>) -> anyhow::Result<Vec<Held>> {
        let sql = "-- past_holds
            select owner, reason, placed_at, released_at from holds
            where environment = $1 and flag = $2 and (released_at is null or released_at >= $3)
            order by placed_at desc, id limit $4";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(from))
            .bind(HOLDS)
            .fetch_all(&self.pool)
            .await
            .context("reading holds")?;
        let held = |row: &AnyRow| {
            Ok(Held {
                from: time(row.try_get("placed_at")?),
                to: row.try_get::<Option<i64>, _>("released_at")?.map(time),
                owner: row.try_get("owner")?,
                reason: row.try_get("reason")?,
            })
        };
        rows.iter().rev().map(held).collect()
    }

    async fn versions_compared(
        &self,
        about: &About,
        from: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Gathered>> {
        let sql = "-- versions_compared
            select comparisons.epoch, min(comparisons.compared_at) as first_at,
                max(comparisons.compared_at) as last_at, count(distinct comparisons.run_id) as runs
            from comparisons join runs on runs.id = comparisons.run_id
            where runs.environment = $1 and runs.flag = $2 and runs.origin <> 'rehearsal'
              and comparisons.compared_at >= $3 and comparisons.epoch <> ''
            group by comparisons.epoch order by first_at, comparisons.epoch";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(from))
            .fetch_all(&self.pool)
            .await
            .context("reading which versions were compared")?;
        let gathered = |row: &AnyRow| {
            Ok(Gathered {
                versions: row.try_get("epoch")?,
                first: time(row.try_get("first_at")?),
                last: time(row.try_get("last_at")?),
                runs: row.try_get("runs")?,
            })
        };
        rows.iter().map(gathered).collect()
    }

    async fn how_runs_ended(
        &self,
        about: &About,
        from: DateTime<Utc>,
    ) -> anyhow::Result<Vec<(DateTime<Utc>, How)>> {
        let sql = "-- how_runs_ended
            select runs.id, runs.started_at, runs.state, coalesce(runs.epoch, 0) as epoch,
                coalesce(comparisons.verdict, '') as verdict
            from runs left join comparisons on comparisons.run_id = runs.id
            where runs.environment = $1 and runs.flag = $2 and runs.origin <> 'rehearsal'
              and runs.started_at >= $3
            order by runs.id, comparisons.compared_at desc, comparisons.id";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(from))
            .fetch_all(&self.pool)
            .await
            .context("reading how runs ended")?;
        let mut ended = Vec::with_capacity(rows.len());
        let mut last = String::new();
        for row in &rows {
            // The newest comparison of a run comes first.
            let id: String = row.try_get("id")?;
            if id == last {
                continue;
            }
            last = id;
            let (state, verdict): (String, String) =
                (row.try_get("state")?, row.try_get("verdict")?);
            let is_live = row.try_get::<i64, _>("epoch")? > 0;
            let how = how(RunState::parse(&state), Verdict::parse(&verdict), is_live);
            ended.push((time(row.try_get("started_at")?), how));
        }
        Ok(ended)
    }
}

fn how(state: Option<RunState>, verdict: Option<Verdict>, is_live: bool) -> How {
    match (verdict, state) {
        (Some(Verdict::Match | Verdict::WithinNoise), _) => How::Same,
        (Some(Verdict::Differs), _) => How::Differs,
        (Some(Verdict::CandidateFailed | Verdict::TimedOut), _) => How::Failed,
        (None, Some(RunState::Completed)) if is_live => How::Served,
        (None, Some(RunState::Failed)) if is_live => How::Failed,
        (Some(_) | None, _) => How::SaysNothing,
    }
}
