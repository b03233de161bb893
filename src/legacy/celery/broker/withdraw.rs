//! Takes back a task of ours that no worker has begun.

use std::sync::LazyLock;

use redis::Script;

use super::{Broker, BrokerError};
use crate::legacy::celery::Queue;

static WITHDRAW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("withdraw.lua")));

/// What became of a task that was to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// It waited on the queue, and is gone.
    Withdrawn,
    /// A worker has taken it: it was run, is being run, or will be run once more.
    Taken,
    /// It was not published by [`Broker::push_once`], or more than seven days ago, or was withdrawn
    /// before.
    NeverPublished,
}

impl Broker {
    /// Takes a task off the queue it was published on by [`Broker::push_once`], if it is there, and
    /// forgets that it was published.
    pub async fn withdraw(&self, queue: &Queue, task_id: &str) -> Result<Withdrawal, BrokerError> {
        let mut call = WITHDRAW.prepare_invoke();
        call.key(self.published(task_id));
        for list in queue.lists() {
            call.key(self.key(&list));
        }
        call.arg(task_id);
        let found: u8 = self
            .link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("withdrawing a task", source))?;
        Ok(match found {
            2 => Withdrawal::Withdrawn,
            1 => Withdrawal::Taken,
            _ => Withdrawal::NeverPublished,
        })
    }

    /// Whether [`Broker::push_once`] has published that task in the last seven days.
    pub async fn was_published(&self, task_id: &str) -> Result<bool, BrokerError> {
        let key = self.published(task_id);
        self.link
            .run(async |connection| redis::cmd("EXISTS").arg(key).query_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("asking for a task", source))
    }

    /// Forgets that the task was published, once it can never be published again.
    pub async fn forget_published(&self, task_id: &str) -> Result<(), BrokerError> {
        let key = self.published(task_id);
        self.link
            .run(async |connection| redis::cmd("DEL").arg(key).exec_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("forgetting a task", source))
    }
}
