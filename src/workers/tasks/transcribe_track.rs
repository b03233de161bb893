//! Has one padded track transcribed. The answer is kept by what was heard, not by its address:
//! the same audio is never paid for twice.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    contract::merge::{HeardWord, track_words},
    model::{ObjectKey, RunId, TaskName, Usage, UsageKind, Word},
    providers,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct TranscribeTrack;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// 0-based; also the speaker's number.
    pub track_index: u32,
    /// The padded track; none where the raw one holds no audio at all.
    pub padded_key: Option<ObjectKey>,
    /// SHA-256 of the padded track in hex.
    pub padded_sha256: String,
    /// The spoken language.
    pub language: String,
}

/// What it reports. The words stay in our store.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Transcribed {
    /// 0-based; also the speaker's number.
    pub track_index: u32,
    /// Where the words are.
    pub words_ref: String,
    /// How many there are.
    pub word_count: usize,
}

/// How long the service may take to fetch the track, as the legacy allows.
const SIGNED_FOR: Duration = Duration::from_hours(2);

impl Task for TranscribeTrack {
    const NAME: TaskName = TaskName::TranscribeTrack;
    type Input = Input;
    type Output = Transcribed;

    async fn run(input: Input, context: &Context) -> Result<Made<Transcribed>, TaskError> {
        let heard = match &input.padded_key {
            Some(key) => hear(key, &input, context).await?,
            None => Vec::new(),
        };
        let words: Vec<Word> = track_words(heard, i64::from(input.track_index))
            .map_err(|error| TaskError::terminal(error.to_string()))?;
        let output = Transcribed {
            track_index: input.track_index,
            words_ref: context.reference(),
            word_count: words.len(),
        };
        Made::with_document(output, words)
    }
}

fn gpu_seconds(error: &providers::Error) -> Usage {
    Usage {
        kind: UsageKind::GpuSeconds,
        of: error.service.to_string(),
        amount: error.spent.as_secs_f64(),
    }
}

async fn hear(
    key: &ObjectKey,
    input: &Input,
    context: &Context,
) -> Result<Vec<HeardWord>, TaskError> {
    context.own(key)?;
    let services = &context.services;
    let question = json!({ "audio": input.padded_sha256, "language": input.language });
    context
        .remember("transcription", &question, || async {
            let bucket = &services.tuning.bucket;
            // The service would only say that it failed.
            if let Err(error) = services.objects.head(bucket, key.as_str()).await {
                return Err(context.unreadable_source(error).await);
            }
            let url = services
                .objects
                .presign_get(bucket, key.as_str(), SIGNED_FOR)
                .await?;
            let asked = context.transcribe(url.expose(), &input.language).await;
            match asked {
                Ok(transcript) => {
                    context.used([transcript.usage()]);
                    Ok(transcript.words)
                }
                // The GPU worked all the same.
                Err(error) => {
                    context.used([gpu_seconds(&error)]);
                    Err(error.into())
                }
            }
        })
        .await
}
