//! A task message as Celery 5.5.3 itself would publish it, to the byte.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};

use super::{Envelope, EnvelopeError, python_repr};
use crate::contract::python_json;
use crate::legacy::celery::{PIPELINE_TASK, Queue};
use crate::model::TranscriptId;

/// What a publisher decides; the rest of a message follows from it.
#[derive(Clone, PartialEq)]
pub struct NewTask {
    /// The task's full name.
    pub task: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Map<String, Value>,
    /// What runs after it; null for nothing. Last element first.
    pub chain: Value,
    /// A fresh UUID, or the id of the task that is published again.
    pub id: String,
    /// The task that began it all; None for this one.
    pub root_id: Option<String>,
    /// The task that publishes this one; None when no task does.
    pub parent_id: Option<String>,
    /// Where the publisher would look for answers; a UUID, or empty.
    pub reply_to: String,
    /// Who publishes, for people to read: `name@host`.
    pub origin: String,
    /// A fresh UUID.
    pub delivery_tag: String,
    /// 0 to 9; 0 goes first.
    pub priority: u8,
}

impl NewTask {
    /// A task without arguments, published from outside any task, with fresh ids. `origin` tells
    /// people where it came from.
    pub fn new(task: impl Into<String>, origin: impl Into<String>) -> Self {
        Self {
            task: task.into(),
            args: Vec::new(),
            kwargs: Map::new(),
            chain: Value::Null,
            id: uuid::Uuid::new_v4().to_string(),
            root_id: None,
            parent_id: None,
            reply_to: String::new(),
            origin: origin.into(),
            delivery_tag: uuid::Uuid::new_v4().to_string(),
            priority: 0,
        }
    }

    /// The legacy pipeline on one transcript: `track_keys` in the order of speakers, all in `bucket`.
    pub fn pipeline(
        transcript: &TranscriptId,
        bucket: &str,
        track_keys: &[String],
        origin: impl Into<String>,
    ) -> Self {
        let mut kwargs = Map::new();
        kwargs.insert("transcript_id".to_owned(), transcript.as_str().into());
        kwargs.insert("bucket_name".to_owned(), bucket.into());
        kwargs.insert("track_keys".to_owned(), track_keys.into());
        Self {
            kwargs,
            ..Self::new(PIPELINE_TASK, origin)
        }
    }

    /// The message for `queue`. Fails where a worker could not take it, e.g. on a priority above 9.
    pub fn for_queue(&self, queue: &Queue) -> Result<Envelope, EnvelopeError> {
        let embed = json!({
            "callbacks": null,
            "errbacks": null,
            "chain": self.chain,
            "chord": null,
        });
        let body = print(&json!([self.args, self.kwargs, embed]));
        let message = json!({
            "body": BASE64.encode(body),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": self.task,
                "id": self.id,
                "shadow": null,
                "eta": null,
                "expires": null,
                "group": null,
                "group_index": null,
                "retries": 0,
                "timelimit": [null, null],
                "root_id": self.root_id.as_ref().unwrap_or(&self.id),
                "parent_id": self.parent_id,
                "argsrepr": python_repr::of_args(&self.args),
                "kwargsrepr": python_repr::of_kwargs(&self.kwargs),
                "origin": self.origin,
                "ignore_result": false,
                "replaced_task_nesting": 0,
                "stamped_headers": null,
                "stamps": {},
            },
            "properties": {
                "correlation_id": self.id,
                "reply_to": self.reply_to,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue.as_str()},
                "priority": self.priority,
                "body_encoding": "base64",
                "delivery_tag": self.delivery_tag,
            },
        });
        let envelope = Envelope::parse(print(&message))?;
        envelope.validate()?;
        Ok(envelope)
    }
}

fn print(value: &Value) -> String {
    python_json::to_string_spaced(value).expect("a JSON value can always be printed")
}

/// Arguments are customers' keys and ids; they are not printed.
impl std::fmt::Debug for NewTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTask")
            .field("task", &self.task)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
