//! The real router on a port of its own, with a store one can put rows into.

use std::{
    collections::HashMap,
    fmt::Write,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use switchyard::{
    app::Bundle,
    compare::Policy,
    conductor::{Client, ClientConfig, RetryPolicy},
    config::Config,
    controller::{
        Mending, Metrics, Mover, Notices, Recent, Retention, Reviews, Shadow, Sound,
        access::{Access, SignIn},
        intake::{Budget, Intake, Standing},
    },
    cost::PriceTable,
    http::{self, Patience},
    legacy::recorded,
    model::{
        Bounds, Caps, EnvironmentName, FlagName, HealthLimits, Origin, RetentionDays, RunId,
        RunState, WorkflowId,
    },
    rollout::Surroundings,
    store::{About, Attempt, Control, Effects, NewRun, Store},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::standup::{folder, loopback};
use crate::{intake::world::PATIENT, phases};

/// Nobody is told beside the log.
fn notices(shadow: &Shadow) -> Notices {
    Notices {
        about: phases::about("staging"),
        store: shadow.store.clone(),
        targets: Vec::new(),
        console: "http://127.0.0.1:8480".to_owned(),
        holder: "notices".to_owned(),
        clock: Arc::clone(&shadow.clock),
        left_alone: Arc::default(),
    }
}

fn reviews(shadow: &Shadow) -> Reviews {
    Reviews {
        about: About {
            epoch: shadow.epoch(),
            ..phases::about("staging")
        },
        store: shadow.store.clone(),
        salt: "salt".to_owned(),
        clock: Arc::clone(&shadow.clock),
        recent: Recent::default(),
    }
}

fn retention(shadow: &Shadow) -> Retention {
    Retention {
        about: phases::about("staging"),
        store: shadow.store.clone(),
        days: RetentionDays::default(),
        holder: "retention".to_owned(),
        clock: Arc::clone(&shadow.clock),
    }
}

/// A server with its pages and API.
pub struct Server {
    pub root: String,
    pub shadow: Shadow,
    pub access: Access,
    pub shutdown: CancellationToken,
    /// Seconds after noon.
    clock: Arc<AtomicI64>,
    serving: JoinHandle<std::io::Result<()>>,
    /// Where the rows are.
    pub database: String,
    _folder: tempfile::TempDir,
}

/// Shorter than in earnest, so that whoever is slow is found soon.
const PATIENCE: Patience = Patience {
    heartbeat: Duration::from_secs(20),
    sending: Duration::from_secs(2),
};

/// When everything in these tests begins.
pub fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

pub fn after(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

impl Server {
    /// With an engine that refuses connections.
    pub async fn without_engine() -> Self {
        let gone = loopback().await.local_addr().expect("an address");
        Self::with_engine(&format!("http://{gone}/api")).await
    }

    /// Where people and programs have to say who they are.
    pub async fn signing_in(sign_in: SignIn, bounds: Bounds) -> Self {
        let gone = loopback().await.local_addr().expect("an address");
        let engine = format!("http://{gone}/api");
        Self::set_up(&engine, PATIENT, bounds, Some(sign_in), None, |sound| sound).await
    }

    /// Lets time pass.
    pub fn wait(&self, time: TimeDelta) {
        self.clock.fetch_add(time.num_seconds(), Ordering::SeqCst);
    }

    /// With other bounds, and an engine that refuses connections.
    pub async fn within(bounds: Bounds) -> Self {
        let gone = loopback().await.local_addr().expect("an address");
        Self::new(&format!("http://{gone}/api"), PATIENT, bounds, None).await
    }

    /// With a token that `/metrics` asks for, and an engine that refuses connections.
    pub async fn with_metrics_token(token: &str) -> Self {
        let gone = loopback().await.local_addr().expect("an address");
        let engine = format!("http://{gone}/api");
        Self::new(&engine, PATIENT, Bounds::default(), Some(token)).await
    }

    /// One that takes no longer than that to say who serves.
    pub async fn answering_within(time: Duration) -> Self {
        let gone = loopback().await.local_addr().expect("an address");
        let budget = Budget::of(time);
        Self::new(
            &format!("http://{gone}/api"),
            budget,
            Bounds::default(),
            None,
        )
        .await
    }

    /// With the engine at that base URL.
    pub async fn with_engine(base_url: &str) -> Self {
        Self::new(base_url, PATIENT, Bounds::default(), None).await
    }

    /// With an engine that refuses connections, and sound of runs.
    pub async fn hearing(hear: impl FnOnce(Sound) -> Sound) -> Self {
        let gone = loopback().await.local_addr().expect("an address");
        let base_url = format!("http://{gone}/api");
        Self::set_up(&base_url, PATIENT, Bounds::default(), None, None, hear).await
    }

    async fn new(base_url: &str, budget: Budget, bounds: Bounds, token: Option<&str>) -> Self {
        Self::set_up(base_url, budget, bounds, None, token, |sound| sound).await
    }

    async fn set_up(
        base_url: &str,
        budget: Budget,
        bounds: Bounds,
        sign_in: Option<SignIn>,
        token: Option<&str>,
        hear: impl FnOnce(Sound) -> Sound,
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(90));
        let seconds = Arc::clone(&clock);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("switchyard.db");
        let database = format!("sqlite:{}", path.display());
        let mut engine = ClientConfig::new(base_url.parse().expect("a URL"));
        engine.retry = RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        };
        let shadow = Shadow {
            environment: EnvironmentName::new("staging"),
            store: Store::open(&database).await.expect("a store"),
            client: Client::new(engine).expect("a client"),
            policy: Arc::new(Policy::shipped()),
            prices: Arc::new(PriceTable::default()),
            meaning: None,
            telling: None,
            versions: "versions".into(),
            clock: Arc::new(move || after(seconds.load(Ordering::SeqCst))),
        };
        let config = settings(folder.path());
        let shutdown = CancellationToken::new();
        let intake = intake(&shadow, budget);
        let about = phases::about("staging");
        let access = Access::new(
            about,
            shadow.store.clone(),
            Arc::clone(&shadow.clock),
            sign_in,
        );
        let mover = Mover {
            about: phases::about("staging"),
            store: shadow.store.clone(),
            bounds,
            around: Arc::new(|| {
                Box::pin(async {
                    Surroundings {
                        may_serve: Ok(()),
                        celery_waiting: Some(0),
                    }
                })
            }),
            prices: Arc::default(),
            clock: Arc::clone(&shadow.clock),
            looked: Recent::default(),
        };
        let metrics = Metrics::new(mover.clone(), Caps::default());
        let router = http::router(http::State {
            access: access.clone(),
            shadow: shadow.clone(),
            mending: mending(&shadow),
            intake,
            mover,
            metering: http::Metering::new(Some(metrics), token),
            reviews: reviews(&shadow),
            sound: hear(silent(&shadow)),
            health: HealthLimits::default(),
            replays: None,
            settings: Arc::new(config.shown()),
            examine: examining(config),
            notices: notices(&shadow),
            retention: retention(&shadow),
            patience: PATIENCE,
            shutdown: shutdown.clone(),
        });
        let listener = loopback().await;
        let root = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service)
                .with_graceful_shutdown(async move { stop.cancelled().await })
                .await
        });
        Self {
            root,
            shadow,
            access,
            clock,
            shutdown,
            serving,
            database,
            _folder: folder,
        }
    }

    /// A run of the bundled meeting that the engine has. Each has a generation of its own.
    pub async fn running(&self, id: &str, generation: i64) -> RunId {
        self.run_in("staging", id, generation).await
    }

    pub async fn run_in(&self, environment: &str, id: &str, generation: i64) -> RunId {
        self.run_with(environment, id, generation, Effects::Shadow)
            .await
    }

    /// A run that owns its recording.
    pub async fn live(&self, id: &str, generation: i64) -> RunId {
        self.run_with("staging", id, generation, Effects::Live)
            .await
    }

    async fn run_with(
        &self,
        environment: &str,
        id: &str,
        generation: i64,
        effects: Effects,
    ) -> RunId {
        let recorded = recorded::load(&folder().join("expected/base"), None).expect("a recording");
        let control = Control {
            id: format!("ctl_of_{id}"),
            recording_id: recorded.subject.recording.id.clone(),
            source: "tests".to_owned(),
            outcome: recorded.outcome,
            taken_at: noon(),
        };
        let store = &self.shadow.store;
        store.insert_control(&control).await.expect("a control");
        let run = NewRun {
            id: RunId::new(id),
            environment: EnvironmentName::new(environment),
            flag: FlagName::new("daily_diarization_pipeline"),
            generation,
            phase: "shadow".to_owned(),
            subject: recorded.subject,
            cache_scope: String::new(),
            control_id: Some(control.id),
            effects,
            origin: Origin::Arrival,
        };
        let started_at = after(generation);
        assert!(store.insert_run(&run, started_at).await.expect("a run"));
        let workflow = WorkflowId::new(format!("workflow-of-{id}"));
        let marked = store.mark_running(&run.id, &workflow).await;
        marked.expect("it is running");
        run.id
    }

    /// One attempt of a run; `end` is how and after how many seconds it ended, and why.
    pub async fn attempt(
        &self,
        run: &RunId,
        (task, task_ref, attempt): (&str, &str, i64),
        start: i64,
        end: Option<(&str, i64, Option<&str>)>,
    ) {
        let line = Attempt {
            task_id: format!("{run}-{task_ref}-{start}"),
            task_ref: task_ref.to_owned(),
            task_name: task.to_owned(),
            attempt,
            worker: "worker-1".to_owned(),
            started_at: after(start),
            finished_at: None,
            status: "running".to_owned(),
            cause: None,
        };
        let store = &self.shadow.store;
        store.begin_attempt(run, &line).await.expect("it begins");
        if let Some((status, seconds, cause)) = end {
            let ended = after(start + seconds);
            let noted = store.end_attempt(&line.task_id, status, cause, ended).await;
            noted.expect("it ends");
        }
    }

    pub async fn fail(&self, run: &RunId, failure: &str) {
        let store = &self.shadow.store;
        let ended = store.finish_run(run, RunState::Failed, Some(failure), after(60));
        assert!(ended.await.expect("it ends"));
    }

    /// Compares a run that has ended, as the controller does.
    pub async fn compare(&self, run: &RunId) {
        let run = self.shadow.store.run(run).await.expect("a run");
        let compared = self.shadow.compare(&run.expect("it is there")).await;
        compared.expect("it is compared");
    }

    /// Waits until the last connection is served.
    pub async fn stopped(self) {
        let served = self.serving.await.expect("serving does not panic");
        served.expect("it was served");
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(path, None).await
    }

    /// As somebody who thinks we are called `host`.
    pub async fn get_as(&self, path: &str, host: Option<&str>) -> Answer {
        let mut request = crate::standup::http().get(format!("{}{path}", self.root));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        Answer::of(request.send().await.expect("it answers")).await
    }

    /// Sends a form as it is, and goes nowhere by itself.
    pub async fn send(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = super::access::client().post(format!("{}{path}", self.root));
        Answer::of(request.form(form).send().await.expect("it answers")).await
    }

    /// The events of a stream.
    pub async fn listen(&self, path: &str) -> Listener {
        let request = crate::standup::http().get(format!("{}{path}", self.root));
        let response = request.send().await.expect("it answers");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listener {
            response,
            heard: String::new(),
        }
    }
}

