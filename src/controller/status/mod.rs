//! Runs as people and programs are told of them: the command line, the pages and the API show the
//! same lines.

mod graph;
mod recordings;
mod serving;
mod steps;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Followed, Shadow};
use crate::{
    conductor::definitions,
    cost::{self, Metered, Sum},
    model::{
        EnvironmentName, FlagName, Origin, RecordingId, RunId, RunState, TranscriptId, WorkflowId,
    },
    progress::{self, Progress},
    store::Run,
};

pub use graph::{Graph, Members, Node};
pub use recordings::{
    ControlLine, MirrorLine, Moment, RecordingDetail, RecordingLine, RecordingPage, RouteLine,
    RunLine,
};
pub use serving::Serving;
pub use steps::{AttemptLine, StepLine, StepState};

/// How long the engine may take to tell of a run. People who look would rather see the rest.
pub(super) const ENGINE_WAIT: Duration = Duration::from_secs(2);

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunStatus {
    /// Its id.
    pub run_id: RunId,
    /// The recording.
    pub recording_id: RecordingId,
    /// The transcript.
    pub transcript_id: TranscriptId,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// 1, or higher where a recording is run again.
    pub generation: i64,
    /// The phase it was dispatched in.
    pub phase: String,
    /// Whether it serves the recording's users.
    pub is_live: bool,
    /// What it was made for.
    pub origin: Origin,
    /// How far it is.
    pub state: RunState,
    /// The engine's id, once known.
    pub workflow_id: Option<WorkflowId>,
    /// When it was dispatched.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// From dispatch to its end.
    pub duration_ms: Option<i64>,
    /// What comparing it with its control came to, once it has ended.
    pub verdict: Option<String>,
    /// It has ended and will be compared with its control.
    pub awaits_verdict: bool,
    /// After "Failed during", e.g. `transcription`.
    pub failed_during: Option<&'static str>,
    /// Step, attempt and cause.
    pub failure: Option<String>,
    /// How far an open run is; none when that is not known.
    pub progress: Option<Progress>,
    /// What the workflow engine says of it.
    pub engine: EngineWord,
    /// Somebody had the engine schedule nothing of it.
    pub is_paused: bool,
}

/// What the workflow engine says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineWord {
    /// Nobody asked: the run has ended, or belongs to another environment's engine.
    NotAsked,
    /// It tells how far the run is.
    Told,
    /// It does not know the run (yet).
    Unknown,
    /// It does not answer.
    Silent,
}

/// One run with everything it did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunDetail {
    /// The run.
    pub run: RunStatus,
    /// What it consists of, in the workflow's order.
    pub steps: Vec<StepLine>,
    /// Every attempt, in the order they began.
    pub attempts: Vec<AttemptLine>,
    /// The same steps as the workflow draws them.
    pub graph: Graph,
    /// What it used so far costs.
    pub cost: Sum,
    /// When an open run is going to end, where runs before it say so.
    pub expected: Option<Expected>,
    /// Its page in Conductor's own UI, where the settings say where that is.
    pub conductor_url: Option<String>,
}

/// When a run is going to end, by how long runs of recordings of like length took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Expected {
    /// One in ten ended sooner.
    pub from: DateTime<Utc>,
    /// One in ten ended later.
    pub to: DateTime<Utc>,
    /// How many runs say so.
    pub runs: usize,
}

/// How many runs before one are asked how long they took.
const BEFORE_IT: i64 = 200;

impl RunStatus {
    /// Whether nothing shown here will change by itself any more.
    pub const fn is_settled(&self) -> bool {
        self.state.is_final() && !self.awaits_verdict
    }
}

impl Shadow {
    /// The newest runs, newest first.
    pub async fn recent(&self, at_most: i64) -> anyhow::Result<Vec<RunStatus>> {
        let runs = self.store.recent_runs(at_most).await?;
        try_join_all(runs.iter().map(|run| self.status(run))).await
    }

    /// The environment's runs under way, oldest first.
    pub async fn open(&self) -> anyhow::Result<Vec<RunStatus>> {
        let runs = self.store.open_runs(&self.environment).await?;
        try_join_all(runs.iter().map(|run| self.status(run))).await
    }

