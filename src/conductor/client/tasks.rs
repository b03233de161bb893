//! Polling, reporting and watching queues.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;

use super::{Client, Error, Repeat};
use crate::conductor::wire::{PollData, Task, TaskLog, TaskResult, TaskResultStatus};

/// The longest wait a server grants a batch poll.
const LONGEST_POLL: Duration = Duration::from_secs(5);

impl Client {
    /// Takes one task out of its queue, if there is one. The poll is its acknowledgement: if the
    /// answer is lost, only the task's response timeout brings it back.
    pub async fn poll(
        &self,
        task_type: &str,
        worker_id: &str,
        domain: Option<&str>,
    ) -> Result<Option<Task>, Error> {
        let mut query = vec![("workerid", worker_id)];
        query.extend(domain.map(|domain| ("domain", domain)));
        self.call(
            Method::GET,
            &["tasks", "poll", task_type],
            &query,
            Repeat::Never,
            |call| call,
        )
        .await?
        .json_or_nothing()
    }

    /// Takes up to `count` tasks, waiting up to `wait` (5 s at most) for the first. Some servers
    /// hand out more than `count`.
    pub async fn poll_batch(
        &self,
        task_type: &str,
        worker_id: &str,
        domain: Option<&str>,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<Task>, Error> {
        let wait = wait.min(LONGEST_POLL);
        let (count, timeout) = (count.to_string(), wait.as_millis().to_string());
        let mut query = vec![
            ("workerid", worker_id),
            ("count", count.as_str()),
            ("timeout", timeout.as_str()),
        ];
        query.extend(domain.map(|domain| ("domain", domain)));
        let bound = wait + self.config.poll_margin;
        self.call(
            Method::GET,
            &["tasks", "poll", "batch", task_type],
            &query,
            Repeat::Never,
            |call| call.timeout(bound),
        )
        .await?
        .json_or_nothing()
        .map(Option::unwrap_or_default)
    }

    /// Reports a result. The server answers yes also where it ignored the report, because the
    /// attempt or the run has ended.
    pub async fn update_task(&self, result: &TaskResult) -> Result<(), Error> {
        self.call(Method::POST, &["tasks"], &[], Repeat::Safe, |call| {
            call.json(result)
        })
        .await
        .map(drop)
    }

    /// Renews the lease on a polled task: the response timeout counts from now. This does not tell
    /// whether the run is still open; see [`Client::task`].
    pub async fn extend_lease(&self, task: &Task) -> Result<(), Error> {
        let mut result = TaskResult::new(task, TaskResultStatus::InProgress);
        result.extend_lease = true;
        self.update_task(&result).await
    }

    /// One attempt. 3.15.0 answers 204 where later releases answer 404; both are `None`.
    pub async fn task(&self, task_id: &str) -> Result<Option<Task>, Error> {
        match self.get(&["tasks", task_id], &[]).await {
            Ok(answer) => answer.json_or_nothing(),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a line to a task's log. A server without an index drops it.
    pub async fn log(&self, task_id: &str, line: &str) -> Result<(), Error> {
        self.call(
            Method::POST,
            &["tasks", task_id, "log"],
            &[],
            Repeat::Never,
            |call| {
                call.header("content-type", "application/json")
                    .body(line.to_owned())
            },
        )
        .await
        .map(drop)
    }

    /// A task's log.
    pub async fn logs(&self, task_id: &str) -> Result<Vec<TaskLog>, Error> {
        self.get(&["tasks", task_id, "log"], &[])
            .await?
            .json_or_nothing()
            .map(Option::unwrap_or_default)
    }

    /// How many tasks of each kind wait, including those held back. For a domain ask for
    /// `domain:kind`.
    pub async fn queue_sizes(&self, task_types: &[&str]) -> Result<BTreeMap<String, i64>, Error> {
        let query: Vec<_> = task_types.iter().map(|kind| ("taskType", *kind)).collect();
        self.get(&["tasks", "queue", "sizes"], &query).await?.json()
    }

    /// Has the server put every open task of a kind into its queue anew, those that workers are at
    /// included: a last resort.
    pub async fn requeue(&self, task_type: &str) -> Result<(), Error> {
        self.call(
            Method::POST,
            &["tasks", "queue", "requeue", task_type],
            &[],
            Repeat::Never,
            |call| call,
        )
        .await
        .map(drop)
    }

    /// Who asked for a task kind last, by domain.
    pub async fn poll_data(&self, task_type: &str) -> Result<Vec<PollData>, Error> {
        self.get(&["tasks", "queue", "polldata"], &[("taskType", task_type)])
            .await?
            .json()
    }

    /// Who asked for what last.
    pub async fn all_poll_data(&self) -> Result<Vec<PollData>, Error> {
        self.get(&["tasks", "queue", "polldata", "all"], &[])
            .await?
            .json()
    }
}
