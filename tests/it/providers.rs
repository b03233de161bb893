//! Providers against their stand-ins: what they send, what they read, how they fail.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::{
    model::{RecordingId, UsageKind},
    providers::{
        Cause, ChatRequest, Daily, Error, Form, Llm, Message, Parsed, RecordingStatus, Retry,
        TokenCount, Transcription, structured,
    },
    sandbox::{Fault, FaultKind, Recorded, Sandbox, Service},
};

use crate::standup::{json as fixture, sandbox};

const RECORDING: &str = "11111111-2222-4333-8444-000000000020";
const MEETING: &str = "3a5b7c9d-1111-4222-8333-444455556666";
const KEY: &str = "fake-key-that-must-not-be-told";

/// Long for a loopback that answers at once, short for one that hangs.
const TIMEOUT: Duration = Duration::from_secs(1);

fn retry() -> Retry {
    Retry {
        attempts: 3,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        patience: Duration::from_secs(5),
        budget: Duration::from_hours(1),
    }
}

fn daily(sandbox: &Sandbox) -> Daily {
    daily_within(sandbox, Duration::from_secs(10))
}

fn daily_within(sandbox: &Sandbox, timeout: Duration) -> Daily {
    Daily::new(sandbox.url(Service::Daily), KEY, timeout, retry()).expect("settings are right")
}

fn transcription(sandbox: &Sandbox, timeout: Duration) -> Transcription {
    let url = sandbox.url(Service::Transcription);
    Transcription::new(url, Some(KEY), timeout, retry()).expect("settings are right")
}

fn llm(sandbox: &Sandbox, timeout: Duration) -> Llm {
    let url = sandbox.url(Service::Llm);
    Llm::new(url, Some(KEY), "golden-model", timeout, retry()).expect("settings are right")
}

/// A request the stand-in knows: temperature 0.5 is the title's.
fn title(llm: &Llm) -> ChatRequest {
    let messages = vec![Message::system("Answer."), Message::user("- a\n- b")];
    llm.request(messages, 0.5, 200)
}

/// A small file that begins like `WebM`, served where a presigned URL would point to.
async fn audio(name: &str) -> String {
    use axum::{Router, routing::get};
    let app = Router::new().route(name, get(|| async { b"\x1A\x45\xDF\xA3 sound".to_vec() }));
    let listener = crate::standup::loopback().await;
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}{name}?X-Amz-Signature=signed")
}

fn body(request: &Recorded) -> Value {
    serde_json::from_slice(&request.body).expect("the body is JSON")
}

#[tokio::test]
async fn a_recording_and_its_participants_are_read_as_daily_tells_them() {
    let sandbox = sandbox().await;
    let daily = daily(&sandbox);
    let recording = daily.recording(&RecordingId::from(RECORDING)).await;
    let recording = recording.expect("Daily knows it");
    assert_eq!(recording.room_name, "standup-20251020100000");
    assert_eq!(recording.status, RecordingStatus::Finished);
    assert_eq!((recording.duration, recording.tracks.len()), (283, 6));
    assert_eq!(recording.mtg_session_id.as_deref(), Some(MEETING));

    let attendees = daily.participants(MEETING).await.expect("Daily knows it");
    let names: Vec<_> = attendees
        .iter()
        .map(|one| one.user_name.as_deref())
        .collect();
    let expected = ["Ana Torres", "Ben Okafor", "Chloé Martin", "Dan Listener"];
    assert_eq!(names, expected.map(Some));
    assert_eq!(attendees[1].user_id, None);
}

