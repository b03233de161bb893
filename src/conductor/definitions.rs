//! What `workflows/` says: the workflow and, for each task kind, its definition, its contract and
//! the events it causes. Compiled in; tests hold the files to the workers.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::Value;

use super::wire::{TaskDef, WorkflowDef};
use crate::model::TaskName;

/// A file of `workflows/tasks/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskContract {
    /// What the engine is told.
    pub definition: TaskDef,
    /// The events it causes, by name.
    pub events: Vec<String>,
    /// JSON schema of its input.
    pub input: Value,
    /// JSON schema of its output.
    pub output: Value,
}

macro_rules! task_files {
    ($($name:literal),* $(,)?) => {
        const TASK_FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../workflows/tasks/", $name, ".json")))),*
        ];
    };
}

task_files!(
    "get_recording",
    "get_participants",
    "generate_dynamic_fork_tasks",
    "pad_track",
    "mixdown_tracks",
    "generate_waveform",
    "transcribe_track",
    "merge_transcripts",
    "detect_topics",
    "generate_title",
    "generate_summary",
    "finalize",
    "cleanup_consent",
    "post_zulip",
    "send_webhook",
);

const WORKFLOW_FILE: &str = include_str!("../../workflows/daily_diarization_pipeline.json");

static CONTRACTS: LazyLock<BTreeMap<TaskName, TaskContract>> = LazyLock::new(|| {
    TASK_FILES
        .iter()
        .map(|(name, text)| {
            let name = name.parse().expect("the list above names task kinds");
            let contract = serde_json::from_str(text).expect("workflows/tasks/ holds contracts");
            (name, contract)
        })
        .collect()
});

static WORKFLOW: LazyLock<WorkflowDef> =
    LazyLock::new(|| serde_json::from_str(WORKFLOW_FILE).expect("workflows/ holds the workflow"));

/// The contract of one task kind.
pub fn contract(task: TaskName) -> &'static TaskContract {
    CONTRACTS.get(&task).expect("every task kind has a file")
}

/// The workflow.
pub fn workflow() -> &'static WorkflowDef {
    &WORKFLOW
}
