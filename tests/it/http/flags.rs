//! The migration as flags, over OFREP, and with the OpenFeature SDK and provider of Python.

use std::{process::Stdio, time::Duration};

use chrono::TimeDelta;
use serde_json::{Value, json};
use switchyard::{
    model::HealthLimits,
    rollout::{
        Breaker, Percent, Position, Says, Signals, Whose, bucket,
        rules::{Change, Signed},
    },
    store::{Arrival, Way, Wish},
};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::server::{Server, noon};
use crate::{phases, standup};

const FLAG: &str = "daily_diarization_pipeline";
const BESIDE: &str = "daily_diarization_pipeline.beside";
const ALL: &str = "/ofrep/v1/evaluate/flags";

/// Names a Python with `tests/legacy/requirements.txt`.
const PYTHON: &str = "SWITCHYARD_TEST_LEGACY";

/// Nothing here takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

async fn put(server: &Server, position: Position) {
    phases::put(&server.shadow.store, "staging", position, noon()).await;
}

async fn say(server: &Server, whose: Whose, key: &str, says: Says) {
    let signed = Signed {
        by: "ana".to_owned(),
        reason: "to see".to_owned(),
        at: noon(),
    };
    let key = key.to_owned();
    let change = Change::Say { whose, key, says };
    let about = phases::about("staging");
    let store = &server.shadow.store;
    let changed = store.change_rules(&about, &change, &signed, None).await;
    changed.expect("the store answers").expect("it is changed");
}

struct Answer {
    status: u16,
    tag: String,
    body: Value,
}

