//! The proxy for shared answers, over real HTTP.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse,
};
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use switchyard::{
    model::{EnvironmentName, RUN_HEADER, RunId, SharedService, TranscriptId},
    sharing::{Mode, Settings, Sharing},
    store::Store,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    database::{Database, Kind},
    store::samples::{at, new_run},
};

/// What a service saw of a request.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    line: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A service that answers by the path, and counts.
#[derive(Clone, Default)]
struct Upstream {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    fn count(&self) -> usize {
        self.seen().len()
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = crate::standup::loopback().await;
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn answer(State(upstream): State<Upstream>, request: Request) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 24).await.expect("a body");
    let path = parts.uri.path().to_owned();
    let n = {
        let mut seen = upstream.seen.lock().expect("no panic");
        seen.push(Seen {
            line: format!("{} {}", parts.method, parts.uri),
            headers: parts.headers,
            body,
        });
        seen.len()
    };
    match path.rsplit('/').next().unwrap_or_default() {
        "busy" => (
            StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", "7")],
            "too busy",
        )
            .into_response(),
        "events" => {
            let event =
                |text: &str| Ok::<_, std::io::Error>(Bytes::from(format!("data: {text}\n\n")));
            let usage =
                r#"{"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3}}"#;
            let events = [event("{\"a\": 1}"), event(usage), event("[DONE]")];
            (
                [("content-type", "text/event-stream")],
                Body::from_stream(stream::iter(events)),
            )
                .into_response()
        }
        "cut" => {
            let begun = stream::iter([Ok(Bytes::from("half of "))]);
            let lost = stream::once(async {
                // What was written has to be under way before.
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(std::io::Error::other("the connection is lost"))
            });
            Response::builder()
                .header("content-length", 100)
                .body(Body::from_stream(begun.chain(lost)))
                .expect("an answer")
        }
        "slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "late".into_response()
        }
        "long" => (StatusCode::SEE_OTHER, [("location", "/v1/wait?call=1")]).into_response(),
        "wait" => (StatusCode::SEE_OTHER, [("location", "/v1/done")]).into_response(),
        _ => {
            let body = json!({
                "id": format!("answer {n}"),
                "usage": {"prompt_tokens": 7, "completion_tokens": 2},
            });
            ([("content-type", "application/json")], body.to_string()).into_response()
        }
    }
}

/// A proxy before an upstream that stands for both services.
struct World {
    upstream: Upstream,
    direct: Url,
    proxy: Url,
    sharing: Sharing,
    store: Store,
    stop: CancellationToken,
    http: reqwest::Client,
    database: Database,
}

fn settings(base: &Url) -> Settings {
    Settings {
        environment: EnvironmentName::new("staging"),
        mode: Mode::Share { anew_percent: 0 },
        llm: base.clone(),
        transcription: base.clone(),
        wait: Duration::ZERO,
        llm_patience: Duration::from_secs(20),
        transcription_patience: Duration::from_secs(20),
        keep: TimeDelta::hours(1),
        keep_bytes: 1 << 20,
    }
}

