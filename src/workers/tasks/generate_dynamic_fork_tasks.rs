//! Writes the two lists a dynamic fork needs: its tasks, and their inputs by reference name.
//!
//! Every member gets an entry of its own in both lists, since one of the servers in use fails on
//! a member without inputs, and nothing in them may look like an expression, since newer servers
//! would evaluate it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::pad_track::Padded;
use crate::{
    model::{RunId, TaskName},
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct GenerateDynamicForkTasks;

/// Which fork the lists are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// One task for each track to pad.
    PadTrack,
    /// One task for each padded track to transcribe.
    TranscribeTrack,
}

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// Which fork the lists are for.
    pub task_type: TaskType,
    /// The tracks to process, in order.
    pub track_keys: Vec<String>,
    /// For padding: the bucket of the tracks.
    #[serde(default)]
    pub bucket_name: Option<String>,
    /// For transcription: the spoken language.
    #[serde(default)]
    pub language: Option<String>,
    /// For transcription: what padding reported, by reference name.
    #[serde(default)]
    pub tracks: Option<BTreeMap<String, Padded>>,
}

/// What it reports.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// One workflow task for each member of the fork.
    pub tasks: Vec<Value>,
    /// Their inputs by reference name.
    pub inputs: Map<String, Value>,
}

impl Task for GenerateDynamicForkTasks {
    const NAME: TaskName = TaskName::GenerateDynamicForkTasks;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, _: &Context) -> Result<Made<Output>, TaskError> {
        if let Some(key) = input.track_keys.iter().find(|key| key.contains("${")) {
            return Err(TaskError::terminal(format!(
                "the track key `{key}` looks like an expression of the workflow engine; rename the object"
            )));
        }
        let members = match input.task_type {
            TaskType::PadTrack => pad_members(&input)?,
            TaskType::TranscribeTrack => transcribe_members(&input)?,
        };
        let task = match input.task_type {
            TaskType::PadTrack => TaskName::PadTrack,
            TaskType::TranscribeTrack => TaskName::TranscribeTrack,
        };
        let reference = |index: usize| format!("{task}_{index}");
        let tasks = (0..members.len())
            .map(|index| json!({ "name": task, "taskReferenceName": reference(index), "type": "SIMPLE" }))
            .collect();
        let inputs = members
            .into_iter()
            .enumerate()
            .map(|(index, member)| (reference(index), member))
            .collect();
        Ok(Made::small(Output { tasks, inputs }))
    }
}

fn pad_members(input: &Input) -> Result<Vec<Value>, TaskError> {
    let Some(bucket) = &input.bucket_name else {
        return Err(TaskError::terminal(
            "padding needs `bucket_name`; start the workflow with it",
        ));
    };
    Ok(input
        .track_keys
        .iter()
        .enumerate()
        .map(|(index, key)| {
            json!({ "run_id": input.run_id, "track_index": index, "bucket_name": bucket, "s3_key": key })
        })
        .collect())
}

fn transcribe_members(input: &Input) -> Result<Vec<Value>, TaskError> {
    let tracks = super::pad_track::in_order(
        input.tracks.clone().unwrap_or_default(),
        input.track_keys.len(),
    )?;
    let language = input.language.as_deref().unwrap_or("en");
    Ok(tracks
        .iter()
        .map(|track| {
            json!({
                "run_id": input.run_id,
                "track_index": track.track_index,
                "padded_key": track.padded_key,
                "padded_sha256": track.sha256,
                "language": language,
            })
        })
        .collect())
}
