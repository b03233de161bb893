//! Routes: who serves each generation of a transcript, and what became of it.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Executor, Row, Transaction, any::AnyRow};

use super::{Run, Store, Way, millis, phases::percent, plain, time};
use crate::{
    model::{EnvironmentName, FlagName, RecordingId, RoomId, RunId, Subject, TranscriptId},
    rollout::{Beside, Owner, Percent, Phase},
};

/// How far a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// The candidate's, as soon as nobody else can have the task.
    Offered,
    /// Whoever serves is at it.
    Open,
    /// Whoever serves is done.
    Over,
}

impl RouteState {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Open => "open",
            Self::Over => "over",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Offered, Self::Open, Self::Over]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// A row of `routes`.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteRow {
    /// Where.
    pub environment: EnvironmentName,
    /// Which migration.
    pub flag: FlagName,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// 1, or higher where it was wanted again.
    pub generation: i64,
    /// The recording, where Reflector told it in time.
    pub recording_id: Option<RecordingId>,
    /// The room, where there is one and Reflector told it in time.
    pub room_id: Option<RoomId>,
    /// The bucket the tracks lie in.
    pub bucket_name: String,
    /// The tracks, in the order of speakers.
    pub track_keys: Vec<String>,
    /// What Reflector's rows said at arrival, where it told in time.
    pub subject: Option<Subject>,
    /// Who serves users.
    pub owner: Owner,
    /// Who runs beside.
    pub beside: Beside,
    /// The phase at arrival.
    pub phase: Phase,
    /// Its percentage.
    pub percent: Percent,
    /// The bucket it went by.
    pub bucket: Option<u16>,
    /// Whether that was inside the percentage.
    pub drawn: Option<bool>,
    /// Why, for people.
    pub reason: String,
    /// The way the first request came.
    pub way: Way,
    /// The first request's Celery task; the control's, where the control serves.
    pub task_id: String,
    /// How far it is.
    pub state: RouteState,
    /// When the first request came.
    pub arrived_at: DateTime<Utc>,
    /// Since when the candidate alone has the task.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The candidate's run, once started.
    pub run_id: Option<RunId>,
    /// What the control made, once taken.
    pub control_id: Option<String>,
    /// When whoever serves was done.
    pub over_at: Option<DateTime<Utc>>,
}

const COLUMNS: [&str; 24] = [
    "environment",
    "flag",
    "transcript_id",
    "generation",
    "recording_id",
    "room_id",
    "bucket_name",
    "track_keys",
    "subject",
    "owner",
    "beside",
    "phase",
    "percent",
    "bucket",
    "drawn",
    "reason",
    "way",
    "task_id",
    "state",
    "arrived_at",
    "confirmed_at",
    "run_id",
    "control_id",
    "over_at",
];

/// A statement that reads whole routes; `name` is its first comment, `rest` follows `from routes`.
pub(super) fn select(name: &str, rest: &str) -> String {
    let columns: Vec<_> = COLUMNS.map(|column| format!("routes.{column}")).into();
    let columns = columns.join(", ");
    format!("-- {name}\n select {columns} from routes {rest}")
}

impl RouteRow {
    /// Whether the candidate works on it at all.
    pub fn wants_run(&self) -> bool {
        match self.owner {
            Owner::Control => self.beside == Beside::Candidate,
            Owner::Candidate => self.confirmed_at.is_some(),
        }
    }

    pub(super) fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let if_any = |column: &str| row.try_get::<Option<String>, _>(column);
        let at = |column: &str| row.try_get::<Option<i64>, _>(column);
        let owner = text("owner")?;
        let beside = text("beside")?;
        let way = text("way")?;
        let state = text("state")?;
        let bucket = at("bucket")?;
        Ok(Self {
            environment: EnvironmentName::new(text("environment")?),
            flag: FlagName::new(text("flag")?),
            transcript_id: TranscriptId::new(text("transcript_id")?),
            generation: row.try_get("generation")?,
            recording_id: if_any("recording_id")?.map(RecordingId::new),
            room_id: if_any("room_id")?.map(RoomId::new),
            bucket_name: text("bucket_name")?,
            track_keys: serde_json::from_str(&text("track_keys")?)
                .context("reading a route's tracks")?,
            subject: if_any("subject")?
                .map(|subject| serde_json::from_str(&subject))
                .transpose()
                .context("reading a route's subject")?,
            owner: Owner::parse(&owner).with_context(|| format!("`{owner}` is no owner"))?,
            beside: Beside::parse(&beside)
                .with_context(|| format!("`{beside}` is nobody who runs beside"))?,
            phase: text("phase")?.parse()?,
            percent: percent(row.try_get("percent")?)?,
            bucket: bucket
                .map(u16::try_from)
                .transpose()
                .context("reading a bucket")?,
            drawn: at("drawn")?.map(|drawn| drawn == 1),
            reason: text("reason")?,
            way: Way::parse(&way).with_context(|| format!("`{way}` is no way in"))?,
            task_id: text("task_id")?,
            state: RouteState::parse(&state)
                .with_context(|| format!("`{state}` is no state of a route"))?,
            arrived_at: time(row.try_get("arrived_at")?),
            confirmed_at: at("confirmed_at")?.map(time),
            run_id: if_any("run_id")?.map(RunId::new),
            control_id: if_any("control_id")?,
            over_at: at("over_at")?.map(time),
        })
    }
}

