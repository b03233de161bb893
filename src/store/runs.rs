//! Runs: one pipeline working on one recording.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

use super::{
    Store, audit, millis, plain,
    routes::{self, RouteRow},
    time,
};
use crate::{
    model::{
        EnvironmentName, FlagName, Origin, RecordingId, RunId, RunState, Subject, TranscriptId,
        WorkflowId,
    },
    rollout::audit::Entry,
};

/// A candidate run about to start.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// 1, or higher where a recording is wanted again.
    pub generation: i64,
    /// The phase it is dispatched in.
    pub phase: String,
    /// What it is about.
    pub subject: Subject,
    /// `""` shares paid answers with other runs; the run's own id keeps them apart.
    pub cache_scope: String,
    /// The control it is compared with, if there is one.
    pub control_id: Option<String>,
    /// Whether it is to own its recording; otherwise it is a shadow run.
    pub effects: Effects,
    /// What it is made for.
    pub origin: Origin,
}

/// What a run may do that others can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effects {
    /// It keeps its intents.
    Shadow,
    /// It carries them out.
    Live,
}

/// A row of `runs`.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// The recording.
    pub recording_id: RecordingId,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// 1, or higher where a recording is run again.
    pub generation: i64,
    /// The phase it was dispatched in.
    pub phase: String,
    /// How far it is.
    pub state: RunState,
    /// The engine's id, once known.
    pub workflow_id: Option<WorkflowId>,
    /// Step, attempt and cause.
    pub failure: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// Which runs share its paid answers.
    pub cache_scope: String,
    /// The control it is compared with, if there is one.
    pub control_id: Option<String>,
    /// When our row was made.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The epoch it was made the owner of its recording in; none for a shadow run.
    pub epoch: Option<i64>,
    /// When it found its source removed because consent was denied.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// What it was made for.
    pub origin: Origin,
    /// When it ended without a result first; it stays where the run is taken up again.
    pub failed_at: Option<DateTime<Utc>>,
    /// When somebody last set out to start its workflow.
    pub start_tried_at: DateTime<Utc>,
    /// What comparing it with its control came to, since it ended.
    pub verdict: Option<String>,
    /// When what was said was deleted of it; none while it is there.
    pub texts_deleted_at: Option<DateTime<Utc>>,
}

/// How many runs of a migration are under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRuns {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// Starting or running.
    pub open: i64,
    /// Of these, those that serve users.
    pub live: i64,
}

const COLUMNS: &str = "id, environment, flag, recording_id, transcript_id, generation, phase, state, \
     workflow_id, failure, subject, cache_scope, control_id, started_at, finished_at, epoch, \
     withdrawn_at, origin, failed_at, start_tried_at, newest_verdict, texts_deleted_at";

impl Run {
    /// Whether it is to serve the recording's users.
    pub const fn is_live(&self) -> bool {
        self.epoch.is_some()
    }

    /// Whether it is still to be compared with its control.
    pub const fn awaits_verdict(&self) -> bool {
        self.state.is_compared() && self.control_id.is_some() && self.verdict.is_none()
    }

    fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let state: String = row.try_get("state")?;
        let subject: String = row.try_get("subject")?;
        let origin: String = row.try_get("origin")?;
        Ok(Self {
            id: RunId::new(row.try_get::<String, _>("id")?),
            environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
            flag: FlagName::new(row.try_get::<String, _>("flag")?),
            recording_id: RecordingId::new(row.try_get::<String, _>("recording_id")?),
            transcript_id: TranscriptId::new(row.try_get::<String, _>("transcript_id")?),
            generation: row.try_get("generation")?,
            phase: row.try_get("phase")?,
            state: RunState::parse(&state)
                .with_context(|| format!("`{state}` is no state of a run"))?,
            workflow_id: row
                .try_get::<Option<String>, _>("workflow_id")?
                .map(WorkflowId::new),
            failure: row.try_get("failure")?,
            subject: serde_json::from_str(&subject).context("reading a run's subject")?,
            cache_scope: row.try_get("cache_scope")?,
            control_id: row.try_get("control_id")?,
            started_at: time(row.try_get("started_at")?),
            finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(time),
            epoch: row.try_get("epoch")?,
            withdrawn_at: row.try_get::<Option<i64>, _>("withdrawn_at")?.map(time),
            origin: Origin::parse(&origin)
                .with_context(|| format!("`{origin}` is no origin of a run"))?,
            failed_at: row.try_get::<Option<i64>, _>("failed_at")?.map(time),
            start_tried_at: time(row.try_get("start_tried_at")?),
            verdict: row.try_get("newest_verdict")?,
            texts_deleted_at: row.try_get::<Option<i64>, _>("texts_deleted_at")?.map(time),
        })
    }
}

