//! A Celery task as kombu keeps it in Redis: one JSON text, protocol 2.
//!
//! The text itself is kept. What is handed on is that text with one value replaced, never a text
//! printed anew: a worker, a log or a signature may depend on any byte of it.

mod error;
mod new_task;
mod python_repr;
mod redirect;
mod validate;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value};

pub use error::EnvelopeError;
pub use new_task::NewTask;
pub use redirect::with_routing_key;

/// A task message, text and meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    raw: String,
    message: Value,
}

/// A task's arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// By position.
    pub args: Vec<Value>,
    /// By name.
    pub kwargs: Map<String, Value>,
    /// What Celery runs afterwards: `callbacks`, `errbacks`, `chain` (last element first), `chord`.
    pub embed: Map<String, Value>,
}

impl Envelope {
    /// Reads a message as far as routing needs: its task and id. What a worker needs beyond that
    /// is for [`Envelope::validate`] to say.
    pub fn parse(raw: impl Into<String>) -> Result<Self, EnvelopeError> {
        let raw = raw.into();
        let message: Value =
            serde_json::from_str(&raw).map_err(|_| EnvelopeError::new("message", "is no JSON"))?;
        let envelope = Self { raw, message };
        for field in ["/headers/task", "/headers/id"] {
            if envelope.text(field).is_none_or(str::is_empty) {
                return Err(EnvelopeError::new(field, "is missing or no text"));
            }
        }
        Ok(envelope)
    }

    /// The exact text.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The task's full name.
    pub fn task(&self) -> &str {
        self.text("/headers/task").unwrap_or_default()
    }

    /// The task's id; retries and redeliveries keep it.
    pub fn id(&self) -> &str {
        self.text("/headers/id").unwrap_or_default()
    }

    /// The task that began the chain of tasks this one belongs to; itself when it began it.
    pub fn root_id(&self) -> Option<&str> {
        self.text("/headers/root_id")
    }

    /// The task that published this one, if a task did.
    pub fn parent_id(&self) -> Option<&str> {
        self.text("/headers/parent_id")
    }

    /// Not to be run before, in ISO 8601. The worker waits, not the queue.
    pub fn eta(&self) -> Option<&str> {
        self.text("/headers/eta")
    }

    /// Not to be run after, in ISO 8601.
    pub fn expires(&self) -> Option<&str> {
        self.text("/headers/expires")
    }

    /// How often the task has asked to be run again.
    pub fn retries(&self) -> u64 {
        let retries = self.message.pointer("/headers/retries");
        retries.and_then(Value::as_u64).unwrap_or_default()
    }

    /// 0 to 9, as kombu reads it: what is no number counts as 0. Lower goes first.
    pub fn priority(&self) -> u8 {
        let priority = match self.message.pointer("/properties/priority") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        u8::try_from(priority.unwrap_or_default().clamp(0, 9)).unwrap_or_default()
    }

    /// The id of this delivery.
    pub fn delivery_tag(&self) -> Option<&str> {
        self.text("/properties/delivery_tag")
    }

    /// The exchange; empty for the one that takes the routing key for a queue's name.
    pub fn exchange(&self) -> Option<&str> {
        self.text("/properties/delivery_info/exchange")
    }

    /// Where retries and redeliveries go.
    pub fn routing_key(&self) -> Option<&str> {
        self.text("/properties/delivery_info/routing_key")
    }

    /// Whether kombu put the message back once.
    pub fn redelivered(&self) -> bool {
        let redelivered = self
            .message
            .pointer("/properties/delivery_info/redelivered");
        redelivered.and_then(Value::as_bool).unwrap_or_default()
    }

    /// The arguments. They are not read before they are asked for: other people's tasks may be
    /// compressed or in another format, and are handed on all the same.
    pub fn body(&self) -> Result<Body, EnvelopeError> {
        if self.text("/headers/compression").is_some() {
            return Err(EnvelopeError::new("/headers/compression", "is set")
                .remedy("publish this task without compression"));
        }
        let text = self
            .text("/body")
            .ok_or(EnvelopeError::new("/body", "is missing or no text"))?;
        let text = match self.text("/properties/body_encoding") {
            Some("base64") => String::from_utf8(
                BASE64
                    .decode(text)
                    .map_err(|_| EnvelopeError::new("/body", "is no base64"))?,
            )
            .map_err(|_| EnvelopeError::new("/body", "is no UTF-8"))?,
            None | Some("" | "utf-8") => text.to_owned(),
            Some(_) => {
                return Err(EnvelopeError::new(
                    "/properties/body_encoding",
                    "is neither `base64` nor `utf-8`",
                ));
            }
        };
        let body: (Vec<Value>, Map<String, Value>, Map<String, Value>) =
            serde_json::from_str(&text).map_err(|_| {
                EnvelopeError::new("/body", "is not `[args, kwargs, embed]` in JSON")
            })?;
        let (args, kwargs, embed) = body;
        Ok(Body {
            args,
            kwargs,
            embed,
        })
    }

    /// Whether a Celery 5.5.3 worker takes the message and runs it. Of most fields that are wrong
    /// it dies, or drops the message unrun; see the module `validate` for which.
    pub fn validate(&self) -> Result<(), EnvelopeError> {
        validate::validate(self)
    }

    /// The same message for another queue, retries and redeliveries included. See
    /// [`with_routing_key`].
    pub fn for_queue(&self, queue: &super::Queue) -> Result<Self, EnvelopeError> {
        Self::parse(with_routing_key(&self.raw, queue.as_str())?)
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.message.pointer(pointer).and_then(Value::as_str)
    }
}

/// Arguments hold keys and ids of customers, so only names and lengths are printed.
impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("task", &self.task())
            .field("id", &self.id())
            .field("routing_key", &self.routing_key())
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("args", &self.args.len())
            .field("kwargs", &self.kwargs.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
