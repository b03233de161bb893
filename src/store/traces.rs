//! What traces are made of, and which were told.

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{Row, any::AnyRow};

use super::{About, RouteRow, Run, Store, millis, routes::select, time};
use crate::{
    model::{OutcomeStatus, RunId, StepTiming, TranscriptId},
    traces::{Arrived, Attempted, Compared, Control, Effected, Material, Ran, Routed},
};

/// Something whose trace is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// A generation of a transcript that arrived.
    Route(TranscriptId, i64),
    /// A run that nobody's arrival led to.
    Run(RunId),
    /// Comparisons of a run that was told before.
    Comparisons(RunId, Vec<String>),
}

/// From when on, and how long is waited for what may still come.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// What began before is not told any more.
    pub since: DateTime<Utc>,
    /// What ended before is not compared any more, as far as one can tell.
    pub settled: DateTime<Utc>,
    /// What arrived before is told as it is.
    pub patient: DateTime<Utc>,
}

/// Of an outcome only what a trace tells; the rest is the meeting.
#[derive(Deserialize)]
struct OutcomeHead {
    status: OutcomeStatus,
    failure: Option<String>,
    steps: Vec<StepTiming>,
}

impl Store {
    /// What is to be told now, oldest first, at most so much of each sort.
    pub async fn untold(
        &self,
        about: &About,
        window: Window,
        at_most: i64,
    ) -> anyhow::Result<Vec<Untold>> {
        let mut untold = self.untold_routes(about, window, at_most).await?;
        untold.extend(self.untold_runs(about, window, at_most).await?);
        untold.extend(self.untold_comparisons(about, window, at_most).await?);
        Ok(untold)
    }

    async fn untold_routes(
        &self,
        about: &About,
        window: Window,
        at_most: i64,
    ) -> anyhow::Result<Vec<Untold>> {
        let sql = "-- untold_routes
            select routes.transcript_id, routes.generation
            from routes
            left join runs on runs.id = routes.run_id
            left join traces on traces.environment = routes.environment
                and traces.flag = routes.flag and traces.kind = 'route'
                and traces.subject = routes.transcript_id || ' ' || cast(routes.generation as text)
            where routes.environment = $1 and routes.flag = $2 and routes.arrived_at >= $3
              and (traces.told_at is null or traces.told_at < runs.finished_at)
              and (routes.arrived_at < $5
                   or (routes.state = 'over'
                       and ((routes.run_id is null and routes.beside = 'none')
                            or (runs.finished_at is not null
                                and (runs.state = 'terminated'
                                     or (runs.finished_at < $4 and routes.over_at < $4)
                                     or exists (select 1 from comparisons
                                         where comparisons.run_id = runs.id
                                           and comparisons.compared_at >= runs.finished_at))))))
            order by routes.arrived_at, routes.transcript_id limit $6";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(window.since))
            .bind(millis(window.settled))
            .bind(millis(window.patient))
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading which recordings' traces are to be told")?;
        rows.iter()
            .map(|row| {
                let transcript = row.try_get::<String, _>("transcript_id")?;
                let generation = row.try_get("generation")?;
                Ok(Untold::Route(TranscriptId::new(transcript), generation))
            })
            .collect()
    }

    async fn untold_runs(
        &self,
        about: &About,
        window: Window,
        at_most: i64,
    ) -> anyhow::Result<Vec<Untold>> {
        let sql = "-- untold_runs
            select runs.id
            from runs
            left join traces on traces.environment = runs.environment
                and traces.flag = runs.flag and traces.kind = 'run' and traces.subject = runs.id
            where runs.environment = $1 and runs.flag = $2 and runs.started_at >= $3
              and runs.finished_at is not null
              and (traces.told_at is null or traces.told_at < runs.finished_at)
              and not exists (select 1 from routes where routes.run_id = runs.id)
              and (runs.state = 'terminated' or runs.control_id is null
                   or runs.finished_at < $4
                   or exists (select 1 from comparisons
                       where comparisons.run_id = runs.id
                         and comparisons.compared_at >= runs.finished_at))
            order by runs.started_at, runs.id limit $5";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(window.since))
            .bind(millis(window.settled))
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading which runs' traces are to be told")?;
        rows.iter()
            .map(|row| Ok(Untold::Run(RunId::new(row.try_get::<String, _>("id")?))))
            .collect()
    }

