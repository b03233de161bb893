//! A small workflow engine that speaks Conductor's REST API, for development, tests and the demo.
//!
//! It runs `SIMPLE`, `FORK_JOIN`, `FORK_JOIN_DYNAMIC` and `JOIN` tasks with the semantics of
//! Conductor 3.15.0, and must not be better than it: an engine without the server's quirks would
//! hide what the controller exists for. It differs in three things: a `JOIN` waits for all branches
//! and is evaluated at once, deadlines are noticed when they pass, and everything survives a
//! crash, since a change is committed before it is answered.
//!
//! One process serves one store.

mod api;
mod control;
pub mod decide;
mod error;
mod faults;
mod metadata;
mod polling;
mod runs;
mod start;
mod sweeper;
pub mod template;
mod update;
mod validation;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, Notify};

use crate::{
    conductor::wire::{PollData, TaskDef, WorkflowDef},
    store::{self, Store},
};
pub use decide::JoinRule;
pub use error::Error;
pub use faults::Faults;

/// Tells the time. Tests drive their own.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How an engine departs from the usual.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a `JOIN` ends.
    pub join: JoinRule,
    /// Whether definitions need an `ownerEmail`, as on a server with default settings.
    pub require_owner_email: bool,
    /// Faults to inject, for tests of those who must survive them. None by default.
    pub faults: Arc<Faults>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            join: JoinRule::default(),
            require_owner_email: true,
            faults: Arc::default(),
        }
    }
}

/// The engine. Cheap to clone; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    options: Options,
    /// As in the store, which is written first.
    definitions: RwLock<Definitions>,
    /// Serialises changes of definitions.
    registering: Mutex<()>,
    /// By (kind, domain). Who polls is news, not state: it is gone after a restart.
    polls: RwLock<BTreeMap<(String, Option<String>), PollData>>,
    /// One lock per run that is being changed.
    locks: std::sync::Mutex<HashMap<String, Arc<Mutex<()>>>>,
    /// Rung after every commit: a queue may have something, the sweeper may be needed.
    changed: Notify,
}

#[derive(Default)]
struct Definitions {
    workflows: BTreeMap<String, BTreeMap<i32, WorkflowDef>>,
    tasks: BTreeMap<String, TaskDef>,
}

impl Engine {
    /// Takes up the state in the store: definitions, open runs, and a queue entry for each attempt
    /// that waits for a worker.
    pub async fn open(store: Store, clock: Clock) -> anyhow::Result<Self> {
        Self::open_with(store, clock, Options::default()).await
    }

    /// [`Engine::open`] with other than the usual options.
    pub async fn open_with(store: Store, clock: Clock, options: Options) -> anyhow::Result<Self> {
        let mut definitions = Definitions::default();
        for document in store::engine::workflow_defs(&store.pool).await? {
            let definition: WorkflowDef = serde_json::from_str(&document)?;
            definitions
                .workflows
                .entry(definition.name.clone())
                .or_default()
                .insert(definition.version, definition);
        }
        for document in store::engine::task_defs(&store.pool).await? {
            let definition: TaskDef = serde_json::from_str(&document)?;
            definitions
                .tasks
                .insert(definition.name.clone(), definition);
        }
        let engine = Self {
            inner: Arc::new(Inner {
                store,
                clock,
                options,
                definitions: RwLock::new(definitions),
                registering: Mutex::default(),
                polls: RwLock::default(),
                locks: std::sync::Mutex::default(),
                changed: Notify::new(),
            }),
        };
        engine.offer_lost_tasks(None).await?;
        Ok(engine)
    }

    /// The REST API: everything below `/api`, and `/health`.
    pub fn router(&self) -> axum::Router {
        api::router(self.clone())
    }

    fn now(&self) -> i64 {
        (self.inner.clock)().timestamp_millis()
    }

    fn definitions(&self) -> RwLockReadGuard<'_, Definitions> {
        // Nothing under this lock can panic half way.
        self.inner
            .definitions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn definitions_mut(&self) -> RwLockWriteGuard<'_, Definitions> {
        self.inner
            .definitions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fresh id, of a run or of an attempt.
fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
