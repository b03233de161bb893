//! The recorded meeting as a control, for tests.

use std::path::PathBuf;

use serde_json::Value;

use crate::model::{
    AudioFacts, Event, HttpRequest, Object, Outcome, OutcomeStatus, Published, StepTiming, Word,
};

/// One recorded run.
struct Case(PathBuf);

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("the model's shape")
}

/// What the legacy made of the bundled meeting.
pub(crate) fn standup() -> Outcome {
    recorded("base")
}

/// What the legacy made of it in one of the recorded cases.
pub(crate) fn recorded(case: &str) -> Outcome {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/standup/expected");
    Case(folder.join(case)).outcome()
}

impl Case {
    fn text(&self, name: &str) -> String {
        let path = self.0.join(name);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).expect("JSON")
    }

    fn outcome(&self) -> Outcome {
        let rows = self.json("db_after.json");
        let row = &rows["transcript"][0];
        let topics: Vec<crate::model::Topic> = parsed(&row["topics"]);
        let words: Vec<Word> = topics
            .iter()
            .flat_map(|topic| topic.words.clone())
            .collect();
        let optional = |key: &str| row[key].as_str().map(str::to_owned);
        Outcome {
            status: OutcomeStatus::Ended,
            failure: None,
            participants: parsed(&row["participants"]),
            words,
            topics,
            title: optional("title"),
            short_summary: optional("short_summary"),
            long_summary: optional("long_summary"),
            webvtt: optional("webvtt"),
            duration_ms: row["duration"].as_f64(),
            waveform: parsed(&self.json("waveform.json")),
            audio: Some(audio()),
            events: parsed::<Vec<Event>>(&row["events"]),
            published: self.published(),
            zulip: Some(self.request("zulip")),
            webhook: Some(self.request("webhook")),
            objects: self.objects(),
            deleted: Vec::new(),
            audio_deleted: false,
            steps: self.steps(),
            usage: Vec::new(),
        }
    }

    fn published(&self) -> Vec<Published> {
        self.text("pubsub.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .map(|line| Published {
                channel: parsed(&line["channel"]),
                payload: parsed(&line["data"]),
            })
            .filter(|message| {
                message.channel.starts_with("ts:") || message.channel.starts_with("user:")
            })
            .collect()
    }

    fn request(&self, service: &str) -> HttpRequest {
        let all = self.json("requests.json");
        let found = all
            .as_array()
            .expect("requests")
            .iter()
            .find(|request| request["service"] == service);
        let found = found.expect("the request");
        let headers: Vec<(String, String)> = parsed(&found["headers"]);
        HttpRequest {
            method: parsed(&found["method"]),
            url: format!(
                "https://{}{}",
                headers[0].1,
                found["target"].as_str().expect("a target")
            ),
            headers: headers
                .into_iter()
                .filter(|(name, _)| name != "Authorization")
                .collect(),
            body: self.text(found["body_file"].as_str().expect("a body")),
        }
    }

    fn objects(&self) -> Vec<Object> {
        let listed = self.json("s3.json");
        let all: Vec<Object> = parsed(&listed["after"]);
        all.into_iter()
            .filter(|object| object.bucket != "daily-recordings")
            .collect()
    }

    fn steps(&self) -> Vec<StepTiming> {
        let phases = self.json("timings.json");
        let phases = phases["phases"].as_array().expect("phases").clone();
        let timing = |phase: Value| StepTiming {
            step: parsed(&phase["phase"]),
            wall_ms: phase["wall_s"].as_f64().expect("seconds") * 1000.0,
        };
        phases.into_iter().map(timing).collect()
    }
}

/// An envelope of some shape; the recording holds none, and comparing needs only a shape.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a shape, not a measurement"
)]
fn audio() -> AudioFacts {
    let level = |at: i32| {
        (0.2 + 0.15 * (f64::from(at) * 0.37).sin() * (f64::from(at) * 0.011).cos()) as f32
    };
    AudioFacts {
        sample_rate: 48_000,
        channels: 2,
        samples: 13_563_960,
        envelope: (0..2826).map(level).collect(),
    }
}
