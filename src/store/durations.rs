//! How long runs took, and how long their recordings are.

use anyhow::Context;
use sqlx::Row;

use super::Store;
use crate::{
    model::{EnvironmentName, FlagName, RunId, TaskName},
    progress::Past,
};

impl Store {
    /// The newest runs of a migration that ended well at their first try, as far as is known how long
    /// their recordings are.
    pub async fn past_runs(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        at_most: i64,
    ) -> anyhow::Result<Vec<Past>> {
        let sql = "-- past_runs
            select runs.started_at, runs.finished_at, outputs.output
            from runs join outputs on outputs.run_id = runs.id and outputs.task_ref = $3
            where runs.environment = $1 and runs.flag = $2 and runs.state = 'completed'
              and runs.failed_at is null
            order by runs.started_at desc limit $4";
        let rows = sqlx::query(sql)
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(TaskName::MixdownTracks.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading how long runs took")?;
        let mut past = Vec::new();
        for row in &rows {
            let output: String = row.try_get("output")?;
            let (from, to): (i64, Option<i64>) =
                (row.try_get("started_at")?, row.try_get("finished_at")?);
            if let (Some(audio_ms), Some(to)) = (length_in(&output), to) {
                past.push(Past {
                    audio_ms,
                    took_ms: to - from,
                });
            }
        }
        Ok(past)
    }

    /// How long a run's recording is, in milliseconds; none before its tracks are mixed.
    pub async fn length_of(&self, run: &RunId) -> anyhow::Result<Option<i64>> {
        let mixed = self.output(run, TaskName::MixdownTracks.as_str()).await?;
        Ok(mixed.and_then(|mixed| length_in(&mixed.output.to_string())))
    }
}

/// The length of a mix, by what its task reported.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a fraction of a millisecond is of no account, and a cast that overflows ends at the bound"
)]
fn length_in(output: &str) -> Option<i64> {
    let output: serde_json::Value = serde_json::from_str(output).ok()?;
    let length = output.get("duration_ms")?.as_f64()?.round();
    (length >= 1.0).then_some(length as i64)
}
