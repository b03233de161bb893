//! The stand-ins themselves, through plain HTTP.

use serde_json::{Value, json};
use switchyard::sandbox::{Fault, FaultKind, Sandbox, Service, Settings, run};
use tokio_util::sync::CancellationToken;

use crate::standup::{json as fixture, sandbox, sandbox_with};

const LEGACY: [&str; 2] = ["providers", "providers-second-draw"];

fn url(sandbox: &Sandbox, path: &str) -> String {
    format!("{}{path}", sandbox.root())
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What the stand-in makes of a chat: what it is about, and the text.
async fn chat(sandbox: &Sandbox, temperature: f64, messages: &[(&str, &str)]) -> (String, String) {
    let messages: Vec<_> = messages
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect();
    let answer: Value = crate::standup::http()
        .post(url(sandbox, "llm/v1/chat/completions"))
        .bearer_auth("any")
        .json(
            &json!({"model": "m", "messages": messages, "temperature": temperature,
                      "max_tokens": 10, "stream": false}),
        )
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("in JSON");
    let about = sandbox.requests().pop().expect("it is written down").about;
    let said = answer["choices"][0]["message"]["content"].as_str();
    (about, said.unwrap_or_default().to_owned())
}

/// The meeting's words in slices of 300, as topics are cut.
fn chunks(draw: &str, tracks: &[usize]) -> Vec<String> {
    let file = fixture(&format!("{draw}/transcription.json"));
    let mut words: Vec<(f64, String)> = Vec::new();
    for track in tracks {
        for word in file["tracks"][track]["answer"]["words"]
            .as_array()
            .expect("words")
        {
            let start = word["start"].as_f64().expect("a time");
            words.push((start, text(&word["word"]).to_owned()));
        }
    }
    words.sort_by(|a, b| a.0.total_cmp(&b.0));
    words
        .chunks(300)
        .map(|chunk| chunk.iter().map(|(_, word)| word.as_str()).collect())
        .collect()
}

#[tokio::test]
async fn every_chunk_gets_its_own_topic_in_whatever_order() {
    for draw in LEGACY {
        let sandbox = sandbox_with(draw).await;
        let answers = fixture(&format!("{draw}/llm.json"))["answers"].clone();
        // Without track 2 the slices end elsewhere.
        for tracks in [&[0, 1, 2][..], &[0, 1]] {
            let chunks = chunks(draw, tracks);
            assert_eq!(chunks.len(), 3);
            for (index, chunk) in chunks.iter().enumerate().rev() {
                let asked = [
                    ("system", "Answer from the context."),
                    ("user", chunk.as_str()),
                ];
                let (about, analysis) = chat(&sandbox, 0.9, &asked).await;
                assert_eq!(about, format!("topic.analysis {index}"));
                assert_eq!(analysis, text(&answers["topic.analysis"]["values"][index]));

                let asked = format!("Put it into JSON: {analysis} {{{{\"title\"}}}}");
                let (about, object) = chat(&sandbox, 0.9, &[("user", asked.as_str())]).await;
                assert_eq!(about, format!("topic.json {index}"));
                assert_eq!(object, text(&answers["topic.json"]["values"][index]));
            }
        }
    }
}

#[tokio::test]
async fn summaries_are_told_apart_by_what_they_quote() {
    for draw in LEGACY {
        let sandbox = sandbox_with(draw).await;
        let answers = fixture(&format!("{draw}/llm.json"))["answers"].clone();
        let meeting = chunks(draw, &[0, 1, 2]).concat();
        let ask = async |question: &str| {
            chat(&sandbox, 0.4, &[("system", "Answer."), ("user", question)]).await
        };

        let (about, analysis) = ask(&format!("{meeting}\nName the main subjects.")).await;
        assert_eq!(about, "subjects.analysis");
        let asked = format!("As JSON with \"subjects\": {analysis}");
        let (about, _) = chat(&sandbox, 0.4, &[("user", asked.as_str())]).await;
        assert_eq!(about, "subjects.json");

        let mut entries = Vec::new();
        for (subject, paragraph) in answers["subject.paragraph"]["values"]
            .as_object()
            .expect("it is")
        {
            let (about, detail) = ask(&format!("{meeting}\nTell about \"{subject}\".")).await;
            assert_eq!(about, format!("subject.detail {subject}"));
            let (about, answer) = ask(&format!("  {}  \nShorten it.", detail.trim())).await;
            assert_eq!(about, format!("subject.paragraph {subject}"));
            assert_eq!(answer, text(paragraph));
            entries.push(format!("{subject}: {answer}"));
        }
        let (about, recap) = ask(&format!("{}\nSay it all.", entries.join("\n\n"))).await;
        assert_eq!((&*about, &*recap), ("recap", text(&answers["recap"])));
    }
}

#[tokio::test]
async fn an_unknown_chat_is_refused_and_not_answered_by_luck() {
    let sandbox = sandbox().await;
    let (about, said) = chat(&sandbox, 0.4, &[("system", "a"), ("user", "hello")]).await;
    assert_eq!((&*about, &*said), ("", ""));
    assert_eq!(sandbox.requests()[0].status, Some(400));
}

#[tokio::test]
async fn the_second_draw_says_the_same_with_other_words_but_for_one_number() {
    let read = |draw: &str, name: &str| fixture(&format!("{draw}/{name}.json"));
    let [first, second] = LEGACY.map(|draw| read(draw, "llm")["answers"].clone());
    assert_ne!(first["title"], second["title"]);
    let subject = "Billing export and tax rounding";
    let paragraph = |draw: &Value| draw["subject.paragraph"]["values"][subject].clone();
    assert!(text(&paragraph(&first)).contains("12 Canadian"));
    assert!(text(&paragraph(&second)).contains("21 Canadian"));

    let [first, second] = LEGACY.map(|draw| read(draw, "transcription"));
    let mut differing = 0;
    for track in 0..3 {
        let words = |file: &Value| file["tracks"][track]["answer"]["words"].clone();
        let (first, second) = (words(&first), words(&second));
        let (first, second) = (
            first.as_array().expect("words"),
            second.as_array().expect("words"),
        );
        assert_eq!(first.len(), second.len());
        differing += first.iter().zip(second).filter(|(a, b)| a != b).count();
    }
    assert_eq!(differing, 14);
}

#[tokio::test]
async fn audio_that_is_missing_or_of_no_known_kind_is_not_transcribed() {
    use axum::{Router, routing::get};
    let sandbox = sandbox().await;
    let files = Router::new()
        .route("/padded_0.txt", get(|| async { "text" }))
        .route("/padded_0.webm", get(|| async { "<html>" }));
    let listener = crate::standup::loopback().await;
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, files).await });
    for (file, status) in [
        ("gone.webm", 404),
        ("padded_0.txt", 400),
        ("padded_0.webm", 500),
    ] {
        let answer = crate::standup::http()
            .post(url(
                &sandbox,
                "transcription/v1/audio/transcriptions-from-url",
            ))
            .bearer_auth("any")
            .json(&json!({"audio_file_url": format!("http://{address}/{file}"), "language": "en"}))
            .send()
            .await
            .expect("it answers");
        assert_eq!(answer.status().as_u16(), status, "{file}");
    }
}

