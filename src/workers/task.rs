//! What a task is: typed input, typed output, and the work between.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Context, TaskError};
use crate::{gateway::Delivered, model::TaskName};

/// One task kind of the workflow.
pub trait Task: 'static {
    /// Its name on the wire.
    const NAME: TaskName;
    /// What the workflow gives it.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// What it reports: references and small values, never words, names or presigned URLs.
    type Output: Serialize + JsonSchema + Send;

    /// Whether the run goes on when its effects could not be done in the last attempt either.
    const MAY_STAY_UNDONE: bool = false;

    /// Amends what a live run reports once its effects are done.
    fn amend(_output: &mut Value, _delivered: &Delivered) {}

    /// Does the work. May run again with the same input, also while an earlier attempt still runs.
    fn run(
        input: Self::Input,
        context: &Context,
    ) -> impl Future<Output = Result<Made<Self::Output>, TaskError>> + Send;
}

/// What a task made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made<O> {
    /// What is reported to the engine.
    pub output: O,
    /// The larger result, which stays in our store for other tasks.
    pub document: Option<Value>,
}

impl<O> Made<O> {
    /// A result small enough to report.
    pub const fn small(output: O) -> Self {
        Self {
            output,
            document: None,
        }
    }

    /// A result with a document that stays in our store.
    pub fn with_document(output: O, document: impl Serialize) -> Result<Self, TaskError> {
        let document = serde_json::to_value(document)
            .map_err(|error| TaskError::terminal(format!("cannot keep the result: {error}")))?;
        Ok(Self {
            output,
            document: Some(document),
        })
    }
}
