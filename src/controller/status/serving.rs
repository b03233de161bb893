//! The runs that serve somebody just now, for those who show users how far they are.

use futures_util::future::try_join_all;
use serde::Serialize;

use super::Shadow;
use crate::{
    model::{EnvironmentName, RunId, TranscriptId, WorkflowId},
    progress::Progress,
    rollout::Live,
    store::Run,
};

/// An open run that owns its recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Serving {
    /// Its id.
    pub run_id: RunId,
    /// What it makes.
    pub transcript_id: TranscriptId,
    /// Where.
    pub environment: EnvironmentName,
    /// The engine's id, once known.
    pub workflow_id: Option<WorkflowId>,
    /// How far it is; none when that is not known.
    pub progress: Option<Progress>,
}

impl Shadow {
    /// The environment's open runs that own their recordings, oldest first.
    pub async fn serving(&self) -> anyhow::Result<Vec<Serving>> {
        let open = self.store.open_runs(&self.environment).await?;
        let live = open.into_iter().filter(|run| run.epoch.is_some());
        let told = try_join_all(live.map(|run| self.if_it_serves(run))).await?;
        Ok(told.into_iter().flatten().collect())
    }

    async fn if_it_serves(&self, run: Run) -> anyhow::Result<Option<Serving>> {
        let owned = self
            .store
            .ownership(&run.environment, &run.flag, &run.recording_id)
            .await?;
        if owned.is_none_or(|(ownership, _)| Live::of(&ownership, &run.id).is_none()) {
            return Ok(None);
        }
        let (_, followed) = self.ask_engine(&run).await;
        Ok(Some(Serving {
            run_id: run.id,
            transcript_id: run.transcript_id,
            environment: run.environment,
            workflow_id: run.workflow_id,
            progress: followed.and_then(|followed| followed.progress),
        }))
    }
}
