//! Health: the breaker of each environment, and what was seen when things were looked at last.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Executor, Row, Transaction, any::AnyRow};

use super::{Store, audit, facts::About, millis, notices, plain, time};
use crate::{
    model::{EnvironmentName, FlagName, NoticeKind, RunId},
    rollout::{Admission, Breaker, Layer, Probe, audit::Entry},
};

/// A row of `breakers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRow {
    /// The breaker.
    pub breaker: Breaker,
    /// What is down that both pipelines need; starts of the candidate wait for it.
    pub holding: Option<String>,
    /// Counts changes.
    pub version: i64,
}

/// A row of `probes`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct ProbeRow {
    /// What was looked at.
    pub name: String,
    /// Whose health it tells of.
    pub layer: Layer,
    /// Whether it was as it should be.
    pub ok: bool,
    /// What was found, for people.
    pub found: String,
    /// Since when it is so.
    pub since: DateTime<Utc>,
    /// When it was looked at last.
    pub checked_at: DateTime<Utc>,
}

/// A change of a breaker that people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerChange {
    /// Who or what made it.
    pub by: String,
    /// What was done, e.g. `breaker`.
    pub action: &'static str,
    /// How it was before, for people.
    pub before: String,
    /// How it is now, for people.
    pub after: String,
    /// Why.
    pub reason: String,
    /// One sentence.
    pub told: String,
}

/// The breaker, in a transaction or outside of one.
pub(super) async fn read_breaker<'e>(
    db: impl Executor<'e, Database = Any>,
    environment: &EnvironmentName,
) -> anyhow::Result<Option<BreakerRow>> {
    let sql = "-- breaker
        select document, holding, version from breakers where environment = $1";
    let row = sqlx::query(sql)
        .bind(environment.as_str())
        .fetch_optional(db)
        .await
        .context("reading the breaker")?;
    row.map(|row| {
        let document: String = row.try_get("document")?;
        Ok(BreakerRow {
            breaker: serde_json::from_str(&document).context("reading the breaker")?,
            holding: row.try_get("holding")?,
            version: row.try_get("version")?,
        })
    })
    .transpose()
}

/// How many recordings the candidate serves, or is about to. Whoever else asks waits until the
/// transaction ends.
pub(super) async fn served_by_candidate(
    tx: &mut Transaction<'static, Any>,
    environment: &EnvironmentName,
    flag: &FlagName,
) -> anyhow::Result<i64> {
    // A write that changes nothing is how both databases lock a row.
    let sql = "-- lock_breaker
        update breakers set version = version where environment = $1";
    sqlx::query(sql)
        .bind(environment.as_str())
        .execute(&mut **tx)
        .await
        .context("locking the breaker")?;
    count_served(&mut **tx, environment, flag).await
}

async fn count_served<'e>(
    db: impl Executor<'e, Database = Any>,
    environment: &EnvironmentName,
    flag: &FlagName,
) -> anyhow::Result<i64> {
    let sql = "-- served_by_candidate
        select
            (select count(*) from runs
             where environment = $1 and flag = $2 and epoch is not null
               and state in ('starting', 'running'))
          + (select count(*) from routes
             where environment = $1 and flag = $2 and owner = 'candidate'
               and state in ('offered', 'open') and run_id is null) as served";
    let row = sqlx::query(sql)
        .bind(environment.as_str())
        .bind(flag.as_str())
        .fetch_one(db)
        .await
        .context("counting what the candidate serves")?;
    Ok(row.try_get("served")?)
}

/// What Conductor may be given by the newest look at it.
pub(super) fn admission(row: Option<&BreakerRow>, now: DateTime<Utc>) -> Admission {
    row.map_or_else(
        || Admission::None("nobody has looked at Conductor yet".to_owned()),
        |row| row.breaker.admits(now),
    )
}

impl Store {
    /// What Conductor may be given now, and how many recordings the candidate serves already.
    pub async fn admission(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Admission, i64)> {
        let row = self.breaker(environment).await?;
        let served = count_served(&self.pool, environment, flag).await?;
        Ok((admission(row.as_ref(), now), served))
    }

    /// The breaker of an environment; none where nobody ever looked.
    pub async fn breaker(
        &self,
        environment: &EnvironmentName,
    ) -> anyhow::Result<Option<BreakerRow>> {
        read_breaker(&self.pool, environment).await
    }

