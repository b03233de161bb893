//! Runs as people and programs are told of them: the command line, the pages and the API show the
//! same lines.

mod serving;
mod steps;

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::Serialize;

use super::Shadow;
use crate::{
    model::{EnvironmentName, FlagName, RecordingId, RunId, RunState, WorkflowId},
    progress::Progress,
    store::Run,
};

pub use serving::Serving;
pub use steps::{AttemptLine, StepLine, StepState};

/// How long the engine may take to tell of a run. People who look would rather see the rest.
const ENGINE_WAIT: Duration = Duration::from_secs(2);

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RunStatus {
    /// Its id.
    pub run_id: RunId,
    /// The recording.
    pub recording_id: RecordingId,
    /// Where.
    pub environment: EnvironmentName,
    /// For which migration.
    pub flag: FlagName,
    /// 1, or higher where a recording is run again.
    pub generation: i64,
    /// The phase it was dispatched in.
    pub phase: String,
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
}

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
        Ok(Some(RunDetail {
            steps: steps::steps(&run, &attempts),
            run: self.status(&run).await?,
            attempts: attempts.into_iter().map(AttemptLine::of).collect(),
        }))
    }

    async fn status(&self, run: &Run) -> anyhow::Result<RunStatus> {
        let (engine, progress) = self.ask_engine(run).await;
        let verdict = self.verdict(run).await?;
        let failed_during = match run.state {
            RunState::Failed => steps::failed_during(&self.store.attempts(&run.id).await?),
            RunState::Starting | RunState::Running | RunState::Completed | RunState::Terminated => {
                None
            }
        };
        let is_compared = matches!(run.state, RunState::Completed | RunState::Failed);
        Ok(RunStatus {
            run_id: run.id.clone(),
            recording_id: run.recording_id.clone(),
            environment: run.environment.clone(),
            flag: run.flag.clone(),
            generation: run.generation,
            phase: run.phase.clone(),
            state: run.state,
            workflow_id: run.workflow_id.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_ms: run
                .finished_at
                .map(|end| (end - run.started_at).num_milliseconds()),
            awaits_verdict: is_compared && run.control_id.is_some() && verdict.is_none(),
            verdict,
            failed_during,
            failure: run.failure.clone(),
            progress,
            engine,
        })
    }

    /// An engine that does not answer leaves the progress out, and nothing else.
    async fn ask_engine(&self, run: &Run) -> (EngineWord, Option<Progress>) {
        if run.state.is_final() || run.environment != self.environment {
            return (EngineWord::NotAsked, None);
        }
        match tokio::time::timeout(ENGINE_WAIT, self.look(run)).await {
            Ok(Ok(seen)) => match seen.progress {
                Some(progress) => (EngineWord::Told, Some(progress)),
                None => (EngineWord::Unknown, None),
            },
            Ok(Err(_)) | Err(_) => (EngineWord::Silent, None),
        }
    }

    /// A verdict from before the run was taken up again says nothing about how it ended.
    async fn verdict(&self, run: &Run) -> anyhow::Result<Option<String>> {
        let Some(end) = run.finished_at else {
            return Ok(None);
        };
        let newest = self.store.newest_verdict(&run.id).await?;
        Ok(newest.and_then(|(verdict, at)| (at >= end).then_some(verdict)))
    }
}
