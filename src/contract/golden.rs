//! The formats against what the legacy pipeline was recorded to produce, byte for byte.

use std::{fs, path::PathBuf};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    chunks, clean_title, events, merge, participants, python_json, python_text, summary, waveform,
    webhook, webvtt, zulip,
};
use crate::model::{
    HttpRequest, Participant, Published, RecordingFacts, RoomFacts, Subject, Topic,
    TranscriptFacts, TranscriptId, Word, text_of,
};

const UI: &str = "https://reflector.example.test";

/// Runs of the whole pipeline that ended well.
const ENDED: [&str; 7] = [
    "base",
    "consent_denied",
    "silent_track",
    "all_tracks_wordless",
    "start0_track",
    "webhook_retry",
    "reprocess_zulip_patch",
];

/// Runs of the post tasks alone, on the transcript that `reprocess_zulip_patch` left.
const POST_ONLY: [&str; 5] = [
    "post_no_webhook_secret",
    "post_no_zulip_auto_post",
    "post_webhook_410",
    "post_zulip_failure",
    "post_zulip_patch_invalid",
];

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/standup")
        .join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(fixture(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A case's transcript and room rows as the run left them.
struct Case {
    name: &'static str,
    row: Value,
    room: Value,
}

impl Case {
    fn of(name: &'static str) -> Self {
        let rows_of = if POST_ONLY.contains(&name) {
            "reprocess_zulip_patch"
        } else {
            name
        };
        let row = json(&format!("expected/{rows_of}/db_after.json"))["transcript"][0].clone();
        // Post-only cases note only what they changed of the room.
        let mut room = json("expected/base/db_before.json")["room"][0].clone();
        let noted = json(&format!("expected/{name}/db_before.json"))["room"][0].clone();
        for (column, value) in noted.as_object().unwrap() {
            room[column] = value.clone();
        }
        Self { name, row, room }
    }

    fn topics(&self) -> Vec<Topic> {
        serde_json::from_value(self.row["topics"].clone()).unwrap()
    }

    fn participants(&self) -> Vec<Participant> {
        serde_json::from_value(self.row["participants"].clone()).unwrap()
    }

    fn duration_ms(&self) -> f64 {
        self.row["duration"].as_f64().unwrap()
    }

    fn subject(&self) -> Subject {
        let row = &self.row;
        let room = &self.room;
        Subject {
            recording: RecordingFacts {
                id: "r".into(),
                bucket_name: "daily-recordings".to_owned(),
                object_key: "example".to_owned(),
                track_keys: vec![],
            },
            transcript: TranscriptFacts {
                id: row["id"].as_str().unwrap().into(),
                created_at: string(&row["created_at"]).unwrap(),
                user_id: string(&row["user_id"]),
                room_id: row["room_id"].as_str().map(Into::into),
                source_kind: string(&row["source_kind"]).unwrap(),
                source_language: string(&row["source_language"]).unwrap(),
                target_language: string(&row["target_language"]).unwrap(),
                title: None,
                zulip_message_id: None,
                participants: Vec::new(),
            },
            room: Some(RoomFacts {
                id: room["id"].as_str().unwrap().into(),
                name: string(&room["name"]).unwrap(),
                zulip_auto_post: room["zulip_auto_post"].as_bool().unwrap(),
                zulip_stream: string(&room["zulip_stream"]),
                zulip_topic: string(&room["zulip_topic"]),
                webhook_url: string(&room["webhook_url"]),
                webhook_secret: string(&room["webhook_secret"]),
            }),
            calendar_event: None,
            consents: vec![],
            track_keys: vec![],
            ui_base_url: UI.to_owned(),
        }
    }

    fn requests(&self, service: &str) -> Vec<Value> {
        let requests = json(&format!("expected/{}/requests.json", self.name));
        let all = requests.as_array().unwrap().iter();
        all.filter(|request| request["service"] == service)
            .cloned()
            .collect()
    }

    fn body_of(&self, request: &Value) -> String {
        let file = request["body_file"].as_str().unwrap();
        text(&format!("expected/{}/{file}", self.name))
    }
}

/// A recorded header, looked up as HTTP does.
fn header(request: &Value, name: &str) -> Option<String> {
    let headers = request["headers"].as_array().unwrap();
    let found = headers
        .iter()
        .find(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name));
    found.map(|pair| string(&pair[1]).unwrap())
}

#[test]
fn the_waveform_file_is_printed_to_the_byte() {
    for case in ENDED {
        let file = text(&format!("expected/{case}/waveform.json"));
        let peaks: Vec<f64> = serde_json::from_str(&file).unwrap();
        assert_eq!(waveform::file(&peaks), file);
    }
}

#[test]
fn every_message_of_every_case_survives_reading_and_printing() {
    for case in ENDED
        .iter()
        .chain(&POST_ONLY)
        .chain(&["transcription_failure"])
    {
        for line in text(&format!("expected/{case}/pubsub.jsonl")).lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            assert_eq!(python_json::to_string_spaced(&message).unwrap(), line);
            let payload = message["data"].as_str().unwrap();
            let read: Value = serde_json::from_str(payload).unwrap();
            assert_eq!(python_json::to_string_spaced(&read).unwrap(), payload);
        }
    }
}

