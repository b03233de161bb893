//! Replays of history: which past recordings the candidate runs on, and how far each is.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

use super::{
    Store, audit,
    facts::About,
    known, millis, plain, time,
    trail::{MeteredUsage, metered},
};
use crate::model::{EnvironmentName, Origin, RecordingId, RoomId, RunId, TranscriptId};

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayState {
    /// Its recordings are being looked up.
    Finding,
    /// They are run.
    UnderWay,
    /// All of them have ended or were skipped.
    Ended,
    /// It may be resumed, once its reason is seen to.
    Stopped,
    /// Somebody wants no more of it.
    Cancelled,
}

impl ReplayState {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::UnderWay => "under_way",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Finding,
            Self::UnderWay,
            Self::Ended,
            Self::Stopped,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }
}

/// A row of `replays`.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Its id.
    pub id: String,
    /// Transcripts made at that time or later.
    pub from: DateTime<Utc>,
    /// And before this one.
    pub to: DateTime<Utc>,
    /// Of this room alone.
    pub room: Option<RoomId>,
    /// So many are looked at.
    pub at_most: i64,
    /// So many are started in an hour.
    pub per_hour: i64,
    /// What its runs may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// Whether recordings are run again that the candidate has run on before.
    pub anew: bool,
    /// How far it is.
    pub state: ReplayState,
    /// Why it is in that state; empty where that needs no telling.
    pub reason: String,
    /// Whether the controller drives it; otherwise a command does.
    pub by_server: bool,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When all was done, or somebody wanted no more of it.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How far one recording of a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemState {
    /// Nothing was done.
    Waiting,
    /// A run was started.
    Started,
    /// The run has ended, and was compared if it could be.
    Ended,
    /// It cannot be replayed.
    Skipped,
}

impl ItemState {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Skipped => "skipped",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Started, Self::Ended, Self::Skipped]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// Why a recording cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// Its sound was deleted.
    AudioDeleted,
    /// Somebody denied consent.
    ConsentDenied,
    /// People edited what the control made.
    Edited,
    /// The control's run is not over, or not any more.
    NotFinished,
    /// The transcript or its recording is gone.
    Gone,
    /// A track is not where it was.
    TracksGone,
    /// Its rows hold what Reflector does not write.
    Unreadable,
    /// The candidate ran on it before.
    RanBefore,
    /// The candidate served its users, so there is no control's result.
    Served,
}

impl Skipped {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::AudioDeleted,
        Self::ConsentDenied,
        Self::Edited,
        Self::NotFinished,
        Self::Gone,
        Self::TracksGone,
        Self::Unreadable,
        Self::RanBefore,
        Self::Served,
    ];

    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AudioDeleted => "audio_deleted",
            Self::ConsentDenied => "consent_denied",
            Self::Edited => "edited",
            Self::NotFinished => "not_finished",
            Self::Gone => "gone",
            Self::TracksGone => "tracks_gone",
            Self::Unreadable => "unreadable",
            Self::RanBefore => "ran_before",
            Self::Served => "served",
        }
    }

    /// For people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::AudioDeleted => "its sound was deleted",
            Self::ConsentDenied => "somebody denied consent to being recorded",
            Self::Edited => "people have edited what the control made",
            Self::NotFinished => "the control is at it again, or its last run failed",
            Self::Gone => "the transcript or its recording is gone",
            Self::TracksGone => "a track of it is not in its bucket any more",
            Self::Unreadable => "its rows in Reflector's database cannot be read",
            Self::RanBefore => "the candidate ran on it before; `--anew` runs it again",
            Self::Served => {
                "the candidate served it once, so what is stored need not be the control's"
            }
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == name)
    }
}

