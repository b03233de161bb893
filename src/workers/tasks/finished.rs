//! The finished transcript as the delivery tasks tell of it: what its row would say now.

use serde::de::DeserializeOwned;

use super::{Summaries, Title, Topics, mixdown_tracks};
use crate::{
    model::{Participant, Subject, TaskName},
    workers::{Context, TaskError},
};

/// Everything the deliveries show.
pub struct Finished {
    /// A title somebody gave before the run stays.
    pub title: Option<String>,
    /// None where there are no topics.
    pub summaries: Option<Summaries>,
    /// Topics and captions.
    pub topics: Topics,
    /// Who took part.
    pub participants: Vec<Participant>,
    /// Milliseconds.
    pub duration_ms: f64,
}

impl Finished {
    /// Reads it from the run's checkpoints; `subject` tells whether somebody gave it a title.
    pub async fn read(context: &Context, subject: &Subject) -> Result<Self, TaskError> {
        let given = subject.transcript.title.clone();
        let generated = optional::<Title>(context, TaskName::GenerateTitle).await?;
        let mix: mixdown_tracks::Output = context.output(TaskName::MixdownTracks.as_str()).await?;
        Ok(Self {
            title: given
                .filter(|title| !title.is_empty())
                .or_else(|| generated.map(|generated| generated.title)),
            summaries: optional(context, TaskName::GenerateSummary).await?,
            topics: context.document(TaskName::DetectTopics.as_str()).await?,
            participants: context.document(TaskName::GetParticipants.as_str()).await?,
            duration_ms: mix.duration_ms,
        })
    }
}

/// The document of a task that makes none where there are no topics.
async fn optional<T: DeserializeOwned>(
    context: &Context,
    task: TaskName,
) -> Result<Option<T>, TaskError> {
    let output = context.checkpoint(task.as_str()).await?;
    match output {
        Some(output) if output.document.is_none() => Ok(None),
        _ => context.document(task.as_str()).await.map(Some),
    }
}