#[tokio::test]
async fn a_posted_message_can_be_found_and_edited() {
    let sandbox = sandbox().await;
    let http = crate::standup::http();
    let messages = url(&sandbox, "zulip/api/v1/messages");
    let post = |content: &str| {
        let form = [
            ("type", "stream"),
            ("to", "meetings"),
            ("topic", "notes"),
            ("content", content),
        ];
        http.post(&messages)
            .basic_auth("bot", Some("key"))
            .form(&form)
            .send()
    };
    let first: Value = post("one")
        .await
        .expect("it answers")
        .json()
        .await
        .expect("JSON");
    let second: Value = post("two")
        .await
        .expect("it answers")
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (first["id"].as_i64(), second["id"].as_i64()),
        (Some(4242), Some(4243))
    );

    let edit = http
        .patch(format!("{messages}/4242"))
        .basic_auth("bot", Some("key"))
        .form(&[("topic", "notes"), ("content", "one, edited")])
        .send()
        .await
        .expect("it answers");
    assert_eq!(edit.status().as_u16(), 200);

    let narrow = r#"[{"operator": "topic", "operand": "notes"}, {"operator": "search", "operand": "edited"}]"#;
    let found: Value = http
        .get(&messages)
        .query(&[("narrow", narrow)])
        .basic_auth("bot", Some("key"))
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("JSON");
    assert_eq!(found["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["messages"][0]["id"], 4242);

    let anonymous = http.post(&messages).send().await.expect("it answers");
    assert_eq!(anonymous.status().as_u16(), 401);
}

#[tokio::test]
async fn variants_are_answered_while_they_are_on() {
    let sandbox = sandbox().await;
    let receive = || {
        crate::standup::http()
            .post(url(&sandbox, "webhook/reflector?customer=42"))
            .send()
    };
    for (variant, status) in [
        (Some("gone"), 410),
        (Some("server_error"), 500),
        (None, 200),
    ] {
        sandbox
            .vary(Service::Webhook, variant)
            .expect("it is in the data");
        let answer = receive().await.expect("it answers");
        assert_eq!(answer.status().as_u16(), status);
    }
    let paths: Vec<_> = sandbox.requests().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/reflector?customer=42"; 3]);
    let error = sandbox
        .vary(Service::Webhook, Some("flooded"))
        .expect_err("no such");
    assert!(format!("{error:#}").contains("server_error"), "{error:#}");
}

#[tokio::test]
async fn faults_are_set_and_requests_are_read_over_http() {
    let sandbox = sandbox().await;
    let http = crate::standup::http();
    let faults = url(&sandbox, "_sandbox/faults");
    let fault = json!({"service": "webhook", "kind": "status", "status": 503, "retry_after": 7,
                       "skip": 1, "times": 1, "path": "POST /reflector"});
    let set = http
        .post(&faults)
        .json(&fault)
        .send()
        .await
        .expect("it answers");
    assert_eq!(set.status().as_u16(), 204);
    let mut statuses = Vec::new();
    for body in ["one", "two", "three"] {
        let request = http.post(url(&sandbox, "webhook/reflector")).body(body);
        statuses.push(request.send().await.expect("it answers").status().as_u16());
    }
    assert_eq!(statuses, [200, 503, 200]);

    let requests: Value = http
        .get(url(&sandbox, "_sandbox/requests?service=webhook"))
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("JSON");
    let bodies: Vec<_> = requests
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| text(&one["body"]))
        .collect();
    assert_eq!(bodies, ["one", "two", "three"]);
    assert_eq!(requests[1]["status"], 503);
    assert_eq!(requests[2]["n"], 3);

    let bad = http
        .post(&faults)
        .json(&json!({"service": "fax", "kind": "hang"}))
        .send()
        .await;
    assert_eq!(bad.expect("it answers").status().as_u16(), 422);
}

