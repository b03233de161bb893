//! Everything our database knows that a move of a migration depends on.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{
    Store, evidence, holds, phases::read_phase, requests, served, standing::read_standing, time,
};
use crate::{
    gate::{Decision, Rules},
    model::{EnvironmentName, FlagName},
    rollout::{
        BreakerFacts, BreakerState, Ended, Evidence, Facts, HealthFacts, Position, RehearsalFacts,
    },
};

/// What a question or a move is about.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// The digest of versions that evidence counts under.
    pub epoch: String,
    /// The environment that goes before this one, where the settings name one.
    pub after: Option<EnvironmentName>,
    /// What evidence has to show.
    pub gate: Rules,
}

impl Store {
    /// The same facts outside of a move, for whoever wants to see how the conditions of going `to`
    /// stand.
    pub async fn facts(
        &self,
        about: &About,
        to: Position,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Facts> {
        let mut tx = self.begin().await.context("reading how things stand")?;
        let facts = gather(&mut tx, about, to, now).await?;
        tx.rollback().await.context("reading how things stand")?;
        Ok(facts)
    }

    /// The same where somebody has asked the gate.
    pub async fn facts_on(
        &self,
        about: &About,
        to: Position,
        gate: (Evidence, &Decision),
        now: DateTime<Utc>,
    ) -> anyhow::Result<Facts> {
        let mut tx = self.begin().await.context("reading how things stand")?;
        let facts = gather_on(&mut tx, about, to, gate, now).await?;
        tx.rollback().await.context("reading how things stand")?;
        Ok(facts)
    }
}

pub(super) async fn gather(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    to: Position,
    now: DateTime<Utc>,
) -> anyhow::Result<Facts> {
    let (evidence, decision) = evidence::read(tx, about, now).await?;
    gather_on(tx, about, to, (evidence, &decision), now).await
}

async fn gather_on(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    to: Position,
    (evidence, decision): (Evidence, &Decision),
    now: DateTime<Utc>,
) -> anyhow::Result<Facts> {
    let phase = read_phase(&mut **tx, &about.environment, &about.flag).await?;
    let since = phase.changed_at.filter(|_| phase.version > 0);
    let predecessor = match &about.after {
        None => None,
        Some(name) => {
            let row = read_phase(&mut **tx, name, &about.flag).await?;
            (row.version > 0).then_some(row.position)
        }
    };
    Ok(Facts {
        environment: about.environment.clone(),
        position: phase.position,
        version: phase.version,
        since,
        predecessor,
        hold: holds::read_holds(&mut **tx, about)
            .await?
            .into_iter()
            .next(),
        overrides: holds::read_overrides(&mut **tx, about, now).await?,
        approvals: requests::read_approvals(tx, about, to, phase.version).await?,
        breaker: breaker(tx, about).await?,
        health: health(tx, about).await?,
        evidence,
        gate: evidence::stands(decision),
        soak: served::stands(&served::read(tx, about, now).await?),
        parallel: ended(
            tx,
            about,
            "epoch is null and origin in ('manual', 'replay')",
            since,
        )
        .await?,
        live: ended(tx, about, "epoch is not null and origin = 'arrival'", since).await?,
        rehearsal: rehearsal(tx, about).await?,
        legacy_started_at: legacy_started_at(tx, about).await?,
        legacy_open: legacy_open(tx, about).await?,
        kept_back: kept_back(tx, about, now).await?,
        exported_at: exported_at(tx, about).await?,
    })
}

async fn breaker(
    tx: &mut Transaction<'static, Any>,
    about: &About,
) -> anyhow::Result<Option<BreakerFacts>> {
    let sql = "-- breaker_facts
        select state, reason, opened_at from breakers where environment = $1";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .fetch_optional(&mut **tx)
        .await
        .context("reading the breaker")?;
    row.map(|row| {
        let state: String = row.try_get("state")?;
        Ok(BreakerFacts {
            state: BreakerState::parse(&state)
                .with_context(|| format!("`{state}` is no state of a breaker"))?,
            reason: row.try_get("reason")?,
            opened_at: row.try_get::<Option<i64>, _>("opened_at")?.map(time),
        })
    })
    .transpose()
}

async fn health(
    tx: &mut Transaction<'static, Any>,
    about: &About,
) -> anyhow::Result<Option<HealthFacts>> {
    let sql = "-- health_facts
        select name, ok, found, since, checked_at from probes
        where environment = $1 and layer = 'conductor' order by name";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .fetch_all(&mut **tx)
        .await
        .context("reading what the probes say")?;
    let mut health: Option<HealthFacts> = None;
    for row in rows {
        let (name, found): (String, String) = (row.try_get("name")?, row.try_get("found")?);
        let is_ok = row.try_get::<i64, _>("ok")? == 1;
        let since = time(row.try_get("since")?);
        let checked_at = time(row.try_get("checked_at")?);
        let bad = (!is_ok).then(|| format!("{name}: {found}"));
        health = Some(match health {
            None => HealthFacts {
                bad,
                since,
                checked_at,
            },
            Some(so_far) => HealthFacts {
                bad: so_far.bad.or(bad),
                since: so_far.since.max(since),
                checked_at: so_far.checked_at.min(checked_at),
            },
        });
    }
    Ok(health)
}

/// How runs ended that were started since then.
async fn ended(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    which: &str,
    since: Option<DateTime<Utc>>,
) -> anyhow::Result<Ended> {
    let sql = format!(
        "-- ended_runs\n select state, count(*) as how_many from runs
         where environment = $1 and flag = $2 and {which} and started_at >= $3
           and withdrawn_at is null and state in ('completed', 'failed', 'terminated')
         group by state"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(since.map_or(0, super::millis))
        .fetch_all(&mut **tx)
        .await
        .context("counting runs")?;
    let mut ended = Ended::default();
    for row in rows {
        let how_many: i64 = row.try_get("how_many")?;
        if row.try_get::<String, _>("state")? == "completed" {
            ended.ended_well += how_many;
        } else {
            ended.failed += how_many;
        }
    }
    Ok(ended)
}

async fn rehearsal(
    tx: &mut Transaction<'static, Any>,
    about: &About,
) -> anyhow::Result<Option<RehearsalFacts>> {
    let sql = "-- newest_rehearsal
        select state, ended_at from rehearsals
        where environment = $1 and flag = $2 and state <> 'under_way' and ended_at is not null
        order by ended_at desc, id limit 1";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .fetch_optional(&mut **tx)
        .await
        .context("reading the newest rehearsal")?;
    row.map(|row| {
        Ok(RehearsalFacts {
            at: time(row.try_get("ended_at")?),
            passed: row.try_get::<String, _>("state")? == "passed",
        })
    })
    .transpose()
}

/// When Celery was given something last: routed to it, or given back.
async fn legacy_started_at(
    tx: &mut Transaction<'static, Any>,
    about: &About,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let newest = [
        "-- last_legacy_route
         select max(arrived_at) as at from routes
         where environment = $1 and flag = $2 and owner = 'control'",
        "-- last_give_back
         select max(changed_at) as at from ownership
         where environment = $1 and flag = $2 and owner = 'control'",
    ];
    let mut last = None;
    for sql in newest {
        let row = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .fetch_one(&mut **tx)
            .await
            .context("looking when Celery was given something last")?;
        last = last.max(row.try_get::<Option<i64>, _>("at")?);
    }
    Ok(last.map(time))
}

async fn legacy_open(tx: &mut Transaction<'static, Any>, about: &About) -> anyhow::Result<i64> {
    let sql = "-- legacy_open
        select count(*) as open from routes
        where environment = $1 and flag = $2 and owner = 'control' and state = 'open'";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .fetch_one(&mut **tx)
        .await
        .context("counting what Celery is at")?;
    Ok(row.try_get("open")?)
}

/// What rules of routing keep from the candidate.
async fn kept_back(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<String>> {
    let standing = read_standing(&mut **tx, &about.environment, &about.flag, now).await?;
    Ok(standing.rules.rules.kept_back())
}

async fn exported_at(
    tx: &mut Transaction<'static, Any>,
    about: &About,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let sql = "-- newest_export
        select max(made_at) as at from exports where environment = $1 and flag = $2";
    let row = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .fetch_one(&mut **tx)
        .await
        .context("reading the newest export")?;
    Ok(row.try_get::<Option<i64>, _>("at")?.map(time))
}
