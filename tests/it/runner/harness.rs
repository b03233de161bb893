//! An engine, a worker and one task kind whose behaviour a test directs. The clock stands still
//! unless a test moves it.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::Method,
    middleware::{self, Next},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use switchyard::{
    conductor::{
        Client, ClientConfig,
        wire::{StartWorkflowRequest, TaskDef, Workflow, WorkflowDef},
    },
    engine::{Clock, Engine, Faults, Options},
    model::{RunId, TaskName, Timing, WorkflowId},
    objects::{self, Addressing, Objects},
    providers::{Daily, Llm, Retry, Transcription},
    store::{Attempt, Spooled, Store},
    workers::{
        Context, Entry, Made, Processors, Prompts, Runner, RunnerSettings, Services, TaskError,
        Tuning,
    },
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{door::Door, store::samples};

/// The task kind that is acted by tests.
pub const KIND: TaskName = TaskName::MergeTranscripts;

/// As the engine has it; two retries.
pub const RESPONSE_TIMEOUT_S: i64 = 2;

static ACTS: [Entry; 1] = [Entry {
    name: KIND,
    run: act,
    may_stay_undone: false,
    amend: |_, _| {},
    input_schema: schemars::Schema::default,
    output_schema: schemars::Schema::default,
}];

/// Where acts and tests meet.
static STAGES: LazyLock<Mutex<HashMap<RunId, Arc<Stage>>>> = LazyLock::new(Mutex::default);

/// One run, seen from within its task and from the test.
pub struct Stage {
    executions: AtomicU32,
    begun: Semaphore,
    go_on: Semaphore,
    dropped: Semaphore,
}

impl Stage {
    fn empty() -> Self {
        Self {
            executions: AtomicU32::default(),
            begun: Semaphore::new(0),
            go_on: Semaphore::new(0),
            dropped: Semaphore::new(0),
        }
    }

    /// How often the task's own code has run.
    pub fn executions(&self) -> u32 {
        self.executions.load(Ordering::Relaxed)
    }

    /// Waits for the task to begin.
    pub async fn begun(&self) {
        in_time("the task begins", self.begun.acquire())
            .await
            .expect("open")
            .forget();
    }

    /// Lets the act `wait` end.
    pub fn go_on(&self) {
        self.go_on.add_permits(1);
    }

    /// Waits for the task to be given up half way.
    pub async fn dropped(&self) {
        in_time("the task is dropped", self.dropped.acquire())
            .await
            .expect("open")
            .forget();
    }
}

fn stage_of(run: &RunId) -> Arc<Stage> {
    let mut stages = STAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let stage = stages.entry(run.clone());
    Arc::clone(stage.or_insert_with(|| Arc::new(Stage::empty())))
}

/// Tells when a task is given up half way.
struct Unless<'a>(&'a Stage, bool);

impl Drop for Unless<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.add_permits(1);
        }
    }
}

type Acting<'a> = Pin<Box<dyn Future<Output = Result<Made<Value>, TaskError>> + Send + 'a>>;

fn act(input: Value, context: &Context) -> Acting<'_> {
    Box::pin(async move {
        let stage = stage_of(&context.run.id);
        stage.executions.fetch_add(1, Ordering::Relaxed);
        let mut unless = Unless(&stage, false);
        stage.begun.add_permits(1);
        let output = match input["act"].as_str() {
            Some("wait") => {
                stage.go_on.acquire().await.expect("open").forget();
                json!({"answer": 42})
            }
            Some("large") => json!({"answer": "x".repeat(300 * 1024)}),
            Some("panic") => panic!("as the test wants it"),
            _ => json!({"answer": 42}),
        };
        unless.1 = true;
        Ok(Made::small(output))
    })
}

/// How long a test waits for anything.
const DEADLINE: Duration = Duration::from_secs(30);