/// The newest generation's route of the transcript that is asked for.
pub(super) async fn newest<'e>(
    db: impl Executor<'e, Database = Any>,
    environment: &EnvironmentName,
    flag: &FlagName,
    transcript: &TranscriptId,
) -> anyhow::Result<Option<RouteRow>> {
    let sql = select(
        "newest_route",
        "where environment = $1 and flag = $2 and transcript_id = $3
         order by generation desc limit 1",
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(environment.as_str())
        .bind(flag.as_str())
        .bind(transcript.as_str())
        .fetch_optional(db)
        .await
        .context("reading a transcript's route")?;
    row.as_ref().map(RouteRow::read).transpose()
}

/// False when there is one of this generation already.
pub(super) async fn insert(
    tx: &mut Transaction<'static, Any>,
    row: &RouteRow,
) -> anyhow::Result<bool> {
    let columns = COLUMNS.join(", ");
    let places: Vec<_> = (1..=COLUMNS.len())
        .map(|place| format!("${place}"))
        .collect();
    let places = places.join(", ");
    let sql = format!(
        "-- insert_route\n insert into routes ({columns}) values ({places}) on conflict do nothing"
    );
    let subject = row
        .subject
        .as_ref()
        .map(serde_json::to_string)
        .transpose()?;
    let inserted = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(row.environment.as_str())
        .bind(row.flag.as_str())
        .bind(plain(row.transcript_id.as_str()).into_owned())
        .bind(row.generation)
        .bind(row.recording_id.as_ref().map(RecordingId::as_str))
        .bind(row.room_id.as_ref().map(RoomId::as_str))
        .bind(plain(&row.bucket_name).into_owned())
        .bind(serde_json::to_string(&row.track_keys)?)
        .bind(subject)
        .bind(row.owner.as_str())
        .bind(row.beside.as_str())
        .bind(row.phase.as_str())
        .bind(i64::from(row.percent.hundredths()))
        .bind(row.bucket.map(i64::from))
        .bind(row.drawn.map(i64::from))
        .bind(row.reason.as_str())
        .bind(row.way.as_str())
        .bind(plain(&row.task_id).into_owned())
        .bind(row.state.as_str())
        .bind(millis(row.arrived_at))
        .bind(row.confirmed_at.map(millis))
        .bind(row.run_id.as_ref().map(RunId::as_str))
        .bind(row.control_id.as_deref())
        .bind(row.over_at.map(millis))
        .execute(&mut **tx)
        .await
        .context("pinning a route")?;
    Ok(inserted.rows_affected() == 1)
}

/// Why a row is changed, and that it is this one.
const THIS: &str = "environment = $1 and flag = $2 and transcript_id = $3 and generation = $4";

impl Store {
    /// The candidate alone has the task from now on. True only for the call that did it; false when
    /// it was so before, or the route became the control's.
    pub async fn confirm_route(
        &self,
        route: &RouteRow,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let set = "state = 'open', confirmed_at = $5";
        let guard = "owner = 'candidate' and state = 'offered'";
        let sql = change("confirm_route", set, guard);
        let query = bound(&sql, route).bind(millis(now));
        self.changes(query, "confirming a route").await
    }

    /// Makes an offered route the control's. True only for the call that did it; false when the
    /// candidate was confirmed before, or the route is the control's already.
    pub async fn lapse_route(&self, route: &RouteRow, reason: &str) -> anyhow::Result<bool> {
        let set = "owner = 'control', beside = 'none', state = 'open', reason = $5";
        let guard = "owner = 'candidate' and state = 'offered'";
        let sql = change("lapse_route", set, guard);
        let query = bound(&sql, route).bind(plain(reason).into_owned());
        self.changes(query, "giving a route to the control").await
    }

    /// Makes a route the control's that the candidate has not begun on. False when it has.
    pub async fn yield_route(&self, route: &RouteRow, reason: &str) -> anyhow::Result<bool> {
        let set = "owner = 'control', beside = 'none', state = 'open', reason = $5";
        let guard = "owner = 'candidate' and run_id is null";
        let sql = change("yield_route", set, guard);
        let query = bound(&sql, route).bind(plain(reason).into_owned());
        self.changes(query, "yielding a route to the control").await
    }

    /// Makes a route the control's whose task nobody but us has, and notes the id of the task that is
    /// published in its stead. The caller publishes it, once; whoever dies before finds the route
    /// again with [`Store::routes_handed_back`]. False when the candidate has begun on it.
    pub async fn hand_route_back(
        &self,
        route: &RouteRow,
        task_id: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let doing = "handing a route back to the control";
        let mut tx = self.begin().await.context(doing)?;
        let set = "owner = 'control', beside = 'none', reason = $5, task_id = $6";
        let guard = "owner = 'candidate' and state = 'open' and run_id is null";
        let sql = change("hand_route_back", set, guard);
        let changed = bound(&sql, route)
            .bind(plain(reason).into_owned())
            .bind(plain(task_id).into_owned())
            .execute(&mut *tx)
            .await
            .context(doing)?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        let sql = "-- note_published
            insert into arrivals (environment, flag, task_id, transcript_id, generation, way, arrived_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict do nothing";
        sqlx::query(sql)
            .bind(route.environment.as_str())
            .bind(route.flag.as_str())
            .bind(plain(task_id).into_owned())
            .bind(route.transcript_id.as_str())
            .bind(route.generation)
            .bind(route.way.as_str())
            .bind(millis(now))
            .execute(&mut *tx)
            .await
            .context(doing)?;
        tx.commit().await.context(doing)?;
        Ok(true)
    }

    /// Routes that became the control's after the candidate alone had their task, oldest first.
    pub async fn routes_handed_back(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        self.routes(
            "routes_handed_back",
            "where environment = $1 and owner = 'control' and state = 'open' and run_id is null
               and confirmed_at is not null
             order by arrived_at, transcript_id limit $2",
            environment,
            at_most,
        )
        .await
    }

    /// Routes of the candidate that wait for their run, oldest first.
    pub async fn routes_without_run(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        self.routes(
            "routes_without_run",
            "where environment = $1 and owner = 'candidate' and state = 'open' and run_id is null
             order by arrived_at, transcript_id limit $2",
            environment,
            at_most,
        )
        .await
    }

    /// Notes the run of a route that has none. Its subject is in the run from now on.
    pub async fn note_route_run(&self, route: &RouteRow, run: &Run) -> anyhow::Result<bool> {
        let mut tx = self.begin().await.context("noting a route's run")?;
        let noted = note_run(&mut tx, route, (&run.id, &run.recording_id)).await?;
        tx.commit().await.context("noting a route's run")?;
        Ok(noted)
    }

    /// The run a route has by now.
    pub async fn run_of_route(&self, route: &RouteRow) -> anyhow::Result<Option<RunId>> {
        let sql = format!("-- run_of_route\n select run_id from routes where {THIS}");
        let row = bound(&sql, route)
            .fetch_one(&self.pool)
            .await
            .context("reading a route's run")?;
        Ok(row.try_get::<Option<String>, _>("run_id")?.map(RunId::new))
    }

    /// Nothing runs beside this route any more, since nothing can.
    pub async fn drop_beside(&self, route: &RouteRow, reason: &str) -> anyhow::Result<bool> {
        let sql = change(
            "drop_beside",
            "beside = 'none', reason = $5",
            "run_id is null",
        );
        let query = bound(&sql, route).bind(plain(reason).into_owned());
        self.changes(query, "taking a candidate off a route").await
    }

    /// Whoever serves is done; `control` is what the control made, if that is kept. True only for
    /// the call that did it.
    pub async fn end_route(
        &self,
        route: &RouteRow,
        control: Option<&str>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let set = "state = 'over', control_id = $5, over_at = $6";
        let sql = change("end_route", set, "state = 'open'");
        let query = bound(&sql, route)
            .bind(control.map(str::to_owned))
            .bind(millis(now));
        self.changes(query, "ending a route").await
    }

    /// Gives runs the controls of their routes; tells how many had none.
    pub async fn attach_controls(&self, environment: &EnvironmentName) -> anyhow::Result<u64> {
        let sql = "-- attach_controls
            update runs set control_id = (
                select routes.control_id from routes where routes.run_id = runs.id
                    and routes.control_id is not null limit 1)
            where environment = $1 and control_id is null and exists (
                select 1 from routes where routes.run_id = runs.id
                    and routes.control_id is not null)";
        let updated = sqlx::query(sql)
            .bind(environment.as_str())
            .execute(&self.pool)
            .await
            .context("giving runs their controls")?;
        Ok(updated.rows_affected())
    }

    /// Routes whose candidate is to run and has no run yet, oldest first.
    pub async fn routes_to_start(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        self.routes(
            "routes_to_start",
            "where environment = $1 and run_id is null
               and ((owner = 'control' and beside = 'candidate')
                    or (owner = 'candidate' and state = 'open'))
             order by arrived_at, transcript_id limit $2",
            environment,
            at_most,
        )
        .await
    }

    /// Routes in which somebody is at work, oldest first.
    pub async fn open_routes(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        self.routes(
            "open_routes",
            "where environment = $1 and state = 'open'
             order by arrived_at, transcript_id limit $2",
            environment,
            at_most,
        )
        .await
    }

    /// Routes that are the candidate's once they are confirmed, oldest first.
    pub async fn offered_routes(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        self.routes(
            "offered_routes",
            "where environment = $1 and state = 'offered'
             order by arrived_at, transcript_id limit $2",
            environment,
            at_most,
        )
        .await
    }

    /// The newest routes, newest first.
    pub async fn recent_routes(
        &self,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        self.routes(
            "recent_routes",
            "where environment = $1 order by arrived_at desc, transcript_id limit $2",
            environment,
            at_most,
        )
        .await
    }

    /// The run that a start for this route came to, if the start was not noted: the newest of its
    /// recording, made since the route was, and of no other route.
    pub async fn unclaimed_run(
        &self,
        route: &RouteRow,
        recording: &RecordingId,
    ) -> anyhow::Result<Option<Run>> {
        let newest = self
            .newest_run(&route.environment, &route.flag, recording)
            .await?;
        // A shadow run that somebody dispatched by hand serves nobody.
        let is_its = |run: &Run| {
            run.started_at >= route.arrived_at
                && run.epoch.is_some() == (route.owner == Owner::Candidate)
        };
        let Some(run) = newest.filter(is_its) else {
            return Ok(None);
        };
        let sql = "-- unclaimed_run
            select count(*) as claims from routes where run_id = $1";
        let row = sqlx::query(sql)
            .bind(run.id.as_str())
            .fetch_one(&self.pool)
            .await
            .context("looking whose a run is")?;
        Ok((row.try_get::<i64, _>("claims")? == 0).then_some(run))
    }

    async fn routes(
        &self,
        name: &str,
        rest: &str,
        environment: &EnvironmentName,
        at_most: i64,
    ) -> anyhow::Result<Vec<RouteRow>> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(select(name, rest)))
            .bind(environment.as_str())
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading routes")?;
        rows.iter().map(RouteRow::read).collect()
    }

    async fn changes(
        &self,
        query: sqlx::query::Query<'_, Any, sqlx::any::AnyArguments>,
        doing: &'static str,
    ) -> anyhow::Result<bool> {
        let updated = query.execute(&self.pool).await.context(doing)?;
        Ok(updated.rows_affected() == 1)
    }
}

