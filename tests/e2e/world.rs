//! A world of its own for each test: database, object store, engine, stand-ins, workers and
//! controller, all over real HTTP on loopback. Only waiting is shorter than in production.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use switchyard::{
    audio::{decode::facts_of_mp3, source::Source},
    compare::Policy,
    conductor::{Client, ClientConfig, definitions::contract, install_crypto},
    controller::{self, Again, Dispatched, Shadow, Wanted},
    cost::PriceTable,
    engine::Engine,
    legacy::recorded::{self, Recorded},
    model::{
        EnvironmentName, FlagName, Object, Origin, RunId, RunState, Subject, TaskName, Timing,
    },
    objects::{self, Addressing, Objects},
    providers::{Daily, Llm, Retry, Transcription},
    report::ReportData,
    sandbox::{Answers, Sandbox, Service},
    store::{Attempt, Control, Effects, Run, Store},
    workers::{Clock, Pinning, Processors, Prompts, Runner, RunnerSettings, Services, Tuning},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, time::MissedTickBehavior};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{door::Door, reflector::Side};

/// Requests to a provider within one attempt of a task.
pub const REQUESTS: u32 = 2;

/// How long one request may take.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// How long a test waits for anything.
const DEADLINE: Duration = Duration::from_mins(5);

/// What is different from the usual world.
pub struct Setup {
    /// Folder of the recorded control, below `tests/fixtures/standup/expected`.
    pub case: &'static str,
    /// Folder of the stand-ins' answers, below `tests/fixtures/standup`.
    pub answers: &'static str,
    /// A real Conductor instead of the embedded engine.
    pub conductor: Option<Url>,
    /// The database; a SQLite file of the world's own unless given.
    pub database: Option<String>,
    /// Files to use as the recording's tracks, instead of its own.
    pub tracks: Option<Vec<Track>>,
    /// How long one request to a provider may take.
    pub patience: Duration,
    /// The PostgreSQL schema of our tables.
    pub schema: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            case: "base",
            answers: "providers",
            conductor: None,
            database: None,
            tracks: None,
            patience: PATIENCE,
            schema: None,
        }
    }
}

/// A track of a recording.
#[derive(Clone)]
pub struct Track {
    /// Its key in the recording's bucket.
    pub key: String,
    /// Its content; none puts nothing there.
    pub content: Option<Vec<u8>>,
}

impl Track {
    /// A track of this content, named as Daily names them.
    pub fn of(index: usize, content: Vec<u8>) -> Self {
        Self {
            key: format!(
                "example/standup/1760954400000-5f1c2d3e-0a1b-4c2d-8e3f-{index:012}-cam-audio-1760954400438"
            ),
            content: Some(content),
        }
    }

    /// A track with the content of a file below `tests/fixtures/audio`.
    pub fn fixture(index: usize, name: &str) -> Self {
        let path = fixtures().join("audio").join(name);
        Self::of(index, std::fs::read(path).expect("the fixture is there"))
    }
}

/// Ten seconds of speech on each of three tracks: quick to mix.
pub fn short_tracks() -> Vec<Track> {
    [
        "mono_off0.webm",
        "stereo_off1234.webm",
        "espeak_off500.webm",
    ]
    .into_iter()
    .enumerate()
    .map(|(index, name)| Track::fixture(index, name))
    .collect()
}