impl World {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let upstream = Upstream::default();
        let router = Router::new().fallback(answer).with_state(upstream.clone());
        let direct: Url = format!("http://{}/v1", serve(router).await)
            .parse()
            .expect("a URL");
        let database = Database::fresh(Kind::Sqlite).await.expect("always there");
        let store = database.store().await;
        let run = new_run("run_1", "recording");
        store.insert_run(&run, at(0)).await.expect("a run");
        let mut settings = settings(&direct);
        change(&mut settings);
        let ticks = AtomicI64::new(1000);
        let clock: switchyard::sharing::Clock =
            Arc::new(move || at(ticks.fetch_add(1, Ordering::Relaxed)));
        let sharing = Sharing::new(settings, store.clone(), clock).expect("a proxy");
        let listener = crate::standup::loopback().await;
        let proxy = format!("http://{}", listener.local_addr().expect("it is bound"));
        let stop = CancellationToken::new();
        tokio::spawn(sharing.clone().serve(listener, stop.clone()));
        Self {
            upstream,
            direct,
            proxy: proxy.parse().expect("a URL"),
            sharing,
            store,
            stop,
            http: reqwest::Client::new(),
            database,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.proxy.as_str().trim_end_matches('/'))
    }

    /// The control has a track transcribed: these requests say themselves what they are about.
    async fn control(&self, track: usize) -> Value {
        self.ask("control", &padded("", track), None).await
    }

    async fn candidate(&self, track: usize) -> Value {
        let body = padded("shadow/run_1/", track);
        self.ask("candidate", &body, Some("run_1")).await
    }

    async fn ask(&self, door: &str, body: &Value, run: Option<&str>) -> Value {
        let url = self.url(&format!("/{door}/transcription/audio"));
        let mut request = self.http.post(url).bearer_auth("very-secret").json(body);
        if let Some(run) = run {
            request = request.header(RUN_HEADER, run);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }

    /// Waits until so many answers are kept.
    async fn kept(&self, count: i64) {
        tokio::time::timeout(Duration::from_secs(20), async {
            while self.rows().await != count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("they are kept");
    }

    async fn rows(&self) -> i64 {
        let rows = self.database.rows("shared_answers").await;
        i64::try_from(rows.len()).expect("few")
    }
}

fn padded(prefix: &str, track: usize) -> Value {
    json!({
        "audio_file_url": format!(
            "http://store.test/bucket/{prefix}file_pipeline/transcript-of-recording/tracks/padded_{track}.webm?X-Amz-Signature={}",
            prefix.len()
        ),
        "language": "en",
        "batch": true,
    })
}

/// Status, headers that say something, and body.
async fn whole(answer: reqwest::Response) -> (StatusCode, Vec<(String, String)>, Bytes) {
    let status = answer.status();
    let mut headers: Vec<_> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "connection"))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
        .collect();
    headers.sort();
    (status, headers, answer.bytes().await.expect("a body"))
}

#[tokio::test]
async fn the_control_is_answered_as_without_us() {
    let world = World::start(|_| ()).await;
    for path in [
        "/chat/busy?a=%20b&b",
        "/chat/events",
        "/chat/slow",
        "/x%2Fy/completions",
    ] {
        let body = "{\"litellm_session_id\":\"task\",  \"temperature\": 0.90}";
        let mut answers = Vec::new();
        for base in [world.direct.to_string(), world.url("/control/llm")] {
            let request = world
                .http
                .post(format!("{base}{path}"))
                .header("authorization", "Bearer very-secret")
                .header("content-type", "application/json")
                .header("x-of-its-own", "1")
                .body(body);
            let (status, headers, body) = whole(request.send().await.expect("an answer")).await;
            // The upstream counts its answers.
            let body = String::from_utf8_lossy(&body).into_owned();
            let counted = world.upstream.count().to_string();
            answers.push((
                status,
                headers,
                body.replace(&format!("answer {counted}"), "answer"),
            ));
        }
        assert_eq!(answers[0], answers[1], "{path}");
        let seen = world.upstream.seen();
        let [direct, passed] = &seen[seen.len() - 2..] else {
            panic!("two requests");
        };
        assert_eq!((&direct.line, &direct.body), (&passed.line, &passed.body));
        let names = |seen: &Seen| -> Vec<_> {
            let mut all: Vec<_> = seen
                .headers
                .iter()
                .map(|(n, v)| (n.to_string(), v.clone()))
                .collect();
            all.sort_by(|one, other| one.0.cmp(&other.0));
            all
        };
        assert_eq!(names(direct), names(passed), "{path}");
    }
    world.stop.cancel();
}

#[tokio::test]
async fn an_answer_that_is_cut_is_cut_for_the_control_and_is_not_kept() {
    let world = World::start(|_| ()).await;
    let url = world.url("/control/transcription/cut");
    let answer = world
        .http
        .post(url)
        .json(&padded("", 0))
        .send()
        .await
        .expect("it begins");
    assert_eq!(answer.status(), 200);
    let mut chunks = answer.bytes_stream();
    assert_eq!(
        chunks.next().await.expect("a chunk").expect("the first"),
        "half of "
    );
    assert!(chunks.next().await.expect("an end").is_err());
    world.control(1).await;
    world.kept(1).await;
}

#[tokio::test]
async fn a_stream_of_events_comes_as_it_is_made_and_is_given_again_whole() {
    let world = World::start(|_| ()).await;
    let (control, candidate) = (padded("", 0), padded("shadow/run_1/", 0));
    let url = world.url("/control/transcription/events");
    let first = world
        .http
        .post(url)
        .json(&control)
        .send()
        .await
        .expect("an answer");
    let first = whole(first).await;
    world.kept(1).await;
    let url = world.url("/candidate/transcription/events");
    let again = world
        .http
        .post(url)
        .json(&candidate)
        .header(RUN_HEADER, "run_1");
    let again = whole(again.send().await.expect("an answer")).await;
    assert_eq!(first.2, again.2);
    assert_eq!(world.upstream.count(), 1);
    let content_type = ("content-type".to_owned(), "text/event-stream".to_owned());
    assert!(again.1.contains(&content_type));
}

