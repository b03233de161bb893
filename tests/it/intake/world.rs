//! An intake whose clock a test moves, on a store of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use switchyard::{
    conductor::{Client, ClientConfig, RetryPolicy},
    controller::intake::{Answer, Budget, Celery, Intake, Request, Standing, Tapping},
    legacy::celery::{Envelope, Limits, NewTask, Queue, Results, Tap, TapSettings},
    model::{EnvironmentName, FlagName, TranscriptId},
    rollout::Position,
    store::{RouteRow, Store, Way, Wish},
};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::{
    phases,
    redis::Redis,
    reflector::world::{UI, World as Reflector},
    standup::loopback,
};

/// An engine that takes every workflow and does nothing.
#[derive(Clone, Default)]
pub struct Engine {
    started: Arc<Mutex<Vec<Value>>>,
}

impl Engine {
    /// The inputs of what was started.
    pub fn started(&self) -> Vec<Value> {
        self.started.lock().unwrap().clone()
    }

    async fn serve(self) -> String {
        let routes = Router::new()
            .route("/api/workflow", post(start))
            .with_state(self);
        let listener = loopback().await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}/api")
    }
}

async fn start(State(engine): State<Engine>, Json(request): Json<Value>) -> String {
    let mut started = engine.started.lock().unwrap();
    started.push(request["input"].clone());
    format!("workflow-{}", started.len())
}

/// However busy the machine is.
pub const PATIENT: Budget = Budget {
    answer: Duration::from_mins(1),
    rows: Duration::from_secs(30),
};

pub struct World {
    pub intake: Intake,
    pub engine: Engine,
    clock: Arc<Mutex<DateTime<Utc>>>,
    _folder: TempDir,
}

impl World {
    /// Without Celery and Reflector.
    pub async fn alone() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switchyard.db");
        let url = format!("sqlite:{}", path.display());
        let engine = Engine::default();
        let clock = Arc::new(Mutex::new(noon()));
        let time = Arc::clone(&clock);
        Self {
            intake: Intake {
                environment: EnvironmentName::new("staging"),
                flag: FlagName::new("daily_diarization_pipeline"),
                store: Store::open(&url).await.unwrap(),
                client: client(&engine.clone().serve().await),
                reflector: None,
                ui_base_url: UI.to_owned(),
                celery: None,
                watcher: None,
                mixes: Arc::new(|_| Box::pin(async { Ok(None) })),
                budget: PATIENT,
                clock: Arc::new(move || *time.lock().unwrap()),
                news: Arc::new(Notify::new()),
                standing: Standing::default(),
            },
            engine,
            clock,
            _folder: folder,
        }
    }

    pub async fn with_celery(redis: &Redis) -> Self {
        let mut world = Self::alone().await;
        let results = Results::new(&redis.location(), &redis.prefix, Limits::default());
        world.intake.celery = Some(Celery {
            broker: redis.broker(),
            results: results.unwrap(),
            from: queue("switchyard"),
        });
        world
    }

    pub fn reading(mut self, reflector: &Reflector) -> Self {
        self.intake.reflector = Some(reflector.reflector.clone());
        self
    }

    pub async fn in_phase(self, position: Position) -> Self {
        self.flip(position).await;
        self
    }

    pub async fn flip(&self, position: Position) {
        let intake = &self.intake;
        let environment = intake.environment.as_str();
        phases::put(&intake.store, environment, position, (intake.clock)()).await;
    }

    pub fn pass(&self, seconds: i64) {
        *self.clock.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    /// A tap from `switchyard` to `celery`.
    pub fn tapping(&self) -> Tapping {
        let broker = &self.intake.celery.as_ref().unwrap().broker;
        let settings = TapSettings::new(queue("switchyard"), queue("celery"));
        let tap = Tap::new(broker.clone(), settings).unwrap();
        Tapping::new(tap, self.intake.clone())
    }

    pub async fn route(&self, transcript: &str) -> RouteRow {
        self.routes(transcript).await.remove(0)
    }

    /// Newest first.
    pub async fn routes(&self, transcript: &str) -> Vec<RouteRow> {
        let intake = &self.intake;
        let all = intake.store.recent_routes(&intake.environment, 1000);
        let mut found = all.await.unwrap();
        found.retain(|route| route.transcript_id.as_str() == transcript);
        found.sort_by_key(|route| -route.generation);
        found
    }

    pub async fn ask(&self, task: &str, transcript: &str, wish: Wish) -> Answer {
        let request = request(task, transcript, wish);
        let answer = self.intake.decide(&request, Way::Http).await;
        answer.expect("Celery is there")
    }
}

pub fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

pub fn client(base: &str) -> Client {
    let mut config = ClientConfig::new(base.parse().unwrap());
    config.retry = RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    };
    Client::new(config).unwrap()
}

pub fn queue(name: &str) -> Queue {
    Queue::new(name).unwrap()
}

pub fn request(task: &str, transcript: &str, wish: Wish) -> Request {
    Request {
        task_id: task.to_owned(),
        transcript: TranscriptId::new(transcript),
        bucket_name: "daily-recordings".to_owned(),
        track_keys: vec!["a".to_owned(), "b".to_owned()],
        wish,
    }
}

/// Our task as the trigger publishes it on the routed queue: from within another.
pub fn message(transcript: &str) -> Envelope {
    task(transcript, Some("the-trigger"))
}

/// As the reprocess endpoint publishes it.
pub fn reprocess(transcript: &str) -> Envelope {
    task(transcript, None)
}

fn task(transcript: &str, parent: Option<&str>) -> Envelope {
    let keys = ["a".to_owned(), "b".to_owned()];
    let id = TranscriptId::new(transcript);
    let task = NewTask {
        parent_id: parent.map(str::to_owned),
        ..NewTask::pipeline(&id, "daily-recordings", &keys, "tests@here")
    };
    task.for_queue(&queue("switchyard")).unwrap()
}

/// Ends a Celery task as its worker does.
pub async fn end_task(redis: &Redis, task_id: &str, status: &str, children: &[&str]) {
    let children: Vec<_> = children
        .iter()
        .map(|child| json!([[child, null], null]))
        .collect();
    let result = match status {
        "FAILURE" => json!({ "exc_type": "HTTPError", "exc_message": ["hush"], "exc_module": "x" }),
        _ => Value::Null,
    };
    let stored = json!({ "status": status, "result": result, "traceback": null,
        "children": children, "date_done": "2026-03-02T12:10:00+00:00", "task_id": task_id });
    let key = format!("celery-task-meta-{task_id}");
    let _: () = redis
        .ask("SET", &key, &[stored.to_string().as_bytes()])
        .await;
}

/// Tells one row of a table apart from all others.
pub fn by_state(routes: &[RouteRow]) -> HashMap<&'static str, usize> {
    let mut counts = HashMap::new();
    for route in routes {
        *counts.entry(route.state.as_str()).or_default() += 1;
    }
    counts
}
