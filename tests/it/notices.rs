//! Notices reach people at least once, whatever their receiver does, and each from one process.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use switchyard::{
    app::App,
    config::Config,
    contract::webhook::signature,
    controller::{NOTICES_LEASE, Notices},
    rollout::Position,
    store::{About, NewHold},
};
use tempfile::TempDir;

use crate::{intake::world::noon, phases, standup::loopback};

/// What a receiver does with a request.
#[derive(Clone, Copy)]
enum Answers {
    Status(u16),
    Never,
}

#[derive(Clone)]
struct Receiver {
    answers: Arc<Mutex<Answers>>,
    got: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Receiver {
    async fn serve() -> (Self, String) {
        let receiver = Self {
            answers: Arc::new(Mutex::new(Answers::Status(200))),
            got: Arc::default(),
        };
        let routes = Router::new()
            .route("/hush", post(receive))
            .with_state(receiver.clone());
        let listener = loopback().await;
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (receiver, format!("http://{address}/hush"))
    }

    fn answer(&self, answers: Answers) {
        *self.answers.lock().expect("nobody died") = answers;
    }

    fn got(&self) -> Vec<(HeaderMap, Value)> {
        std::mem::take(&mut self.got.lock().expect("nobody died"))
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let told = serde_json::from_slice(&body).expect("it is JSON");
    if let Some(signed) = headers.get("X-Switchyard-Signature") {
        let signed = signed.to_str().expect("a text");
        let body = std::str::from_utf8(&body).expect("a text");
        let at = signed["t=".len()..].split(',').next();
        let at = at.and_then(|at| at.parse().ok()).expect("a time");
        assert_eq!(signed, signature("hush", at, body));
    }
    let got = receiver.got.lock();
    got.expect("nobody died").push((headers, told));
    let answers = *receiver.answers.lock().expect("nobody died");
    match answers {
        Answers::Status(status) => StatusCode::from_u16(status).expect("a status"),
        Answers::Never => std::future::pending().await,
    }
}

struct World {
    app: App,
    notices: Notices,
    receiver: Receiver,
    clock: Arc<Mutex<DateTime<Utc>>>,
    folder: TempDir,
}

impl World {
    async fn with_one_notice() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (receiver, url) = Receiver::serve().await;
        let clock = Arc::new(Mutex::new(noon()));
        let app = open(folder.path(), &url, &clock).await;
        phases::put(&app.store, "staging", Position::Parallel, noon()).await;
        Self {
            notices: app.notices().expect("settings are right"),
            app,
            receiver,
            clock,
            folder,
        }
    }

    fn pass(&self, time: TimeDelta) {
        *self.clock.lock().expect("nobody died") += time;
    }

    async fn tell(&self) {
        let (about, document) = (phases::about("staging"), json!({}));
        let told = ("test", "another", &document);
        let noted = self.app.store.tell(&about, told, noon()).await;
        noted.expect("it is noted");
    }

    async fn tick(&self) -> usize {
        self.notices.tick().await.expect("the store answers")
    }
}

async fn open(folder: &Path, url: &str, clock: &Arc<Mutex<DateTime<Utc>>>) -> App {
    std::fs::write(folder.join("key"), "hush").expect("it is written");
    let folder = folder.display();
    let key = format!("{{ file = \"{folder}/key\" }}");
    let settings = format!(
        r#"
        database.url = "sqlite:{folder}/switchyard.db"
        [environments.staging]
        conductor.url = "http://127.0.0.1:1/api"
        daily.api_key = {key}
        transcription.url = "http://127.0.0.1:1"
        llm = {{ url = "http://127.0.0.1:1", api_key = {key}, model = "m" }}
        reflector.ui_base_url = "http://127.0.0.1:1"
        notices = {{ url = "{url}", secret = {key}, timeout_s = 1 }}
        objects = {{ access_key = {key}, secret_key = {key}, bucket = "b" }}
        "#
    );
    let config = Config::parse(&settings).expect("it is valid");
    let mut app = App::open(config, None).await.expect("it opens");
    let time = Arc::clone(clock);
    app.clock = Arc::new(move || *time.lock().expect("nobody died"));
    app
}

#[tokio::test]
async fn a_notice_is_told_once_and_signed() {
    let world = World::with_one_notice().await;
    assert_eq!(world.tick().await, 1);
    let (headers, told) = world.receiver.got().remove(0);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(
        headers["idempotency-key"],
        told["id"].as_str().expect("a text")
    );
    assert!(headers.contains_key("x-switchyard-signature"));
    assert_eq!(told["kind"], "flip");
    assert_eq!(told["environment"], "staging");
    assert_eq!(told["document"]["after"], "parallel");
    assert_eq!(
        told["text"],
        "staging went from infrastructure to parallel, moved by ana"
    );
    world.pass(TimeDelta::hours(1));
    assert_eq!(world.tick().await, 0);
    assert!(world.receiver.got().is_empty());
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_later_and_later_under_the_same_id() {
    let world = World::with_one_notice().await;
    let mut ids = Vec::new();
    for (answer, wait) in [
        (Answers::Status(500), 2),
        (Answers::Never, 4),
        (Answers::Status(302), 8),
        (Answers::Status(404), 16),
    ] {
        world.receiver.answer(answer);
        assert_eq!(world.tick().await, 0);
        ids.extend(
            world
                .receiver
                .got()
                .into_iter()
                .map(|(_, told)| told["id"].clone()),
        );
        world.pass(TimeDelta::seconds(wait) - TimeDelta::milliseconds(1));
        assert_eq!(world.tick().await, 0);
        assert!(
            world.receiver.got().is_empty(),
            "it is not due before {wait} s"
        );
        world.pass(TimeDelta::milliseconds(1));
    }
    world.receiver.answer(Answers::Status(204));
    assert_eq!(world.tick().await, 1);
    ids.extend(
        world
            .receiver
            .got()
            .into_iter()
            .map(|(_, told)| told["id"].clone()),
    );
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn of_several_processes_one_tells_until_it_falls_silent() {
    let world = World::with_one_notice().await;
    let other = world.app.notices().expect("settings are right");
    assert_eq!(world.tick().await, 1);
    world.tell().await;
    assert_eq!(other.tick().await.expect("an answer"), 0);
    world.pass(NOTICES_LEASE + TimeDelta::milliseconds(1));
    assert_eq!(other.tick().await.expect("an answer"), 1);
    assert_eq!(world.tick().await, 0, "now it is the other's");
}

#[tokio::test]
async fn holds_over_their_time_are_told() {
    let world = World::with_one_notice().await;
    let mut notices = world.notices.clone();
    notices.deliver = None;
    let about: &About = &notices.about;
    let hold = NewHold {
        owner: "bo".to_owned(),
        reason: "audit week".to_owned(),
        expires_at: noon() + TimeDelta::minutes(1),
    };
    let placed = world.app.store.place_hold(about, &hold, noon()).await;
    placed.expect("it is placed");
    assert_eq!(
        notices.tick().await.expect("an answer"),
        2,
        "the flip and the hold"
    );
    world.pass(TimeDelta::minutes(1));
    assert_eq!(notices.tick().await.expect("an answer"), 1, "its expiry");
    world.pass(TimeDelta::minutes(1));
    assert_eq!(notices.tick().await.expect("an answer"), 0);
}

#[tokio::test]
async fn delivering_ends_when_told_to_and_leaves_the_lease_to_others() {
    let world = World::with_one_notice().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(world.notices.clone().run(stop.clone()));
    tokio::time::timeout(Duration::from_secs(30), async {
        while world.receiver.got().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is told");
    stop.cancel();
    running.await.expect("it ends");
    world.tell().await;
    let other = world.app.notices().expect("settings are right");
    assert_eq!(other.tick().await.expect("an answer"), 1);
    drop(world.folder);
}
