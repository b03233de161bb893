//! What the candidate served, and what the gate says of it.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{About, Store, time};
use crate::{
    gate::{LineState, Served, ServedEnd, Soak, soak},
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
        select recording_id, started_at, state, failed_at, withdrawn_at from runs
        where environment = $1 and flag = $2 and versions = $3 and epoch is not null
          and origin = 'arrival'";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .fetch_all(&mut **tx)
        .await
        .context("reading what was served")?;
    let served: Vec<Served> = rows.iter().map(one).collect::<anyhow::Result<_>>()?;
    Ok(soak(&about.gate.bounds, &served, now))
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
    let mut failing = soak.lines.iter().filter(|line| line.state == LineState::Fail);
    GateStands {
        verdict: soak.verdict,
        line: soak.line.clone(),
        missing: missing.join("; "),
        alarm: failing.next().map(|line| line.observed.clone()),
    }
}