/// Locks a route until the transaction ends. False when it has a run, or another serves it by now.
pub(super) async fn lock_without_run(
    tx: &mut Transaction<'static, Any>,
    route: &RouteRow,
) -> anyhow::Result<bool> {
    // A write that changes nothing is how both databases lock a row.
    let sql = change(
        "lock_without_run",
        "generation = generation",
        "run_id is null and owner = $5",
    );
    let locked = bound(&sql, route)
        .bind(route.owner.as_str())
        .execute(&mut **tx)
        .await;
    Ok(locked.context("locking a route")?.rows_affected() == 1)
}

/// Notes the run of a route that has none. False when it has one.
pub(super) async fn note_run(
    tx: &mut Transaction<'static, Any>,
    route: &RouteRow,
    (run, recording): (&RunId, &RecordingId),
) -> anyhow::Result<bool> {
    let set = "run_id = $5, recording_id = $6, subject = null";
    let sql = change("note_run", set, "run_id is null");
    let noted = bound(&sql, route)
        .bind(run.as_str())
        .bind(recording.as_str())
        .execute(&mut **tx)
        .await;
    if noted.context("noting a route's run")?.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("-- note_run\n update runs set routed = 1 where id = $1")
        .bind(run.as_str())
        .execute(&mut **tx)
        .await
        .context("noting a route's run")?;
    Ok(true)
}

/// A statement that changes one route while `guard` holds.
fn change(name: &str, set: &str, guard: &str) -> String {
    format!("-- {name}\n update routes set {set} where {THIS} and {guard}")
}

fn bound<'q>(sql: &str, route: &RouteRow) -> sqlx::query::Query<'q, Any, sqlx::any::AnyArguments> {
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(route.environment.as_str().to_owned())
        .bind(route.flag.as_str().to_owned())
        .bind(route.transcript_id.as_str().to_owned())
        .bind(route.generation)
}
