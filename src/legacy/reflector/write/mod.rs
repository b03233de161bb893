//! A run's writes into its transcript's row, as the legacy leaves it.
//!
//! What surprises most: this is READ COMMITTED with a lock on the one row, where the legacy is
//! SERIALIZABLE without. A SERIALIZABLE transaction of ours could abort the legacy's on any other
//! row, which ends a user's run in `error`; READ COMMITTED takes no part in such conflicts. On the
//! same row a legacy transaction that is open while we write still aborts, so a row has one writer
//! at a time: whoever owns the recording.
//!
//! Everything may be done twice. The second time changes nothing, not even the row's version.

mod column;
mod error;
mod events;
mod json;
mod location;
mod mirror;
mod plan;
mod row;
mod topics;
mod writer;

use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe};

pub use column::Column;
pub use error::WriteError;
pub use location::same_database;
pub(super) use location::without_driver;
pub use mirror::MIRROR_USER;
pub use writer::RowWriter;

use self::{plan::Plan, row::Row};
use crate::model::{Event, TranscriptId};
use crate::rollout::Live;

/// One step of a transcript's row: columns and at most one event, written together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowWrite {
    /// New values. A title is written only where the row has none.
    pub columns: Vec<(Column, Value)>,
    /// Goes to the end of `events`; a topic's also into `topics` and so `webvtt`.
    pub event: Option<Event>,
    /// First empties events, topics, participants and captions, as the legacy does when a run
    /// begins. What else an earlier run left stays, its title included.
    pub reset: bool,
}

/// What a write did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The columns that changed, by their names in SQL; `events`, `topics` and `webvtt` among them.
    pub columns: Vec<&'static str>,
    /// Whether the event was appended. Without an event, false.
    pub event: bool,
}

impl Written {
    /// Whether anything changed.
    pub fn changed(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// Writes one step, inside the caller's transaction, so that the caller's own rows and Reflector's
/// change together. The transaction has to be READ COMMITTED, PostgreSQL's default; each statement
/// in it gets 10 s from now on, each wait for a lock 2 s, and PostgreSQL ends it when it idles for
/// 30 s. After an error nothing but a rollback is left to do.
///
/// - A step whose event is there already was written before, and changes nothing, whatever people
///   edited since.
/// - A status that is there already is neither written nor told, as with the legacy; a `STATUS`
///   event beside the column goes by the column alone.
/// - Text loses NUL characters, which PostgreSQL refuses: they become U+FFFD.
///
/// `live` is the proof that the run owned the recording when it was looked up; whether it still does
/// is for the caller to ask in this very transaction.
pub async fn apply(
    connection: &mut AnyConnection,
    _live: &Live,
    transcript: &TranscriptId,
    write: &RowWrite,
) -> Result<Written, WriteError> {
    bound(connection).await?;
    let row = Row::lock(connection, transcript).await?;
    let row = row.ok_or_else(|| WriteError::NoTranscript(transcript.clone()))?;
    let mut plan = Plan::new(&row, write)?;
    plan.update(connection, transcript).await?;
    if let (Some(id), Some(recording)) = (&plan.workflow_id, &row.recording_id)
        && note_workflow(connection, recording, id).await?
    {
        plan.written.columns.push(Column::WorkflowId.as_str());
    }
    Ok(plan.written)
}

/// Keeps us from holding a row of Reflector's, or waiting for one, for long.
async fn bound(connection: &mut AnyConnection) -> Result<(), WriteError> {
    let sql = "-- bound
        select set_config('statement_timeout', '10s', true),
            set_config('lock_timeout', '2s', true),
            set_config('idle_in_transaction_session_timeout', '30s', true)";
    run(connection, "setting time limits", sqlx::query(sql)).await?;
    Ok(())
}

/// True where that changed anything; nothing is written where there is no such column.
async fn note_workflow(
    connection: &mut AnyConnection,
    recording: &str,
    workflow: &str,
) -> Result<bool, WriteError> {
    const DOING: &str = "noting the workflow";
    let has = "-- has_workflow_id
        select count(*) from pg_attribute
        where attrelid = to_regclass('public.recording') and attname = 'workflow_id'
            and not attisdropped";
    let found: i64 = sqlx::query_scalar(has)
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| WriteError::from_driver(DOING, &error))?;
    if found == 0 {
        return Ok(false);
    }
    let sql = "-- note_workflow
        update public.recording set workflow_id = $2
        where id = $1 and workflow_id is distinct from $2";
    let query = sqlx::query(sql).bind(recording).bind(workflow);
    Ok(run(connection, DOING, query).await? == 1)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// How many rows that was.
async fn run(
    connection: &mut AnyConnection,
    doing: &'static str,
    query: Query<'_>,
) -> Result<u64, WriteError> {
    let done = query.execute(connection).await;
    let done = done.map_err(|error| WriteError::from_driver(doing, &error))?;
    Ok(done.rows_affected())
}

impl Plan {
    /// One statement, as the legacy's; none where nothing changes, so that the row keeps its
    /// version and nobody's transaction notices.
    async fn update(
        &self,
        connection: &mut AnyConnection,
        transcript: &TranscriptId,
    ) -> Result<(), WriteError> {
        if self.sets.is_empty() {
            return Ok(());
        }
        let mut assignments = Vec::with_capacity(self.sets.len());
        for (set, number) in self.sets.iter().zip(2..) {
            let (column, sql_type) = (set.column, set.sql_type);
            assignments.push(format!("{column} = cast(${number} as {sql_type})"));
        }
        let assignments = assignments.join(", ");
        let sql = format!("update public.transcript set {assignments} where id = $1");
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(transcript.as_str());
        for set in &self.sets {
            query = query.bind(set.value.as_str());
        }
        run(connection, "writing a transcript's row", query).await?;
        Ok(())
    }
}
