//! Takes tasks from the engine and reports what became of them.
//!
//! The engine hands a task out once and then waits for its response timeout, so nothing may be
//! taken that cannot be worked on, a task in work is kept alive by heartbeats from the moment it
//! is received, and a result is spooled until the engine has acknowledged it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use super::{Entry, REGISTRY, Services, asking::Asking, execution::Execution, predecessor};
use crate::{
    conductor::{
        Client,
        wire::{Task, TaskResult},
    },
    model::TaskName,
};

/// How one process works.
#[derive(Clone, Debug)]
pub struct RunnerSettings {
    /// How the engine sees this process.
    pub worker_id: String,
    /// Tasks of one kind at once.
    pub concurrency: usize,
    /// How long one poll waits at the engine.
    pub poll: Duration,
    /// How long running tasks get to end at a stop.
    pub drain: Duration,
    /// How often undelivered results are sent again.
    pub resend: Duration,
}

/// The longest pause between polls of an engine that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// All task kinds of one process.
#[derive(Clone)]
pub struct Runner {
    pub(super) client: Client,
    pub(super) services: Arc<Services>,
    asking: Arc<Asking>,
    pub(super) settings: Arc<RunnerSettings>,
    pub(super) tasks: &'static [Entry],
    running: TaskTracker,
}

impl Runner {
    /// Works for the engine behind `client`, on all task kinds there are.
    pub fn new(client: Client, services: Arc<Services>, settings: RunnerSettings) -> Self {
        Self {
            client,
            services,
            asking: Arc::default(),
            settings: Arc::new(settings),
            tasks: &REGISTRY,
            running: TaskTracker::new(),
        }
    }

    /// Works on these task kinds only.
    #[must_use]
    pub const fn only(mut self, tasks: &'static [Entry]) -> Self {
        self.tasks = tasks;
        self
    }

    /// Works until told to stop. Then nothing more is taken, what runs gets its time to end, and
    /// what does not end is handed back as failed so that another worker tries.
    pub async fn run(self, shutdown: CancellationToken) {
        let hand_back = CancellationToken::new();
        let polls = TaskTracker::new();
        polls.spawn(self.clone().resend(shutdown.clone()));
        Box::pin(predecessor::hand_back(&self, &shutdown)).await;
        for entry in self.tasks {
            polls.spawn(
                self.clone()
                    .poll(entry, shutdown.clone(), hand_back.clone()),
            );
        }
        polls.close();
        polls.wait().await;

        self.running.close();
        if tokio::time::timeout(self.settings.drain, self.running.wait())
            .await
            .is_err()
        {
            info!("handing back {} running tasks", self.running.len());
            hand_back.cancel();
            self.running.wait().await;
        }
    }

    /// Polls for one task kind. A permit is taken before anything is asked for.
    async fn poll(
        self,
        entry: &'static Entry,
        shutdown: CancellationToken,
        hand_back: CancellationToken,
    ) {
        let permits = Arc::new(Semaphore::new(self.settings.concurrency));
        let mut pause = Pause::default();
        loop {
            let mut free = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                free = take_free(&permits) => free,
            };
            // A poll under way is not given up at a stop: its answer may hold a task, which would
            // be lost for the length of its response timeout.
            let asked = Instant::now();
            let (name, settings) = (entry.name, &self.settings);
            let polled = self
                .client
                .poll_batch(
                    name.as_str(),
                    &settings.worker_id,
                    None,
                    free.len(),
                    settings.poll,
                )
                .await;
            match polled {
                Ok(tasks) => {
                    pause.answered(name, !tasks.is_empty());
                    for task in tasks {
                        self.begin(entry, task, free.pop(), &permits, &hand_back);
                    }
                }
                Err(error) => pause.failed(name, &error),
            }
            drop(free);
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(pause.rest(asked.elapsed(), settings.poll)) => {}
            }
        }
    }

    /// Begins to work on a task. Should the engine have handed out more than was asked for, the
    /// surplus waits for a permit, kept alive by heartbeats like the rest.
    fn begin(
        &self,
        entry: &'static Entry,
        task: Task,
        permit: Option<OwnedSemaphorePermit>,
        permits: &Arc<Semaphore>,
        hand_back: &CancellationToken,
    ) {
        let permits = Arc::clone(permits);
        let execution = Execution::new(
            self.client.clone(),
            Arc::clone(&self.services),
            Arc::clone(&self.asking),
            self.settings.worker_id.clone(),
            entry,
            task,
            hand_back.clone(),
        );
        self.running.spawn(async move {
            let waiting = async move {
                match permit {
                    Some(permit) => Some(permit),
                    None => permits.acquire_owned().await.ok(),
                }
            };
            execution.run(waiting).await;
        });
    }

    /// Sends again what the engine has not acknowledged, from earlier processes too.
    async fn resend(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.resend);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {
                    if let Err(error) = self.resend_once().await {
                        warn!("cannot send spooled results again: {error:#}");
                    }
                }
            }
        }
    }

    async fn resend_once(&self) -> anyhow::Result<()> {
        let store = &self.services.store;
        for spooled in store.spooled().await? {
            if spooled.give_up_at < (self.services.clock)() {
                warn!(
                    task.id = spooled.task_id,
                    "giving up a result nobody waits for any more"
                );
                store.unspool(&spooled.task_id).await?;
                continue;
            }
            let Ok(result) = serde_json::from_str::<TaskResult>(&spooled.result) else {
                warn!(
                    task.id = spooled.task_id,
                    "giving up a spooled result that cannot be read"
                );
                store.unspool(&spooled.task_id).await?;
                continue;
            };
            match self.client.update_task(&result).await {
                Ok(()) => store.unspool(&spooled.task_id).await?,
                Err(error) => {
                    debug!(
                        task.id = spooled.task_id,
                        "the engine does not take a result: {error}"
                    );
                }
            }
        }
        Ok(())
    }
}

/// One permit at least, and whatever else is free.
async fn take_free(permits: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let first = Arc::clone(permits).acquire_owned().await;
    let more = std::iter::from_fn(|| Arc::clone(permits).try_acquire_owned().ok());
    first.into_iter().chain(more).collect()
}

/// How long to leave the engine alone after a poll.
#[derive(Debug, Default)]
struct Pause {
    failures: u32,
    idle: u32,
}

impl Pause {
    fn answered(&mut self, task: TaskName, has_tasks: bool) {
        if self.failures > 0 {
            info!("the engine answers polls for `{task}` again");
        }
        self.failures = 0;
        self.idle = if has_tasks {
            0
        } else {
            self.idle.saturating_add(1)
        };
    }

    fn failed(&mut self, task: TaskName, error: &crate::conductor::Error) {
        if self.failures == 0 {
            warn!("cannot poll for `{task}`, trying again: {error}");
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// An engine that holds a poll open has paced us already; one that answers at once, or not at
    /// all, is asked less and less often, and not by all kinds at the same moment.
    fn rest(&self, took: Duration, poll: Duration) -> Duration {
        const STEP: Duration = Duration::from_millis(20);
        let steps = |count: u32| STEP.saturating_mul(1 << count.min(9));
        if self.failures > 0 {
            return jittered(steps(self.failures).min(LONGEST_PAUSE));
        }
        if self.idle == 0 {
            return Duration::ZERO;
        }
        jittered(steps(self.idle).min(poll)).saturating_sub(took)
    }
}

/// Between half of a pause and all of it.
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let luck = RandomState::new().hash_one(()) % 1000;
    pause / 2 + pause.mul_f64(luck as f64 / 2000.0)
}
