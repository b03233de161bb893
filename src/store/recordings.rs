//! Recordings as people look for them: a line for each route, which is a generation of a transcript, and
//! for each run that no route led to. Newest first, and a page goes on where the one before it ended,
//! however many have come since.

mod sought;

use std::fmt::Write as _;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

use super::{RouteState, Store, Way, millis, time};
use crate::{
    model::{EnvironmentName, FlagName, Origin, RecordingId, RunId, RunState, TranscriptId},
    rollout::{Beside, Owner},
};

pub use sought::{Place, RunStanding, Serves, Sought};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRecording {
    /// Where it stands in the list.
    pub place: Place,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// The route's generation, or the run's where there is no route.
    pub generation: i64,
    /// The recording, where Reflector told it in time.
    pub recording_id: Option<RecordingId>,
    /// Who serves and who else runs.
    pub serves: Serves,
    /// How far the route is; none without one.
    pub route_state: Option<RouteState>,
    /// The way it came; none without a route.
    pub way: Option<Way>,
    /// Why it was routed so, for people; empty without a route.
    pub reason: String,
    /// The phase it came in.
    pub phase: String,
    /// When it came, or the run was dispatched where there is no route.
    pub at: DateTime<Utc>,
    /// When whoever serves was done.
    pub over_at: Option<DateTime<Utc>>,
    /// The candidate's run.
    pub run: Option<ListedRun>,
}

/// The run of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    /// Its id.
    pub id: RunId,
    /// How far it is.
    pub state: RunState,
    /// What it was made for.
    pub origin: Origin,
    /// When it was dispatched.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What the comparison came to, since it ended.
    pub verdict: Option<String>,
    /// Whether it is compared once it has ended.
    pub has_control: bool,
}

/// What a placeholder stands for.
enum Bound {
    Text(String),
    Number(i64),
}

/// A statement that is put together by what is sought.
struct Statement {
    sql: String,
    bounds: Vec<Bound>,
}

impl Statement {
    fn text(&mut self, text: impl Into<String>) -> String {
        self.bounds.push(Bound::Text(text.into()));
        format!("${}", self.bounds.len())
    }

    fn number(&mut self, number: i64) -> String {
        self.bounds.push(Bound::Number(number));
        format!("${}", self.bounds.len())
    }

    fn and(&mut self, condition: &str) {
        let _ = write!(self.sql, "\n and {condition}");
    }

    async fn fetch(self, store: &Store) -> anyhow::Result<Vec<AnyRow>> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(self.sql));
        for bound in self.bounds {
            query = match bound {
                Bound::Text(text) => query.bind(text),
                Bound::Number(number) => query.bind(number),
            };
        }
        let rows = query.fetch_all(&store.pool).await;
        rows.context("listing recordings")
    }

    /// What narrows routes and runs alike: `table` is where environment and flag stand, `at` the time.
    fn narrow(&mut self, sought: &Sought, table: &str, at: &str) {
        if let Some(environments) = &sought.environments {
            let names: Vec<_> = environments
                .iter()
                .map(|name| self.text(name.as_str()))
                .collect();
            let condition = if names.is_empty() {
                "1 = 0".to_owned()
            } else {
                format!("{table}.environment in ({})", names.join(", "))
            };
            self.and(&condition);
        }
        if let Some(flag) = &sought.flag {
            let flag = self.text(flag.as_str());
            self.and(&format!("{table}.flag = {flag}"));
        }
        if let Some(since) = sought.since {
            let since = self.number(millis(since));
            self.and(&format!("{at} >= {since}"));
        }
        if let Some(until) = sought.until {
            let until = self.number(millis(until));
            self.and(&format!("{at} < {until}"));
        }
        match sought.standing {
            None => {}
            Some(RunStanding::NoRun) => self.and("runs.id is null"),
            Some(RunStanding::Run(state)) => {
                let state = self.text(state.as_str());
                self.and(&format!("runs.state = {state}"));
            }
        }
        if let Some(verdict) = &sought.verdict {
            let verdict = self.text(verdict.as_str());
            self.and(&format!("runs.newest_verdict = {verdict}"));
        }
    }

    /// Ids of these columns that have the text in them, letter by letter on both databases.
    fn look_for(&mut self, text: &str, columns: &[&str]) {
        let text = self.text(text);
        let each: Vec<_> = columns
            .iter()
            .map(|column| format!("replace({column}, {text}, '') <> {column}"))
            .collect();
        self.and(&format!("({})", each.join(" or ")));
    }
}