/// Answers who serves, without Reflector and Celery.
fn intake(shadow: &Shadow, budget: Budget) -> Intake {
    Intake {
        environment: shadow.environment.clone(),
        flag: FlagName::new("daily_diarization_pipeline"),
        store: shadow.store.clone(),
        client: shadow.client.clone(),
        reflector: None,
        ui_base_url: "https://reflector.example.test".to_owned(),
        celery: None,
        watcher: None,
        mixes: Arc::new(|_| Box::pin(async { Ok(None) })),
        budget,
        clock: Arc::clone(&shadow.clock),
        news: Arc::default(),
        standing: Standing::default(),
    }
}

/// What no page may show.
pub const SECRET: &str = "leak-5e11-settings";

/// Settings of two environments, whose services are nowhere.
fn settings(folder: &Path) -> Config {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).expect("it is written");
    let key = format!("{{ file = \"{}\" }}", secret.display());
    let mut text = format!(
        "database.url = \"sqlite:{}\"\n",
        folder.join("switchyard.db").display()
    );
    for name in ["staging", "production"] {
        write!(
            text,
            r#"
            [environments.{name}]
            conductor.url = "http://127.0.0.1:9/{name}/api"
            reflector.ui_base_url = "https://{name}.example.test"
            [environments.{name}.objects]
            endpoint = "http://127.0.0.1:9"
            access_key = {key}
            secret_key = {key}
            bucket = "reflector-transcripts"
            [environments.{name}.daily]
            url = "http://127.0.0.1:9"
            api_key = {key}
            [environments.{name}.transcription]
            url = "http://127.0.0.1:9"
            api_key = {key}
            [environments.{name}.llm]
            url = "http://127.0.0.1:9"
            api_key = {key}
            model = "golden-model"
            "#
        )
        .expect("it is written");
    }
    let path = folder.join("switchyard.toml");
    std::fs::write(&path, text).expect("it is written");
    Config::read(&path).expect("it is valid")
}