/// The same under the keys of a recorded case, so that it is the same people's.
pub fn short_tracks_of(case: &str) -> Vec<Track> {
    let keys = recorded_case(case).subject.track_keys.into_iter();
    keys.zip(short_tracks())
        .map(|(key, track)| Track { key, ..track })
        .collect()
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Everything there is.
pub struct World {
    pub store: Store,
    pub objects: Objects,
    pub sandbox: Sandbox,
    pub shadow: Shadow,
    pub subject: Subject,
    control_id: String,
    services: Arc<Services>,
    store_door: Door,
    store_address: SocketAddr,
    stop: CancellationToken,
    roles: TaskTracker,
    _folder: TempDir,
}

#[allow(clippy::disallowed_methods, reason = "this is the tests' clock")]
pub fn clock() -> Clock {
    Arc::new(chrono::Utc::now)
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

fn url_of(listener: &TcpListener, path: &str) -> Url {
    let address = listener.local_addr().expect("it is bound");
    format!("http://{address}{path}")
        .parse()
        .expect("it is a URL")
}

fn shadow(store: &Store, client: Client, side: Option<&Side>) -> Shadow {
    Shadow {
        environment: EnvironmentName::new("test"),
        store: store.clone(),
        client,
        policy: Arc::new(Policy::shipped()),
        prices: Arc::new(PriceTable::default()),
        meaning: None,
        telling: side.map(Side::telling),
        versions: "versions".into(),
        clock: clock(),
    }
}

impl World {
    pub async fn start(setup: Setup) -> Self {
        Self::start_with(setup, None).await
    }

    /// With Reflector's side, so that runs may be live.
    pub async fn start_with(setup: Setup, side: Option<&Side>) -> Self {
        install_crypto();
        let folder = tempfile::tempdir().expect("a folder");
        let (stop, roles) = (CancellationToken::new(), TaskTracker::new());
        let file = folder.path().join("switchyard.db");
        let database = setup
            .database
            .unwrap_or_else(|| format!("sqlite:{}", file.display()));
        let store = Store::open_in(&database, setup.schema)
            .await
            .expect("a database");

        let (front, inner) = (listener().await, listener().await);
        let objects = objects_at(url_of(&front, ""));
        let store_address = inner.local_addr().expect("it is bound");
        let store_door = Door::at(front, stop.clone(), &roles);
        store_door.open(store_address);
        let (root, ends) = (folder.path().join("objects"), stop.clone());
        roles.spawn(async move {
            objects::local::serve(&root, inner, "key", "secret", ends)
                .await
                .expect("objects are served");
        });

        let answers = fixtures().join("standup").join(setup.answers);
        let answers = Answers::load(&answers).expect("the answers are there");
        let sandbox = Sandbox::start(answers, listener().await).expect("a sandbox");

        let engine = match setup.conductor {
            Some(url) => url,
            None => embedded(&store, &stop, &roles).await,
        };
        let client = Client::new(ClientConfig::new(engine)).expect("a client");
        controller::register(&client)
            .await
            .expect("definitions are taken");
        hasten(&client).await;

        let recorded = recorded_case(setup.case);
        let (mut subject, outcome) = (recorded.subject, recorded.outcome);
        objects
            .create_bucket_if_missing("reflector-transcripts")
            .await
            .expect("a bucket");
        let tracks = setup.tracks.unwrap_or_else(|| {
            let read = |source: recorded::Source| Track {
                content: Some(std::fs::read(source.path).expect("a track")),
                key: source.key,
            };
            recorded.sources.into_iter().map(read).collect()
        });
        put(&objects, &mut subject, tracks).await;
        let control = Control {
            id: format!("ctl_{}", RunId::random()),
            recording_id: subject.recording.id.clone(),
            source: setup.case.to_owned(),
            outcome,
            taken_at: clock()(),
        };
        store.insert_control(&control).await.expect("a control");

        let mut services = services(&store, &objects, &sandbox, setup.patience);
        services.gateway = side.map(|side| side.gateway(&store, &objects, &sandbox, clock()));
        if let Some(gateway) = services.gateway.clone() {
            let ends = stop.clone();
            roles.spawn(gateway.tell_failures(EnvironmentName::new("test"), ends));
        }
        let services = Arc::new(services);
        let runner = Runner::new(
            client.clone(),
            Arc::clone(&services),
            RunnerSettings {
                worker_id: "test".to_owned(),
                concurrency: 4,
                poll: Duration::from_millis(200),
                drain: Duration::from_secs(5),
                resend: Duration::from_millis(200),
            },
        );
        roles.spawn(runner.run(stop.clone()));
        Self {
            shadow: shadow(&store, client, side),
            store,
            objects,
            sandbox,
            subject,
            control_id: control.id,
            services,
            store_door,
            store_address,
            stop,
            roles,
            _folder: folder,
        }
    }

    /// Dispatches the recording in shadow.
    pub async fn dispatch(&self, again: Again) -> Dispatched {
        self.dispatch_as(Effects::Shadow, again).await
    }

    /// Dispatches the recording.
    pub async fn dispatch_as(&self, effects: Effects, again: Again) -> Dispatched {
        let wanted = Wanted {
            environment: EnvironmentName::new("test"),
            flag: FlagName::new("daily_diarization_pipeline"),
            subject: self.subject.clone(),
            control_id: Some(self.control_id.clone()),
            again,
            effects,
            origin: Origin::Arrival,
        };
        controller::dispatch(&self.store, &self.shadow.client, &wanted, clock()())
            .await
            .expect("it is dispatched")
    }

    /// Dispatches the recording and follows the run to its end.
    pub async fn run(&self, again: Again) -> Run {
        let dispatched = self.dispatch(again).await;
        self.ended(dispatched.run()).await
    }

    /// Follows a run to its end.
    pub async fn ended(&self, id: &RunId) -> Run {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let following = async {
            loop {
                looks.tick().await;
                let run = self.store.run(id).await.expect("a read").expect("the run");
                if run.state.is_final() {
                    return run;
                }
                let shadow = &self.shadow;
                // Servers notice timeouts late unless they are asked.
                if let Some(workflow) = &run.workflow_id {
                    drop(shadow.client.decide(workflow).await);
                }
                shadow.follow(&run).await.expect("it can be followed");
            }
        };
        if let Ok(run) = tokio::time::timeout(DEADLINE, following).await {
            return run;
        }
        panic!("the run hangs: {:?}", self.attempts(id).await)
    }

    /// Runs and expects it to end well.
    pub async fn completed(&self, again: Again) -> Run {
        let run = self.run(again).await;
        assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
        run
    }

    /// Runs and expects it to fail; what is said of it.
    pub async fn failed(&self, again: Again) -> (Run, String) {
        let run = self.run(again).await;
        assert_eq!(run.state, RunState::Failed);
        let failure = run.failure.clone().expect("a failed run says why");
        (run, failure)
    }

    /// Looks for the steps that differences come from, in every recording.
    pub fn pinning(&self) -> Pinning {
        Pinning::new(
            Arc::clone(&self.services),
            EnvironmentName::new("test"),
            FlagName::new("daily_diarization_pipeline"),
            Arc::clone(&self.shadow.policy),
            100,
        )
    }

    pub async fn compared(&self, run: &Run) -> ReportData {
        self.shadow.compare(run).await.expect("it is compared")
    }

    pub async fn attempts(&self, run: &RunId) -> Vec<Attempt> {
        self.store.attempts(run).await.expect("a read")
    }

    /// How many requests a stand-in got.
    pub fn requests_to(&self, service: Service) -> usize {
        self.sandbox.requests_to(service).len()
    }

    /// Cuts every connection to the object store, and all that are tried.
    pub fn cut_the_object_store_off(&self) {
        self.store_door.shut();
    }

    /// The object store can be reached again.
    pub fn let_the_object_store_back(&self) {
        self.store_door.open(self.store_address);
    }

    /// Every object in both buckets.
    pub async fn all_objects(&self) -> Vec<Object> {
        let mut all = Vec::new();
        for bucket in [&self.subject.recording.bucket_name, "reflector-transcripts"] {
            for listed in self.objects.list(bucket, "").await.expect("a list") {
                all.push(Object {
                    bucket: bucket.to_owned(),
                    key: listed.key,
                    content_type: String::new(),
                    size: listed.size,
                });
            }
        }
        all
    }

    /// Stops everything.
    pub async fn end(self) {
        self.sandbox.clear_faults();
        self.sandbox.release();
        self.stop.cancel();
        self.roles.close();
        self.roles.wait().await;
        self.sandbox.stop().await;
        self.store.close().await;
    }
}

/// A recorded case, with what its mix holds.
fn recorded_case(name: &str) -> Recorded {
    let case = fixtures().join("standup/expected").join(name);
    let base = Some("https://reflector.example.test");
    let mut recorded = recorded::load(&case, base).expect("a record");
    recorded.outcome.audio = recorded.mp3.as_ref().map(|path| {
        let mp3 = std::fs::File::open(path).expect("the recorded mix");
        facts_of_mp3(Source::new(mp3)).expect("it can be read")
    });
    recorded
}

async fn embedded(store: &Store, stop: &CancellationToken, roles: &TaskTracker) -> Url {
    let engine = Engine::open(store.clone(), clock())
        .await
        .expect("an engine");
    let door = listener().await;
    let url = url_of(&door, "/api");
    let (router, ends) = (engine.router(), stop.clone());
    roles.spawn(async move {
        axum::serve(door, router)
            .with_graceful_shutdown(async move { ends.cancelled().await })
            .await
            .expect("the engine is served");
    });
    roles.spawn(engine.run(stop.clone()));
    url
}

/// Retries without the waiting between them.
async fn hasten(client: &Client) {
    let hastened: Vec<_> = TaskName::ALL
        .into_iter()
        .map(|task| {
            let mut definition = contract(task).definition.clone();
            definition.retry_delay_seconds = 0;
            definition
        })
        .collect();
    client
        .put_task_defs(&hastened)
        .await
        .expect("they are taken");
}

fn objects_at(endpoint: Url) -> Objects {
    let settings = objects::Settings::new(
        Some(endpoint),
        "us-east-1",
        "key",
        "secret",
        Addressing::Path,
    );
    Objects::new(settings).expect("settings of a store")
}

async fn put(objects: &Objects, subject: &mut Subject, tracks: Vec<Track>) {
    let bucket = subject.recording.bucket_name.clone();
    objects
        .create_bucket_if_missing(&bucket)
        .await
        .expect("a bucket");
    let is_own = subject
        .track_keys
        .iter()
        .all(|key| tracks.iter().any(|track| track.key == *key));
    if !is_own || tracks.is_empty() {
        subject.track_keys = tracks.iter().map(|track| track.key.clone()).collect();
    }
    for Track { key, content } in tracks {
        if let Some(content) = content {
            objects
                .put_bytes(&bucket, &key, content, Some("video/webm"))
                .await
                .expect("it is put");
        }
    }
}

fn services(store: &Store, objects: &Objects, sandbox: &Sandbox, patience: Duration) -> Services {
    let retry = Retry {
        attempts: REQUESTS,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        patience: Duration::from_secs(1),
        budget: patience * 20,
    };
    let url = |service| sandbox.url(service);
    let daily = Daily::new(url(Service::Daily), "key", patience, retry.clone());
    let transcription = Transcription::new(
        url(Service::Transcription),
        Some("key"),
        patience,
        retry.clone(),
    );
    let llm = Llm::new(
        url(Service::Llm),
        Some("key"),
        "golden-model",
        patience,
        retry,
    );
    Services {
        shared: None,
        store: store.clone(),
        objects: objects.clone(),
        daily: daily.expect("a client"),
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
            zulip_realm: Some("zulip.example.test".to_owned()),
        },
        gateway: None,
        processors: Processors::new(2),
        clock: clock(),
    }
}
