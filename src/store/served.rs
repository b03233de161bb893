//! What the candidate served, and what the gate says of it.

use std::collections::HashMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{About, Store, time};
use crate::{
    gate::{FieldKind, LineState, RunBeside, Served, ServedEnd, Soak, soak},
    model::{EnvironmentName, RecordingId, RunState},
    rollout::GateStands,
};

impl Store {
    /// Notes the versions that live runs are served under, of those nobody looked at so far; how many
    /// that were.
    pub async fn note_versions(
        &self,
        environment: &EnvironmentName,
        versions: &str,
    ) -> anyhow::Result<u64> {
        let sql = "-- note_versions
            update runs set versions = $2
            where environment = $1 and epoch is not null and versions is null";
        let done = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(versions)
            .execute(&self.pool)
            .await
            .context("noting the versions of live runs")?;
        Ok(done.rows_affected())
    }

    /// What the gate says of those that the candidate served under the versions as they are.
    pub async fn soak(&self, about: &About, now: DateTime<Utc>) -> anyhow::Result<Soak> {
        let mut tx = self.begin().await.context("reading what was served")?;
        let read = read(&mut tx, about, now).await?;
        tx.rollback().await.context("reading what was served")?;
        Ok(read)
    }
}

pub(super) async fn read(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<Soak> {
    let sql = "-- served
        select id, recording_id, started_at, state, failed_at, withdrawn_at from runs
        where environment = $1 and flag = $2 and versions = $3 and epoch is not null
          and origin = 'arrival'";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .fetch_all(&mut **tx)
        .await
        .context("reading what was served")?;
    let mut beside = run_beside(tx, about).await?;
    let mut served: Vec<Served> = Vec::with_capacity(rows.len());
    for row in &rows {
        let found = beside.remove(&row.try_get::<String, _>("id")?);
        served.push(Served {
            beside: found,
            ..one(row)?
        });
    }
    Ok(soak(&about.gate.bounds, &served, now))
}

/// What the control made of live runs' recordings afterwards, by run: of the newest comparison of each.
async fn run_beside(
    tx: &mut Transaction<'static, Any>,
    about: &About,
) -> anyhow::Result<HashMap<String, RunBeside>> {
    let sql = "-- run_beside
        select runs.id, coalesce(fields.field, '') as field
        from runs join comparisons on comparisons.run_id = runs.id
            left join comparison_fields fields on fields.comparison_id = comparisons.id
                and fields.verdict = 'differs'
        where runs.environment = $1 and runs.flag = $2 and runs.versions = $3
          and runs.epoch is not null and runs.origin = 'arrival'
          and comparisons.verdict in ('match', 'within_noise', 'differs')
          and not exists (select 1 from comparisons later where later.run_id = runs.id
            and later.compared_at > comparisons.compared_at)
        order by runs.id, fields.field";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .fetch_all(&mut **tx)
        .await
        .context("reading what the control made of what was served")?;
    let is_soft = |name: &str| {
        let rule = about.gate.fields.iter().find(|rule| rule.name == name);
        rule.is_some_and(|rule| matches!(rule.kind, FieldKind::Soft(_)))
    };
    let mut all: HashMap<String, RunBeside> = HashMap::new();
    for row in &rows {
        let beside = all.entry(row.try_get("id")?).or_default();
        let field: String = row.try_get("field")?;
        if field.is_empty() {
            continue;
        }
        if is_soft(&field) {
            beside.soft.push(field);
        } else {
            beside.hard.push(field);
        }
    }
    Ok(all)
}

fn one(row: &AnyRow) -> anyhow::Result<Served> {
    let state: String = row.try_get("state")?;
    let state =
        RunState::parse(&state).with_context(|| format!("`{state}` is no state of a run"))?;
    let has = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.is_some());
    let end = if has("withdrawn_at")? {
        ServedEnd::Withdrawn
    } else if has("failed_at")? {
        ServedEnd::Failed
    } else {
        match state {
            RunState::Completed => ServedEnd::Well,
            RunState::Failed | RunState::Terminated => ServedEnd::Failed,
            RunState::Starting | RunState::Running => ServedEnd::UnderWay,
        }
    };
    Ok(Served {
        recording: RecordingId::new(row.try_get::<String, _>("recording_id")?),
        at: time(row.try_get("started_at")?),
        end,
        beside: None,
    })
}

/// The same for whoever decides on a move.
pub(super) fn stands(soak: &Soak) -> GateStands {
    let lacking = soak
        .lines
        .iter()
        .filter(|line| matches!(line.state, LineState::Fail | LineState::NotYet));
    let missing: Vec<&str> = lacking
        .map(|line| line.missing.as_str())
        .filter(|missing| !missing.is_empty())
        .collect();
    let mut failing = soak
        .lines
        .iter()
        .filter(|line| line.state == LineState::Fail);
    GateStands {
        verdict: soak.verdict,
        line: soak.line.clone(),
        missing: missing.join("; "),
        alarm: failing.next().map(|line| line.observed.clone()),
    }
}
