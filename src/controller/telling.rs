//! Tells browsers how far a live run is. Only the owner of a recording tells, every step once.

use anyhow::Context;

use crate::{
    contract::{
        events::{PipelineProgressData, RunEvent},
        python_json,
    },
    legacy::reflector::{Publisher, Told},
    model::Published,
    progress::{Progress, moved_since},
    rollout::Live,
    store::{Run, Store},
};

/// Where progress is told.
#[derive(Clone)]
pub struct Telling {
    /// Reflector's Redis.
    pub publisher: Publisher,
    /// The channel, `{transcript_id}` standing for the transcript.
    pub channel: String,
}

impl Telling {
    /// Tells what moved since the last time; nothing of a run that does not own its recording.
    pub(super) async fn tell(
        &self,
        store: &Store,
        run: &Run,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        if run.epoch.is_none() {
            return Ok(());
        }
        let owned = store
            .ownership(&run.environment, &run.flag, &run.recording_id)
            .await?;
        let Some(live) = owned.and_then(|(ownership, _)| Live::of(&ownership, &run.id)) else {
            return Ok(());
        };
        let channel = self
            .channel
            .replace("{transcript_id}", run.transcript_id.as_str());
        for step in moved_since(store.told(&run.id).await?, progress) {
            let event = RunEvent::PipelineProgress(PipelineProgressData {
                workflow_id: run
                    .workflow_id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                current_step: step.task.to_string(),
                step_index: step.step_index,
                total_steps: progress.total_steps,
                step_status: step.status,
            });
            let message = Published {
                channel: channel.clone(),
                payload: python_json::to_string_spaced(&event.event())
                    .context("writing a progress message")?,
            };
            let sequence = step.sequence();
            let key = format!(
                "{}/{}/progress/{sequence}",
                run.recording_id, run.generation
            );
            let recording = &run.recording_id;
            match self
                .publisher
                .publish(&live, recording, &key, &message)
                .await?
            {
                Told::Published | Told::AlreadyTold => store.mark_told(&run.id, sequence).await?,
                Told::Fenced => return Ok(()),
            }
        }
        Ok(())
    }
}
