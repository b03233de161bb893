//! What runs tell over WebSockets: to whom, in what order, from where on, and how it ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use switchyard::{
    model::{Bounds, RecordingId, Role, RunId, RunState},
    rollout::Live,
    store::{EffectState, Intent, IntentKind, Lease, Output},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use super::{
    access::tokens_alone,
    server::{Server, after},
};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Listener(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a listener hears next.
#[derive(Debug, PartialEq)]
enum Heard {
    Frame(Value),
    Closed(u16, String),
}

impl Heard {
    fn frame(self) -> Value {
        match self {
            Self::Frame(frame) => frame,
            other @ Self::Closed(..) => panic!("{other:?}"),
        }
    }
}

/// Opens a socket with these headers; the status where it is refused.
async fn open(
    server: &Server,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Listener, u16> {
    let url = format!("{}{path}", server.root.replace("http://", "ws://"));
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in headers {
        let value = value.parse().expect("a header");
        request.headers_mut().insert(*name, value);
    }
    match timeout(PATIENCE, connect_async(request))
        .await
        .expect("an answer")
    {
        Ok((socket, _)) => Ok(Listener(socket)),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{path}: {other}"),
    }
}

impl Listener {
    async fn next(&mut self) -> Heard {
        loop {
            let heard = timeout(PATIENCE, self.0.next())
                .await
                .expect("nothing hangs");
            match heard.expect("it is open").expect("it is whole") {
                Message::Text(text) => {
                    return Heard::Frame(serde_json::from_str(&text).expect("JSON"));
                }
                Message::Close(Some(close)) => {
                    return Heard::Closed(close.code.into(), close.reason.to_string());
                }
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// So many events, how far runs are left out.
    async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let frame = self.next().await.frame();
            if frame["event"] != "PIPELINE_PROGRESS" {
                events.push(frame);
            }
        }
        events
    }

    async fn close(self) -> u16 {
        let mut listener = self;
        loop {
            if let Heard::Closed(code, _) = listener.next().await {
                return code;
            }
        }
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect()
}

impl Server {
    /// What a task of a shadow run tells.
    async fn tells(&self, run: &RunId, task_ref: &str, at: i64, events: &[(&str, Value)]) {
        let output = Output {
            task_ref: task_ref.to_owned(),
            input_hash: "hash".to_owned(),
            output: json!({}),
            document: None,
        };
        let intents: Vec<_> = events
            .iter()
            .map(|(name, data)| intent(name, data))
            .collect();
        let kept = self
            .shadow
            .store
            .check_in(run, task_ref, &output, &intents, &[], after(at));
        kept.await.expect("it is written");
        // Whoever listens hears of it with the attempt that made it.
        self.attempt(
            run,
            ("detect_topics", task_ref, 1),
            at,
            Some(("completed", 1, None)),
        )
        .await;
    }

    /// What a live run tells, once it is done.
    async fn tells_live(&self, run: &RunId, name: &str, at: i64) {
        let store = &self.shadow.store;
        let run = store.run(run).await.expect("a read").expect("the run");
        let recording = RecordingId::new(run.recording_id.as_str());
        let owned = store
            .ownership(&run.environment, &run.flag, &recording)
            .await;
        let (ownership, _) = owned.expect("a read").expect("somebody owns it");
        let live = Live::of(&ownership, &run.id).expect("it does");
        let task = format!("task-{at}");
        let intents = [intent(name, &json!({ "value": name }))];
        let reserved = store
            .reserve((&run, &live), &task, &intents, after(at))
            .await;
        reserved.expect("it is written");
        let effects = store.effects(&run.id, &task).await.expect("a read");
        let lease = Lease {
            holder: "a",
            until: after(at + 40),
        };
        let claimed = store
            .claim_effect(&live, &effects[0], lease, after(at))
            .await;
        claimed.expect("it is asked");
        let confirmed = (EffectState::Confirmed, None);
        let settled = store
            .settle_effect(&live, &effects[0], "a", confirmed, after(at))
            .await;
        assert!(settled.expect("it is asked"));
    }
}

fn intent(name: &str, data: &Value) -> Intent {
    Intent {
        kind: IntentKind::Event,
        target: name.to_owned(),
        content: data.to_string(),
    }
}

#[tokio::test]
async fn a_run_is_told_from_its_first_event_to_its_end() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    server
        .tells(
            &run,
            "get_recording",
            1,
            &[("STATUS", json!({ "value": "processing" }))],
        )
        .await;
    let mut listener = open(&server, "/api/v1/runs/run_a/ws", &[])
        .await
        .expect("it opens");
    let first = listener.events(1).await.remove(0);
    assert_eq!(first["event"], "STATUS");
    assert_eq!(first["data"], json!({ "value": "processing" }));
    assert_eq!(first["run_id"], "run_a");
    assert!(first["transcript_id"].is_string() && first["id"].is_string());

    let topics = [
        ("TOPIC", json!({ "id": "1" })),
        ("TOPIC", json!({ "id": "2" })),
    ];
    server.tells(&run, "detect_topics", 5, &topics).await;
    let told = listener.events(2).await;
    assert_eq!([&told[0]["data"]["id"], &told[1]["data"]["id"]], ["1", "2"]);

    let ended = server
        .shadow
        .store
        .finish_run(&run, RunState::Terminated, None, after(60));
    assert!(ended.await.expect("it ends"));
    server
        .tells(
            &run,
            "finalize",
            61,
            &[("STATUS", json!({ "value": "ended" }))],
        )
        .await;
    let mut rest = Vec::new();
    loop {
        match listener.next().await {
            Heard::Frame(frame) => rest.push(frame["event"].clone()),
            Heard::Closed(code, reason) => {
                assert_eq!((code, &*reason), (1000, "the run has told everything"));
                break;
            }
        }
    }
    assert!(rest.len() <= 1, "{rest:?}");
}

#[tokio::test]
async fn whoever_comes_back_hears_what_came_since_and_misses_nothing() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    let topic = |id: i64| [("TOPIC", json!({ "id": id }))];
    for at in [1, 30, 60] {
        server
            .tells(&run, &format!("task_{at}"), at, &topic(at))
            .await;
    }
    let path = "/api/v1/runs/run_a/ws";
    let mut listener = open(&server, path, &[]).await.expect("it opens");
    let all = listener.events(3).await;
    let second = all[1]["id"].as_str().expect("an id");
    let again = format!("{path}?last_event_id={second}");
    let mut listener = open(&server, &again, &[]).await.expect("it opens");
    assert_eq!(listener.events(1).await[0]["data"]["id"], 60);
    // One that was written late, though it says that it came before what was heard.
    server.tells(&run, "late", 55, &topic(55)).await;
    let third = all[2]["id"].as_str().expect("an id");
    let headers = [("last-event-id", third)];
    let mut listener = open(&server, path, &headers).await.expect("it opens");
    assert_eq!(listener.events(1).await[0]["data"]["id"], 55);
    for wrong in ["x", "1~2~3", "%00"] {
        let path = format!("{path}?last_event_id={wrong}");
        assert_eq!(open(&server, &path, &[]).await.err(), Some(400), "{wrong}");
    }
}

#[tokio::test]
async fn only_runs_that_serve_are_told_to_all_and_only_from_now_on() {
    let server = Server::without_engine().await;
    let shadow = server.running("run_shadow", 1).await;
    let live = server.live("run_live", 2).await;
    server.tells_live(&live, "STATUS", 10).await;
    let mut listener = open(&server, "/api/v1/ws", &[]).await.expect("it opens");
    server
        .tells(
            &shadow,
            "finalize",
            100,
            &[("STATUS", json!({ "value": "shadow" }))],
        )
        .await;
    server.tells_live(&live, "DURATION", 101).await;
    let told = listener.events(1).await;
    assert_eq!(names(&told), ["DURATION"]);
    assert_eq!(told[0]["run_id"], "run_live");
    // A run that lost its recording tells no more.
    let serving = server.shadow.serving().await.expect("they are read");
    assert_eq!(serving.len(), 1);
    assert_eq!(serving[0].run_id, live);
}

#[tokio::test]
async fn what_quotes_the_meeting_is_left_out_for_those_who_may_not_read_it() {
    let server = Server::signing_in(tokens_alone(), Bounds::default()).await;
    let run = server.running("run_a", 1).await;
    let events = [
        ("STATUS", json!({ "value": "processing" })),
        ("TRANSCRIPT", json!({ "text": "what was said" })),
        ("TOPIC", json!({ "title": "what was said" })),
        ("FINAL_TITLE", json!({ "title": "what was said" })),
        ("DURATION", json!({ "duration": 1.0 })),
    ];
    server.tells(&run, "all", 1, &events).await;
    let path = "/api/v1/runs/run_a/ws";
    for (role, expected) in [
        (Role::Viewer, vec!["STATUS", "DURATION"]),
        (
            Role::Reviewer,
            vec!["STATUS", "TRANSCRIPT", "TOPIC", "FINAL_TITLE", "DURATION"],
        ),
    ] {
        let token = server.token("ana", role).await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let mut listener = open(&server, path, &headers).await.expect("it opens");
        let told = listener.events(expected.len()).await;
        assert_eq!(names(&told), expected, "{role}");
    }
}

#[tokio::test]
async fn a_socket_takes_what_every_route_takes_and_a_token_where_browsers_can_put_one() {
    let server = Server::signing_in(tokens_alone(), Bounds::default()).await;
    server.running("run_a", 1).await;
    server.run_in("production", "run_theirs", 2).await;
    let token = server.token("ana", Role::Viewer).await;
    let path = "/api/v1/runs/run_a/ws";
    assert_eq!(open(&server, path, &[]).await.err(), Some(401));
    let wrong = [("sec-websocket-protocol", "bearer, swy_none")];
    assert_eq!(open(&server, path, &wrong).await.err(), Some(401));
    let protocols = format!("bearer, {token}");
    let good = [
        ("sec-websocket-protocol", protocols.as_str()),
        ("origin", "null"),
    ];
    assert!(
        open(&server, path, &good).await.is_ok(),
        "a token may come from anywhere"
    );
    let theirs = open(&server, "/api/v1/runs/run_theirs/ws", &good).await;
    assert_eq!(theirs.err(), Some(404));
    // Elsewhere than on a socket it says nothing.
    let request = server.asks(&reqwest::Method::GET, "/api/v1/runs");
    let response = request.header(good[0].0, good[0].1).send().await;
    assert_eq!(response.expect("an answer").status().as_u16(), 401);
}

#[tokio::test]
async fn a_page_elsewhere_hears_nothing_by_whoever_is_at_this_machine() {
    let server = Server::without_engine().await;
    server.running("run_a", 1).await;
    let path = "/api/v1/runs/run_a/ws";
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let refused = open(&server, path, &[("origin", origin)]).await;
        assert_eq!(refused.err(), Some(403), "{origin}");
    }
    let own = server.root.clone();
    assert!(open(&server, path, &[("origin", &own)]).await.is_ok());
}

#[tokio::test]
async fn whoever_reads_too_slowly_is_let_go_and_told_so() {
    let server = Server::without_engine().await;
    let run = server.running("run_a", 1).await;
    let text = "a".repeat(512 * 1024);
    let long: Vec<_> = (0..40)
        .map(|_| ("TRANSCRIPT", json!({ "text": text })))
        .collect();
    server.tells(&run, "all", 1, &long).await;
    let path = "/api/v1/runs/run_a/ws";
    let slow = open(&server, path, &[]).await.expect("it opens");
    // Others are not held up.
    let mut quick = open(&server, path, &[]).await.expect("it opens");
    assert_eq!(quick.events(40).await.len(), 40);
    let nothing = timeout(Duration::from_secs(6), quick.0.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let mut slow = slow;
    let mut heard = 0;
    let (code, reason) = loop {
        match slow.next().await {
            Heard::Frame(_) => heard += 1,
            Heard::Closed(code, reason) => break (code, reason),
        }
    };
    assert_eq!(code, 1013, "{reason}");
    assert!(
        reason.contains("last_event_id") && heard < 40,
        "{heard}: {reason}"
    );
}

#[tokio::test]
async fn whoever_sends_is_sent_away_and_a_stop_ends_all() {
    let server = Server::without_engine().await;
    server.running("run_a", 1).await;
    let path = "/api/v1/runs/run_a/ws";
    let mut sender = open(&server, path, &[]).await.expect("it opens");
    sender
        .0
        .send(Message::text("hello"))
        .await
        .expect("it is sent");
    assert_eq!(sender.close().await, u16::from(CloseCode::Policy));
    let one = open(&server, path, &[]).await.expect("it opens");
    let all = open(&server, "/api/v1/ws", &[]).await.expect("it opens");
    server.shutdown.cancel();
    assert_eq!(one.close().await, 1001);
    assert_eq!(all.close().await, 1001);
    timeout(PATIENCE, server.stopped())
        .await
        .expect("nothing hangs");
}