impl Store {
    /// Inserts a run in state `starting`. False when this recording already has one of this
    /// generation, so two dispatchers cannot both start it. A live one owns its recording from here.
    pub async fn insert_run(&self, run: &NewRun, now: DateTime<Utc>) -> anyhow::Result<bool> {
        self.insert_run_of(run, None, now).await
    }

    /// The same for a route, which has the run from then on. False too where it has one already:
    /// several processes may see at once that it lacks one.
    pub async fn insert_run_of(
        &self,
        run: &NewRun,
        route: Option<&RouteRow>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let mut tx = self.begin().await.context("inserting a run")?;
        if let Some(route) = route
            && !routes::lock_without_run(&mut tx, route).await?
        {
            return Ok(false);
        }
        let sql = "-- insert_run
            insert into runs (id, environment, flag, recording_id, transcript_id, generation,
                pipeline, phase, state, subject, cache_scope, control_id, started_at,
                start_tried_at, origin)
            values ($1, $2, $3, $4, $5, $6, 'candidate', $7, 'starting', $8, $9, $10, $11, $11,
                $12)
            on conflict do nothing";
        let inserted = sqlx::query(sql)
            .bind(run.id.as_str())
            .bind(run.environment.as_str())
            .bind(run.flag.as_str())
            .bind(run.subject.recording.id.as_str())
            .bind(run.subject.transcript.id.as_str())
            .bind(run.generation)
            .bind(run.phase.as_str())
            .bind(serde_json::to_string(&run.subject)?)
            .bind(run.cache_scope.as_str())
            .bind(run.control_id.as_deref())
            .bind(millis(now))
            .bind(run.origin.as_str())
            .execute(&mut *tx)
            .await
            .context("inserting a run")?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        if run.effects == Effects::Live {
            let place = (&run.environment, &run.flag);
            let epoch = Self::own(&mut tx, place, &run.subject.recording.id, &run.id, now).await?;
            sqlx::query("-- insert_run\n update runs set epoch = $2 where id = $1")
                .bind(run.id.as_str())
                .bind(epoch)
                .execute(&mut *tx)
                .await
                .context("inserting a run")?;
        }
        if let Some(route) = route {
            routes::note_run(&mut tx, route, (&run.id, &run.subject.recording.id)).await?;
        }
        tx.commit().await.context("inserting a run")?;
        Ok(true)
    }

    /// How much of a run's progress was published.
    pub async fn told(&self, id: &RunId) -> anyhow::Result<i64> {
        sqlx::query_scalar("-- told\n select told from runs where id = $1")
            .bind(id.as_str())
            .fetch_one(&self.pool)
            .await
            .context("asking what was told of a run")
    }

    /// Notes how much of a run's progress was published. It never grows less.
    pub async fn mark_told(&self, id: &RunId, sequence: i64) -> anyhow::Result<()> {
        let sql = "-- mark_told\n update runs set told = $2 where id = $1 and told < $2";
        sqlx::query(sql)
            .bind(id.as_str())
            .bind(sequence)
            .execute(&self.pool)
            .await
            .context("noting what was told of a run")?;
        Ok(())
    }

    /// Notes that a run found its source removed because consent was denied.
    pub async fn mark_withdrawn(&self, id: &RunId, now: DateTime<Utc>) -> anyhow::Result<()> {
        let sql = "-- mark_withdrawn
            update runs set withdrawn_at = coalesce(withdrawn_at, $2) where id = $1";
        sqlx::query(sql)
            .bind(id.as_str())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("noting that consent was withdrawn")?;
        Ok(())
    }

