//! An environment with three targets that answer as told, and a clock of its own.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use switchyard::{
    app::App,
    config::Config,
    controller::Notices,
    model::NoticeKind,
    rollout::Position,
    sandbox::{Sandbox, Service},
    store::{Delivery, DeliveryState},
};
use tempfile::TempDir;

use crate::{
    intake::world::noon,
    phases,
    standup::{self, loopback},
};

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Answers {
    /// Answers so.
    Status(u16),
    /// Is too busy, and asks to be left alone for so many seconds.
    Busy(u64),
    /// Answers 200 with a web page.
    Garbage,
    /// Never answers.
    Never,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Got {
    /// The last part of its path.
    pub to: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub text: String,
    /// The same read.
    pub body: Value,
}

/// Receives webhooks and Slack's messages.
#[derive(Clone)]
pub struct Receiver {
    next: Arc<Mutex<VecDeque<Answers>>>,
    usual: Arc<Mutex<Answers>>,
    got: Arc<Mutex<Vec<Got>>>,
    /// Its address.
    pub url: String,
}

impl Receiver {
    pub async fn serve() -> Self {
        let listener = loopback().await;
        let address = listener.local_addr().expect("it is bound");
        let receiver = Self {
            next: Arc::default(),
            usual: Arc::new(Mutex::new(Answers::Status(200))),
            got: Arc::default(),
            url: format!("http://{address}/hush"),
        };
        let routes = Router::new()
            .route("/hush/{to}", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        receiver
    }

    /// Answers so from now on.
    pub fn answer(&self, answers: Answers) {
        *self.usual.lock().expect("nobody died") = answers;
    }

    /// Answers the next request so.
    pub fn once(&self, answers: Answers) {
        self.next.lock().expect("nobody died").push_back(answers);
    }

    /// What came since it was asked last.
    pub fn got(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().expect("nobody died"))
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    UrlPath(to): UrlPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8(body.to_vec()).expect("a text");
    let body = serde_json::from_str(&text).expect("it is JSON");
    let got = Got {
        to,
        headers,
        text,
        body,
    };
    receiver.got.lock().expect("nobody died").push(got);
    let next = receiver.next.lock().expect("nobody died").pop_front();
    let answers = next.unwrap_or(*receiver.usual.lock().expect("nobody died"));
    match answers {
        Answers::Status(status) => StatusCode::from_u16(status)
            .expect("a status")
            .into_response(),
        Answers::Busy(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, seconds.to_string())],
        )
            .into_response(),
        Answers::Garbage => (
            [(header::CONTENT_TYPE, "text/html")],
            "<html>Sign in to the network</html>",
        )
            .into_response(),
        Answers::Never => std::future::pending().await,
    }
}

pub struct World {
    pub app: App,
    pub notices: Notices,
    pub receiver: Receiver,
    pub zulip: Sandbox,
    pub clock: Arc<Mutex<DateTime<Utc>>>,
    pub folder: TempDir,
}

/// The three targets.
pub const TARGETS: &str = r#"
    [[environments.staging.notices]]
    name = "hook"
    kind = "webhook"
    url = "RECEIVER/hook"
    secret = KEY
    timeout_s = 1
    [[environments.staging.notices]]
    name = "slack"
    kind = "slack"
    url = { file = "FOLDER/slack" }
    timeout_s = 1
    [[environments.staging.notices]]
    name = "chat"
    kind = "zulip"
    realm = "chat.example.com"
    email = "bot@chat.example.com"
    api_key = KEY
    stream = "operations"
    topic = "{environment} {kind}"
    timeout_s = 1
"#;

impl World {
    /// Nothing happened yet; people are told at all three.
    pub async fn quiet() -> Self {
        Self::with(TARGETS).await
    }

    /// Nothing happened yet; people are told at one webhook.
    pub async fn with_a_webhook() -> Self {
        let hook = TARGETS.split("[[environments").nth(1).expect("the first");
        Self::with(&format!("[[environments{hook}")).await
    }

    /// With these settings.
    pub async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (receiver, zulip) = (Receiver::serve().await, standup::sandbox().await);
        let clock = Arc::new(Mutex::new(noon()));
        let app = open(folder.path(), &receiver, &zulip, settings, &clock).await;
        Self {
            notices: app.notices().expect("settings are right"),
            app,
            receiver,
            zulip,
            clock,
            folder,
        }
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.clock.lock().expect("nobody died") += time;
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().expect("nobody died")
    }

    /// Somebody moved the migration.
    pub async fn flip(&self) {
        phases::put(&self.app.store, "staging", Position::Parallel, self.now()).await;
    }

    /// Something is to be told.
    pub async fn tell(&self, kind: NoticeKind, text: &str) {
        let (about, document) = (phases::about("staging"), json!({}));
        let noted = self
            .app
            .store
            .tell(&about, (kind, text, &document), self.now());
        noted.await.expect("it is noted");
    }

    pub async fn tick(&self) -> usize {
        self.notices.tick().await.expect("the store answers")
    }

    /// Another process beside.
    pub fn another(&self) -> Notices {
        self.app.notices().expect("settings are right")
    }

    /// Messages that Zulip was asked to post.
    pub fn posted(&self) -> usize {
        let posts = self.zulip.requests_to(Service::Zulip);
        posts.iter().filter(|call| call.method == "POST").count()
    }

    /// What became of the newest notice at a target.
    pub async fn newest(&self, target: &str) -> Delivery {
        let list = self.notices.list(1).await.expect("a list");
        let newest = list.notices.into_iter().next().expect("there is one");
        let mut deliveries = newest.deliveries.into_iter();
        let found = deliveries.find(|delivery| delivery.target == target);
        found.expect("it goes there")
    }

    pub async fn state(&self, target: &str) -> DeliveryState {
        self.newest(target).await.state
    }
}

async fn open(
    folder: &Path,
    receiver: &Receiver,
    zulip: &Sandbox,
    settings: &str,
    clock: &Arc<Mutex<DateTime<Utc>>>,
) -> App {
    std::fs::write(folder.join("key"), "hush").expect("it is written");
    std::fs::write(folder.join("next"), "hush-2").expect("it is written");
    let slack = format!("{}/slack\n", receiver.url);
    std::fs::write(folder.join("slack"), slack).expect("it is written");
    let folder = folder.display().to_string();
    let key = format!("{{ file = \"{folder}/key\" }}");
    let settings = settings
        .replace("RECEIVER", &receiver.url)
        .replace("KEY", &key)
        .replace("FOLDER", &folder);
    let relay = zulip.url(Service::Zulip);
    let settings = format!(
        r#"
        database.url = "sqlite:{folder}/switchyard.db"
        [environments.staging]
        conductor.url = "http://127.0.0.1:1/api"
        daily.api_key = {key}
        transcription.url = "http://127.0.0.1:1"
        llm = {{ url = "http://127.0.0.1:1", api_key = {key}, model = "m" }}
        reflector.ui_base_url = "http://127.0.0.1:1"
        relays = {{ "chat.example.com" = "{relay}" }}
        objects = {{ access_key = {key}, secret_key = {key}, bucket = "b" }}
        {settings}
        "#
    );
    let config = Config::parse(&settings).expect("it is valid");
    let mut app = App::open(config, None).await.expect("it opens");
    let time = Arc::clone(clock);
    app.clock = Arc::new(move || *time.lock().expect("nobody died"));
    app
}
