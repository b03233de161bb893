//! Loading, changing and saving runs: under the run's lock, and in one transaction.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use sqlx::AnyConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    Engine, Error,
    decide::{self, Facts},
    new_id,
};
use crate::{
    conductor::wire::{Task, TaskStatus, Workflow, WorkflowStatus},
    store::engine::{self as rows, QueueRow, RunRow, TaskRow},
};

/// A run is visited this often even where no deadline is near, to find what got lost.
pub(super) const VISIT_EVERY_MS: i64 = 30_000;

/// A domain counts as live this long after the last poll.
const LIVE_MS: i64 = 10_000;

impl Engine {
    /// Holds a run still for as long as the guard lives.
    pub(super) async fn lock(&self, id: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self
                .inner
                .locks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if locks.len() > 1000 {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(locks.entry(id.to_owned()).or_default())
        };
        Mutex::lock_owned(lock).await
    }

    /// Reads a run with all its attempts.
    pub async fn run_by_id(&self, id: &str) -> Result<Workflow, Error> {
        let mut connection = self.inner.store.pool.acquire().await?;
        load(&mut connection, id).await
    }

    /// Changes a run: `change` gets it as it is now, and what it makes of it is committed before
    /// this returns, together with the queue entries that follow from it.
    pub(super) async fn change<T>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Workflow, &Engine) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let _held = self.lock(id).await;
        let mut transaction = self.inner.store.begin().await?;
        let before = load(&mut transaction, id).await?;
        let mut run = before.clone();
        let value = change(&mut run, self)?;
        self.save(&mut transaction, &before, &mut run).await?;
        transaction.commit().await?;
        self.inner.changed.notify_waiters();
        Ok(value)
    }

    /// Moves a run as far as it goes.
    pub(super) fn decide(&self, run: Workflow) -> Result<Workflow, decide::Undecidable> {
        let live_domains = if run.task_to_domain.is_empty() {
            BTreeSet::new()
        } else {
            self.live_domains()
        };
        let definitions = self.definitions();
        let facts = Facts {
            now: self.now(),
            task_defs: &definitions.tasks,
            live_domains: &live_domains,
            join: self.inner.options.join,
        };
        decide::decide(run, facts, &mut new_id)
    }

    fn live_domains(&self) -> BTreeSet<(String, String)> {
        let now = self.now();
        self.polls()
            .into_iter()
            .filter(|poll| now - poll.last_poll_time < LIVE_MS)
            .filter_map(|poll| Some((poll.queue_name, poll.domain?)))
            .collect()
    }

    /// Writes what differs from `before`.
    pub(super) async fn save(
        &self,
        connection: &mut AnyConnection,
        before: &Workflow,
        run: &mut Workflow,
    ) -> Result<(), Error> {
        let now = self.now();
        if before != run {
            run.update_time = now;
        }
        let mut next_visit = (run.status == WorkflowStatus::Running).then(|| {
            let deadline = decide::next_deadline(run).unwrap_or(i64::MAX);
            deadline.min(now.saturating_add(VISIT_EVERY_MS))
        });
        if let (Some(visit), Some(delay)) = (next_visit, self.inner.options.faults.decide_delay()) {
            next_visit = Some(visit.min(now.saturating_add(delay)));
        }
        let tasks = std::mem::take(&mut run.tasks);
        let row = RunRow {
            id: &run.workflow_id,
            name: &run.workflow_name,
            version: run.workflow_version.into(),
            status: run.status.as_str(),
            correlation_id: run.correlation_id.as_deref(),
            created_at: run.create_time,
            next_visit,
            document: serde_json::to_string(&run)?,
        };
        rows::save_run(&mut *connection, &row).await?;
        for task in &tasks {
            let old = before.tasks.iter().find(|old| old.task_id == task.task_id);
            if old != Some(task) {
                self.save_task(&mut *connection, old, task).await?;
            }
        }
        run.tasks = tasks;
        Ok(())
    }

    async fn save_task(
        &self,
        connection: &mut AnyConnection,
        old: Option<&Task>,
        task: &Task,
    ) -> Result<(), Error> {
        let row = TaskRow {
            id: &task.task_id,
            run_id: &task.workflow_instance_id,
            seq: task.seq.into(),
            kind: &task.task_type,
            status: task.status.as_str(),
            document: serde_json::to_string(task)?,
        };
        rows::save_task(&mut *connection, &row).await?;
        let offered =
            |task: &Task| task.status == TaskStatus::Scheduled && task.task_type != "JOIN";
        match (old.is_some_and(offered), offered(task)) {
            (false, true) if !self.inner.options.faults.loses_this_queue_entry() => {
                let held_back = task.callback_after_seconds.saturating_mul(1000);
                let due_at = self.now().saturating_add(held_back);
                rows::enqueue(&mut *connection, &queue_entry(task, due_at)).await?;
            }
            (true, false) => {
                rows::dequeue(&mut *connection, &task.task_id).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Offers scheduled attempts that nothing offers any more, of one run or of all.
    pub(super) async fn offer_lost_tasks(&self, run_id: Option<&str>) -> Result<(), Error> {
        let store = &self.inner.store;
        let lost = rows::lost_tasks(&store.pool, run_id).await?;
        if lost.is_empty() {
            return Ok(());
        }
        let mut transaction = store.begin().await?;
        // Read again under the write lock: a poll may have taken one meanwhile.
        for document in rows::lost_tasks(&mut *transaction, run_id).await? {
            let task: Task = serde_json::from_str(&document)?;
            let since = task.scheduled_time.max(task.update_time);
            let due_at = since.saturating_add(task.callback_after_seconds.saturating_mul(1000));
            tracing::warn!(task.id = %task.task_id, "offering task `{}` again", task.task_id);
            rows::enqueue(&mut *transaction, &queue_entry(&task, due_at)).await?;
        }
        transaction.commit().await?;
        self.inner.changed.notify_waiters();
        Ok(())
    }
}

fn queue_entry(task: &Task, due_at: i64) -> QueueRow<'_> {
    QueueRow {
        task_id: &task.task_id,
        run_id: &task.workflow_instance_id,
        queue: queue_name(&task.task_def_name, task.domain.as_deref()),
        priority: task.workflow_priority.into(),
        due_at,
        seq: task.seq.into(),
    }
}

/// A domain's workers see only their own queue.
pub(super) fn queue_name(kind: &str, domain: Option<&str>) -> String {
    match domain {
        Some(domain) => format!("{domain}:{kind}"),
        None => kind.to_owned(),
    }
}

pub(super) async fn load(connection: &mut AnyConnection, id: &str) -> Result<Workflow, Error> {
    let document = rows::run(&mut *connection, id)
        .await?
        .ok_or_else(|| Error::no_run(id))?;
    let mut run: Workflow = serde_json::from_str(&document)?;
    for document in rows::tasks(&mut *connection, id).await? {
        run.tasks.push(serde_json::from_str(&document)?);
    }
    Ok(run)
}