async fn in_time<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(DEADLINE, waiting).await;
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// Updates that go wrong, heartbeats among them.
#[derive(Default)]
pub struct EngineDoor {
    lost: AtomicU32,
    unacknowledged: AtomicU32,
}

impl EngineDoor {
    /// The next `count` updates never arrive.
    pub fn lose_updates(&self, count: u32) {
        self.lost.store(count, Ordering::Relaxed);
    }

    /// The next `count` updates arrive, and their answers do not.
    pub fn lose_acknowledgements(&self, count: u32) {
        self.unacknowledged.store(count, Ordering::Relaxed);
    }
}

fn take_one(left: &AtomicU32) -> bool {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    taken.is_ok()
}

async fn pass_through(
    State(door): State<Arc<EngineDoor>>,
    request: Request,
    next: Next,
) -> Response {
    let is_update = request.method() == Method::POST && request.uri().path() == "/api/tasks";
    let cut = || {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let stream = futures_util::stream::iter([Err::<Vec<u8>, _>(broken)]);
        Response::new(Body::from_stream(stream))
    };
    if is_update && take_one(&door.lost) {
        return cut();
    }
    let response = next.run(request).await;
    if is_update && take_one(&door.unacknowledged) {
        return cut();
    }
    response
}

/// A run that was begun.
pub struct Begun {
    id: RunId,
    workflow: WorkflowId,
}

/// An engine and a worker that works for it.
pub struct Works {
    pub engine_door: Arc<EngineDoor>,
    pub faults: Arc<Faults>,
    store: Store,
    client: Client,
    services: Arc<Services>,
    /// Milliseconds since the epoch.
    time: Arc<AtomicI64>,
    door: Door,
    engine: (CancellationToken, TaskTracker),
    worker: (CancellationToken, JoinHandle<()>),
    drain: Duration,
    stop: CancellationToken,
    roles: TaskTracker,
    _folder: tempfile::TempDir,
}