    /// Writes the breaker if it is still the version that was seen, 0 where there was none; with it,
    /// each change is audited and noted to be told. False when somebody else wrote it.
    pub async fn set_breaker(
        &self,
        about: &About,
        row: &BreakerRow,
        changes: &[BreakerChange],
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "writing the breaker";
        let mut tx = self.begin().await.context(doing)?;
        if !write(&mut tx, &about.environment, row).await? {
            return Ok(false);
        }
        for change in changes {
            let entry = Entry {
                action: change.action.to_owned(),
                actor: plain(&change.by).into_owned(),
                after: plain(&change.after).into_owned(),
                at: millis(now),
                before: plain(&change.before).into_owned(),
                environment: about.environment.to_string(),
                flag: about.flag.to_string(),
                previous: String::new(),
                reason: plain(&change.reason).into_owned(),
                seq: 0,
            };
            let audited = audit::append(&mut tx, entry).await?;
            let document = serde_json::json!({
                "before": change.before,
                "after": change.after,
                "by": change.by,
                "reason": change.reason,
                "audit": audited,
            });
            notices::insert(
                &mut tx,
                about,
                (NoticeKind::Breaker, &change.told, &document),
                now,
            )
            .await?;
        }
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Notes what was seen. `since` stays while it stays good or bad.
    pub async fn note_probe(
        &self,
        environment: &EnvironmentName,
        probe: &Probe,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let (Ok(found) | Err(found)) = &probe.found;
        let sql = "-- note_probe
            insert into probes (environment, name, layer, ok, found, since, checked_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            on conflict (environment, name) do update
            set since = case when probes.ok = excluded.ok then probes.since else excluded.since end,
                layer = excluded.layer, ok = excluded.ok, found = excluded.found,
                checked_at = excluded.checked_at";
        sqlx::query(sql)
            .bind(environment.as_str())
            .bind(probe.name)
            .bind(probe.layer.as_str())
            .bind(i64::from(probe.found.is_ok()))
            .bind(plain(found).as_ref())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting what was seen")?;
        Ok(())
    }

    /// What was seen when everything was looked at last, by layer and name.
    pub async fn probes(&self, environment: &EnvironmentName) -> anyhow::Result<Vec<ProbeRow>> {
        let sql = "-- probes
            select name, layer, ok, found, since, checked_at from probes
            where environment = $1 order by layer, name";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading what was seen")?;
        rows.iter().map(ProbeRow::read).collect()
    }

    /// Live runs without a workflow that were made before `starting`, and those without an attempt
    /// that began or ended since `quiet`.
    pub async fn stuck_runs(
        &self,
        environment: &EnvironmentName,
        starting: DateTime<Utc>,
        quiet: DateTime<Utc>,
    ) -> anyhow::Result<(Vec<RunId>, Vec<RunId>)> {
        let without = "-- runs_without_workflow
            select id from runs
            where environment = $1 and epoch is not null and state = 'starting'
              and workflow_id is null and started_at < $2
            order by started_at, id limit 100";
        let stalled = "-- stalled_runs
            select id from runs
            where environment = $1 and epoch is not null and state = 'running'
              and start_tried_at < $2 and not exists (
                  select 1 from attempts where attempts.run_id = runs.id
                    and (attempts.started_at >= $2 or attempts.finished_at >= $2))
            order by started_at, id limit 100";
        let mut found = Vec::new();
        for (sql, before) in [(without, starting), (stalled, quiet)] {
            let ids: Vec<String> = sqlx::query_scalar(sql)
                .bind(environment.as_str())
                .bind(millis(before))
                .fetch_all(&self.pool)
                .await
                .context("looking for runs that do not get on")?;
            found.push(ids.into_iter().map(RunId::new).collect());
        }
        let stalled = found.pop().unwrap_or_default();
        Ok((found.pop().unwrap_or_default(), stalled))
    }
}

impl ProbeRow {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let layer: String = row.try_get("layer")?;
        Ok(Self {
            name: row.try_get("name")?,
            layer: Layer::parse(&layer).with_context(|| format!("`{layer}` is no layer"))?,
            ok: row.try_get::<i64, _>("ok")? == 1,
            found: row.try_get("found")?,
            since: time(row.try_get("since")?),
            checked_at: time(row.try_get("checked_at")?),
        })
    }
}

async fn write(
    tx: &mut Transaction<'static, Any>,
    environment: &EnvironmentName,
    row: &BreakerRow,
) -> anyhow::Result<bool> {
    let sql = "-- set_breaker
        insert into breakers (environment, state, reason, document, holding, since, opened_at,
            checked_at, version)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9 + 1)
        on conflict (environment) do update
        set state = excluded.state, reason = excluded.reason, document = excluded.document,
            holding = excluded.holding, since = excluded.since, opened_at = excluded.opened_at,
            checked_at = excluded.checked_at, version = excluded.version
        where breakers.version = $9";
    let breaker = &row.breaker;
    let written = sqlx::query(sql)
        .bind(environment.as_str())
        .bind(breaker.state.as_str())
        .bind(plain(&breaker.reason).into_owned())
        .bind(plain(&serde_json::to_string(breaker)?).into_owned())
        .bind(
            row.holding
                .as_deref()
                .map(plain)
                .map(std::borrow::Cow::into_owned),
        )
        .bind(millis(breaker.since))
        .bind(breaker.opened_at.map(millis))
        .bind(millis(breaker.checked_at))
        .bind(row.version)
        .execute(&mut **tx)
        .await
        .context("writing the breaker")?;
    Ok(written.rows_affected() == 1)
}