/// A row of `replay_items`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayItem {
    /// The transcript that the control made.
    pub transcript: TranscriptId,
    /// Its recording.
    pub recording: RecordingId,
    /// In the order they are started.
    pub place: i64,
    /// How far it is.
    pub state: ItemState,
    /// The control it is compared with.
    pub control_id: Option<String>,
    /// The candidate's run.
    pub run: Option<RunId>,
    /// Why it was skipped.
    pub skipped: Option<Skipped>,
    /// What the comparison says; none of a run that could not be compared.
    pub verdict: Option<String>,
    /// When its run was started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended or was skipped.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What is known of an earlier run of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierRun {
    /// The run.
    pub id: RunId,
    /// What it was made for.
    pub origin: Origin,
    /// Whether it served the recording's users.
    pub is_live: bool,
    /// Whether it belongs to a recording of a replay.
    pub is_noted: bool,
}

const REPLAY: &str = "id, from_at, to_at, room_id, at_most, per_hour, budget_usd, anew, state, reason, started_by, started_at, ended_at, by_server";
const ITEM: &str = "transcript_id, recording_id, place, state, control_id, run_id, skipped, verdict, started_at, ended_at";

impl Replay {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let state: String = row.try_get("state")?;
        Ok(Self {
            id: row.try_get("id")?,
            from: time(row.try_get("from_at")?),
            to: time(row.try_get("to_at")?),
            room: row
                .try_get::<Option<String>, _>("room_id")?
                .map(RoomId::new),
            at_most: row.try_get("at_most")?,
            per_hour: row.try_get("per_hour")?,
            budget_usd: row.try_get("budget_usd")?,
            anew: row.try_get::<i64, _>("anew")? == 1,
            state: ReplayState::parse(&state)
                .with_context(|| format!("`{state}` is no state of a replay"))?,
            reason: row.try_get("reason")?,
            started_by: row.try_get("started_by")?,
            started_at: time(row.try_get("started_at")?),
            ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(time),
            by_server: row.try_get::<i64, _>("by_server")? == 1,
        })
    }

    /// The same for machines.
    pub fn told(&self) -> serde_json::Value {
        serde_json::json!({
            "replay": self.id,
            "from": self.from,
            "to": self.to,
            "room": self.room,
            "limit": self.at_most,
            "rate": self.per_hour,
            "budget_usd": self.budget_usd,
            "anew": self.anew,
            "by_server": self.by_server,
            "state": self.state.as_str(),
            "reason": self.reason,
            "by": self.started_by,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
        })
    }

    /// How an entry of the audit trail tells it.
    fn in_audit(&self) -> String {
        let room = match &self.room {
            Some(room) => format!(" of room {room}"),
            None => String::new(),
        };
        let budget = match self.budget_usd {
            Some(usd) => format!(", {usd} USD at most"),
            None => String::new(),
        };
        format!(
            "{}: {} recordings{room} from {} to {} at most, {} an hour{budget}",
            self.id,
            self.at_most,
            self.from.format("%Y-%m-%d"),
            self.to.format("%Y-%m-%d"),
            self.per_hour
        )
    }
}

impl ReplayItem {
    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let state: String = row.try_get("state")?;
        let skipped: Option<String> = row.try_get("skipped")?;
        Ok(Self {
            transcript: TranscriptId::new(row.try_get::<String, _>("transcript_id")?),
            recording: RecordingId::new(row.try_get::<String, _>("recording_id")?),
            place: row.try_get("place")?,
            state: ItemState::parse(&state)
                .with_context(|| format!("`{state}` is no state of a replayed recording"))?,
            control_id: row.try_get("control_id")?,
            run: row.try_get::<Option<String>, _>("run_id")?.map(RunId::new),
            skipped: skipped
                .map(|why| {
                    Skipped::parse(&why).with_context(|| format!("`{why}` is no reason to skip"))
                })
                .transpose()?,
            verdict: row.try_get("verdict")?,
            started_at: row.try_get::<Option<i64>, _>("started_at")?.map(time),
            ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(time),
        })
    }
}

