//! What an engine costs, with tasks that take no time.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use switchyard::{
    conductor::{
        Client,
        wire::{StartWorkflowRequest, TaskResult, TaskResultStatus},
    },
    model::WorkflowId,
};
use tokio::task::JoinSet;

/// The task kind, which nobody else polls.
const KIND: &str = "bench_step";
const WORKFLOW: &str = "bench_chain";
/// Runs that are open at once.
const OPEN: usize = 20;
/// Workers that take their tasks.
const WORKERS: usize = 4;
const WAIT: Duration = Duration::from_secs(1);

/// What was seen.
#[derive(Clone, Copy, Serialize)]
pub struct EngineCost {
    /// From the moment a result is sent until the next task of the run is there.
    pub step_p50_ms: f64,
    /// The same; one in twenty takes longer.
    pub step_p95_ms: f64,
    /// With many runs open and several workers.
    pub tasks_per_s: f64,
}

/// One run alone, then many.
pub async fn measure(client: &Client, steps: u32) -> EngineCost {
    define(client, steps).await;
    // Once unmeasured: connections, and what a server does at first.
    chain(client, steps).await;
    let mut took = chain(client, steps).await;
    took.sort();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    let tasks_per_s = many(client, steps).await;
    EngineCost {
        step_p50_ms: at(50).as_secs_f64() * 1000.0,
        step_p95_ms: at(95).as_secs_f64() * 1000.0,
        tasks_per_s,
    }
}

async fn define(client: &Client, steps: u32) {
    let kind = json!({
        "name": KIND, "ownerEmail": "bench@example.test", "retryCount": 0,
        "timeoutSeconds": 0, "responseTimeoutSeconds": 600,
    });
    let kinds = [serde_json::from_value(kind).expect("a task")];
    client.put_task_defs(&kinds).await.expect("it is taken");
    let tasks: Vec<Value> = (0..steps)
        .map(|step| json!({ "name": KIND, "taskReferenceName": format!("step_{step}"), "type": "SIMPLE" }))
        .collect();
    let workflow = json!({
        "name": WORKFLOW, "version": 1, "schemaVersion": 2, "ownerEmail": "bench@example.test",
        "timeoutSeconds": 0, "tasks": tasks,
    });
    let workflows = [serde_json::from_value(workflow).expect("a workflow")];
    client
        .put_workflow_defs(&workflows)
        .await
        .expect("it is taken");
}

async fn start(client: &Client) -> WorkflowId {
    let request: StartWorkflowRequest =
        serde_json::from_value(json!({ "name": WORKFLOW, "version": 1, "input": {} }))
            .expect("a request");
    client.start(&request).await.expect("it starts")
}

/// One run, one worker: what lies between two tasks.
async fn chain(client: &Client, steps: u32) -> Vec<Duration> {
    start(client).await;
    let mut took = Vec::new();
    let mut since: Option<Instant> = None;
    for _ in 0..steps {
        let task = loop {
            let mut tasks = client
                .poll_batch(KIND, "bench", None, 1, WAIT)
                .await
                .expect("an answer");
            if let Some(task) = tasks.pop() {
                break task;
            }
        };
        took.extend(since.map(|since| since.elapsed()));
        since = Some(Instant::now());
        let result = TaskResult::new(&task, TaskResultStatus::Completed);
        client.update_task(&result).await.expect("it is taken");
    }
    took
}

/// Many runs, several workers: tasks a second.
async fn many(client: &Client, steps: u32) -> f64 {
    let all = OPEN * steps as usize;
    let began = Instant::now();
    for _ in 0..OPEN {
        start(client).await;
    }
    let done = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (client, done) = (client.clone(), done.clone());
        workers.spawn(async move {
            let name = format!("bench-{worker}");
            while done.load(std::sync::atomic::Ordering::Relaxed) < all {
                let tasks = client.poll_batch(KIND, &name, None, 4, Duration::from_millis(200));
                for task in tasks.await.expect("an answer") {
                    let result = TaskResult::new(&task, TaskResultStatus::Completed);
                    client.update_task(&result).await.expect("it is taken");
                    done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
    }
    workers.join_all().await;
    all as f64 / began.elapsed().as_secs_f64()
}