#[tokio::test]
async fn a_hanging_request_goes_on_when_it_is_released() {
    let sandbox = sandbox().await;
    sandbox.fault(Fault::always(Service::Webhook, FaultKind::Hang).times(1));
    let target = url(&sandbox, "webhook/reflector");
    let hanging = tokio::spawn(async move { crate::standup::http().post(target).send().await });
    while sandbox.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sandbox.requests()[0].status, None, "it is open");
    sandbox.release();
    let answer = hanging.await.expect("no panic").expect("it answers");
    assert_eq!(answer.status().as_u16(), 200);
}

#[tokio::test]
async fn stopping_ends_requests_that_hang() {
    let sandbox = sandbox().await;
    sandbox.fault(Fault::always(Service::Webhook, FaultKind::Hang));
    let target = url(&sandbox, "webhook/reflector");
    let hanging = tokio::spawn(async move { crate::standup::http().post(target).send().await });
    while sandbox.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    sandbox.stop().await;
    assert!(hanging.await.is_ok());
}

#[tokio::test]
async fn daily_knows_other_recordings_only_when_it_is_told_to() {
    let sandbox = sandbox().await;
    let ask = async || {
        let url = url(&sandbox, "daily/v1/recordings/another");
        let answer = crate::standup::http()
            .get(url)
            .bearer_auth("any")
            .send()
            .await;
        answer.expect("it answers")
    };
    assert_eq!(ask().await.status().as_u16(), 404);
    sandbox
        .vary(Service::Daily, Some("any_recording"))
        .expect("there is such a variant");
    let recording: Value = ask().await.json().await.expect("JSON");
    assert_eq!(
        (&recording["id"], &recording["duration"]),
        (&json!("another"), &json!(283))
    );
}

#[tokio::test]
async fn daily_lists_what_it_knows_in_full() {
    let sandbox = sandbox().await;
    let ask = async |query: &str| {
        let url = url(&sandbox, &format!("daily/v1/recordings{query}"));
        let request = crate::standup::http().get(url).bearer_auth("any");
        request.send().await.expect("it answers")
    };
    let known = fixture("providers/daily.json")["calls"][0]["answer"].clone();
    let list: Value = ask("?limit=100").await.json().await.expect("JSON");
    assert_eq!(list, json!({"total_count": 1, "data": [known]}));
    let none: Value = ask("?limit=0").await.json().await.expect("JSON");
    assert_eq!(none, json!({"total_count": 1, "data": []}));
    assert_eq!(ask("?limit=101").await.status().as_u16(), 400);
    assert_eq!(sandbox.requests()[0].about, "recordings");
}

#[tokio::test]
async fn a_padded_track_beyond_the_meetings_own_has_no_words() {
    let sandbox = sandbox().await;
    let audio = crate::standup::folder().join("expected/base/audio.mp3");
    let door = crate::standup::loopback().await;
    let address = door.local_addr().expect("an address");
    let bytes = std::fs::read(audio).expect("a fixture");
    let served = axum::Router::new().fallback(async move || bytes);
    tokio::spawn(async move { axum::serve(door, served).await });
    let answer = crate::standup::http()
        .post(url(
            &sandbox,
            "transcription/v1/audio/transcriptions-from-url",
        ))
        .bearer_auth("any")
        .json(
            &json!({"audio_file_url": format!("http://{address}/tracks/padded_3.mp3"),
                      "language": "en", "batch": true}),
        )
        .send()
        .await
        .expect("it answers");
    assert_eq!(answer.status().as_u16(), 200);
    let heard: Value = answer.json().await.expect("JSON");
    assert_eq!(heard, json!({"text": "", "words": []}));
}

#[tokio::test]
async fn a_folder_without_answers_stops_the_start_by_name() {
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        answers: "no/such/folder".into(),
        clock: std::sync::Arc::new(crate::http::server::noon),
    };
    let error = run(settings, CancellationToken::new())
        .await
        .expect_err("nothing is there");
    assert!(
        format!("{error:#}").contains("no/such/folder/daily.json"),
        "{error:#}"
    );
}

#[tokio::test]
async fn running_ends_with_the_shutdown() {
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        answers: crate::standup::folder().join("providers"),
        clock: std::sync::Arc::new(crate::http::server::noon),
    };
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    run(settings, shutdown).await.expect("it ends well");
}
