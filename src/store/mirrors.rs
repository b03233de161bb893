//! Mirrors: second runs of the legacy pipeline, and how far each one is.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Row, any::AnyRow};

use super::{Lease, Store, millis, plain, time};
use crate::model::{EnvironmentName, RecordingId, RunId, TranscriptId};

/// A row of `mirrors`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// The mirror's own transcript.
    pub transcript: TranscriptId,
    /// Where.
    pub environment: EnvironmentName,
    /// The transcript it mirrors.
    pub original: TranscriptId,
    /// The recording of both.
    pub recording_id: RecordingId,
    /// The bucket of the raw tracks.
    pub bucket_name: String,
    /// The tracks the task is given.
    pub track_keys: Vec<String>,
    /// The Celery task.
    pub task_id: String,
    /// How far it is.
    pub state: MirrorState,
    /// The live run whose recording the control runs on as well; none where the control served it.
    pub reverse_of: Option<RunId>,
    /// What the original's run made.
    pub original_control_id: String,
    /// What the mirror's run made.
    pub control_id: Option<String>,
    /// The verdict on the original against the mirror.
    pub verdict: Option<String>,
    /// Field by field.
    pub comparison: Option<Value>,
    /// What came of it; none while that is open.
    pub outcome: Option<MirrorOutcome>,
    /// Why it came to nothing, for people.
    pub reason: Option<String>,
    /// When it was planned.
    pub started_at: DateTime<Utc>,
    /// When its task was published.
    pub dispatched_at: Option<DateTime<Utc>>,
    /// When it last got further.
    pub changed_at: DateTime<Utc>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in SQL and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            fn read(word: &str) -> anyhow::Result<Self> {
                let found = Self::ALL.iter().copied().find(|one| one.as_str() == word);
                found.with_context(|| format!("`{word}` in a row of `mirrors`"))
            }
        }
    };
}

words! {
    /// How far a mirror is.
    MirrorState {
        /// Nothing was done yet.
        Planned = "planned",
        /// Its row is in Reflector's database.
        Inserted = "inserted",
        /// Its task was published.
        Dispatched = "dispatched",
        /// Its run is over, or was given up.
        Ended = "ended",
        /// It was compared with the original.
        Compared = "compared",
        /// Nothing of it is left outside.
        Removed = "removed",
    }
}

words! {
    /// What came of a mirror.
    MirrorOutcome {
        /// It says how far the control differs from itself.
        Compared = "compared",
        /// It ended well, under other conditions than the original.
        NotComparable = "not_comparable",
        /// The legacy run ended in `error`.
        Failed = "failed",
        /// The legacy run did not end in time.
        TimedOut = "timed_out",
        /// Another legacy run began before this one.
        Refused = "refused",
        /// It was interrupted and cleaned up.
        Abandoned = "abandoned",
    }
}

/// All columns that [`read`] reads.
const COLUMNS: &str = "mirror_transcript_id, environment, original_transcript_id, recording_id,
    bucket_name, track_keys, task_id, state, original_control_id, control_id, verdict, comparison,
    outcome, reason, started_at, dispatched_at, changed_at, reverse_of";

impl Store {
    /// Notes a mirror before anything is done, held by the caller. False where the environment has
    /// one that is not removed yet.
    pub async fn insert_mirror(&self, mirror: &Mirror, lease: Lease<'_>) -> anyhow::Result<bool> {
        let sql = "-- insert_mirror
            insert into mirrors (mirror_transcript_id, environment, original_transcript_id,
                recording_id, bucket_name, track_keys, task_id, state, original_control_id, holder,
                lease_until, started_at, changed_at, reverse_of)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            on conflict do nothing";
        let done = sqlx::query(sql)
            .bind(mirror.transcript.as_str())
            .bind(mirror.environment.as_str())
            .bind(mirror.original.as_str())
            .bind(mirror.recording_id.as_str())
            .bind(mirror.bucket_name.as_str())
            .bind(serde_json::to_string(&mirror.track_keys)?)
            .bind(mirror.task_id.as_str())
            .bind(mirror.state.as_str())
            .bind(mirror.original_control_id.as_str())
            .bind(lease.holder)
            .bind(millis(lease.until))
            .bind(millis(mirror.started_at))
            .bind(millis(mirror.changed_at))
            .bind(mirror.reverse_of.as_ref().map(RunId::as_str))
            .execute(&self.pool)
            .await
            .context("noting a mirror")?;
        Ok(done.rows_affected() == 1)
    }

    /// The environment's mirror that is not removed yet.
    pub async fn unfinished_mirror(
        &self,
        environment: &EnvironmentName,
    ) -> anyhow::Result<Option<Mirror>> {
        let sql = format!(
            "-- unfinished_mirror
            select {COLUMNS} from mirrors where environment = $1 and state <> 'removed'"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a mirror")?;
        row.as_ref().map(read).transpose()
    }