fn clock(time: &Arc<AtomicI64>) -> Clock {
    let time = Arc::clone(time);
    Arc::new(move || {
        DateTime::<Utc>::from_timestamp_millis(time.load(Ordering::Relaxed)).expect("a time")
    })
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

impl Works {
    pub async fn start() -> Self {
        // A file: a store in memory is gone with its only connection, and a request that is dropped
        // midway takes that along.
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("switchyard.db");
        let store = Store::open(&format!("sqlite:{}", file.display())).await;
        let store = store.expect("a database");
        let time = Arc::new(AtomicI64::new(samples::at(0).timestamp_millis()));
        let (stop, roles) = (CancellationToken::new(), TaskTracker::new());
        let front = listener().await;
        let base = format!("http://{}/api", front.local_addr().expect("it is bound"));
        let mut config = ClientConfig::new(base.parse().expect("a URL"));
        config.retry.attempts = 1;
        let services = Arc::new(services(&store, clock(&time)));
        let mut works = Self {
            engine_door: Arc::default(),
            faults: Arc::default(),
            client: Client::new(config).expect("a client"),
            door: Door::at(front, stop.clone(), &roles),
            engine: (CancellationToken::new(), TaskTracker::new()),
            worker: (CancellationToken::new(), tokio::spawn(async {})),
            drain: Duration::from_secs(20),
            store,
            services,
            time,
            stop,
            roles,
            _folder: folder,
        };
        works.start_engine().await;
        works.define().await;
        works.start_worker();
        works
    }

    async fn define(&self) {
        let task: TaskDef = serde_json::from_value(json!({
            "name": KIND, "ownerEmail": "a@b.co", "retryCount": 1, "retryDelaySeconds": 0,
            "timeoutSeconds": 0, "timeoutPolicy": "RETRY",
            "responseTimeoutSeconds": RESPONSE_TIMEOUT_S
        }))
        .expect("a definition");
        let workflow: WorkflowDef = serde_json::from_value(json!({
            "name": "works", "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.co",
            "tasks": [{
                "name": KIND, "taskReferenceName": "work", "type": "SIMPLE",
                "inputParameters": {
                    "run_id": "${workflow.input.run_id}", "act": "${workflow.input.act}"
                }
            }],
            "outputParameters": {"answer": "${work.output.answer}"}
        }))
        .expect("a definition");
        self.client
            .put_task_defs(&[task])
            .await
            .expect("it is taken");
        let put = self.client.put_workflow_defs(&[workflow]).await;
        put.expect("it is taken");
    }

    /// Starts the engine, on what an earlier one left.
    pub async fn start_engine(&mut self) {
        let options = Options {
            faults: Arc::clone(&self.faults),
            ..Options::default()
        };
        let engine = Engine::open_with(self.store.clone(), clock(&self.time), options);
        let engine = engine.await.expect("an engine");
        let inner = listener().await;
        self.door.open(inner.local_addr().expect("it is bound"));
        let layer = middleware::from_fn_with_state(Arc::clone(&self.engine_door), pass_through);
        let router = engine.router().layer(layer);
        let (stop, running) = (CancellationToken::new(), TaskTracker::new());
        let ends = stop.clone().cancelled_owned();
        running.spawn(async move {
            let served = axum::serve(inner, router)
                .with_graceful_shutdown(ends)
                .await;
            served.expect("it is served");
        });
        running.spawn(engine.run(stop.clone()));
        self.engine = (stop, running);
    }

    /// Stops the engine and cuts its connections.
    pub async fn stop_engine(&self) {
        let (stop, running) = &self.engine;
        self.door.shut();
        stop.cancel();
        running.close();
        in_time("the engine has stopped", running.wait()).await;
    }

    pub fn start_worker(&mut self) {
        let settings = RunnerSettings {
            worker_id: "worker".to_owned(),
            concurrency: 2,
            poll: Duration::from_millis(50),
            drain: self.drain,
            resend: Duration::from_millis(50),
        };
        let runner = Runner::new(self.client.clone(), Arc::clone(&self.services), settings);
        let stop = CancellationToken::new();
        self.worker = (stop.clone(), tokio::spawn(runner.only(&ACTS).run(stop)));
    }

    /// Tells the worker to stop; what is returned ends when it has.
    pub fn tell_worker_to_stop(&mut self) -> JoinHandle<()> {
        self.worker.0.cancel();
        std::mem::replace(&mut self.worker.1, tokio::spawn(async {}))
    }

    pub async fn stop_worker(&mut self) {
        let stopping = self.tell_worker_to_stop();
        let stopped = in_time("the worker has stopped", stopping).await;
        stopped.expect("it does not panic");
    }

    /// Another worker, with so much time for what runs when it is stopped.
    pub async fn give_workers(&mut self, drain: Duration) {
        self.stop_worker().await;
        self.drain = drain;
        self.start_worker();
    }

    /// Begins a run whose task does this: `done`, `wait`, `large` or `panic`.
    pub async fn begin(&self, act: &str) -> Begun {
        let id = samples::run(&self.store, RunId::random().as_str()).await;
        let input = json!({"run_id": id, "act": act});
        let request = StartWorkflowRequest {
            name: "works".to_owned(),
            input: serde_json::from_value(input).expect("an object"),
            ..StartWorkflowRequest::default()
        };
        let workflow = self.client.start(&request).await.expect("it is started");
        Begun { id, workflow }
    }

    #[allow(clippy::unused_self, reason = "reads as the rest")]
    pub fn stage(&self, run: &Begun) -> Arc<Stage> {
        stage_of(&run.id)
    }

    pub async fn workflow(&self, run: &Begun) -> Workflow {
        let workflow = self.client.workflow(&run.workflow, true).await;
        workflow.expect("it is known")
    }

    /// Waits until the engine's view of the run is as wanted.
    pub async fn until(
        &self,
        run: &Begun,
        what: &str,
        is_so: impl Fn(&Workflow) -> bool,
    ) -> Workflow {
        in_time(what, async {
            let mut looks = looks();
            loop {
                looks.tick().await;
                let workflow = self.workflow(run).await;
                if is_so(&workflow) {
                    return workflow;
                }
            }
        })
        .await
    }

    /// Waits for the run to end.
    pub async fn ended(&self, run: &Begun) -> Workflow {
        let is_over = |workflow: &Workflow| workflow.status.is_terminal();
        self.until(run, "the run has ended", is_over).await
    }

    pub async fn terminate(&self, run: &Begun) {
        let ended = self
            .client
            .terminate(&run.workflow, "no longer wanted")
            .await;
        ended.expect("it is ended");
    }

    /// Waits for an attempt that ended in this way.
    pub async fn trail(&self, run: &Begun, status: &str) -> Attempt {
        in_time("the trail tells", async {
            let mut looks = looks();
            loop {
                looks.tick().await;
                let attempts = self.store.attempts(&run.id).await.expect("a read");
                let found = attempts.into_iter().find(|one| one.status == status);
                if let Some(attempt) = found {
                    return attempt;
                }
            }
        })
        .await
    }

    pub async fn nothing_is_spooled(&self) {
        self.until_spooled("nothing is spooled", <[_]>::is_empty)
            .await;
    }

    pub async fn something_is_spooled(&self) {
        self.until_spooled("something is spooled", |spooled| !spooled.is_empty())
            .await;
    }

    async fn until_spooled(&self, what: &str, is_so: impl Fn(&[Spooled]) -> bool) {
        in_time(what, async {
            let mut looks = looks();
            while !is_so(&self.store.spooled().await.expect("a read")) {
                looks.tick().await;
            }
        })
        .await;
    }

    /// A row older than all others that no program of ours can read.
    pub async fn spool_nonsense(&self) {
        let spooled = Spooled {
            task_id: "nonsense".to_owned(),
            workflow_id: "nonsense".to_owned(),
            result: "{".to_owned(),
            give_up_at: samples::at(3_600_000),
        };
        let put = self.store.spool(&spooled, samples::at(-1)).await;
        put.expect("it is written");
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> i64 {
        self.time.load(Ordering::Relaxed)
    }

    pub fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    pub async fn end(mut self) {
        self.stop_worker().await;
        self.stop_engine().await;
        self.stop.cancel();
        self.roles.close();
        self.roles.wait().await;
        self.store.close().await;
    }
}

fn looks() -> tokio::time::Interval {
    tokio::time::interval(Duration::from_millis(20))
}

/// Services that nobody of these tests calls.
fn services(store: &Store, clock: Clock) -> Services {
    let nowhere: Url = "http://127.0.0.1:9".parse().expect("a URL");
    let (patience, never) = (Duration::from_secs(1), Retry::never());
    let objects = objects::Settings::new(
        Some(nowhere.clone()),
        "us-east-1",
        "key",
        "secret",
        Addressing::Path,
    );
    let transcription = Transcription::new(nowhere.clone(), None, patience, never.clone());
    let llm = Llm::new(nowhere.clone(), None, "model", patience, never.clone());
    Services {
        shared: None,
        store: store.clone(),
        objects: Objects::new(objects).expect("a client"),
        daily: Daily::new(nowhere, "key", patience, never).expect("a client"),
        transcription: transcription.expect("a client"),
        llm: llm.expect("a client"),
        prompts: Prompts::load(None).expect("they are valid"),
        tuning: Tuning {
            bucket: "reflector-transcripts".to_owned(),
            context_window: 16_000,
            parse_retries: 3,
            min_transcript_length: 750,
            mp3_bitrate: 128_000,
            audio_timing: Timing::Exact,
            zulip_realm: None,
        },
        gateway: None,
        processors: Processors::new(1),
        clock,
    }
}