    /// The runs after those that `before` ends with, newest first.
    pub async fn recent_before(
        &self,
        before: Option<(DateTime<Utc>, &RunId)>,
        at_most: i64,
    ) -> anyhow::Result<Vec<RunStatus>> {
        let runs = self.store.runs_before(before, at_most).await?;
        try_join_all(runs.iter().map(|run| self.status(run))).await
    }

    /// One run with its steps and attempts; none where there is no such run.
    pub async fn detail(&self, id: &RunId) -> anyhow::Result<Option<RunDetail>> {
        let Some(run) = self.store.run(id).await? else {
            return Ok(None);
        };
        let attempts = self.store.attempts(id).await?;
        let steps = steps::steps(&run, &attempts);
        let workflow = run.workflow_id.as_ref();
        let conductor_url = workflow
            .filter(|_| run.environment == self.environment)
            .and_then(|workflow| self.client.page_of(workflow));
        Ok(Some(RunDetail {
            graph: graph::graph(definitions::workflow(), &steps),
            steps,
            run: self.status(&run).await?,
            attempts: attempts.into_iter().map(AttemptLine::of).collect(),
            cost: self.cost_of(id).await?,
            expected: self.expected(&run).await?,
            conductor_url: conductor_url.map(Into::into),
        }))
    }

    async fn cost_of(&self, run: &RunId) -> anyhow::Result<Sum> {
        let used = self.store.usages(run).await?.into_iter();
        let metered: Vec<_> = used
            .map(|used| Metered {
                task: used.task_ref,
                usage: used.usage,
            })
            .collect();
        Ok(cost::cost(&metered, &self.prices).total)
    }

    /// When an open run is going to end. Of one that was taken up again nothing is said: how long it lay
    /// still is no part of the work.
    async fn expected(&self, run: &Run) -> anyhow::Result<Option<Expected>> {
        if run.state.is_final() || run.failed_at.is_some() {
            return Ok(None);
        }
        let Some(length) = self.store.length_of(&run.id).await? else {
            return Ok(None);
        };
        let place = (&run.environment, &run.flag);
        let past = self.store.past_runs(place.0, place.1, BEFORE_IT).await?;
        let usual = progress::usual(&past, length);
        Ok(usual.map(|usual| Expected {
            from: run.started_at + TimeDelta::milliseconds(usual.from_ms),
            to: run.started_at + TimeDelta::milliseconds(usual.to_ms),
            runs: usual.runs,
        }))
    }

    async fn status(&self, run: &Run) -> anyhow::Result<RunStatus> {
        let (engine, seen) = self.ask_engine(run).await;
        let failed_during = match run.state {
            RunState::Failed => steps::failed_during(&self.store.attempts(&run.id).await?),
            RunState::Starting | RunState::Running | RunState::Completed | RunState::Terminated => {
                None
            }
        };
        Ok(RunStatus {
            run_id: run.id.clone(),
            recording_id: run.recording_id.clone(),
            transcript_id: run.transcript_id.clone(),
            environment: run.environment.clone(),
            flag: run.flag.clone(),
            generation: run.generation,
            phase: run.phase.clone(),
            is_live: run.is_live(),
            origin: run.origin,
            state: run.state,
            workflow_id: run.workflow_id.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_ms: run
                .finished_at
                .map(|end| (end - run.started_at).num_milliseconds()),
            awaits_verdict: run.awaits_verdict(),
            verdict: run.verdict.clone(),
            failed_during,
            failure: run.failure.clone(),
            is_paused: seen.as_ref().is_some_and(|seen| seen.is_paused),
            progress: seen.and_then(|seen| seen.progress),
            engine,
        })
    }

    /// An engine that does not answer leaves the progress out, and nothing else.
    async fn ask_engine(&self, run: &Run) -> (EngineWord, Option<Followed>) {
        if run.state.is_final() || run.environment != self.environment {
            return (EngineWord::NotAsked, None);
        }
        match tokio::time::timeout(ENGINE_WAIT, self.look(run)).await {
            Ok(Ok(seen)) if seen.progress.is_some() => (EngineWord::Told, Some(seen)),
            Ok(Ok(_)) => (EngineWord::Unknown, None),
            Ok(Err(_)) | Err(_) => (EngineWord::Silent, None),
        }
    }
}
