//! A server under test, embedded or real, and the few verbs the cases need.

use std::{
    future::Future,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use switchyard::{
    conductor::{
        Client, ClientConfig,
        wire::{StartWorkflowRequest, Task, TaskResult, TaskResultStatus, TaskStatus, Workflow},
    },
    engine::{Clock, Engine, Faults, Options},
    model::WorkflowId,
    store::Store,
};
use tokio_util::sync::CancellationToken;

/// Runs each case against the embedded engine, on `SQLite` and where there is one on
/// `PostgreSQL`, and where there is one against a real Conductor.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&crate::engine::harness::Server::embedded().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                use crate::database::{Database, Kind};
                if let Some(database) = Database::fresh(Kind::Postgres).await {
                    let server = crate::engine::harness::Server::on(database.store().await).await;
                    super::$case(&server).await;
                    database.remove().await;
                }
            })+
        }
        mod conductor {
            $(#[tokio::test]
            async fn $case() {
                if let Some(server) = crate::engine::harness::Server::conductor(stringify!($case)) {
                    super::$case(&server).await;
                }
            })+
        }
    };
}
pub(super) use conformance;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    /// A real Conductor 3.15.0 as `scripts/conductor` starts it.
    Conductor,
}

pub struct Server {
    pub kind: Kind,
    pub client: Client,
    pub faults: Arc<Faults>,
    base: String,
    http: reqwest::Client,
    /// How far the embedded engine's clock is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
    stop: CancellationToken,
    /// Where the store is, if it is the server's own.
    folder: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The messages of broken rules, in one text.
    pub fn broken_rules(&self) -> String {
        let body = self.json();
        let errors = body["validationErrors"].as_array().cloned();
        errors
            .unwrap_or_default()
            .iter()
            .filter_map(|error| error["message"].as_str())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the composition root of these tests"
)]
fn clock(ahead: Arc<AtomicI64>) -> Clock {
    Arc::new(move || Utc::now() + TimeDelta::milliseconds(ahead.load(Ordering::Relaxed)))
}

/// A store in a file: one in memory is gone with its only connection, and a request that is dropped
/// midway takes that along.
pub async fn own_store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("switchyard.db");
    let store = Store::open(&format!("sqlite:{}", file.display())).await;
    (store.unwrap(), folder)
}

impl Server {
    pub async fn embedded() -> Self {
        let (store, folder) = own_store().await;
        let mut server = Self::on(store).await;
        server.folder = Some(folder);
        server
    }

    pub async fn on(store: Store) -> Self {
        Self::with(store, Options::default()).await
    }