async fn post(server: &Server, path: &str, body: &Value, known: Option<&str>) -> Answer {
    let request = standup::http().post(format!("{}{path}", server.root));
    let request = match known {
        None => request,
        Some(known) => request.header("if-none-match", known),
    };
    let response = request.json(body).send().await.expect("it answers");
    let tag = response.headers().get("etag");
    let tag = tag.map_or("", |tag| tag.to_str().expect("text")).to_owned();
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("a body");
    Answer {
        status,
        tag,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

fn of(recording: &str, room: &str) -> Value {
    json!({ "context": { "targetingKey": recording, "room_id": room } })
}

async fn one(server: &Server, key: &str, context: &Value) -> Value {
    let answer = post(server, &format!("{ALL}/{key}"), context, None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn each_phase_has_its_values_and_what_they_went_by() {
    let server = Server::without_engine().await;
    let asked = of("recording", "room");
    let half = Percent::from_hundredths(5000).expect("it is below 100");
    let salt = format!("{FLAG}:staging");
    let (recording, room) = (bucket(&salt, "recording"), bucket(&salt, "room"));
    for (position, serves, beside, reason) in [
        (Position::Infrastructure, false, false, "STATIC"),
        (Position::Shadow(half), false, recording < 5000, "SPLIT"),
        (Position::Cutover(half), room < 5000, room >= 5000, "SPLIT"),
        (Position::Soak, true, false, "STATIC"),
    ] {
        put(&server, position).await;
        let found = one(&server, FLAG, &asked).await;
        let variant = if serves { "candidate" } else { "control" };
        assert_eq!(found["value"], serves, "{position}");
        assert_eq!(
            (&found["key"], &found["variant"]),
            (&json!(FLAG), &json!(variant))
        );
        assert_eq!(found["reason"], reason, "{position}");
        let about = &found["metadata"];
        assert_eq!(about["phase"], position.phase().as_str());
        assert!(
            about["reason"]
                .as_str()
                .expect("text")
                .starts_with("phase ")
        );
        assert_eq!(about["bucket"].is_u64(), reason == "SPLIT");
        let found = one(&server, BESIDE, &asked).await;
        let variant = if beside { "candidate" } else { "none" };
        assert_eq!(found["value"], beside, "{position}");
        assert_eq!(found["variant"], variant);
    }
    let routed = server
        .shadow
        .store
        .recent_routes(&server.shadow.environment, 9);
    assert!(
        routed.await.expect("routes").is_empty(),
        "nothing is pinned"
    );
}

#[tokio::test]
async fn flags_say_what_the_breaker_lets_through_and_their_tag_changes_with_it() {
    let server = Server::without_engine().await;
    put(&server, Position::Cutover(Percent::ALL)).await;
    let asked = of("recording", "room");
    let before = post(&server, ALL, &asked, None).await;
    assert_eq!(one(&server, FLAG, &asked).await["value"], true);
    let bad = Signals {
        bad: Some("server: silent".to_owned()),
        only_watched: false,
    };
    let looked_at = noon() + TimeDelta::days(1);
    let ill = Breaker::first(&bad, looked_at, &HealthLimits::default());
    phases::set(&server.shadow.store, "staging", ill, noon()).await;
    let found = one(&server, FLAG, &asked).await;
    assert_eq!(found["value"], false);
    let reason = found["metadata"]["reason"].as_str().expect("text");
    assert!(reason.contains("the control serves, since"), "{reason}");
    let after = post(&server, ALL, &asked, None).await;
    assert_ne!(after.tag, before.tag);
}

#[tokio::test]
async fn what_was_said_of_a_room_and_what_is_pinned_answer_first() {
    let server = Server::without_engine().await;
    put(&server, Position::Cutover(Percent::NONE)).await;
    say(&server, Whose::Room, "room", Says::Candidate).await;
    let found = one(&server, FLAG, &of("recording", "room")).await;
    assert_eq!(
        (&found["value"], &found["reason"]),
        (&json!(true), &json!("TARGETING_MATCH"))
    );
    assert_eq!(found["metadata"]["rules_version"], 1);

    let arrival = Arrival {
        environment: server.shadow.environment.clone(),
        flag: FLAG.into(),
        task_id: "task".to_owned(),
        transcript: "transcript".into(),
        bucket_name: "b".to_owned(),
        track_keys: Vec::new(),
        wish: Wish::Once,
        way: Way::Http,
    };
    let keys = switchyard::rollout::Keys::Unknown;
    let store = &server.shadow.store;
    let pinned = store.arrive(&arrival, &keys, None, "salt", noon()).await;
    pinned.expect("it is pinned");
    let mut asked = of("recording", "room");
    asked["context"]["transcript_id"] = json!("transcript");
    let found = one(&server, FLAG, &asked).await;
    assert_eq!(found["value"], false, "it was routed to the control before");
    assert_eq!(found["metadata"]["pinned"], true);
    let reason = found["metadata"]["reason"].as_str().expect("text");
    assert!(
        reason.ends_with("did not tell the recording in time"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_protocol_s_words() {
    let server = Server::without_engine().await;
    let single = format!("{ALL}/{FLAG}");
    for (body, code) in [
        (json!([]), "PARSE_ERROR"),
        (json!({}), "TARGETING_KEY_MISSING"),
        (json!({ "context": {} }), "TARGETING_KEY_MISSING"),
        (
            json!({ "context": { "targetingKey": "" } }),
            "TARGETING_KEY_MISSING",
        ),
        (json!({ "context": "r" }), "INVALID_CONTEXT"),
        (
            json!({ "context": { "targetingKey": 1 } }),
            "INVALID_CONTEXT",
        ),
        (
            json!({ "context": { "targetingKey": "r", "room_id": [] } }),
            "INVALID_CONTEXT",
        ),
        (
            json!({ "context": { "targetingKey": "x".repeat(1025) } }),
            "INVALID_CONTEXT",
        ),
        (
            json!({ "context": { "targetingKey": "r", "without_webhook": 1 } }),
            "INVALID_CONTEXT",
        ),
    ] {
        for (path, key) in [(single.as_str(), json!(FLAG)), (ALL, Value::Null)] {
            let answer = post(&server, path, &body, None).await;
            assert_eq!(answer.status, 400, "{path} {body}");
            assert_eq!(answer.body["errorCode"], code, "{path} {body}");
            assert!(answer.body["errorDetails"].is_string());
            assert_eq!(answer.body["key"], key);
        }
    }
    let url = format!("{}{single}", server.root);
    let garbage = standup::http()
        .post(url)
        .header("content-type", "application/json");
    let garbage = garbage.body("{").send().await.expect("it answers");
    assert_eq!(garbage.status().as_u16(), 400);
    let told: Value = garbage.json().await.expect("JSON");
    assert_eq!(told["errorCode"], "PARSE_ERROR");

    let answer = post(&server, &format!("{ALL}/none"), &of("r", "m"), None).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body["errorCode"], "FLAG_NOT_FOUND");
    assert_eq!(answer.body["key"], "none");
}

#[tokio::test]
async fn all_flags_come_with_a_tag_that_spares_them_until_something_changes() {
    let server = Server::without_engine().await;
    put(&server, Position::Shadow(Percent::ALL)).await;
    let asked = of("recording", "room");
    let first = post(&server, ALL, &asked, None).await;
    assert_eq!(first.status, 200);
    let keys: Vec<_> = first.body["flags"]
        .as_array()
        .expect("flags")
        .iter()
        .collect();
    let keys: Vec<_> = keys.iter().map(|flag| flag["key"].as_str()).collect();
    assert_eq!(keys, [Some(FLAG), Some(BESIDE)]);
    assert!(first.tag.starts_with('"'), "{}", first.tag);
    let configuration = first.body["metadata"]["configuration"]
        .as_str()
        .expect("text");

    let again = post(&server, ALL, &asked, Some(&first.tag)).await;
    assert_eq!((again.status, &again.tag), (304, &first.tag));
    assert_eq!(again.body, Value::Null);
    let triggered = |told: &str| format!("{ALL}?flagConfigEtag=%22{told}%22");
    for (told, status) in [(configuration, 304), ("another", 200)] {
        let answer = post(&server, &triggered(told), &asked, Some(&first.tag)).await;
        assert_eq!(answer.status, status, "told of {told}");
    }
    let other = post(&server, ALL, &of("another", "room"), Some(&first.tag)).await;
    assert_eq!(other.status, 200, "another recording has other values");

    put(&server, Position::Cutover(Percent::ALL)).await;
    let flipped = post(&server, ALL, &asked, Some(&first.tag)).await;
    assert_eq!(flipped.status, 200);
    assert_eq!(flipped.body["flags"][0]["value"], true);
    say(&server, Whose::Recording, "recording", Says::Exclude).await;
    let excluded = post(&server, ALL, &asked, Some(&flipped.tag)).await;
    assert_eq!(excluded.body["flags"][0]["value"], false);
}

#[tokio::test]
async fn whoever_listens_is_told_of_every_change_and_of_nothing_else() {
    let server = Server::without_engine().await;
    put(&server, Position::Shadow(Percent::ALL)).await;
    let asked = of("recording", "room");
    let first = post(&server, ALL, &asked, None).await.body;
    let stream = &first["eventStreams"][0];
    assert_eq!(stream["type"], "sse");
    let url = stream["url"].as_str().expect("a URL");
    let path = url.strip_prefix(&server.root).expect("it is ours");

    // One that changed before anybody listened is told at once.
    put(&server, Position::Cutover(Percent::ALL)).await;
    let mut late = server.listen(path).await;
    let (name, told) = timeout(PATIENCE, late.next())
        .await
        .expect("at once")
        .expect("one");
    assert_eq!(
        (name.as_str(), &told["type"]),
        ("message", &json!("refetchEvaluation"))
    );
    assert_eq!(told["lastModified"], noon().timestamp());
    let now = post(&server, ALL, &asked, None).await.body;
    let tag = format!(
        "\"{}\"",
        now["metadata"]["configuration"].as_str().expect("text")
    );
    assert_eq!(told["etag"], tag.as_str());

    let path = now["eventStreams"][0]["url"].as_str().expect("a URL");
    let path = path.strip_prefix(&server.root).expect("it is ours");
    let mut listener = server.listen(path).await;
    say(&server, Whose::Room, "room", Says::Exclude).await;
    for listener in [&mut listener, &mut late] {
        let next = timeout(PATIENCE, listener.next()).await.expect("soon");
        let (_, told) = next.expect("one");
        assert_ne!(told["etag"], tag.as_str(), "only the change is told");
    }
    server.shutdown.cancel();
    let ended = timeout(PATIENCE, listener.next()).await.expect("it ends");
    assert_eq!(ended, None);
}

#[tokio::test]
async fn a_page_on_the_web_cannot_ask() {
    let server = Server::without_engine().await;
    let url = format!("{}{ALL}", server.root);
    let request = standup::http().post(url).header("host", "example.com");
    let answer = request
        .json(&of("r", "m"))
        .send()
        .await
        .expect("it answers");
    assert_eq!(answer.status().as_u16(), 421);
    let events = server.get_as("/ofrep/v1/events", Some("example.com")).await;
    assert_eq!(events.status, 421);
}

#[tokio::test]
async fn a_database_that_is_locked_is_answered_with_the_control() {
    let server = Server::answering_within(Duration::from_millis(50)).await;
    put(&server, Position::Soak).await;
    // There nobody who reads waits for who writes; but one writes, and all others want to.
    let store = &server.shadow.store;
    let _lock = store.begin().await.expect("nobody else writes");
    for _ in 0..16 {
        let store = store.clone();
        tokio::spawn(async move { store.begin().await.map(drop) });
    }
    let asked = of("recording", "room");
    let found = one(&server, FLAG, &asked).await;
    assert_eq!(found["value"], false);
    assert_eq!(
        (&found["variant"], &found["reason"]),
        (&json!("control"), &json!("ERROR"))
    );
    let doubt = found["metadata"]["reason"].as_str().expect("text");
    assert!(
        doubt.starts_with("in doubt: ") && doubt.contains("in time"),
        "{doubt}"
    );
    let bulk = post(&server, ALL, &asked, Some("*")).await;
    assert_eq!(
        (bulk.status, bulk.tag.as_str()),
        (200, ""),
        "a doubt is never kept"
    );
}

/// What Python's SDK makes of evaluations; none where there is no such Python, and the test is skipped,
/// aloud.
async fn sdk(root: &str, wanted: &Value) -> Option<Vec<Value>> {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with tests/legacy/requirements.txt");
        return None;
    };
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ofrep/evaluate.py");
    let mut child = Command::new(python)
        .args([program, root])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a Python starts");
    let mut input = child.stdin.take().expect("it is piped");
    let text = wanted.to_string();
    input.write_all(text.as_bytes()).await.expect("it reads");
    drop(input);
    let ended = child.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    Some(serde_json::from_slice(&ended.stdout).expect("it prints JSON"))
}

#[tokio::test]
async fn the_openfeature_sdk_and_its_provider_take_our_answers() {
    let server = Server::without_engine().await;
    put(&server, Position::Cutover(Percent::ALL)).await;
    say(&server, Whose::Room, "quiet", Says::Exclude).await;
    let asked = |key: &str, default: bool, recording: Option<&str>, attributes: Value| {
        json!({ "key": key, "default": default, "targeting_key": recording,
            "attributes": attributes })
    };
    let wanted = json!([
        asked(FLAG, false, Some("r"), json!({ "room_id": "room" })),
        asked(FLAG, true, Some("r"), json!({ "room_id": "quiet" })),
        asked(BESIDE, true, Some("r"), json!({})),
        asked(FLAG, true, None, json!({})),
        asked(FLAG, true, Some("r"), json!({ "room_id": 7 })),
        asked("none", true, Some("r"), json!({})),
    ]);
    let Some(found) = sdk(&server.root, &wanted).await else {
        return;
    };
    let told: Vec<_> = found
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default();
            (
                one["value"] == true,
                text("variant"),
                text("reason"),
                text("error"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (true, "candidate", "SPLIT", ""),
            (false, "control", "TARGETING_MATCH", ""),
            (false, "none", "SPLIT", ""),
            // The default counts where nothing was evaluated.
            (true, "", "ERROR", "TARGETING_KEY_MISSING"),
            (true, "", "ERROR", "INVALID_CONTEXT"),
            (true, "", "ERROR", "FLAG_NOT_FOUND"),
        ]
    );
    let first = &found[0]["metadata"];
    assert_eq!(
        (&first["phase"], &first["percent"]),
        (&json!("cutover"), &json!(100.0))
    );
    assert!(first["bucket"].is_u64() && first["version"] == 1, "{first}");
    let reason = found[1]["metadata"]["reason"].as_str().expect("text");
    assert!(
        reason.ends_with("the room is excluded by ana: to see"),
        "{reason}"
    );

    // The same client asked again after a flip has the new answer: nothing is kept on the way.
    put(&server, Position::Infrastructure).await;
    let again = sdk(&server.root, &wanted).await.expect("as before");
    assert_eq!(
        (&again[0]["value"], &again[0]["reason"]),
        (&json!(false), &json!("STATIC"))
    );
}