    /// The environment's mirrors, newest first.
    pub async fn mirrors(
        &self,
        environment: &EnvironmentName,
        limit: i64,
    ) -> anyhow::Result<Vec<Mirror>> {
        let sql = format!(
            "-- mirrors
            select {COLUMNS} from mirrors where environment = $1
            order by started_at desc, mirror_transcript_id limit $2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .context("listing mirrors")?;
        rows.iter().map(read).collect()
    }

    /// The mirrors of a recording, in whatever environment, newest first.
    pub async fn mirrors_of(&self, recording: &RecordingId) -> anyhow::Result<Vec<Mirror>> {
        let sql = format!(
            "-- mirrors_of
            select {COLUMNS} from mirrors where recording_id = $1
            order by started_at desc, mirror_transcript_id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(recording.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading a recording's mirrors")?;
        rows.iter().map(read).collect()
    }

    /// Takes a mirror, or keeps it for longer. False where another process is at it, or nothing is
    /// left to do.
    pub async fn hold_mirror(
        &self,
        transcript: &TranscriptId,
        lease: Lease<'_>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- hold_mirror
            update mirrors set holder = $2, lease_until = $3
            where mirror_transcript_id = $1 and state <> 'removed'
                and (holder is null or holder = $2 or lease_until <= $4)";
        let done = sqlx::query(sql)
            .bind(transcript.as_str())
            .bind(lease.holder)
            .bind(millis(lease.until))
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("taking a mirror")?;
        Ok(done.rows_affected() == 1)
    }

    /// Lets others take a mirror at once.
    pub async fn release_mirror(
        &self,
        transcript: &TranscriptId,
        holder: &str,
    ) -> anyhow::Result<()> {
        let sql = "-- release_mirror
            update mirrors set holder = null, lease_until = null
            where mirror_transcript_id = $1 and holder = $2";
        sqlx::query(sql)
            .bind(transcript.as_str())
            .bind(holder)
            .execute(&self.pool)
            .await
            .context("releasing a mirror")?;
        Ok(())
    }

    /// Writes how far a mirror is. False where another process has taken it.
    pub async fn save_mirror(&self, mirror: &Mirror, holder: &str) -> anyhow::Result<bool> {
        let sql = "-- save_mirror
            update mirrors set state = $3, control_id = $4, verdict = $5, comparison = $6,
                outcome = $7, reason = $8, dispatched_at = $9, changed_at = $10
            where mirror_transcript_id = $1 and holder = $2";
        let done = sqlx::query(sql)
            .bind(mirror.transcript.as_str())
            .bind(holder)
            .bind(mirror.state.as_str())
            .bind(mirror.control_id.as_deref())
            .bind(mirror.verdict.as_deref())
            .bind(
                mirror
                    .comparison
                    .as_ref()
                    .map(|value| plain(&value.to_string()).into_owned()),
            )
            .bind(mirror.outcome.map(MirrorOutcome::as_str))
            .bind(mirror.reason.as_deref())
            .bind(mirror.dispatched_at.map(millis))
            .bind(millis(mirror.changed_at))
            .execute(&self.pool)
            .await
            .context("noting how far a mirror is")?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> anyhow::Result<Mirror> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let track_keys = serde_json::from_str(&text("track_keys")?);
    let comparison: Option<String> = row.try_get("comparison")?;
    let comparison = comparison
        .map(|text| serde_json::from_str(&text))
        .transpose();
    let outcome: Option<String> = row.try_get("outcome")?;
    Ok(Mirror {
        transcript: TranscriptId::new(text("mirror_transcript_id")?),
        environment: EnvironmentName::new(text("environment")?),
        original: TranscriptId::new(text("original_transcript_id")?),
        recording_id: RecordingId::new(text("recording_id")?),
        bucket_name: text("bucket_name")?,
        track_keys: track_keys.context("reading a mirror's tracks")?,
        task_id: text("task_id")?,
        state: MirrorState::read(&text("state")?)?,
        reverse_of: row
            .try_get::<Option<String>, _>("reverse_of")?
            .map(RunId::new),
        original_control_id: text("original_control_id")?,
        control_id: row.try_get("control_id")?,
        verdict: row.try_get("verdict")?,
        comparison: comparison.context("reading a mirror's comparison")?,
        outcome: outcome.as_deref().map(MirrorOutcome::read).transpose()?,
        reason: row.try_get("reason")?,
        started_at: time(row.try_get("started_at")?),
        dispatched_at: row.try_get::<Option<i64>, _>("dispatched_at")?.map(time),
        changed_at: time(row.try_get("changed_at")?),
    })
}