    /// The run of that id.
    pub async fn run(&self, id: &RunId) -> anyhow::Result<Option<Run>> {
        let sql = format!("-- run\n select {COLUMNS} from runs where id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a run")?;
        row.as_ref().map(Run::read).transpose()
    }

    /// The newest run of a recording.
    pub async fn newest_run(
        &self,
        environment: &EnvironmentName,
        flag: &FlagName,
        recording: &RecordingId,
    ) -> anyhow::Result<Option<Run>> {
        let sql = format!(
            "-- newest_run\n select {COLUMNS} from runs
             where environment = $1 and flag = $2 and recording_id = $3
             order by generation desc limit 1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(environment.as_str())
            .bind(flag.as_str())
            .bind(recording.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a recording's newest run")?;
        row.as_ref().map(Run::read).transpose()
    }

    /// Runs that are starting or running, oldest first.
    pub async fn open_runs(&self, environment: &EnvironmentName) -> anyhow::Result<Vec<Run>> {
        let sql = format!(
            "-- open_runs\n select {COLUMNS} from runs
             where environment = $1 and state in ('starting', 'running') order by started_at, id"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(environment.as_str());
        read_all(query.fetch_all(&self.pool).await)
    }

    /// How many runs are starting or running, of each migration that has any.
    pub async fn open_counts(&self) -> anyhow::Result<Vec<OpenRuns>> {
        let sql = "-- open_counts
            select environment, flag, count(*) as open, count(epoch) as live from runs
            where state in ('starting', 'running')
            group by environment, flag order by environment, flag";
        let rows = sqlx::query(sql)
            .fetch_all(&self.pool)
            .await
            .context("counting runs")?;
        rows.iter()
            .map(|row| {
                Ok(OpenRuns {
                    environment: EnvironmentName::new(row.try_get::<String, _>("environment")?),
                    flag: FlagName::new(row.try_get::<String, _>("flag")?),
                    open: row.try_get("open")?,
                    live: row.try_get("live")?,
                })
            })
            .collect()
    }

    /// The engines' ids of the runs under way, of all environments.
    pub async fn open_workflows(&self) -> anyhow::Result<Vec<WorkflowId>> {
        let sql = "-- open_workflows
            select workflow_id from runs
            where state in ('starting', 'running') and workflow_id is not null
            order by started_at, id";
        let ids: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&self.pool)
            .await
            .context("reading the workflows under way")?;
        Ok(ids.into_iter().map(WorkflowId::new).collect())
    }

    /// The newest runs, newest first.
    pub async fn recent_runs(&self, at_most: i64) -> anyhow::Result<Vec<Run>> {
        let sql = format!(
            "-- recent_runs\n select {COLUMNS} from runs order by started_at desc, id limit $1"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(at_most);
        read_all(query.fetch_all(&self.pool).await)
    }

    /// Runs after that one in the order of the newest first, of all of them where there is none.
    pub async fn runs_before(
        &self,
        before: Option<(DateTime<Utc>, &RunId)>,
        at_most: i64,
    ) -> anyhow::Result<Vec<Run>> {
        let sql = format!(
            "-- runs_before\n select {COLUMNS} from runs
             where started_at < $1 or (started_at = $1 and id > $2)
             order by started_at desc, id limit $3"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(before.map_or(i64::MAX, |(at, _)| millis(at)))
            .bind(before.map_or("", |(_, id)| id.as_str()))
            .bind(at_most);
        read_all(query.fetch_all(&self.pool).await)
    }

    /// Finished candidate runs that no comparison was written for since they ended.
    pub async fn runs_to_compare(&self, environment: &EnvironmentName) -> anyhow::Result<Vec<Run>> {
        let sql = format!(
            "-- runs_to_compare\n select {COLUMNS} from runs
             where environment = $1 and state in ('completed', 'failed')
               and control_id is not null
               and texts_deleted_at is null
               and not exists (select 1 from comparisons
                   where comparisons.run_id = runs.id
                     and comparisons.compared_at >= runs.finished_at)
             order by started_at, id"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(environment.as_str());
        read_all(query.fetch_all(&self.pool).await)
    }

    /// Makes the caller the one who starts the run's workflow: a run that failed or was stopped, or
    /// one that somebody set out to start before `stale` and that has no workflow all the same.
    /// False when somebody else is at it, the run has ended well, or its recording was taken over.
    pub async fn claim_start(
        &self,
        id: &RunId,
        stale: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- claim_start
            update runs
            set state = 'starting', start_tried_at = $3, failure = null, finished_at = null,
                withdrawn_at = null, newest_verdict = null
            where id = $1 and texts_deleted_at is null
              and (state in ('failed', 'terminated')
                   or (state in ('starting', 'running') and start_tried_at <= $2))
              and (epoch is null
                   or exists (select 1 from ownership
                              where ownership.run_id = runs.id and ownership.owner = 'candidate'
                                and ownership.epoch = runs.epoch))";
        let updated = sqlx::query(sql)
            .bind(id.as_str())
            .bind(millis(stale))
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("claiming the start of a run")?;
        Ok(updated.rows_affected() == 1)
    }

    /// The same for somebody who wants a run to go on that they saw as it is in `run`: it goes on only
    /// if nothing has become of it since, and `entry` is on record then.
    pub async fn take_up(
        &self,
        run: &Run,
        stale: DateTime<Utc>,
        entry: Entry,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "taking up a run";
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- take_up
            update runs
            set state = 'starting', start_tried_at = $3, failure = null, finished_at = null,
                withdrawn_at = null, newest_verdict = null
            where id = $1 and state = $4 and coalesce(finished_at, -1) = $5 and start_tried_at = $6
              and (state in ('failed', 'terminated')
                   or (state = 'starting' and start_tried_at <= $2))
              and (epoch is null
                   or exists (select 1 from ownership
                              where ownership.run_id = runs.id and ownership.owner = 'candidate'
                                and ownership.epoch = runs.epoch))";
        let updated = sqlx::query(sql)
            .bind(run.id.as_str())
            .bind(millis(stale))
            .bind(millis(now))
            .bind(run.state.as_str())
            .bind(run.finished_at.map_or(-1, millis))
            .bind(millis(run.start_tried_at))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, entry).await?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Notes the engine's id. The run is `running` from now on. False where it has ended since it was
    /// set out to be started.
    pub async fn mark_running(&self, id: &RunId, workflow: &WorkflowId) -> anyhow::Result<bool> {
        let sql = "-- mark_running
            update runs set workflow_id = $2, state = 'running'
            where id = $1 and state in ('starting', 'running')";
        let updated = sqlx::query(sql)
            .bind(id.as_str())
            .bind(workflow.as_str())
            .execute(&self.pool)
            .await
            .context("marking a run as running")?;
        Ok(updated.rows_affected() == 1)
    }

    /// Marks an open run as ended. True only for the call that did it.
    pub async fn finish_run(
        &self,
        id: &RunId,
        state: RunState,
        failure: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let sql = "-- finish_run
            update runs set state = $2, failure = $3, finished_at = $4,
                failed_at = case when $2 = 'completed' then failed_at
                    else coalesce(failed_at, $4) end
            where id = $1 and state in ('starting', 'running')";
        let updated = sqlx::query(sql)
            .bind(id.as_str())
            .bind(state.as_str())
            .bind(failure.map(plain).as_deref())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .context("marking a run as ended")?;
        Ok(updated.rows_affected() == 1)
    }
}

/// All runs of what has that id, a recording or a transcript, in whatever environment; the newest first.
pub(super) async fn of_recording(store: &Store, id: &str) -> anyhow::Result<Vec<Run>> {
    let sql = format!(
        "-- runs_of_recording\n select {COLUMNS} from runs
         where recording_id = $1 or transcript_id = $1
         order by started_at desc, id"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id);
    read_all(query.fetch_all(&store.pool).await)
}

fn read_all(rows: sqlx::Result<Vec<AnyRow>>) -> anyhow::Result<Vec<Run>> {
    rows.context("reading runs")?
        .iter()
        .map(Run::read)
        .collect()
}