    /// Of what was told before.
    async fn untold_comparisons(
        &self,
        about: &About,
        window: Window,
        at_most: i64,
    ) -> anyhow::Result<Vec<Untold>> {
        let sql = "-- untold_comparisons
            select comparisons.id, comparisons.run_id
            from comparisons
            join runs on runs.id = comparisons.run_id
            left join routes on routes.run_id = runs.id
            join traces on traces.environment = runs.environment and traces.flag = runs.flag
                and ((routes.run_id is null and traces.kind = 'run' and traces.subject = runs.id)
                     or (traces.kind = 'route' and traces.subject
                         = routes.transcript_id || ' ' || cast(routes.generation as text)))
            where comparisons.compared_at >= $3
              and runs.environment = $1 and runs.flag = $2
              and traces.told_at >= runs.finished_at
              and not exists (select 1 from traces told
                  where told.environment = $1 and told.flag = $2
                    and told.kind = 'comparison' and told.subject = comparisons.id)
            order by comparisons.compared_at, comparisons.id limit $4";
        let rows = sqlx::query(sql)
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(millis(window.since))
            .bind(at_most)
            .fetch_all(&self.pool)
            .await
            .context("reading which comparisons are to be told")?;
        let mut untold: Vec<(RunId, Vec<String>)> = Vec::new();
        for row in &rows {
            let run = RunId::new(row.try_get::<String, _>("run_id")?);
            let comparison: String = row.try_get("id")?;
            match untold.iter_mut().find(|(of, _)| *of == run) {
                Some((_, comparisons)) => comparisons.push(comparison),
                None => untold.push((run, vec![comparison])),
            }
        }
        let told = untold.into_iter();
        Ok(told
            .map(|(run, comparisons)| Untold::Comparisons(run, comparisons))
            .collect())
    }

    /// All that is known of something whose trace is to be told; none where it is gone.
    pub async fn trace_material(
        &self,
        about: &About,
        untold: &Untold,
    ) -> anyhow::Result<Option<Material>> {
        let (route, run) = match untold {
            Untold::Route(transcript, generation) => {
                let route = self.route_of(about, transcript, *generation).await?;
                let Some(route) = route else {
                    return Ok(None);
                };
                let run = match &route.run_id {
                    Some(id) => self.run(id).await?,
                    None => None,
                };
                (Some(route), run)
            }
            Untold::Run(id) | Untold::Comparisons(id, _) => {
                (self.route_of_run(id).await?, self.run(id).await?)
            }
        };
        let Some(transcript) = route
            .as_ref()
            .map(|route| route.transcript_id.clone())
            .or_else(|| run.as_ref().map(|run| run.transcript_id.clone()))
        else {
            return Ok(None);
        };
        let recording = route
            .as_ref()
            .and_then(|route| route.recording_id.clone())
            .or_else(|| run.as_ref().map(|run| run.recording_id.clone()));
        let control = route
            .as_ref()
            .and_then(|route| route.control_id.clone())
            .or_else(|| run.as_ref().and_then(|run| run.control_id.clone()));
        let control = match control {
            Some(id) => self.control_of_trace(&id).await?,
            None => None,
        };
        let routed = match &route {
            Some(route) => Some(self.routed(route).await?),
            None => None,
        };
        let ran = match run {
            Some(run) => Some(self.ran(run).await?),
            None => None,
        };
        Ok(Some(Material {
            environment: about.environment.clone(),
            flag: about.flag.clone(),
            transcript,
            recording,
            routed,
            control,
            run: ran,
        }))
    }

