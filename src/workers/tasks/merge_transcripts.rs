//! Interleaves the tracks' words by start time into one transcript.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::transcribe_track::Transcribed;
use crate::{
    contract::{events::RunEvent, merge},
    model::{RunId, TaskName, Word, text_of},
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct MergeTranscripts;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// What transcription reported, by reference name.
    pub transcripts: BTreeMap<String, Transcribed>,
    /// The tracks to process, in order.
    pub track_keys: Vec<String>,
}

/// What it reports. The words stay in our store.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Where the words are.
    pub transcript_ref: String,
    /// How many there are.
    pub word_count: usize,
}

impl Task for MergeTranscripts {
    const NAME: TaskName = TaskName::MergeTranscripts;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let mut transcripts: Vec<_> = input.transcripts.into_values().collect();
        transcripts.sort_by_key(|transcript| transcript.track_index);
        if transcripts.len() != input.track_keys.len() {
            return Err(TaskError::terminal(format!(
                "{} of {} tracks were transcribed; the fork lost some",
                transcripts.len(),
                input.track_keys.len()
            )));
        }
        let mut tracks: Vec<Vec<Word>> = Vec::new();
        for transcript in &transcripts {
            tracks.push(context.document(&transcript.words_ref).await?);
        }
        let words = merge::merge(tracks);
        context.intend_event(&RunEvent::Transcript(text_of(&words)));
        let output = Output {
            transcript_ref: context.reference(),
            word_count: words.len(),
        };
        Made::with_document(output, words)
    }
}