#[test]
fn captions_are_derived_to_the_byte() {
    for name in ENDED.into_iter().chain(["transcription_failure"]) {
        let captions = webvtt::of_topics(&Case::of(name).topics()).unwrap();
        assert_eq!(
            captions,
            text(&format!("expected/{name}/transcript.vtt")),
            "{name}"
        );
    }
}

#[test]
fn zulip_posts_are_made_to_the_byte() {
    let (mut compared, mut instead) = (0, 0);
    for name in ENDED.into_iter().chain(POST_ONLY) {
        let case = Case::of(name);
        let subject = case.subject();
        let topics = case.topics();
        let title = string(&case.row["title"]);
        let long_summary = string(&case.row["long_summary"]);
        let content = zulip::content(&zulip::Message {
            transcript: &subject.transcript,
            title: title.as_deref(),
            long_summary: long_summary.as_deref(),
            duration_ms: case.duration_ms(),
            topics: &topics,
            ui_base_url: UI,
        });
        assert!(content.contains(&zulip::link(UI, &subject.transcript.id)));
        let requests = case.requests("zulip");
        let Some(address) = zulip::address(subject.room.as_ref().unwrap()) else {
            assert!(requests.is_empty(), "{name}");
            continue;
        };
        let mut refused = None;
        for (index, recorded) in requests.iter().enumerate() {
            let file = format!("expected/{name}/zulip_{}.content.md", index + 1);
            assert_eq!(content, text(&file), "{name}");
            let method = recorded["method"].as_str().unwrap();
            let base = "https://zulip.example.test";
            let made = match method {
                "PATCH" => zulip::edit(base, 4242, address, &content),
                _ => zulip::post(base, address, &content),
            };
            assert_request(name, &made, recorded, &case.body_of(recorded));
            assert!(content.contains(&zulip::link(UI, &subject.transcript.id)));
            if let Some(refused) = refused.replace(made.clone()) {
                assert_eq!(zulip::post_instead(&refused, address.stream), Some(made));
                instead += 1;
            }
            compared += 1;
        }
    }
    assert_eq!((compared, instead), (12, 1));
}

#[test]
fn webhooks_are_made_to_the_byte_and_signed_alike() {
    let mut compared = 0;
    for name in ENDED.into_iter().chain(POST_ONLY) {
        let case = Case::of(name);
        let subject = case.subject();
        let topics = case.topics();
        let people = case.participants();
        let [title, short, long, captions] = ["title", "short_summary", "long_summary", "webvtt"]
            .map(|name| string(&case.row[name]));
        let row = webhook::Row {
            title: title.as_deref(),
            short_summary: short.as_deref(),
            long_summary: long.as_deref(),
            webvtt: captions.as_deref(),
            duration_ms: case.duration_ms(),
            topics: &topics,
            participants: &people,
            status: "ended",
        };
        for (retry, recorded) in (0..).zip(case.requests("webhook")) {
            let expected = case.body_of(&recorded);
            let sent: Value = serde_json::from_str(&expected).unwrap();
            let event_id = sent["event_id"].as_str().unwrap();
            let at: DateTime<Utc> = sent["timestamp"].as_str().unwrap().parse().unwrap();
            let body = webhook::body(event_id, at, &subject, &row).unwrap();
            let secret = subject.room.as_ref().unwrap().webhook_secret.as_deref();
            // The signature's clock was read a moment after the body's.
            let signed_at = header(&recorded, "X-Webhook-Signature").map_or(at, |signature| {
                let seconds = signature.split(['=', ',']).nth(1).unwrap();
                DateTime::from_timestamp(seconds.parse().unwrap(), 0).unwrap()
            });
            let url = webhook::target(&subject).unwrap();
            let made = webhook::request(url, body, secret, retry, signed_at);
            assert_request(name, &made, &recorded, &expected);
            compared += 1;
        }
    }
    assert_eq!(compared, 13);
}

