//! What is wrong with a message: which field, how, and what to do. Never the value, which may be
//! a customer's.

/// A field of a task message that a worker, or we, cannot do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading a Celery message: `{}` {problem}; {remedy}", path(.field))]
pub struct EnvelopeError {
    field: &'static str,
    problem: &'static str,
    remedy: &'static str,
}

impl EnvelopeError {
    /// The remedy is the usual one: the message was not published by Celery.
    pub(in crate::legacy::celery) const fn new(field: &'static str, problem: &'static str) -> Self {
        Self {
            field,
            problem,
            remedy: "publish tasks with Celery's protocol 2 and its JSON serializer",
        }
    }

    pub(in crate::legacy::celery) const fn remedy(self, remedy: &'static str) -> Self {
        Self { remedy, ..self }
    }

    /// The field, e.g. `properties.delivery_tag`.
    pub fn field(&self) -> String {
        path(self.field)
    }
}

/// `/headers/task` as `headers.task`.
fn path(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