#[tokio::test]
async fn daily_is_asked_what_the_legacy_asked() {
    let sandbox = sandbox().await;
    let daily = daily(&sandbox);
    let _ = daily.recording(&RecordingId::from(RECORDING)).await;
    let _ = daily.participants(MEETING).await;
    let legacy = fixture("expected/base/requests.json");
    let legacy = legacy.as_array().expect("a list").iter();
    let legacy: Vec<_> = legacy
        .filter(|request| request["service"] == "daily")
        .collect();
    let ours = sandbox.requests_to(Service::Daily);
    assert_eq!(ours.len(), legacy.len());
    for (ours, legacy) in ours.iter().zip(legacy) {
        assert_eq!(
            (&*ours.method, &*ours.path),
            (text(&legacy["method"]), text(&legacy["target"]))
        );
        assert_eq!(ours.header("content-type"), Some("application/json"));
        assert_eq!(
            ours.header("authorization"),
            Some(&*format!("Bearer {KEY}"))
        );
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn a_recording_that_lacks_a_required_field_is_a_bad_answer() {
    let sandbox = sandbox().await;
    let lacking =
        json!({"id": RECORDING, "room_name": "Ana's room", "start_ts": 1, "status": "finished"});
    sandbox.fault(Fault::always(Service::Daily, answer(200, lacking)));
    let error = daily(&sandbox)
        .recording(&RecordingId::from(RECORDING))
        .await;
    let error = error.expect_err("there is no duration");
    assert!(
        matches!(&error.cause, Cause::BadAnswer(why) if why.contains("`duration`")),
        "{error}"
    );
    assert_eq!(error.attempts, 2, "a bad answer is asked for once more");
}

#[tokio::test]
async fn words_come_as_the_service_gave_them_and_are_metered() {
    let sandbox = sandbox().await;
    let url = audio("/tracks/padded_1.webm").await;
    let transcript = transcription(&sandbox, Transcription::TIMEOUT)
        .transcribe(&url, "en", "run_1")
        .await;
    let transcript = transcript.expect("track 1 has words");
    let said = serde_json::to_value(&transcript.words).expect("words are JSON");
    let recorded = fixture("providers/transcription.json");
    assert_eq!(said, recorded["tracks"][1]["answer"]["words"]);
    assert_eq!(transcript.usage().kind, UsageKind::GpuSeconds);
    assert!(transcript.seconds > 0.0);

    let request = &sandbox.requests_to(Service::Transcription)[0];
    assert_eq!(request.path, "/v1/audio/transcriptions-from-url");
    assert_eq!(
        body(request),
        json!({"audio_file_url": url, "language": "en", "batch": true})
    );
    assert_eq!(
        request.header("authorization"),
        Some(&*format!("Bearer {KEY}"))
    );
    assert_eq!(request.downloaded_bytes, Some(10));
}

#[tokio::test]
async fn a_redirect_with_303_is_followed_by_a_get() {
    use axum::{
        Json, Router,
        response::Redirect,
        routing::{get, post},
    };
    let words = json!({"words": [{"word": "hi ", "start": 0.0, "end": 0.5}]});
    let app = Router::new()
        .route(
            "/v1/audio/transcriptions-from-url",
            post(|| async { Redirect::to("/wait") }),
        )
        .route("/wait", get(|| async { Redirect::to("/done") }))
        .route("/done", get(move || async { Json(words) }));
    let listener = crate::standup::loopback().await;
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let url = format!("http://{address}").parse().expect("a URL");
    let transcription = Transcription::new(url, None, Transcription::TIMEOUT, Retry::never());
    let transcription = transcription.expect("settings are right");
    let transcript = transcription
        .transcribe("http://x.test/a.webm", "en", "run_1")
        .await;
    assert_eq!(transcript.expect("it is done").words.len(), 1);
}

#[tokio::test]
async fn a_chat_carries_the_legacys_keys_and_is_metered() {
    let sandbox = sandbox().await;
    let llm = llm(&sandbox, Llm::TIMEOUT);
    let answer = llm.chat(&title(&llm), "run_1").await.expect("a title");
    let recorded = fixture("providers/llm.json");
    assert_eq!(answer.text, text(&recorded["answers"]["title"]));
    assert_eq!(answer.token_count, TokenCount::Reported);
    assert!(answer.tokens_in > 0 && answer.tokens_out > 0);

    let request = &sandbox.requests_to(Service::Llm)[0];
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(
        body(request),
        json!({
            "model": "golden-model",
            "messages": [
                {"role": "system", "content": "Answer."},
                {"role": "user", "content": "- a\n- b"},
            ],
            "max_tokens": 200,
            "temperature": 0.5,
            "stream": false,
            "litellm_session_id": "run_1",
        })
    );
}

#[tokio::test]
async fn a_structured_value_is_repaired_through_the_wire() {
    let sandbox = sandbox().await;
    sandbox
        .vary(Service::Llm, Some("invalid_answer"))
        .expect("it is in the data");
    let llm = llm(&sandbox, Llm::TIMEOUT);
    let recorded = fixture("providers/llm.json");
    let analysis = text(&recorded["answers"]["topic.analysis"]["values"][1]);
    let form = Form {
        prompt: &format!("Put this into JSON: {analysis}"),
        repair: &|previous, error| format!("\nNot {previous}: {error}. Only valid JSON."),
        request: &|prompt| llm.request(vec![Message::user(prompt)], 0.9, 500),
        check: &|topic: &serde_json::Map<String, Value>| match topic.get("summary") {
            Some(_) => Ok(()),
            None => Err("summary is missing".to_owned()),
        },
        attempts: Form::<()>::ATTEMPTS,
    };
    let llm = &llm;
    let Parsed { value, answers } =
        structured(
            &form,
            |request| async move { llm.chat(&request, "run_1").await },
        )
        .await
        .expect("the repair helps");
    assert_eq!(
        value["title"],
        "Northwind maintenance window and load test results"
    );
    assert_eq!(answers.len(), 2);
    let abouts: Vec<_> = sandbox
        .requests()
        .into_iter()
        .map(|one| one.about)
        .collect();
    assert_eq!(abouts, ["topic.json 1", "topic.json 1"]);
}

fn answer(status: u16, body: Value) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after: None,
        body: Some(body),
    }
}

