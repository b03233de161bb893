//! Checkpoints: what each task of a run made.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction};

use super::{Intent, Run, Store, millis};
use crate::{
    model::{RunId, Usage},
    rollout::Live,
};

/// A row of `outputs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The task's reference name in the workflow, e.g. `pad_track_2`.
    pub task_ref: String,
    /// Hash of the input it was made from.
    pub input_hash: String,
    /// What was reported to the engine.
    pub output: serde_json::Value,
    /// The larger result, for other tasks.
    pub document: Option<serde_json::Value>,
}

/// Whether a checkpoint was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedIn {
    /// It was, with everything that goes with it.
    Written,
    /// The run no longer owns its recording; nothing was written.
    Fenced,
}

impl Store {
    /// The checkpoint of one task.
    pub async fn output(&self, run: &RunId, task_ref: &str) -> anyhow::Result<Option<Output>> {
        let sql = "-- output
            select task_ref, input_hash, output, document from outputs
            where run_id = $1 and task_ref = $2";
        let row = sqlx::query(sql)
            .bind(run.as_str())
            .bind(task_ref)
            .fetch_optional(&self.pool)
            .await
            .context("reading a checkpoint")?;
        row.as_ref().map(read).transpose()
    }

    /// All checkpoints of a run, by reference name.
    pub async fn outputs(&self, run: &RunId) -> anyhow::Result<Vec<Output>> {
        let sql = "-- outputs
            select task_ref, input_hash, output, document from outputs
            where run_id = $1 order by task_ref";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading checkpoints")?
            .iter()
            .map(read)
            .collect()
    }

    /// Writes a task's checkpoint, its intents, what it used and that the attempt is completed, all
    /// or nothing. A checkpoint made from other input is replaced, intents included.
    pub async fn check_in(
        &self,
        run: &RunId,
        task_id: &str,
        output: &Output,
        intents: &[Intent],
        usage: &[Usage],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let mut tx = self.begin().await.context("writing a checkpoint")?;
        Self::write(&mut tx, run, task_id, output, (intents, usage), now).await?;
        tx.commit().await.context("writing a checkpoint")
    }

    /// The same for a live run, whose intents are reserved as effects, if it still owns its
    /// recording.
    pub async fn check_in_live(
        &self,
        (run, live): (&Run, &Live),
        task_id: &str,
        output: &Output,
        intents: &[Intent],
        usage: &[Usage],
        now: DateTime<Utc>,
    ) -> anyhow::Result<CheckedIn> {
        let mut tx = self.begin().await.context("writing a checkpoint")?;
        if !Self::fence(&mut tx, live).await? {
            return Ok(CheckedIn::Fenced);
        }
        Self::write(&mut tx, &run.id, task_id, output, (intents, usage), now).await?;
        Self::reserve_effects(&mut tx, run, live, &output.task_ref, intents, now).await?;
        tx.commit().await.context("writing a checkpoint")?;
        Ok(CheckedIn::Written)
    }

    async fn write(
        tx: &mut Transaction<'_, Any>,
        run: &RunId,
        task_id: &str,
        output: &Output,
        (intents, usage): (&[Intent], &[Usage]),
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- check_in
            insert into outputs (run_id, task_ref, input_hash, output, document, created_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (run_id, task_ref) do update
            set input_hash = excluded.input_hash, output = excluded.output,
                document = excluded.document, created_at = excluded.created_at";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(output.task_ref.as_str())
            .bind(output.input_hash.as_str())
            .bind(output.output.to_string())
            .bind(output.document.as_ref().map(ToString::to_string))
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .context("writing a checkpoint")?;
        Self::replace_intents(tx, run, &output.task_ref, intents, now).await?;
        Self::add_usage(tx, run, &output.task_ref, task_id, usage).await?;
        Self::end(&mut **tx, task_id, "completed", None, now).await
    }

    /// Replaces what a task reports, once its effects are done.
    pub async fn amend_output(
        &self,
        run: &RunId,
        task_ref: &str,
        output: &serde_json::Value,
    ) -> anyhow::Result<()> {
        let sql = "-- amend_output
            update outputs set output = $3 where run_id = $1 and task_ref = $2";
        sqlx::query(sql)
            .bind(run.as_str())
            .bind(task_ref)
            .bind(output.to_string())
            .execute(&self.pool)
            .await
            .context("amending a checkpoint")?;
        Ok(())
    }
}

fn read(row: &sqlx::any::AnyRow) -> anyhow::Result<Output> {
    let output: String = row.try_get("output")?;
    let document: Option<String> = row.try_get("document")?;
    Ok(Output {
        task_ref: row.try_get("task_ref")?,
        input_hash: row.try_get("input_hash")?,
        output: serde_json::from_str(&output).context("reading a checkpoint's output")?,
        document: document
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .context("reading a checkpoint's document")?,
    })
}
