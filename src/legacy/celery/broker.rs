//! The broker: takes messages off Celery's queues without ever losing one, and hands them on.
//!
//! A message is always in exactly one place: on a list, or parked. Each move is one script, so no
//! death of ours, of a worker or of the network falls between. What we park lies in kombu's own
//! keys under receipts of our own (`switchyard:holder:number:time:list`), so kombu can put it back
//! and nobody mistakes a worker's message for ours.
//!
//! Redis Cluster is not supported, as kombu does not support it; nor are kombu's options
//! `unacked_key`, `unacked_index_key`, `sep` and `priority_steps`.

mod consumers;
mod error;
mod held;
mod settle;
mod withdraw;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::Script;

pub use error::BrokerError;
pub use held::{Forwarded, Held, Holder, HolderError};
pub use settle::{Asked, Claim, Fate, Settled};
pub use withdraw::Withdrawal;

use super::{Envelope, Limits, Queue, RedisLocation, envelope::with_routing_key, link::Link};
use crate::rollout::MayDispatch;

static PUSH_ONCE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("broker/push_once.lua")));
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("broker/take.lua")));
static FORWARD: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("broker/forward.lua")));
static ACKNOWLEDGE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("broker/acknowledge.lua")));
static RECOVER: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("broker/recover.lua")));

/// Which messages our processes hold, in the order they were taken.
const HELD: &str = "switchyard.held";

/// For how long it is known that a task was published.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);

/// Celery's broker. Clones share one connection.
#[derive(Clone)]
pub struct Broker {
    link: Arc<Link>,
    prefix: String,
    /// The database's number, which channels are named by.
    database: u16,
}

impl Broker {
    /// The Redis of `CELERY_BROKER_URL`; `prefix` is kombu's transport option `global_keyprefix`,
    /// empty for none. Does not connect yet.
    pub fn new(
        location: &RedisLocation,
        prefix: impl Into<String>,
        limits: Limits,
    ) -> Result<Self, BrokerError> {
        let link = Link::new(location, limits)
            .map_err(|source| BrokerError::from_redis("reading its URL", source))?;
        Ok(Self {
            link: Arc::new(link),
            prefix: prefix.into(),
            database: location.database(),
        })
    }

    /// Whether the broker answers.
    pub async fn ping(&self) -> Result<(), BrokerError> {
        self.link
            .run(async |connection| redis::cmd("PING").exec_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("asking whether it is there", source))
    }

    /// Publishes a message. It must be one a worker can take, and say that it belongs to this
    /// queue: otherwise its retries and redeliveries would go elsewhere.
    ///
    /// On an error the message may have been published all the same. kombu's bindings are left
    /// alone: the exchange without a name, which ours use, has none.
    pub async fn push(
        &self,
        _proof: &MayDispatch,
        queue: &Queue,
        envelope: &Envelope,
    ) -> Result<(), BrokerError> {
        let list = self.checked_list(queue, envelope)?;
        self.link
            .run(async |connection| {
                redis::cmd("LPUSH")
                    .arg(list)
                    .arg(envelope.raw())
                    .exec_async(connection)
                    .await
            })
            .await
            .map_err(|source| BrokerError::from_redis("publishing a task", source))
    }

