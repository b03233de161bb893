//! Reduces the mix to its waveform. The mixdown has measured it already; the MP3 itself is read
//! only where that measurement is missing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Mix;
use crate::{
    audio::{self, source::Source},
    contract::{events::RunEvent, waveform},
    model::{ObjectKey, RunId, TaskName},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct GenerateWaveform;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// The mix in Reflector's bucket.
    pub audio_key: ObjectKey,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Where the waveform is.
    pub waveform_ref: String,
    /// How many values it has.
    pub values: usize,
}

impl Task for GenerateWaveform {
    const NAME: TaskName = TaskName::GenerateWaveform;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        context.own(&input.audio_key)?;
        let mixed = context
            .document::<Mix>(TaskName::MixdownTracks.as_str())
            .await;
        let peaks = match mixed {
            Ok(mix) => mix.waveform,
            Err(TaskError::Terminal(_)) => of_object(&input.audio_key, context).await?,
            Err(error) => return Err(error),
        };
        context.intend_event(&RunEvent::Waveform(peaks.clone()));
        let file = waveform::file(&peaks);
        context.intend(IntentKind::PutFile, "audio.json", file);
        let output = Output {
            waveform_ref: context.reference(),
            values: peaks.len(),
        };
        Made::with_document(output, peaks)
    }
}

async fn of_object(key: &ObjectKey, context: &Context) -> Result<Vec<f64>, TaskError> {
    let services = &context.services;
    let mix = services
        .objects
        .get_to_file(&services.tuning.bucket, key.as_str())
        .await?;
    services
        .processors
        .work(1, move |_| {
            audio::waveform::of_mp3(Source::new(mix.file).of_length(mix.size))
        })
        .await
}