#[test]
fn a_later_attempt_is_made_of_the_first_one_alone() {
    let case = Case::of("webhook_retry");
    let subject = case.subject();
    let secret = subject.room.as_ref().unwrap().webhook_secret.as_deref();
    let url = webhook::target(&subject).unwrap();
    let recorded = case.requests("webhook");
    let first = case.body_of(&recorded[0]);
    let mut kept = webhook::request(url, first, secret, 0, DateTime::UNIX_EPOCH);
    let mut compared = 0;
    for (retry, recorded) in (1..).zip(&recorded[1..]) {
        let expected = case.body_of(recorded);
        let sent: Value = serde_json::from_str(&expected).unwrap();
        let at: DateTime<Utc> = sent["timestamp"].as_str().unwrap().parse().unwrap();
        // Both clocks read in the same second here, as `now` is one.
        let signature = header(recorded, "X-Webhook-Signature").unwrap();
        assert!(signature.starts_with(&format!("t={},", at.timestamp())));
        let again = webhook::again(&kept, retry, secret, at).unwrap();
        assert_request("webhook_retry", &again, recorded, &expected);
        // Of the second as of the first.
        kept = again;
        compared += 1;
    }
    assert_eq!(compared, 2);
}

/// Body, target and every header we set are as recorded, and no header of the legacy's own is
/// missing.
fn assert_request(case: &str, made: &HttpRequest, recorded: &Value, body: &str) {
    assert_eq!(made.body, body, "{case}");
    assert_eq!(made.method, recorded["method"].as_str().unwrap(), "{case}");
    assert!(made.url.ends_with(recorded["target"].as_str().unwrap()));
    for (name, value) in &made.headers {
        assert_eq!(
            header(recorded, name).as_ref(),
            Some(value),
            "{case}: {name}"
        );
    }
    let signed = made
        .headers
        .iter()
        .any(|(name, _)| name == "X-Webhook-Signature");
    assert_eq!(
        signed,
        header(recorded, "X-Webhook-Signature").is_some(),
        "{case}"
    );
}

#[test]
fn messages_to_browsers_are_made_to_the_byte() {
    for name in ENDED.into_iter().chain(["transcription_failure"]) {
        let case = Case::of(name);
        let mut told = vec![events::RunEvent::Status(events::Status::Processing)];
        for event in json(&format!("expected/{name}/events.json"))
            .as_array()
            .unwrap()
        {
            let (made, data) = (rebuilt(event), &event["data"]);
            assert_eq!(made.event().data, *data, "{name}");
            assert_eq!(made.event().event, event["event"], "{name}");
            told.push(made);
        }
        let transcript = TranscriptId::new(case.row["id"].as_str().unwrap());
        let user = case.row["user_id"].as_str();
        let made: Vec<Published> = told
            .iter()
            .flat_map(|event| event.published(&transcript, user))
            .collect();
        assert_eq!(made, recorded_messages(name), "{name}");
    }
}

fn recorded_messages(case: &str) -> Vec<Published> {
    text(&format!("expected/{case}/pubsub.jsonl"))
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|message| Published {
            channel: string(&message["channel"]).unwrap(),
            payload: string(&message["data"]).unwrap(),
        })
        .filter(|message| !message.channel.starts_with("celery-task-meta-"))
        .collect()
}

/// The event a worker would have built for a recorded one.
fn rebuilt(event: &Value) -> events::RunEvent {
    let data = &event["data"];
    let field = |name: &str| string(&data[name]).unwrap();
    match event["event"].as_str().unwrap() {
        "STATUS" => {
            events::RunEvent::Status(serde_json::from_value(data["value"].clone()).unwrap())
        }
        "DURATION" => events::RunEvent::Duration(data["duration"].as_f64().unwrap()),
        "WAVEFORM" => {
            events::RunEvent::Waveform(serde_json::from_value(data["waveform"].clone()).unwrap())
        }
        "TRANSCRIPT" => events::RunEvent::Transcript(field("text")),
        "TOPIC" => events::RunEvent::Topic(serde_json::from_value(data.clone()).unwrap()),
        "FINAL_TITLE" => events::RunEvent::FinalTitle(field("title")),
        "FINAL_SHORT_SUMMARY" => events::RunEvent::FinalShortSummary(field("short_summary")),
        "FINAL_LONG_SUMMARY" => events::RunEvent::FinalLongSummary(field("long_summary")),
        other => panic!("an unknown event `{other}` was recorded"),
    }
}

/// The transcription answers, merged.
fn merged() -> Vec<Word> {
    let answers = json("providers/transcription.json");
    let tracks = answers["tracks"].as_array().unwrap();
    let heard = tracks.iter().take(3).zip(0_i64..).map(|(track, index)| {
        let words = serde_json::from_value(track["answer"]["words"].clone()).unwrap();
        merge::track_words(words, index).unwrap()
    });
    merge::merge(heard.collect())
}