    pub async fn with(store: Store, options: Options) -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let faults = Arc::clone(&options.faults);
        let engine = Engine::open_with(store, clock(Arc::clone(&ahead)), options)
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let router = engine.router();
        tokio::spawn(engine.run(stop.clone()));
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
        });
        Self::at(Kind::Embedded, base, ahead, faults, stop)
    }

    /// The server that `SWITCHYARD_TEST_CONDUCTOR` names. Says on stderr if there is none.
    pub fn conductor(case: &str) -> Option<Self> {
        let Ok(base) = std::env::var("SWITCHYARD_TEST_CONDUCTOR") else {
            // Not by `eprintln!`, which is captured for tests that pass.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED on a real Conductor: {case} (set SWITCHYARD_TEST_CONDUCTOR=http://host:port/api)"
            );
            return None;
        };
        let (ahead, faults) = (Arc::default(), Arc::default());
        let stop = CancellationToken::new();
        Some(Self::at(Kind::Conductor, base, ahead, faults, stop))
    }

    fn at(
        kind: Kind,
        base: String,
        ahead: Arc<AtomicI64>,
        faults: Arc<Faults>,
        stop: CancellationToken,
    ) -> Self {
        let mut config = ClientConfig::new(base.parse().unwrap());
        config.retry.attempts = 1;
        config.request_timeout = Duration::from_secs(30);
        Self {
            kind,
            client: Client::new(config).unwrap(),
            faults,
            base,
            http: reqwest::Client::new(),
            ahead,
            stop,
            folder: None,
        }
    }

    /// Lets time pass: at once where the clock is ours.
    pub async fn pass(&self, seconds: i64) {
        match self.kind {
            Kind::Embedded => {
                self.ahead.fetch_add(seconds * 1000, Ordering::Relaxed);
            }
            // Nothing but time makes a server's time pass.
            Kind::Conductor => {
                tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
            }
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        clock(Arc::clone(&self.ahead))()
    }

    /// Asks again and again until there is an answer.
    pub async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> F,
    ) -> T {
        let patience = Duration::from_secs(match self.kind {
            Kind::Embedded => 10,
            Kind::Conductor => 60,
        });
        tokio::time::timeout(patience, async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{:?}: waited in vain until {what}", self.kind))
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.call_text(method, path, body.map(|body| body.to_string()))
            .await
    }

    pub async fn call_text(&self, method: &str, path: &str, body: Option<String>) -> Reply {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.base))
            .header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        Reply {
            status: response.status().as_u16(),
            content_type: response
                .headers()
                .get("content-type")
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            text: response.text().await.unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    /// Registers a task kind under a name of its own, patient and without retries unless `changes`
    /// say else.
    pub async fn kind(&self, changes: Value) -> String {
        let name = unique("kind");
        self.redefine(&name, changes).await;
        name
    }

    pub async fn redefine(&self, name: &str, changes: Value) {
        let mut definition = json!({
            "name": name, "ownerEmail": "a@b.co", "retryCount": 0, "retryDelaySeconds": 1,
            "timeoutSeconds": 0, "timeoutPolicy": "RETRY", "responseTimeoutSeconds": 600
        });
        merge(&mut definition, changes);
        let reply = self
            .call("POST", "/metadata/taskdefs", Some(json!([definition])))
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Registers a workflow under a name of its own.
    pub async fn workflow(&self, changes: Value) -> String {
        let name = unique("workflow");
        let reply = self.define(&name, changes).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        name
    }

    pub async fn define(&self, name: &str, changes: Value) -> Reply {
        let mut definition = json!({
            "name": name, "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.co"
        });
        merge(&mut definition, changes);
        self.call("PUT", "/metadata/workflow", Some(json!([definition])))
            .await
    }

    pub async fn start(&self, name: &str, input: Value) -> WorkflowId {
        let Value::Object(input) = input else {
            panic!("an input is an object")
        };
        let request = StartWorkflowRequest {
            name: name.to_owned(),
            input,
            ..StartWorkflowRequest::default()
        };
        self.client.start(&request).await.unwrap()
    }

    pub async fn run(&self, id: &WorkflowId) -> Workflow {
        self.client.workflow(id, true).await.unwrap()
    }

    /// Waits for a task of this kind.
    pub async fn take(&self, kind: &str) -> Task {
        self.until(&format!("a `{kind}` is handed out"), || async {
            self.client.poll(kind, "w", None).await.unwrap()
        })
        .await
    }

    /// Asserts that nothing of this kind is handed out now.
    pub async fn nothing(&self, kind: &str) {
        let task = self.client.poll(kind, "w", None).await.unwrap();
        assert!(task.is_none(), "{:?}", task.map(|t| t.reference_task_name));
    }

    /// Waits for an attempt to be in a status.
    pub async fn until_task(
        &self,
        id: &WorkflowId,
        reference: &str,
        retry_count: i32,
        status: TaskStatus,
    ) -> Task {
        let what = format!(
            "`{reference}` is {} in attempt {retry_count}",
            status.as_str()
        );
        self.until(&what, || async {
            let run = self.run(id).await;
            attempt(&run, reference, retry_count)
                .filter(|task| task.status == status)
                .cloned()
        })
        .await
    }

    /// Waits for the run to have a status.
    pub async fn until_run(&self, id: &WorkflowId, status: &str) -> Workflow {
        self.until(&format!("the run is {status}"), || async {
            let run = self.run(id).await;
            (run.status.as_str() == status).then_some(run)
        })
        .await
    }

    pub async fn report(&self, result: &TaskResult) {
        self.client.update_task(result).await.unwrap();
    }

    pub async fn complete(&self, task: &Task, output: Value) {
        self.report(&result(task, TaskResultStatus::Completed, output))
            .await;
    }

    pub async fn fail(&self, task: &Task, reason: &str) {
        let mut failed = result(task, TaskResultStatus::Failed, json!({"why": reason}));
        failed.reason_for_incompletion = Some(reason.to_owned());
        self.report(&failed).await;
    }

    /// Takes and completes.
    pub async fn work(&self, kind: &str, output: Value) -> Task {
        let task = self.take(kind).await;
        self.complete(&task, output).await;
        task
    }

    pub async fn control(&self, method: &str, id: &WorkflowId, verb: &str) -> u16 {
        let path = format!("/workflow/{id}{verb}");
        self.call(method, &path, None).await.status
    }
}

pub fn result(task: &Task, status: TaskResultStatus, output: Value) -> TaskResult {
    let mut result = TaskResult::new(task, status);
    if let Value::Object(output) = output {
        result.output_data = output;
    }
    result
}

pub fn attempt<'r>(run: &'r Workflow, reference: &str, retry_count: i32) -> Option<&'r Task> {
    run.tasks
        .iter()
        .find(|task| task.reference_task_name == reference && task.retry_count == retry_count)
}

/// The last attempt's status.
pub fn status(run: &Workflow, reference: &str) -> TaskStatus {
    run.last_attempt(reference)
        .unwrap_or_else(|| panic!("the run has no `{reference}`"))
        .status
}

pub fn unique(what: &str) -> String {
    format!("{what}_{}", uuid::Uuid::new_v4().simple())
}

/// A step of type `SIMPLE`.
pub fn simple(kind: &str, reference: &str) -> Value {
    json!({"name": kind, "taskReferenceName": reference, "type": "SIMPLE"})
}

/// A step with more to it.
pub fn with(mut step: Value, changes: Value) -> Value {
    merge(&mut step, changes);
    step
}

fn merge(into: &mut Value, changes: Value) {
    let (Value::Object(into), Value::Object(changes)) = (into, changes) else {
        panic!("only objects are merged")
    };
    into.extend::<Map<_, _>>(changes);
}