fn status(status: u16, retry_after: Option<u64>) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after,
        body: None,
    }
}

/// Calls each provider once while it fails in this way; the result has each one's error and the
/// number of requests it sent.
async fn failing(kind: FaultKind, timeout: Duration) -> Vec<(Error, usize)> {
    let sandbox = sandbox().await;
    for service in [Service::Daily, Service::Transcription, Service::Llm] {
        sandbox.fault(Fault::always(service, kind.clone()));
    }
    let audio = audio("/tracks/padded_0.webm").await;
    let daily = daily_within(&sandbox, timeout);
    let transcription = transcription(&sandbox, timeout);
    let llm = llm(&sandbox, timeout);
    let recording = RecordingId::from(RECORDING);
    let request = title(&llm);
    let (recording, participants, words, answer) = tokio::join!(
        daily.recording(&recording),
        daily.participants(MEETING),
        transcription.transcribe(&audio, "en", "run_1"),
        llm.chat(&request, "run_1"),
    );
    let about = |about: &str| {
        let requests = sandbox.requests();
        requests.iter().filter(|one| one.about == about).count()
    };
    vec![
        (recording.expect_err("it fails"), about("recording")),
        (participants.expect_err("it fails"), about("participants")),
        (words.expect_err("it fails"), about("track 0")),
        (answer.expect_err("it fails"), about("title")),
    ]
}