    async fn route_of(
        &self,
        about: &About,
        transcript: &TranscriptId,
        generation: i64,
    ) -> anyhow::Result<Option<RouteRow>> {
        let sql = select(
            "route_of_trace",
            "where environment = $1 and flag = $2 and transcript_id = $3 and generation = $4",
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(about.environment.as_str())
            .bind(about.flag.as_str())
            .bind(transcript.as_str())
            .bind(generation)
            .fetch_optional(&self.pool)
            .await
            .context("reading a route")?;
        row.as_ref().map(RouteRow::read).transpose()
    }

    /// The route that led to a run, if one did.
    pub async fn route_of_run(&self, run: &RunId) -> anyhow::Result<Option<RouteRow>> {
        let sql = select(
            "route_of_run",
            "where run_id = $1 order by generation limit 1",
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await
            .context("reading a run's route")?;
        row.as_ref().map(RouteRow::read).transpose()
    }

    async fn routed(&self, route: &RouteRow) -> anyhow::Result<Routed> {
        let sql = "-- arrivals_of_trace
            select task_id, way, arrived_at from arrivals
            where environment = $1 and flag = $2 and transcript_id = $3 and generation = $4
            order by arrived_at, task_id limit 20";
        let rows = sqlx::query(sql)
            .bind(route.environment.as_str())
            .bind(route.flag.as_str())
            .bind(route.transcript_id.as_str())
            .bind(route.generation)
            .fetch_all(&self.pool)
            .await
            .context("reading a recording's arrivals")?;
        let arrived = |row: &AnyRow| -> anyhow::Result<Arrived> {
            Ok(Arrived {
                task_id: row.try_get("task_id")?,
                way: row.try_get("way")?,
                at: time(row.try_get("arrived_at")?),
            })
        };
        Ok(Routed {
            generation: route.generation,
            arrivals: rows.iter().map(arrived).collect::<anyhow::Result<_>>()?,
            at: route.arrived_at,
            owner: route.owner.as_str(),
            beside: route.beside.as_str(),
            phase: route.phase.as_str().to_owned(),
            percent: route.percent.to_string(),
            bucket: route.bucket.map(i64::from),
            reason: route.reason.clone(),
            over_at: route.over_at,
        })
    }

    async fn control_of_trace(&self, id: &str) -> anyhow::Result<Option<Control>> {
        let sql = "-- control_of_trace
            select outcome, taken_at from controls where id = $1";
        let row = sqlx::query(sql)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .context("reading a control")?;
        let Some(row) = row else {
            return Ok(None);
        };
        let outcome: String = row.try_get("outcome")?;
        let head: OutcomeHead =
            serde_json::from_str(&outcome).context("reading a control's outcome")?;
        #[allow(clippy::cast_possible_truncation)]
        let took = head.steps.iter().map(|step| step.wall_ms as i64).sum();
        Ok(Some(Control {
            id: id.to_owned(),
            is_well: head.status == OutcomeStatus::Ended,
            failure: head.failure,
            taken_at: time(row.try_get("taken_at")?),
            steps_ms: (!head.steps.is_empty()).then_some(took),
        }))
    }

    async fn ran(&self, run: Run) -> anyhow::Result<Ran> {
        let attempts = self.attempts(&run.id).await?;
        let effects = self.effects_of_trace(&run.id).await?;
        let comparisons = self.comparisons_of_trace(&run.id).await?;
        Ok(Ran {
            generation: run.generation,
            workflow: run.workflow_id.map(|id| id.to_string()),
            is_shadow: run.epoch.is_none(),
            origin: run.origin.as_str(),
            state: run.state.as_str(),
            failure: run.failure,
            started_at: run.started_at,
            finished_at: run.finished_at,
            attempts: attempts
                .into_iter()
                .map(|attempt| Attempted {
                    task_id: attempt.task_id,
                    task_ref: attempt.task_ref,
                    task: attempt.task_name,
                    number: attempt.attempt,
                    worker: attempt.worker,
                    status: attempt.status,
                    cause: attempt.cause,
                    started_at: attempt.started_at,
                    finished_at: attempt.finished_at,
                })
                .collect(),
            effects,
            comparisons,
            id: run.id,
        })
    }

    async fn effects_of_trace(&self, run: &RunId) -> anyhow::Result<Vec<Effected>> {
        let sql = "-- effects_of_trace
            select kind, task_ref, state, changed_at from effects where run_id = $1
            order by changed_at, task_ref, position limit 200";
        let rows = sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading what others could see of a run")?;
        rows.iter()
            .map(|row| {
                Ok(Effected {
                    kind: row.try_get("kind")?,
                    task_ref: row.try_get("task_ref")?,
                    state: row.try_get("state")?,
                    at: time(row.try_get("changed_at")?),
                })
            })
            .collect()
    }

    async fn comparisons_of_trace(&self, run: &RunId) -> anyhow::Result<Vec<Compared>> {
        let sql = "-- comparisons_of_trace
            select id, verdict, policy_digest, compared_at from comparisons where run_id = $1
            order by compared_at, id";
        let rows = sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading a run's comparisons")?;
        rows.iter()
            .map(|row| {
                Ok(Compared {
                    id: row.try_get("id")?,
                    verdict: row.try_get("verdict")?,
                    policy: row.try_get("policy_digest")?,
                    at: time(row.try_get("compared_at")?),
                })
            })
            .collect()
    }

    /// Notes that a trace was told as it was at that time, with all comparisons there were.
    pub async fn note_told(
        &self,
        about: &About,
        material: &Material,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let doing = "noting that a trace was told";
        let mut subjects = Vec::new();
        match (&material.routed, &material.run) {
            (Some(routed), _) => subjects.push((
                "route",
                format!("{} {}", material.transcript, routed.generation),
            )),
            (None, Some(run)) => subjects.push(("run", run.id.to_string())),
            (None, None) => {}
        }
        let comparisons = material.run.iter().flat_map(|run| &run.comparisons);
        subjects.extend(comparisons.map(|one| ("comparison", one.id.clone())));
        let trace = material.id().to_hex();
        let mut tx = self.begin().await.context(doing)?;
        let sql = "-- note_told
            insert into traces (environment, flag, kind, subject, trace_id, told_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (environment, flag, kind, subject) do update
            set told_at = excluded.told_at";
        for (kind, subject) in subjects {
            sqlx::query(sql)
                .bind(about.environment.as_str())
                .bind(about.flag.as_str())
                .bind(kind)
                .bind(subject)
                .bind(trace.as_str())
                .bind(millis(now))
                .execute(&mut *tx)
                .await
                .context(doing)?;
        }
        tx.commit().await.context(doing)
    }
}