impl Store {
    /// Writes a replay, on record.
    pub async fn insert_replay(
        &self,
        about: &About,
        replay: &Replay,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "writing a replay";
        let sql = "-- insert_replay
            insert into replays (id, environment, flag, from_at, to_at, room_id, at_most, per_hour,
                budget_usd, anew, state, reason, started_by, started_at, changed_at, by_server)
            values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, -1), $10, $11, $12, $13, $14, $15, $16)";
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query(sql)
            .bind(replay.id.as_str())
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(replay.from))
            .bind(millis(replay.to))
            .bind(replay.room.as_ref().map(RoomId::as_str))
            .bind(replay.at_most)
            .bind(replay.per_hour)
            .bind(known(replay.budget_usd))
            .bind(i64::from(replay.anew))
            .bind(replay.state.as_str())
            .bind(plain(&replay.reason).as_ref())
            .bind(plain(&replay.started_by).as_ref())
            .bind(millis(replay.started_at))
            .bind(millis(now))
            .bind(i64::from(replay.by_server))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let entry = about.entry(
            "replay",
            (&replay.started_by, ""),
            ("", &replay.in_audit()),
            now,
        );
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)
    }

    /// A replay of an environment.
    pub async fn replay(
        &self,
        environment: &EnvironmentName,
        id: &str,
    ) -> anyhow::Result<Option<Replay>> {
        let sql =
            format!("-- replay\n select {REPLAY} from replays where environment = $1 and id = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .context("reading a replay")?;
        row.as_ref().map(Replay::read).transpose()
    }

    /// The newest replays of an environment, newest first.
    pub async fn replays(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<Replay>> {
        let sql = format!(
            "-- replays\n select {REPLAY} from replays
             where environment = $1 order by started_at desc, id limit $2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading replays")?;
        rows.iter().map(Replay::read).collect()
    }

    /// Brings a replay from one state to another. False where it is not in the first any more.
    pub async fn move_replay(
        &self,
        id: &str,
        (before, after): (ReplayState, ReplayState),
        reason: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- move_replay
            update replays set state = $3, reason = $4, changed_at = $5, ended_at = $6
            where id = $1 and state = $2";
        let is_over = matches!(after, ReplayState::Ended | ReplayState::Cancelled);
        let moved = sqlx::query(sql)
            .bind(id)
            .bind(before.as_str())
            .bind(after.as_str())
            .bind(plain(reason).as_ref())
            .bind(millis(now))
            .bind(is_over.then(|| millis(now)))
            .execute(&self.pool)
            .await
            .context("noting how far a replay is")?;
        Ok(moved.rows_affected() == 1)
    }

    /// Ends a replay that is not over, on record: nothing more is started. False where it is over.
    pub async fn cancel_replay(
        &self,
        about: &About,
        id: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- cancel_replay
            update replays set state = 'cancelled', reason = $4, changed_at = $3, ended_at = $3
            where environment = $1 and id = $2 and state not in ('ended', 'cancelled')";
        let reason = format!("{by} cancelled it");
        let halted = self.halt_replay(about, id, (sql, &reason), ("replay_cancel", by), now);
        halted.await.context("cancelling a replay")
    }

    /// Stops a replay that is under way, on record: nothing more is started until somebody resumes it.
    /// False where it is not under way.
    pub async fn pause_replay(
        &self,
        about: &About,
        id: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- pause_replay
            update replays set state = 'stopped', reason = $4, changed_at = $3
            where environment = $1 and id = $2 and state = 'under_way'";
        let reason = format!("{by} paused it");
        let halted = self.halt_replay(about, id, (sql, &reason), ("replay_pause", by), now);
        halted.await.context("pausing a replay")
    }

    /// Changes a replay's row by a statement, on record. False where it does not apply to it.
    async fn halt_replay(
        &self,
        about: &About,
        id: &str,
        (sql, reason): (&'static str, &str),
        (act, by): (&str, &str),
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let halted = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(id)
            .bind(millis(now))
            .bind(plain(reason).as_ref())
            .execute(&mut *tx)
            .await?;
        if halted.rows_affected() == 0 {
            return Ok(false);
        }
        let entry = about.entry(act, (by, ""), (id, ""), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Notes who had the controller take up a replay.
    pub async fn take_up_replay(
        &self,
        about: &About,
        id: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "taking up a replay";
        let sql = "-- take_up_replay
            update replays set by_server = 1, changed_at = $3
            where environment = $1 and id = $2 and state not in ('ended', 'cancelled')";
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(id)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let entry = about.entry("replay_resume", (by, ""), ("", id), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)
    }

    /// Replays that the controller drives and that are not over, or whose runs are not.
    pub async fn replays_to_drive(
        &self,
        environment: &EnvironmentName,
    ) -> anyhow::Result<Vec<String>> {
        let sql = "-- replays_to_drive
            select id from replays
            where environment = $1 and by_server = 1 and (state in ('finding', 'under_way')
                or exists (select 1 from replay_items items
                    where items.replay_id = replays.id and items.state = 'started'))
            order by started_at, id";
        sqlx::query_scalar(sql)
            .bind(environment.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading which replays to drive")
    }

    /// Gives a replay that is not over other bounds, on record.
    pub async fn bound_replay(
        &self,
        about: &About,
        id: &str,
        (per_hour, budget_usd): (i64, Option<f64>),
        by: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "changing the bounds of a replay";
        let sql = "-- bound_replay
            update replays set per_hour = $3, budget_usd = nullif($4, -1), changed_at = $5
            where environment = $1 and id = $2 and state not in ('ended', 'cancelled')";
        let mut tx = self.begin().await.context(doing)?;
        sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(id)
            .bind(per_hour)
            .bind(known(budget_usd))
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        let bounds = match budget_usd {
            Some(usd) => format!("{id}: {per_hour} an hour, {usd} USD at most"),
            None => format!("{id}: {per_hour} an hour"),
        };
        let entry = about.entry("replay_bounds", (by, ""), ("", &bounds), now);
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)
    }

    /// Gives a replay its recordings, all at once, and puts it under way. False where it was not
    /// looking for them any more.
    pub async fn begin_replay(
        &self,
        replay: &str,
        items: &[ReplayItem],
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "writing the recordings of a replay";
        let sql = "-- begin_replay
            update replays set state = 'under_way', changed_at = $2
            where id = $1 and state = 'finding'";
        let mut tx = self.begin().await.context(doing)?;
        let begun = sqlx::query(sql)
            .bind(replay)
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if begun.rows_affected() == 0 {
            return Ok(false);
        }
        let sql = "-- add_replay_item
            insert into replay_items (replay_id, transcript_id, recording_id, place, state, skipped,
                reason, ended_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict (replay_id, transcript_id) do nothing";
        for item in items {
            sqlx::query(sql)
                .bind(replay)
                .bind(plain(item.transcript.as_str()).as_ref())
                .bind(plain(item.recording.as_str()).as_ref())
                .bind(item.place)
                .bind(item.state.as_str())
                .bind(item.skipped.map(Skipped::as_str))
                .bind(item.skipped.map(Skipped::reason))
                .bind(item.ended_at.map(millis))
                .execute(&mut *tx)
                .await
                .context(doing)?;
        }
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// The recordings of a replay, in the order they are started.
    pub async fn replay_items(&self, replay: &str) -> anyhow::Result<Vec<ReplayItem>> {
        let sql = format!(
            "-- replay_items\n select {ITEM} from replay_items
             where replay_id = $1 order by place, transcript_id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(replay)
            .fetch_all(&self.pool)
            .await
            .context("reading the recordings of a replay")?;
        rows.iter().map(ReplayItem::read).collect()
    }

    /// Notes the control of a recording that waits.
    pub async fn note_replay_control(
        &self,
        replay: &str,
        transcript: &TranscriptId,
        control: &str,
    ) -> anyhow::Result<()> {
        let sql = "-- note_replay_control
            update replay_items set control_id = $3
            where replay_id = $1 and transcript_id = $2 and state = 'waiting'";
        sqlx::query(sql)
            .bind(replay)
            .bind(transcript.as_str())
            .bind(control)
            .execute(&self.pool)
            .await
            .context("noting the control of a replayed recording")?;
        Ok(())
    }

    /// Notes the run of a recording that waits. False where another recording of a replay has it,
    /// or this one does not wait any more.
    pub async fn note_replay_run(
        &self,
        replay: &str,
        transcript: &TranscriptId,
        run: &RunId,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- note_replay_run
            update replay_items set state = 'started', run_id = $3, started_at = $4
            where replay_id = $1 and transcript_id = $2 and state = 'waiting'
              and not exists (select 1 from replay_items other where other.run_id = $3)";
        let noted = sqlx::query(sql)
            .bind(replay)
            .bind(transcript.as_str())
            .bind(run.as_str())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting the run of a replayed recording")?;
        Ok(noted.rows_affected() == 1)
    }

    /// Notes that a recording that waits cannot be replayed.
    pub async fn skip_replay_item(
        &self,
        replay: &str,
        transcript: &TranscriptId,
        why: Skipped,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- skip_replay_item
            update replay_items set state = 'skipped', skipped = $3, reason = $4, ended_at = $5
            where replay_id = $1 and transcript_id = $2 and state = 'waiting'";
        sqlx::query(sql)
            .bind(replay)
            .bind(transcript.as_str())
            .bind(why.as_str())
            .bind(why.reason())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("skipping a recording of a replay")?;
        Ok(())
    }

    /// Notes that the run of a recording has ended, and what its comparison says.
    pub async fn end_replay_item(
        &self,
        replay: &str,
        transcript: &TranscriptId,
        verdict: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let sql = "-- end_replay_item
            update replay_items set state = 'ended', verdict = $3, ended_at = $4
            where replay_id = $1 and transcript_id = $2 and state = 'started'";
        sqlx::query(sql)
            .bind(replay)
            .bind(transcript.as_str())
            .bind(verdict)
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("ending a recording of a replay")?;
        Ok(())
    }

    /// All runs of a recording, oldest first.
    pub async fn runs_of_recording(
        &self,
        about: &About,
        recording: &RecordingId,
    ) -> anyhow::Result<Vec<EarlierRun>> {
        let sql = "-- runs_of_recording
            select runs.id, runs.origin, runs.epoch,
                (select count(*) from replay_items where replay_items.run_id = runs.id) as noted
            from runs
            where runs.environment = $1 and runs.flag = $2 and runs.recording_id = $3
            order by runs.generation";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(recording.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading the runs of a recording")?;
        rows.iter()
            .map(|row| {
                let origin: String = row.try_get("origin")?;
                Ok(EarlierRun {
                    id: RunId::new(row.try_get::<String, _>("id")?),
                    origin: Origin::parse(&origin)
                        .with_context(|| format!("`{origin}` is nothing runs are made for"))?,
                    is_live: row.try_get::<Option<i64>, _>("epoch")?.is_some(),
                    is_noted: row.try_get::<i64, _>("noted")? > 0,
                })
            })
            .collect()
    }

    /// What the runs of a replay used.
    pub async fn usages_of_replay(
        &self,
        replay: &str,
    ) -> anyhow::Result<Vec<(RunId, MeteredUsage)>> {
        let sql = "-- usages_of_replay
            select usages.run_id, usages.task_ref, usages.kind, usages.used_of,
                sum(usages.amount) as amount
            from usages join replay_items on replay_items.run_id = usages.run_id
            where replay_items.replay_id = $1
            group by usages.run_id, usages.task_ref, usages.kind, usages.used_of
            order by usages.run_id, usages.task_ref, usages.kind, usages.used_of";
        let rows = sqlx::query(sql)
            .bind(replay)
            .fetch_all(&self.pool)
            .await
            .context("reading what a replay used")?;
        rows.iter()
            .map(|row| {
                let run = RunId::new(row.try_get::<String, _>("run_id")?);
                Ok((run, metered(row)?))
            })
            .collect()
    }
}