    /// Publishes a message unless one of its task id was published so in the last seven days. False
    /// when it was, so that a task may be published again after an error or a crash, and runs once.
    pub async fn push_once(
        &self,
        _proof: &MayDispatch,
        queue: &Queue,
        envelope: &Envelope,
    ) -> Result<bool, BrokerError> {
        let list = self.checked_list(queue, envelope)?;
        let mut call = PUSH_ONCE.prepare_invoke();
        call.key(self.published(envelope.id()))
            .key(list)
            .arg(envelope.raw())
            .arg(REMEMBERED.as_secs());
        self.link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("publishing a task once", source))
    }

    /// Takes the next messages, at most so many, in the order Celery would: by priority, then
    /// oldest first. The holder answers for them until each is forwarded or acknowledged.
    ///
    /// On an error messages may have been taken: [`Broker::recover`] puts them back.
    pub async fn take(
        &self,
        queue: &Queue,
        holder: &Holder,
        at_most: usize,
    ) -> Result<Vec<Held>, BrokerError> {
        let lists = queue.lists();
        let mut call = TAKE.prepare_invoke();
        for key in self.places() {
            call.key(key);
        }
        call.key(self.key("switchyard.sequence"));
        for list in &lists {
            call.key(self.key(list));
        }
        call.arg(holder.as_str()).arg(queue.as_str()).arg(at_most);
        for list in &lists {
            call.arg(list);
        }
        let taken: Vec<(String, usize, Vec<u8>)> = self
            .link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("taking tasks", source))?;
        let held = |(receipt, step, raw)| Held { receipt, step, raw };
        Ok(taken.into_iter().map(held).collect())
    }

    /// Hands one message on. See [`Broker::forward_all`].
    pub async fn forward(&self, held: &Held, to: &Queue) -> Result<Forwarded, BrokerError> {
        let forwarded = self.forward_all(std::slice::from_ref(held), to).await?;
        // Redis that answers for no message is taken at its word: nothing was handed on.
        Ok(forwarded.first().copied().unwrap_or(Forwarded::NotHeld))
    }

    /// Hands messages on to another queue, in order and in one step: the same text with that
    /// queue as its routing key. A text in which that cannot be changed is handed on as it is.
    ///
    /// On an error they may have been handed on: [`Broker::recover`] puts back those that were not.
    pub async fn forward_all(
        &self,
        held: &[Held],
        to: &Queue,
    ) -> Result<Vec<Forwarded>, BrokerError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let lists = to.lists().map(|list| self.key(&list));
        let mut call = FORWARD.prepare_invoke();
        for key in self.places() {
            call.key(key);
        }
        let mut outcomes = Vec::with_capacity(held.len());
        for one in held {
            call.key(&lists[one.step.min(lists.len() - 1)])
                .arg(&one.receipt);
            match one
                .text()
                .and_then(|text| with_routing_key(text, to.as_str()))
            {
                Ok(text) => {
                    call.arg(text);
                    outcomes.push(Forwarded::Rewritten);
                }
                Err(reason) => {
                    call.arg(&one.raw);
                    outcomes.push(Forwarded::Verbatim(reason));
                }
            }
        }
        let was_held: Vec<bool> = self
            .link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("handing tasks on", source))?;
        for (outcome, was_held) in outcomes.iter_mut().zip(was_held) {
            if !was_held {
                *outcome = Forwarded::NotHeld;
            }
        }
        Ok(outcomes)
    }

    /// Ends a message that nobody is to run. False when somebody has put it back meanwhile: it will
    /// be taken again.
    ///
    /// On an error it may have ended: [`Broker::recover`] puts it back if it has not.
    pub async fn acknowledge(&self, held: &Held) -> Result<bool, BrokerError> {
        let mut call = ACKNOWLEDGE.prepare_invoke();
        for key in self.places() {
            call.key(key);
        }
        call.arg(&held.receipt);
        self.link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("withholding a task", source))
    }

    /// Puts back everything this holder holds, in the order it was taken, and tells how much that
    /// was. Only for one's own: whoever holds a message is at work on it.
    pub async fn recover(&self, holder: &Holder) -> Result<u64, BrokerError> {
        self.put_back("holder", holder.as_str()).await
    }

    /// Puts back everything that any of our processes has held for at least `age` by the clock of
    /// Redis, whose process must have died. What Celery's workers hold is not touched.
    pub async fn recover_older(&self, age: Duration) -> Result<u64, BrokerError> {
        self.put_back("age", &age.as_secs_f64().to_string()).await
    }

    /// How many messages wait on a queue, all priorities together.
    pub async fn length(&self, queue: &Queue) -> Result<u64, BrokerError> {
        let mut lengths = redis::pipe();
        for list in queue.lists() {
            lengths.cmd("LLEN").arg(self.key(&list));
        }
        let lengths: Vec<u64> = self
            .link
            .run(async |connection| lengths.query_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("counting tasks", source))?;
        Ok(lengths.into_iter().sum())
    }

    /// How many messages our processes hold just now.
    pub async fn held(&self) -> Result<u64, BrokerError> {
        let key = self.key(HELD);
        self.link
            .run(async |connection| redis::cmd("ZCARD").arg(key).query_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("counting what is held", source))
    }

    /// Waits until a message is there or the time is over, and tells which. Nothing is taken. Only
    /// messages of priority 0 to 2 end the waiting at once. Needs Redis 6.2.
    pub async fn wait(&self, queue: &Queue, at_most: Duration) -> Result<bool, BrokerError> {
        let list = self.key(queue.as_str());
        // A list's last element moved to where it is: Redis waits for one, and nothing changes.
        let found: Option<Vec<u8>> = self
            .link
            .run_alone(at_most, async |connection| {
                redis::cmd("BLMOVE")
                    .arg(&list)
                    .arg(&list)
                    .arg("RIGHT")
                    .arg("RIGHT")
                    .arg(at_most.as_secs_f64().max(0.001))
                    .query_async(connection)
                    .await
            })
            .await
            .map_err(|source| BrokerError::from_redis("waiting for a task", source))?;
        Ok(found.is_some())
    }

    /// The list for a message that may be published on this queue.
    fn checked_list(&self, queue: &Queue, envelope: &Envelope) -> Result<String, BrokerError> {
        envelope.validate()?;
        if envelope.exchange() != Some("") || envelope.routing_key() != Some(queue.as_str()) {
            return Err(BrokerError::OtherQueue(queue.clone()));
        }
        Ok(self.key(&queue.list(envelope.priority())))
    }

    async fn put_back(&self, by: &str, bound: &str) -> Result<u64, BrokerError> {
        let mut call = RECOVER.prepare_invoke();
        for key in self.places() {
            call.key(key);
        }
        call.arg(&self.prefix).arg(by).arg(bound);
        self.link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("putting tasks back", source))
    }

    /// The keys in which messages are parked: kombu's two, and ours for what kombu could not read
    /// and for what is held by us.
    fn places(&self) -> [String; 4] {
        ["unacked", "unacked_index", "switchyard.unreadable", HELD].map(|key| self.key(key))
    }

    /// Where is remembered that a task was published once.
    fn published(&self, task_id: &str) -> String {
        self.key(&format!("switchyard.published:{task_id}"))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
