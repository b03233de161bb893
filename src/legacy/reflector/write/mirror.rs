//! Mirror transcripts: rows in which the unmodified legacy runs a recording a second time, read by
//! nobody but us.
//!
//! These writes ask for no proof of ownership: a mirror is no effect a user can see, and everything
//! here touches rows of [`MIRROR_USER`] alone. A mirror run is still a legacy run: its SERIALIZABLE
//! transactions can abort those of production's, so one may begin only while no other is active.

use chrono::{DateTime, Utc};
use sqlx::AnyConnection;

use super::{
    RowWriter, WriteError, run,
    writer::{again, commit},
};
use crate::model::TranscriptId;

/// Owns every mirror. Nobody can log in as it: Reflector's user ids are made by its identity
/// provider. A row without an owner could be read and reprocessed by anybody.
pub const MIRROR_USER: &str = "switchyard-mirror";

impl RowWriter {
    /// Inserts the row the trigger would, with the original's languages and kind, but without
    /// recording, room and meeting, since consent deletion, Zulip and webhook follow these; private,
    /// locked and owned by [`MIRROR_USER`]. False where the mirror is there already.
    pub async fn insert_mirror(
        &self,
        original: &TranscriptId,
        mirror: &TranscriptId,
        now: DateTime<Utc>,
    ) -> Result<bool, WriteError> {
        const DOING: &str = "inserting a mirror";
        let sql = "-- insert_mirror
            insert into public.transcript (
                id, name, status, locked, duration, created_at, topics, events, participants,
                source_language, target_language, user_id, audio_location, share_mode, reviewed,
                source_kind
            )
            select $2, '', 'idle', true, 0, cast($4 as timestamptz), '[]', '[]', '[]',
                source_language, target_language, $3, 'local', 'private', false,
                source_kind
            from public.transcript where id = $1
            on conflict (id) do nothing";
        let created_at = now.to_rfc3339();
        again(|| async {
            let mut transaction = self.begin(DOING).await?;
            let query = sqlx::query(sql)
                .bind(original.as_str())
                .bind(mirror.as_str())
                .bind(MIRROR_USER)
                .bind(created_at.as_str());
            if run(&mut transaction, DOING, query).await? == 1 {
                commit(DOING, transaction).await?;
                return Ok(true);
            }
            match kind(&mut transaction, DOING, mirror).await? {
                Some(Kind::Mirror) => Ok(false),
                Some(Kind::Real) => Err(WriteError::NotAMirror(mirror.clone())),
                None => Err(WriteError::NoTranscript(original.clone())),
            }
        })
        .await
    }

    /// Gives a mirror that is being processed the original's participants, without which its
    /// summaries are not comparable. To be called after the run's own reset and before its topics:
    /// once padding has begun. True where the mirror has them now; false where it is not time yet,
    /// too late, or there is no such mirror.
    pub async fn give_participants(
        &self,
        original: &TranscriptId,
        mirror: &TranscriptId,
    ) -> Result<bool, WriteError> {
        const DOING: &str = "giving a mirror its participants";
        // A mirror that has them is left alone, so that its run's transactions do not notice.
        let give = "-- give_participants
            update public.transcript as mirror set participants = original.participants
            from public.transcript as original
            where original.id = $1 and mirror.id = $2 and mirror.user_id = $3
                and mirror.recording_id is null
                and mirror.status = 'processing' and mirror.participants::text = '[]'
                and json_typeof(original.participants) = 'array'
                and original.participants::text <> '[]'";
        let has = "-- has_participants
            select count(*) from public.transcript as mirror
            join public.transcript as original on original.id = $1
            where mirror.id = $2 and mirror.user_id = $3 and mirror.status = 'processing'
                and mirror.participants::text in ('[]', original.participants::text)
                and (mirror.participants::text <> '[]'
                    or coalesce(original.participants::text, 'null') in ('[]', 'null'))";
        again(|| async {
            let mut transaction = self.begin(DOING).await?;
            let query = sqlx::query(give)
                .bind(original.as_str())
                .bind(mirror.as_str())
                .bind(MIRROR_USER);
            if run(&mut transaction, DOING, query).await? == 1 {
                commit(DOING, transaction).await?;
                return Ok(true);
            }
            let found: i64 = sqlx::query_scalar(has)
                .bind(original.as_str())
                .bind(mirror.as_str())
                .bind(MIRROR_USER)
                .fetch_one(&mut *transaction)
                .await
                .map_err(|error| WriteError::from_driver(DOING, &error))?;
            Ok(found == 1)
        })
        .await
    }

    /// Whether any other transcript is being processed, by whomever. A legacy worker that was killed
    /// leaves its row so for good, and then this stays true until somebody reprocesses it.
    pub async fn other_legacy_runs_active(
        &self,
        except: &TranscriptId,
    ) -> Result<bool, WriteError> {
        const DOING: &str = "looking for other runs";
        let sql = "-- other_legacy_runs_active
            select count(*) from public.transcript where status = 'processing' and id <> $1";
        self.count(DOING, sql, except).await.map(|found| found > 0)
    }

    /// Removes a mirror's row; false where there is none. A row that is no mirror is refused. A run
    /// that is still working on it fails.
    pub async fn remove_mirror(&self, mirror: &TranscriptId) -> Result<bool, WriteError> {
        const DOING: &str = "removing a mirror";
        let sql = "-- remove_mirror
            delete from public.transcript
            where id = $1 and user_id = $2
                and recording_id is null and room_id is null and meeting_id is null";
        again(|| async {
            let mut transaction = self.begin(DOING).await?;
            let query = sqlx::query(sql).bind(mirror.as_str()).bind(MIRROR_USER);
            if run(&mut transaction, DOING, query).await? == 1 {
                commit(DOING, transaction).await?;
                return Ok(true);
            }
            match kind(&mut transaction, DOING, mirror).await? {
                None => Ok(false),
                Some(_) => Err(WriteError::NotAMirror(mirror.clone())),
            }
        })
        .await
    }

    /// Whether no row of that id is left.
    pub async fn mirror_is_gone(&self, mirror: &TranscriptId) -> Result<bool, WriteError> {
        let sql = "-- mirror_is_gone
            select count(*) from public.transcript where id = $1";
        let found = self.count("looking for a mirror", sql, mirror).await?;
        Ok(found == 0)
    }

    async fn count(
        &self,
        doing: &'static str,
        sql: &'static str,
        id: &TranscriptId,
    ) -> Result<i64, WriteError> {
        again(|| async {
            let mut transaction = self.begin(doing).await?;
            let query = sqlx::query_scalar(sql).bind(id.as_str());
            let found = query.fetch_one(&mut *transaction).await;
            found.map_err(|error| WriteError::from_driver(doing, &error))
        })
        .await
    }
}

/// Whose row it is.
enum Kind {
    Mirror,
    Real,
}

async fn kind(
    connection: &mut AnyConnection,
    doing: &'static str,
    id: &TranscriptId,
) -> Result<Option<Kind>, WriteError> {
    let sql = "-- kind
        select cast(count(*) filter (
            where user_id = $2 and recording_id is null and room_id is null and meeting_id is null
        ) as bigint), count(*)
        from public.transcript where id = $1";
    let found: (i64, i64) = sqlx::query_as(sql)
        .bind(id.as_str())
        .bind(MIRROR_USER)
        .fetch_one(connection)
        .await
        .map_err(|error| WriteError::from_driver(doing, &error))?;
    Ok(match found {
        (1.., _) => Some(Kind::Mirror),
        (_, 1..) => Some(Kind::Real),
        _ => None,
    })
}