#[tokio::test]
async fn a_shadow_run_gets_each_answer_once_and_in_the_control_s_order() {
    let world = World::start(|_| ()).await;
    let first = world.control(0).await;
    let second = world.control(0).await;
    assert_ne!(first, second, "the control is always asked anew");
    world.kept(2).await;

    assert_eq!(world.candidate(0).await, first);
    assert_eq!(world.candidate(0).await, second);
    let third = world.candidate(0).await;
    assert!(
        third != first && third != second,
        "nothing is left to be reused"
    );
    assert_eq!(world.upstream.count(), 3);

    let savings = world
        .store
        .savings(&RunId::new("run_1"))
        .await
        .expect("read");
    assert_eq!(savings.len(), 1);
    assert_eq!((savings[0].asked, savings[0].reused), (3, 2));
    assert!(savings[0].cost.gpu_seconds > 0.0);
}

#[tokio::test]
async fn nobody_else_gets_what_the_control_was_answered() {
    let world = World::start(|_| ()).await;
    let kept = world.control(0).await;
    world.kept(1).await;
    let other = new_run("run_2", "another");
    world.store.insert_run(&other, at(0)).await.expect("a run");
    let question = padded("shadow/run_1/", 0);
    // The control itself, nobody in particular, a run nobody knows, and one of another transcript.
    for (door, run) in [
        ("control", Some("run_1")),
        ("candidate", None),
        ("candidate", Some("run_unknown")),
        ("candidate", Some("run_2")),
    ] {
        assert_ne!(
            world.ask(door, &question, run).await,
            kept,
            "{door} {run:?}"
        );
    }
    // Of the control's door came another one.
    world.kept(2).await;
    assert_eq!(world.candidate(0).await, kept);
    for seen in world.upstream.seen() {
        assert!(!seen.headers.contains_key(RUN_HEADER));
    }
}

#[tokio::test]
async fn the_model_s_answers_are_found_by_the_task_that_asked() {
    let world = World::start(|_| ()).await;
    let sql = "insert into routes (environment, flag, transcript_id, generation, bucket_name,
            track_keys, owner, beside, phase, percent, reason, way, task_id, state, arrived_at)
        values ('staging', 'flag', 'transcript-of-recording', 1, 'b', '[]', 'control', 'candidate',
            'shadow', 10000, '', 'tap', 'task-1', 'open', 1)";
    let mut connection = world.database.connect().await;
    sqlx::query(sql)
        .execute(&mut connection)
        .await
        .expect("a route");
    let ask = async |door: &str, session: &str| {
        let body = json!({"model": "m", "messages": [], "litellm_session_id": session});
        let url = world.url(&format!("/{door}/llm/chat/completions"));
        let request = world.http.post(url).json(&body).header(RUN_HEADER, session);
        let answer = request.send().await.expect("an answer");
        answer.json::<Value>().await.expect("JSON")
    };
    ask("control", "task-nobody-knows").await;
    let kept = ask("control", "task-1").await;
    world.kept(1).await;
    assert_eq!(ask("candidate", "run_1").await, kept);
    let savings = world
        .store
        .savings(&RunId::new("run_1"))
        .await
        .expect("read");
    assert_eq!(
        (savings[0].cost.tokens_in, savings[0].cost.tokens_out),
        (7, 2)
    );
}

#[tokio::test]
async fn a_transcription_that_is_answered_by_redirections_stays_with_us_and_is_kept() {
    let world = World::start(|_| ()).await;
    let url = world.url("/control/transcription/long");
    let request = world
        .http
        .post(url)
        .bearer_auth("very-secret")
        .json(&padded("", 0));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let control: Value = answer.json().await.expect("JSON");
    let lines: Vec<_> = world
        .upstream
        .seen()
        .into_iter()
        .map(|seen| seen.line)
        .collect();
    assert_eq!(
        lines,
        ["POST /v1/long", "GET /v1/wait?call=1", "GET /v1/done"]
    );
    let last = world.upstream.seen().pop().expect("one");
    assert_eq!(last.headers["authorization"], "Bearer very-secret");
    world.kept(1).await;
    let url = world.url("/candidate/transcription/long");
    let request = world.http.post(url).header(RUN_HEADER, "run_1");
    let answer = request
        .json(&padded("shadow/run_1/", 0))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON"), control);
    assert_eq!(world.upstream.count(), 3);
}