/// Every provider sent so many requests and ended in such an error.
fn assert_all(ended: &[(Error, usize)], requests: usize, retryable: bool, says: &str) {
    assert_eq!(ended.len(), 4);
    for (error, counted) in ended {
        let told = error.to_string();
        assert_eq!(*counted, requests, "{told}");
        assert_eq!(error.attempts as usize, requests, "{told}");
        assert_eq!(error.retryable(), retryable, "{told}");
        assert!(told.contains(says), "{told}");
        assert!(told.starts_with(&error.service.to_string()), "{told}");
        for secret in [KEY, "X-Amz-Signature", "padded_0", "127.0.0.1"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up_after_three_timeouts() {
    let ended = failing(FaultKind::Hang, TIMEOUT).await;
    assert_all(
        &ended,
        3,
        true,
        "no answer within 1 s (request 3 of at most 3)",
    );
}

#[tokio::test]
async fn a_service_that_fails_is_asked_three_times() {
    let ended = failing(status(500, None), Llm::TIMEOUT).await;
    assert_all(&ended, 3, true, "failed on its side: status 500");
}

#[tokio::test]
async fn a_busy_service_is_asked_again_when_it_says() {
    let ended = failing(status(429, Some(0)), Llm::TIMEOUT).await;
    assert_all(&ended, 3, true, "too busy: status 429");
}

#[tokio::test]
async fn a_service_busy_beyond_our_patience_is_left_alone_and_the_wait_is_told() {
    let ended = failing(status(429, Some(3600)), Llm::TIMEOUT).await;
    assert_all(&ended, 1, true, "asks to be left alone for 3600 s");
    for (error, _) in ended {
        assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    }
}

#[tokio::test]
async fn broken_json_is_asked_for_once_more() {
    let ended = failing(FaultKind::BrokenJson, Llm::TIMEOUT).await;
    assert_all(&ended, 2, true, "unusable answer: not JSON");
}

#[tokio::test]
async fn a_web_page_instead_of_json_is_asked_for_once_more() {
    let ended = failing(FaultKind::Garbage, Llm::TIMEOUT).await;
    assert_all(
        &ended,
        2,
        true,
        "unusable answer: not JSON (line 1, column 1)",
    );
}

#[tokio::test]
async fn another_shape_of_json_is_asked_for_once_more() {
    let ended = failing(answer(200, json!({"secret": "Ana said"})), Llm::TIMEOUT).await;
    assert_all(&ended, 2, true, "unusable answer: missing field");
}

#[tokio::test]
async fn a_connection_cut_before_the_answer_is_tried_three_times() {
    let ended = failing(FaultKind::Cut { after_bytes: 0 }, Llm::TIMEOUT).await;
    assert_all(&ended, 3, true, "connection failed");
}

#[tokio::test]
async fn a_connection_cut_within_the_answer_is_tried_three_times() {
    let cut = FaultKind::Cut { after_bytes: 200 };
    let ended = failing(cut, Llm::TIMEOUT).await;
    assert_all(&ended, 3, true, "connection failed");
}

#[tokio::test]
async fn a_refusal_is_never_repeated() {
    for code in [400, 401, 403, 404, 422] {
        let ended = failing(status(code, None), Llm::TIMEOUT).await;
        assert_all(&ended, 1, false, &format!("refused: status {code}"));
    }
}

#[tokio::test]
async fn only_200_is_an_answer() {
    for code in [201, 204, 304] {
        let ended = failing(status(code, None), Llm::TIMEOUT).await;
        assert_all(&ended, 1, false, &format!("refused: status {code}"));
    }
}

#[tokio::test]
async fn one_failure_in_between_goes_unnoticed() {
    for kind in [
        status(503, None),
        status(429, Some(0)),
        FaultKind::Cut { after_bytes: 0 },
        FaultKind::BrokenJson,
    ] {
        let sandbox = sandbox().await;
        sandbox.fault(Fault::always(Service::Llm, kind).times(1));
        let llm = llm(&sandbox, Llm::TIMEOUT);
        let answer = llm.chat(&title(&llm), "run_1").await;
        assert!(answer.is_ok(), "{:?}", answer.err());
        assert_eq!(sandbox.requests_to(Service::Llm).len(), 2);
    }
}

#[tokio::test]
async fn nobody_listening_is_a_connection_that_failed() {
    let listener = crate::standup::loopback().await;
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let url = format!("http://{address}/v1").parse().expect("a URL");
    let daily = Daily::new(url, KEY, Daily::TIMEOUT, retry()).expect("settings are right");
    let error = daily
        .participants(MEETING)
        .await
        .expect_err("nobody is there");
    assert!(matches!(error.cause, Cause::NotConnected(_)), "{error}");
    assert_eq!(error.attempts, 3);
}

#[tokio::test]
async fn a_service_that_does_not_speak_tls_is_a_connection_that_failed() {
    let sandbox = sandbox().await;
    let mut url = sandbox.url(Service::Daily);
    url.set_scheme("https").expect("a scheme");
    let daily = Daily::new(url, KEY, Daily::TIMEOUT, retry()).expect("settings are right");
    let error = daily.participants(MEETING).await.expect_err("no handshake");
    assert!(matches!(error.cause, Cause::NotConnected(_)), "{error}");
}

#[tokio::test]
async fn a_model_that_says_nothing_or_declines_is_told_apart() {
    let said = |content: Value, reason: &str| {
        let choice =
            json!({"message": {"role": "assistant", "content": content}, "finish_reason": reason});
        answer(200, json!({"choices": [choice]}))
    };
    for (kind, cause, requests) in [
        (said(json!(" \n"), "stop"), Cause::Empty { cut: false }, 2),
        (said(Value::Null, "length"), Cause::Empty { cut: true }, 2),
        (said(json!("no"), "content_filter"), Cause::Filtered, 1),
    ] {
        let sandbox = sandbox().await;
        sandbox.fault(Fault::always(Service::Llm, kind));
        let llm = llm(&sandbox, Llm::TIMEOUT);
        let error = llm.chat(&title(&llm), "run_1").await.expect_err("no text");
        assert_eq!(error.cause, cause);
        assert_eq!(sandbox.requests_to(Service::Llm).len(), requests);
    }
}

#[test]
fn a_key_that_no_header_can_carry_stops_the_start_without_being_told() {
    let url = "https://api.daily.co/v1".parse().expect("a URL");
    let error = Daily::new(url, "two\nlines", Daily::TIMEOUT, Retry::never());
    let told = format!("{:#}", error.err().expect("it is refused"));
    assert!(told.contains("daily: the API key"), "{told}");
    assert!(!told.contains("lines"), "{told}");
}
