//! The list of tasks, for the runner and for whoever checks the contracts.

use std::pin::Pin;

use serde_json::Value;

use super::{Context, Made, Task, TaskError, tasks};
use crate::{gateway::Delivered, model::TaskName};

type Running<'a> = Pin<Box<dyn Future<Output = Result<Made<Value>, TaskError>> + Send + 'a>>;

/// One task kind with its types erased.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: TaskName,
    /// Reads the input, runs, writes the output.
    pub run: for<'a> fn(Value, &'a Context) -> Running<'a>,
    /// Whether the run goes on when its effects cannot be done.
    pub may_stay_undone: bool,
    /// Amends what a live run reports once its effects are done.
    pub amend: fn(&mut Value, &Delivered),
    /// The JSON schema of its input.
    pub input_schema: fn() -> schemars::Schema,
    /// The JSON schema of its output.
    pub output_schema: fn() -> schemars::Schema,
}

/// All task kinds, in the order a run meets them.
pub static REGISTRY: [Entry; 15] = [
    entry::<tasks::GetRecording>(),
    entry::<tasks::GetParticipants>(),
    entry::<tasks::GenerateDynamicForkTasks>(),
    entry::<tasks::PadTrack>(),
    entry::<tasks::MixdownTracks>(),
    entry::<tasks::GenerateWaveform>(),
    entry::<tasks::TranscribeTrack>(),
    entry::<tasks::MergeTranscripts>(),
    entry::<tasks::DetectTopics>(),
    entry::<tasks::GenerateTitle>(),
    entry::<tasks::GenerateSummary>(),
    entry::<tasks::Finalize>(),
    entry::<tasks::CleanupConsent>(),
    entry::<tasks::PostZulip>(),
    entry::<tasks::SendWebhook>(),
];

const fn entry<T: Task>() -> Entry {
    Entry {
        name: T::NAME,
        run: run::<T>,
        may_stay_undone: T::MAY_STAY_UNDONE,
        amend: T::amend,
        input_schema: schema::<T::Input>,
        output_schema: schema::<T::Output>,
    }
}

fn schema<T: schemars::JsonSchema>() -> schemars::Schema {
    schemars::schema_for!(T)
}

fn run<T: Task>(input: Value, context: &Context) -> Running<'_> {
    Box::pin(async move {
        let input = serde_json::from_value(input).map_err(|error| {
            TaskError::terminal(format!("the input does not fit the contract: {error}"))
        })?;
        let made = T::run(input, context).await?;
        let output = serde_json::to_value(made.output)
            .map_err(|error| TaskError::terminal(format!("cannot report the output: {error}")))?;
        Ok(Made {
            output,
            document: made.document,
        })
    })
}