#[tokio::test]
async fn a_shadow_run_that_comes_first_waits_for_the_control() {
    let world = World::start(|settings| settings.wait = Duration::from_secs(10)).await;
    let (candidate, control) = tokio::join!(world.candidate(0), world.control(0));
    assert_eq!(candidate, control);
    assert_eq!(world.upstream.count(), 1);
}

#[tokio::test]
async fn a_shadow_run_that_waited_in_vain_waits_no_more() {
    let world = World::start(|settings| {
        settings.wait = Duration::from_secs(1);
        settings.transcription_patience = Duration::from_hours(1);
    })
    .await;
    let begun = std::time::Instant::now();
    for track in 0..20 {
        world.candidate(track).await;
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "the first waited");
    assert!(took < Duration::from_secs(15), "the others did not");
}

#[tokio::test]
async fn where_sharing_is_off_or_a_recording_asks_anew_the_service_is_asked() {
    for (mode, kept) in [(Mode::Off, 0), (Mode::Share { anew_percent: 100 }, 1)] {
        let world = World::start(|settings| settings.mode = mode).await;
        let control = world.control(0).await;
        world.kept(kept).await;
        assert_ne!(world.candidate(0).await, control);
        assert_eq!(world.upstream.count(), 2);
    }
}

#[tokio::test]
async fn where_our_database_is_gone_both_are_answered_by_the_service() {
    let world = World::start(|_| ()).await;
    world.store.close().await;
    let control = world.control(0).await;
    assert_eq!(control["id"], "answer 1");
    assert_eq!(world.candidate(0).await["id"], "answer 2");
}

#[tokio::test]
async fn a_service_that_is_gone_is_told_as_such() {
    let world = World::start(|settings| {
        settings.llm = "http://127.0.0.1:9/v1".parse().expect("a URL");
    })
    .await;
    for door in ["control", "candidate"] {
        let url = world.url(&format!("/{door}/llm/chat/completions"));
        let answer = world
            .http
            .post(url)
            .body("{}")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 502);
        let told = answer.text().await.expect("a text");
        assert!(
            told.contains("switchyard: the service `llm` cannot be reached"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_is_kept_holds_no_credentials_and_goes_with_its_time_its_room_and_its_meeting() {
    let world = World::start(|settings| settings.keep_bytes = 150).await;
    for track in 0..4 {
        world.control(track).await;
        world.kept(i64::try_from(track).expect("few") + 1).await;
    }
    let rows = world.database.rows("shared_answers").await;
    let all = format!("{rows:?}");
    for secret in ["very-secret", "Bearer", "X-Amz-Signature", "audio_file_url"] {
        assert!(!all.contains(secret), "{secret}");
    }
    // Each has some seventy bytes.
    let swept = world.sharing.sweep_once().await.expect("swept");
    assert_eq!((swept, world.rows().await), (2, 2));

    let transcript = TranscriptId::new("transcript-of-recording");
    assert_eq!(
        world
            .store
            .forget_shared(&transcript)
            .await
            .expect("forgotten"),
        2
    );

    world.control(5).await;
    world.kept(1).await;
    let staging = EnvironmentName::new("staging");
    let swept = world
        .store
        .sweep_shared(&staging, at(100_000), 1 << 20)
        .await;
    assert_eq!(swept.expect("swept"), 1);
    let answer = world.candidate(5).await;
    assert_eq!(answer["id"], "answer 6");
    assert_eq!(
        world
            .store
            .savings(&RunId::new("run_1"))
            .await
            .expect("read")[0]
            .service,
        SharedService::Transcription
    );
}

#[tokio::test]
async fn only_requests_to_a_loopback_name_are_passed_on() {
    let world = World::start(|_| ()).await;
    let url = world.url("/control/llm/chat/completions");
    let request = world
        .http
        .post(url)
        .header("host", "rebound.example.test")
        .body("{}");
    assert_eq!(request.send().await.expect("an answer").status(), 421);
    assert_eq!(world.upstream.count(), 0);
}
