//! Queues, and the Redis lists they consist of.

use std::fmt;

use serde::Deserialize;

/// What kombu puts between a queue and a priority in a list's name.
const SEPARATOR: &str = "\u{6}\u{16}";

/// kombu's steps. A queue has one list for each, and the lists are emptied in this order.
const STEPS: [u8; 4] = [0, 3, 6, 9];

/// A Celery queue by name, e.g. `celery`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Queue(String);

/// A text that names no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` in a queue's name; name the queue as `task_routes` or `-Q` does")]
pub struct QueueError(&'static str);

impl Queue {
    /// Takes the name as Celery's settings have it.
    pub fn new(name: impl Into<String>) -> Result<Self, QueueError> {
        let name = name.into();
        if name.is_empty() {
            return Err(QueueError("nothing"));
        }
        // kombu joins and splits names by these characters.
        if name.chars().any(char::is_control) {
            return Err(QueueError("a control character"));
        }
        if name.contains(',') {
            return Err(QueueError("a comma"));
        }
        Ok(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The list that holds messages of a priority.
    pub(super) fn list(&self, priority: u8) -> String {
        let step = STEPS.into_iter().rev().find(|step| *step <= priority);
        match step {
            None | Some(0) => self.0.clone(),
            Some(step) => format!("{}{SEPARATOR}{step}", self.0),
        }
    }

    /// All lists, in the order messages are taken.
    pub(super) fn lists(&self) -> [String; 4] {
        STEPS.map(|step| self.list(step))
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Queue {
    type Error = QueueError;

    fn try_from(name: String) -> Result<Self, QueueError> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_goes_to_the_list_of_the_step_below_it() {
        let queue = Queue::new("celery").unwrap();
        for (priority, list) in [
            (0, "celery"),
            (2, "celery"),
            (3, "celery\u{6}\u{16}3"),
            (5, "celery\u{6}\u{16}3"),
            (6, "celery\u{6}\u{16}6"),
            (9, "celery\u{6}\u{16}9"),
        ] {
            assert_eq!(queue.list(priority), list);
        }
    }

    #[test]
    fn a_name_that_kombu_would_take_apart_is_refused() {
        for name in ["", "a\u{6}\u{16}3", "a,b", "a\n"] {
            assert!(Queue::new(name).is_err(), "{name:?}");
        }
    }
}