const OF_RUN: &str = "runs.id as run, runs.state as run_state, runs.origin, runs.started_at, \
     runs.finished_at, runs.newest_verdict, runs.control_id as compared_with";

impl Store {
    /// Recordings that came before a place of the list, the newest first; from the newest on without one.
    pub async fn recordings(
        &self,
        sought: &Sought,
        before: Option<&Place>,
        at_most: usize,
    ) -> anyhow::Result<Vec<ListedRecording>> {
        let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        if sought.serves != Some(Serves::Unrouted) {
            found.extend(self.listed_routes(sought, before, limit).await?);
        }
        let is_routed = matches!(
            sought.serves,
            Some(Serves::Control | Serves::Beside | Serves::Candidate)
        );
        if !is_routed && sought.standing != Some(RunStanding::NoRun) {
            found.extend(self.listed_runs(sought, before, limit).await?);
        }
        // Both came in order, and of the same moment routes are first.
        found.sort_by_key(|line| std::cmp::Reverse(line.place.at()));
        found.truncate(at_most);
        Ok(found)
    }

    async fn listed_routes(
        &self,
        sought: &Sought,
        before: Option<&Place>,
        limit: i64,
    ) -> anyhow::Result<Vec<ListedRecording>> {
        let mut statement = Statement {
            sql: format!(
                "-- listed_routes
                select routes.environment, routes.flag, routes.transcript_id, routes.generation,
                    routes.recording_id, routes.owner, routes.beside, routes.state as route_state,
                    routes.way, routes.reason, routes.phase, routes.arrived_at, routes.over_at,
                    {OF_RUN}
                from routes left join runs on runs.id = routes.run_id
                where 1 = 1"
            ),
            bounds: Vec::new(),
        };
        match before {
            None => {}
            Some(Place::Route(at, transcript, generation, environment, flag)) => {
                let at = statement.number(*at);
                let transcript = statement.text(transcript);
                let generation = statement.number(*generation);
                let environment = statement.text(environment);
                let flag = statement.text(flag);
                statement.and(&format!(
                    "(routes.arrived_at, routes.transcript_id, routes.generation,
                      routes.environment, routes.flag)
                     < ({at}, {transcript}, {generation}, {environment}, {flag})"
                ));
            }
            Some(Place::Run(at, _)) => {
                let at = statement.number(*at);
                statement.and(&format!("routes.arrived_at < {at}"));
            }
        }
        statement.narrow(sought, "routes", "routes.arrived_at");
        match sought.serves {
            None | Some(Serves::Unrouted) => {}
            Some(Serves::Control) => {
                statement.and("routes.owner = 'control' and routes.beside = 'none'");
            }
            Some(Serves::Beside) => {
                statement.and("routes.owner = 'control' and routes.beside = 'candidate'");
            }
            Some(Serves::Candidate) => statement.and("routes.owner = 'candidate'"),
        }
        if let Some(text) = &sought.text {
            let columns = [
                "routes.recording_id",
                "routes.transcript_id",
                "routes.room_id",
                "routes.run_id",
            ];
            statement.look_for(text, &columns);
        }
        let limit = statement.number(limit);
        let _ = write!(
            statement.sql,
            "\n order by routes.arrived_at desc, routes.transcript_id desc, routes.generation desc,
                routes.environment desc, routes.flag desc limit {limit}"
        );
        let rows = statement.fetch(self).await?;
        rows.iter().map(listed_route).collect()
    }

    async fn listed_runs(
        &self,
        sought: &Sought,
        before: Option<&Place>,
        limit: i64,
    ) -> anyhow::Result<Vec<ListedRecording>> {
        let mut statement = Statement {
            sql: format!(
                "-- listed_runs
                select runs.environment, runs.flag, runs.transcript_id, runs.generation,
                    runs.recording_id, runs.phase, {OF_RUN}
                from runs where runs.routed = 0"
            ),
            bounds: Vec::new(),
        };
        match before {
            None => {}
            Some(Place::Route(at, ..)) => {
                let at = statement.number(*at);
                statement.and(&format!("runs.started_at <= {at}"));
            }
            Some(Place::Run(at, id)) => {
                let at = statement.number(*at);
                let id = statement.text(id);
                statement.and(&format!("(runs.started_at, runs.id) < ({at}, {id})"));
            }
        }
        statement.narrow(sought, "runs", "runs.started_at");
        if let Some(text) = &sought.text {
            let columns = ["runs.recording_id", "runs.transcript_id", "runs.id"];
            statement.look_for(text, &columns);
        }
        let limit = statement.number(limit);
        let _ = write!(
            statement.sql,
            "\n order by runs.started_at desc, runs.id desc limit {limit}"
        );
        let rows = statement.fetch(self).await?;
        rows.iter().map(listed_run).collect()
    }

    /// Environments and migrations that recordings came in, by name.
    pub async fn places_of_recordings(&self) -> anyhow::Result<Vec<(EnvironmentName, FlagName)>> {
        let sql = "-- places_of_recordings
            select environment, flag from phases
            union select environment, flag from runs
            order by environment, flag";
        let rows = sqlx::query(sql)
            .fetch_all(&self.pool)
            .await
            .context("reading where recordings came in")?;
        rows.iter()
            .map(|row| {
                let environment: String = row.try_get("environment")?;
                let flag: String = row.try_get("flag")?;
                Ok((EnvironmentName::new(environment), FlagName::new(flag)))
            })
            .collect()
    }
}

