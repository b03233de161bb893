//! Handing out tasks. The poll is the acknowledgement: whoever polled a task has it until the
//! response timeout.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use super::{
    Engine, Error,
    runs::{load, queue_name},
};
use crate::{
    conductor::wire::{PollData, Task, TaskStatus, Workflow},
    store::engine as rows,
};

/// The longest sleep of a long poll; after it the queue is looked at again in any case.
const LONGEST_NAP: Duration = Duration::from_millis(500);

/// A worker's question for tasks.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The task kind.
    pub kind: String,
    /// The worker.
    pub worker_id: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// At most so many.
    pub count: usize,
    /// How long to wait for the first.
    pub wait: Duration,
}

impl Engine {
    /// Takes tasks out of a queue.
    pub async fn poll(&self, poll: &Poll) -> Result<Vec<Task>, Error> {
        self.note(poll);
        if poll.count == 0 {
            return Ok(Vec::new());
        }
        let give_up = tokio::time::Instant::now() + poll.wait;
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();

            let tasks = self.take(poll).await?;
            let left = give_up.saturating_duration_since(tokio::time::Instant::now());
            if !tasks.is_empty() || left.is_zero() {
                return Ok(tasks);
            }
            let queue = queue_name(&poll.kind, poll.domain.as_deref());
            let due = rows::next_offer(&self.inner.store.pool, &queue).await?;
            let until_due = due.map_or(LONGEST_NAP, |due| {
                Duration::from_millis(u64::try_from(due - self.now()).unwrap_or_default().max(1))
            });
            let nap = left.min(until_due).min(LONGEST_NAP);
            drop(tokio::time::timeout(nap, changed).await);
        }
    }

    async fn take(&self, poll: &Poll) -> Result<Vec<Task>, Error> {
        let queue = queue_name(&poll.kind, poll.domain.as_deref());
        let mut tasks = Vec::new();
        while tasks.len() < poll.count {
            let wanted = i64::try_from(poll.count - tasks.len()).unwrap_or(i64::MAX);
            let offers = rows::offers(&self.inner.store.pool, &queue, self.now(), wanted).await?;
            if offers.is_empty() {
                break;
            }
            for offer in offers {
                tasks.extend(self.claim(&offer, poll).await?);
            }
        }
        Ok(tasks)
    }

    /// Takes one task, unless somebody else has just done so or the offer is a leftover.
    async fn claim(&self, offer: &rows::Offer, poll: &Poll) -> Result<Option<Task>, Error> {
        let _held = self.lock(&offer.run_id).await;
        let mut transaction = self.inner.store.begin().await?;
        if !rows::dequeue(&mut *transaction, &offer.task_id).await? {
            return Ok(None);
        }
        let mut taken = None;
        match load(&mut transaction, &offer.run_id).await {
            Ok(before) => {
                let mut run = before.clone();
                taken = self.hand_out(&mut run, &offer.task_id, poll);
                self.save(&mut transaction, &before, &mut run).await?;
            }
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        transaction.commit().await?;
        // The sweeper has a new deadline to watch.
        self.inner.changed.notify_waiters();
        Ok(taken)
    }

    fn hand_out(&self, run: &mut Workflow, task_id: &str, poll: &Poll) -> Option<Task> {
        let now = self.now();
        let task = run
            .tasks
            .iter_mut()
            .find(|task| task.task_id == task_id && task.status == TaskStatus::Scheduled)?;
        task.status = TaskStatus::InProgress;
        if task.start_time == 0 {
            task.start_time = now;
        }
        task.update_time = now;
        task.callback_after_seconds = 0;
        task.worker_id.clone_from(&poll.worker_id);
        task.poll_count += 1;
        Some(task.clone())
    }

    fn note(&self, poll: &Poll) {
        let data = PollData {
            queue_name: poll.kind.clone(),
            domain: poll.domain.clone(),
            worker_id: poll.worker_id.clone(),
            last_poll_time: self.now(),
        };
        self.inner
            .polls
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((poll.kind.clone(), poll.domain.clone()), data);
    }

    /// Who polled what last.
    pub fn polls(&self) -> Vec<PollData> {
        self.inner
            .polls
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Length of each queue that is not empty, held-back tasks included.
    pub async fn queue_sizes(&self) -> Result<BTreeMap<String, i64>, Error> {
        let sizes = rows::queue_sizes(&self.inner.store.pool).await?;
        Ok(sizes.into_iter().collect())
    }
}
