//! What the stand-ins answer, read from a folder.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::kind::Rules;

/// The answers of all services to one meeting.
pub struct Answers {
    pub(super) daily: Vec<DailyCall>,
    pub(super) transcription: TranscriptionFile,
    pub(super) tracks: Vec<TrackRule>,
    pub(super) llm: LlmFile,
    pub(super) rules: Rules,
    pub(super) zulip: Map<String, Value>,
    pub(super) webhook: Map<String, Value>,
}

#[derive(Deserialize)]
struct DailyFile {
    calls: Vec<DailyCall>,
}

#[derive(Deserialize)]
pub(super) struct DailyCall {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(flatten)]
    pub(super) plain: Plain,
}

/// A status and a JSON body.
#[derive(Clone, Deserialize)]
pub(super) struct Plain {
    pub(super) status: u16,
    pub(super) answer: Value,
}

#[derive(Deserialize)]
pub(super) struct TranscriptionFile {
    pub(super) tracks: Vec<TrackAnswer>,
    /// Keys that end in `_variant` replace a track's answer.
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Clone, Deserialize)]
pub(super) struct TrackAnswer {
    pub(super) track_index: usize,
    #[serde(flatten)]
    pub(super) plain: Plain,
}

#[derive(Deserialize)]
struct TrackRules {
    tracks: Vec<TrackRule>,
}

/// How a track is recognised by the path of its URL.
#[derive(Deserialize)]
pub(super) struct TrackRule {
    pub(super) track_index: usize,
    pub(super) any_of: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct LlmFile {
    /// By kind: a text, or several with what they are chosen by.
    pub(super) answers: Map<String, Value>,
    #[serde(default)]
    pub(super) invalid_answer_variant: Option<InvalidAnswer>,
}

/// A first answer that does not fit, and what comes once it was complained about.
#[derive(Deserialize)]
pub(super) struct InvalidAnswer {
    pub(super) kind: String,
    pub(super) chunk: usize,
    pub(super) first_answer: String,
    pub(super) then: String,
}

impl Answers {
    /// Reads `daily.json`, `transcription.json`, `llm.json`, `zulip.json`, `webhook_receiver.json`
    /// and, for telling requests apart, `transcription_match.json` and `llm_match.json`.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let daily: DailyFile = read(folder, "daily.json")?;
        let tracks: TrackRules = read(folder, "transcription_match.json")?;
        let mut llm: LlmFile = read(folder, "llm.json")?;
        let rules: Rules = read(folder, "llm_match.json")?;
        for (kind, answer) in &rules.more_answers {
            llm.answers
                .entry(kind.clone())
                .or_insert_with(|| answer.clone());
        }
        Ok(Self {
            daily: daily.calls,
            transcription: read(folder, "transcription.json")?,
            tracks: tracks.tracks,
            llm,
            rules,
            zulip: read(folder, "zulip.json")?,
            webhook: read(folder, "webhook_receiver.json")?,
        })
    }

    /// The value of a variant, or an error that lists what there is.
    pub(super) fn variant<'a>(
        data: &'a Map<String, Value>,
        name: &str,
    ) -> anyhow::Result<(&'a str, &'a Value)> {
        let long = format!("{name}_variant");
        data.iter()
            .find(|(key, _)| *key == name || **key == long)
            .map(|(key, value)| (key.as_str(), value))
            .with_context(|| {
                let known: Vec<_> = data.keys().map(String::as_str).collect();
                format!(
                    "sandbox: no variant is called `{name}`; there are {}",
                    known.join(", ")
                )
            })
    }
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> anyhow::Result<T> {
    let path = folder.join(name);
    let text = std::fs::read(&path)
        .with_context(|| format!("sandbox: reading the answers in `{}`", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("sandbox: reading the answers in `{}`", path.display()))
}