fn listed_route(row: &AnyRow) -> anyhow::Result<ListedRecording> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let at: i64 = row.try_get("arrived_at")?;
    let generation: i64 = row.try_get("generation")?;
    let (transcript, environment) = (text("transcript_id")?, text("environment")?);
    let flag = text("flag")?;
    let (owner, beside) = (text("owner")?, text("beside")?);
    let (state, way) = (text("route_state")?, text("way")?);
    let owner = Owner::parse(&owner).with_context(|| format!("`{owner}` is no owner"))?;
    let beside =
        Beside::parse(&beside).with_context(|| format!("`{beside}` is nobody who runs beside"))?;
    Ok(ListedRecording {
        serves: Serves::of(owner, beside),
        recording_id: row
            .try_get::<Option<String>, _>("recording_id")?
            .map(RecordingId::new),
        route_state: Some(
            RouteState::parse(&state)
                .with_context(|| format!("`{state}` is no state of a route"))?,
        ),
        way: Some(Way::parse(&way).with_context(|| format!("`{way}` is no way in"))?),
        reason: text("reason")?,
        phase: text("phase")?,
        at: time(at),
        over_at: row.try_get::<Option<i64>, _>("over_at")?.map(time),
        run: listed_run_of(row)?,
        place: Place::Route(
            at,
            transcript.clone(),
            generation,
            environment.clone(),
            flag.clone(),
        ),
        environment: EnvironmentName::new(environment),
        flag: FlagName::new(flag),
        transcript_id: TranscriptId::new(transcript),
        generation,
    })
}

fn listed_run(row: &AnyRow) -> anyhow::Result<ListedRecording> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let run = listed_run_of(row)?.context("a run without an id")?;
    Ok(ListedRecording {
        place: Place::Run(millis(run.started_at), run.id.to_string()),
        environment: EnvironmentName::new(text("environment")?),
        flag: FlagName::new(text("flag")?),
        transcript_id: TranscriptId::new(text("transcript_id")?),
        generation: row.try_get("generation")?,
        recording_id: Some(RecordingId::new(text("recording_id")?)),
        serves: Serves::Unrouted,
        route_state: None,
        way: None,
        reason: String::new(),
        phase: text("phase")?,
        at: run.started_at,
        over_at: None,
        run: Some(run),
    })
}

fn listed_run_of(row: &AnyRow) -> anyhow::Result<Option<ListedRun>> {
    let Some(id) = row.try_get::<Option<String>, _>("run")? else {
        return Ok(None);
    };
    let state: String = row.try_get("run_state")?;
    let origin: String = row.try_get("origin")?;
    Ok(Some(ListedRun {
        id: RunId::new(id),
        state: RunState::parse(&state)
            .with_context(|| format!("`{state}` is no state of a run"))?,
        origin: Origin::parse(&origin)
            .with_context(|| format!("`{origin}` is no origin of a run"))?,
        started_at: time(row.try_get("started_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(time),
        verdict: row.try_get("newest_verdict")?,
        has_control: row.try_get::<Option<String>, _>("compared_with")?.is_some(),
    }))
}