/// Tries what they name.
fn examining(config: Config) -> http::Examine {
    Arc::new(move || {
        let config = config.clone();
        Box::pin(async move {
            let bundle = Bundle::gather(config, Some("staging")).await;
            Ok(serde_json::to_value(bundle)?)
        })
    })
}

/// Without a Celery that anything could be given back to.
fn mending(shadow: &Shadow) -> Mending {
    Mending {
        shadow: shadow.clone(),
        giving_back: Err("these tests have no Celery".to_owned()),
    }
}

/// Nobody kept any sound, and nobody can be asked for consent.
fn silent(shadow: &Shadow) -> Sound {
    Sound {
        environment: shadow.environment.clone(),
        store: shadow.store.clone(),
        consent: None,
        look: Arc::new(|_| Box::pin(async { Ok(None) })),
        read: Arc::new(|_, _| Box::pin(async { anyhow::bail!("there is nothing to read") })),
        patience: Duration::from_secs(10),
    }
}

pub struct Answer {
    pub status: u16,
    headers: HashMap<String, String>,
    pub body: String,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        Self {
            status: response.status().as_u16(),
            headers,
            body: response.text().await.expect("a body"),
        }
    }

    /// What a form of the page sends back.
    pub fn csrf(&self) -> String {
        let (_, rest) = self
            .body
            .split_once("name=\"csrf\" value=\"")
            .expect("a form");
        rest.split('"').next().expect("a value").to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Asserts that a page says so.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        // Pages write slashes in values as references, which browsers read back.
        let body = self.body.replace("&#x2f;", "/");
        let words: Vec<_> = body.split_whitespace().collect();
        assert!(words.join(" ").contains(text), "{text:?} in {}", self.body);
        self
    }
}

pub struct Listener {
    response: reqwest::Response,
    heard: String,
}

impl Listener {
    /// The next event's name and data; none when the stream is over.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.heard.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim().to_owned())
                };
                let told = field("event:").zip(field("data:"));
                let rest = rest.to_owned();
                self.heard = rest;
                if let Some((name, data)) = told {
                    return Some((name, serde_json::from_str(&data).expect("JSON")));
                }
                continue;
            }
            let chunk = self.response.chunk().await.expect("the stream is whole")?;
            self.heard
                .push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

/// A workflow as an engine tells it: these tasks, by kind and reference name, in these states.
pub fn workflow(id: &str, tasks: &[(&str, &str, &str)]) -> Value {
    let tasks: Vec<_> = tasks
        .iter()
        .map(|(kind, reference, status)| {
            json!({ "taskId": reference, "taskDefName": kind, "taskType": kind,
                "referenceTaskName": reference, "status": status, "workflowInstanceId": id })
        })
        .collect();
    json!({ "workflowId": id, "workflowName": "daily_diarization_pipeline", "workflowVersion": 1,
        "status": "RUNNING", "tasks": tasks })
}