#[test]
fn the_services_answers_become_the_recorded_topics_and_text() {
    let words = merged();
    let recorded = Case::of("base").topics();
    let cut = chunks::chunks(&words, chunks::Rule::LEGACY);
    assert_eq!(cut.len(), recorded.len());
    for (words, topic) in cut.iter().zip(&recorded) {
        assert_eq!(*words, topic.words);
        assert_eq!(text_of(words), topic.transcript);
        assert!((words[0].start - topic.timestamp).abs() < f64::EPSILON);
    }
    let events = json("expected/base/events.json");
    let transcript = &events.as_array().unwrap()[2]["data"]["text"];
    assert_eq!(text_of(&words), transcript.as_str().unwrap());
}

#[test]
fn the_models_answers_become_the_recorded_titles() {
    let answers = &json("providers/llm.json")["answers"];
    let row = Case::of("base").row;
    let title = answers["title"].as_str().unwrap();
    assert_eq!(
        clean_title::clean_title(python_text::strip(title)),
        row["title"]
    );
    let raw = answers["topic.json"]["values"].as_array().unwrap();
    for (answer, topic) in raw.iter().zip(row["topics"].as_array().unwrap()) {
        let answer = answer.as_str().unwrap();
        let object = &answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()];
        let parsed: Value = serde_json::from_str(object).unwrap();
        assert_eq!(
            clean_title::clean_title(parsed["title"].as_str().unwrap()),
            topic["title"]
        );
    }
}

#[test]
fn the_models_answers_become_the_recorded_long_summary() {
    let answers = &json("providers/llm.json")["answers"];
    let row = Case::of("base").row;
    let subjects: Value = serde_json::from_str(answers["subjects.json"].as_str().unwrap()).unwrap();
    let subjects: Vec<String> = serde_json::from_value(subjects["subjects"].clone()).unwrap();
    let texts = &answers["subject.paragraph"]["values"];
    let paragraphs: Vec<_> = subjects
        .iter()
        .map(|subject| summary::Paragraph {
            subject,
            text: python_text::strip(texts[subject].as_str().unwrap()),
        })
        .collect();
    let recap = python_text::strip(answers["recap"].as_str().unwrap());
    assert_eq!(recap, row["short_summary"]);
    assert_eq!(
        summary::long_summary(recap, &paragraphs),
        row["long_summary"]
    );
}

#[test]
fn dailys_list_and_the_tracks_become_the_recorded_participants() {
    let answer = &json("providers/daily.json")["calls"][1]["answer"]["data"];
    let listed: Vec<participants::DailyParticipant> =
        serde_json::from_value(answer.clone()).unwrap();
    let rows = json("expected/base/db_after.json");
    let keys: Vec<String> =
        serde_json::from_value(rows["recording"][0]["track_keys"].clone()).unwrap();
    let matched =
        participants::matched(&listed, &keys, &[], participants::Rerun::KeepsParticipants);
    assert_eq!(matched.participants, Case::of("base").participants());
    assert!(matched.unnamed_tracks.is_empty());
}

/// Prompts were not recorded, but the lengths of messages were: what is left after taking the
/// meeting's own text away must be the same prompt in every run.
#[test]
fn the_model_is_given_texts_of_the_recorded_lengths() {
    let (mut subjects, mut titles, mut excerpts) = (Lengths::new(), Lengths::new(), Lengths::new());
    for name in ENDED
        .into_iter()
        .filter(|name| *name != "all_tracks_wordless")
    {
        let case = Case::of(name);
        let (topics, people) = (case.topics(), case.participants());
        let names = summary::participant_names(&people);
        let meeting = summary::with_participants(&summary::transcript(&topics, &people), &names);
        let recorded = |kind: &str| recorded_lengths(name, kind);

        subjects.extend([recorded("subjects.analysis")[0] - length(&meeting)]);
        titles.extend([recorded("title")[0] - 2 * length(&summary::title_input(&topics))]);
        // The query has the excerpt as it is, the context has it stripped.
        excerpts.extend(
            recorded("topic.analysis")
                .iter()
                .zip(&topics)
                .map(|(chars, topic)| {
                    let excerpt = &topic.transcript;
                    chars - length(excerpt) - length(python_text::strip(excerpt))
                }),
        );
    }
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert_eq!(excerpts.len(), 1, "{excerpts:?}");
}

type Lengths = std::collections::BTreeSet<usize>;

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Code points of the user's message in each call of a kind.
fn recorded_lengths(case: &str, kind: &str) -> Vec<usize> {
    let calls = json(&format!("expected/{case}/llm_calls.json"));
    let calls = calls["calls"].as_array().unwrap().iter();
    calls
        .filter(|call| call["kind"] == kind)
        .map(|call| call["messages"].as_array().unwrap().last().unwrap())
        .map(|message| usize::try_from(message["chars"].as_u64().unwrap()).unwrap())
        .collect()
}
