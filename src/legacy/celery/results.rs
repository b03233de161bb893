//! Celery's result store: how a task ended, read or waited for.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::StreamExt;
use redis::RedisError;
use serde::Deserialize;
use serde_json::Value;

use super::{Limits, RedisLocation, link::Link};

/// Celery's result store. Clones share one connection.
#[derive(Clone)]
pub struct Results {
    link: Arc<Link>,
    prefix: String,
}

/// How a task ended, as its worker stored it. Kept by Celery for a day unless told otherwise.
#[derive(Clone, PartialEq)]
pub struct TaskResult {
    /// The task's id.
    pub task_id: String,
    /// How it ended.
    pub status: Status,
    /// What it returned; on a failure `exc_type`, `exc_module` and `exc_message`.
    pub result: Value,
    /// The tasks it published: a chain's next link is the first.
    pub children: Vec<String>,
    /// When.
    pub date_done: Option<DateTime<Utc>>,
    /// The task that published it.
    pub parent_id: Option<String>,
}

/// Celery's states of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Not begun.
    Pending,
    /// Taken by a worker.
    Received,
    /// Begun; only where `task_track_started` is set.
    Started,
    /// Ended well.
    Success,
    /// Ended with an exception.
    Failure,
    /// Will be run again.
    Retry,
    /// Called off.
    Revoked,
    /// A state of the task's own making.
    #[serde(other)]
    Other,
}

impl Status {
    /// Whether the task will do nothing more.
    pub fn is_final(self) -> bool {
        match self {
            Self::Success | Self::Failure | Self::Revoked => true,
            Self::Pending | Self::Received | Self::Started | Self::Retry | Self::Other => false,
        }
    }
}

impl TaskResult {
    /// The exception's class, if the task failed. Its message may hold anything and stays inside.
    pub fn failure(&self) -> Option<&str> {
        (self.status == Status::Failure).then(|| self.result["exc_type"].as_str())?
    }

    fn read(text: &str) -> Result<Self, serde_json::Error> {
        let stored: Stored = serde_json::from_str(text)?;
        let children = stored.children.unwrap_or_default();
        Ok(Self {
            task_id: stored.task_id,
            status: stored.status,
            result: stored.result,
            children: children.iter().filter_map(child).collect(),
            date_done: stored.date_done.as_deref().and_then(time),
            parent_id: stored.parent_id,
        })
    }
}

#[derive(Deserialize)]
struct Stored {
    task_id: String,
    status: Status,
    #[serde(default)]
    result: Value,
    children: Option<Vec<Value>>,
    date_done: Option<String>,
    parent_id: Option<String>,
}

/// `[[id, parent], null]`.
fn child(stored: &Value) -> Option<String> {
    Some(stored.pointer("/0/0")?.as_str()?.to_owned())
}

/// Celery writes an offset unless `enable_utc` is off.
fn time(text: &str) -> Option<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.to_utc()),
        Err(_) => text
            .parse::<NaiveDateTime>()
            .ok()
            .map(|time| time.and_utc()),
    }
}

/// Results hold what tasks return, and exceptions what they were about.
impl std::fmt::Debug for TaskResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskResult")
            .field("task_id", &self.task_id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Why a result could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Redis cannot be reached, or refused.
    #[error(
        "reading the result of a Celery task; check `result_backend`, and that Redis is up and reachable"
    )]
    Redis(#[from] RedisError),
    /// What is stored is no result of Celery's.
    #[error(
        "reading the result of a Celery task: not what Celery 5 stores with its JSON serializer"
    )]
    Format(#[from] serde_json::Error),
}

impl Results {
    /// The Redis of `CELERY_RESULT_BACKEND`; `prefix` is `global_keyprefix` of
    /// `result_backend_transport_options`, empty for none. Does not connect yet.
    pub fn new(
        location: &RedisLocation,
        prefix: &str,
        limits: Limits,
    ) -> Result<Self, ResultsError> {
        // As Celery does, unlike kombu.
        let separated = prefix.is_empty() || prefix.ends_with([':', '_', '-', '.']);
        let separator = if separated { "" } else { "_" };
        Ok(Self {
            link: Arc::new(Link::new(location, limits)?),
            prefix: format!("{prefix}{separator}"),
        })
    }

    /// How the task ended; None when nothing is stored: not ended, never published, or long ago.
    pub async fn result(&self, task_id: &str) -> Result<Option<TaskResult>, ResultsError> {
        let key = self.key(task_id);
        let stored: Option<String> = self
            .link
            .run(async |connection| redis::cmd("GET").arg(key).query_async(connection).await)
            .await?;
        Ok(stored.as_deref().map(TaskResult::read).transpose()?)
    }

    /// Waits until the task has ended, at most so long. None when it has not.
    pub async fn wait(
        &self,
        task_id: &str,
        at_most: Duration,
    ) -> Result<Option<TaskResult>, ResultsError> {
        if let Ok(ended) = tokio::time::timeout(at_most, self.ended(task_id)).await {
            return ended.map(Some);
        }
        // Redis publishes to whom it can reach at that moment, and to nobody later.
        let stored = self.result(task_id).await?;
        Ok(stored.filter(|result| result.status.is_final()))
    }

    /// Forgets how the task ended. One of which nothing is stored is forgotten already.
    pub async fn forget(&self, task_id: &str) -> Result<(), ResultsError> {
        let key = self.key(task_id);
        self.link
            .run(async |connection| redis::cmd("DEL").arg(key).exec_async(connection).await)
            .await?;
        Ok(())
    }

    async fn ended(&self, task_id: &str) -> Result<TaskResult, ResultsError> {
        let mut listener = self.link.listener().await?;
        // Before reading, so that nothing is missed between the two.
        listener.subscribe(self.key(task_id)).await?;
        if let Some(result) = self.result(task_id).await?
            && result.status.is_final()
        {
            return Ok(result);
        }
        let mut messages = listener.on_message();
        while let Some(message) = messages.next().await {
            let result = TaskResult::read(&message.get_payload::<String>()?)?;
            if result.status.is_final() {
                return Ok(result);
            }
        }
        Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)).into())
    }

    fn key(&self, task_id: &str) -> String {
        format!("{}celery-task-meta-{task_id}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_success_is_read() {
        let result = TaskResult::read(
            r#"{"status": "SUCCESS", "result": null, "traceback": null, "children": [[["c1", null], null]], "date_done": "2026-11-23T07:26:50.385618+00:00", "parent_id": "p", "task_id": "t"}"#,
        )
        .unwrap();
        assert_eq!(result.status, Status::Success);
        assert_eq!(result.children, ["c1"]);
        assert_eq!(result.parent_id.as_deref(), Some("p"));
        assert_eq!(
            result.date_done.unwrap().to_rfc3339(),
            "2026-11-23T07:26:50.385618+00:00"
        );
        assert_eq!(result.failure(), None);
    }

    #[test]
    fn a_failure_names_its_exception_and_prints_nothing_more() {
        let result = TaskResult::read(
            r#"{"status": "FAILURE", "result": {"exc_type": "HTTPError", "exc_message": ["hush"], "exc_module": "httpx"}, "traceback": "hush", "children": [], "date_done": null, "task_id": "t"}"#,
        )
        .unwrap();
        assert_eq!(result.failure(), Some("HTTPError"));
        assert!(!format!("{result:?}").contains("hush"));
    }
}
