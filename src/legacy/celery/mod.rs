//! Celery over Redis as Reflector uses it: task messages, queues, results, and the tap that takes
//! one task's messages aside before the legacy workers see them.
//!
//! What surprises most: Redis knows nothing of messages in flight. kombu keeps them in two keys,
//! `unacked` and `unacked_index`, and whoever takes a message must park it there itself.
//! And a message without one of a few unremarkable fields ends the worker that reads it, so
//! [`Envelope::validate`] stands before every push.

pub mod broker;
pub mod envelope;
pub(in crate::legacy) mod link;
mod location;
mod queue;
pub mod results;
pub mod tap;

pub use broker::{Asked, Broker, BrokerError, Claim, Fate, Forwarded, Held, Holder, Settled};
pub use envelope::{Body, Envelope, EnvelopeError, NewTask};
pub use location::{Limits, LocationError, RedisLocation};
pub use queue::{Queue, QueueError};
pub use results::{Results, Status, TaskResult};
pub use tap::{Batch, Decision, Tap, TapSettings, Tick};

/// The legacy task that a Conductor workflow replaces.
pub const PIPELINE_TASK: &str =
    "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process";
