//! What a request asks, apart from who asks it: equal questions have equal digests.
//!
//! Left out are credentials, the session that groups a run's requests at the model, and how a
//! presigned URL was signed. Of a track's URL remains what names the track: both pipelines keep a
//! padded track at `file_pipeline/TRANSCRIPT/tracks/padded_N`, a shadow run below a prefix of its own.

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use crate::model::{SharedService, TranscriptId, digest};

/// A request to a service, without its credentials.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who is asked.
    pub service: SharedService,
    /// `POST`, as a rule.
    pub method: &'a str,
    /// The path below the service's base URL.
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    /// The body's type.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What a question is about, as far as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A transcript.
    Transcript(TranscriptId),
    /// Whatever this Celery task works on.
    Task(String),
    /// It does not say.
    Unknown,
}

/// A question as it is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 in hex.
    pub digest: String,
    /// What the question is about.
    pub about: About,
}

/// Names the session of a request to the model; the legacy puts its Celery task's id there.
const SESSION: &str = "litellm_session_id";

/// Where a request to the transcription service says what to hear.
const AUDIO_URL: &str = "audio_file_url";

/// Parameters that are credentials.
const CREDENTIALS: [&str; 6] = ["api_key", "api-key", "key", "token", "access_token", "sig"];

/// Reads a question.
pub fn key(question: &Question<'_>) -> Key {
    let mut about = About::Unknown;
    let kind = question.content_type.trim().to_ascii_lowercase();
    let body = match serde_json::from_slice::<Value>(question.body) {
        Ok(Value::Object(mut fields)) => {
            match question.service {
                SharedService::Llm => {
                    if let Some(Value::String(task)) = fields.remove(SESSION) {
                        about = About::Task(task);
                    }
                }
                SharedService::Transcription => about = name_track(&mut fields),
            }
            digest::of_json(&plain(Value::Object(fields)))
        }
        Ok(value) => digest::of_json(&plain(value)),
        Err(_) => match boundary(question.content_type) {
            Some(boundary) if kind.starts_with("multipart/") => parts(question.body, &boundary),
            _ => of_bytes(question.body),
        },
    };
    let all = [
        question.service.as_str(),
        question.method,
        question.path.trim_end_matches('/'),
        &query(question.query.unwrap_or_default()),
        &body,
    ];
    Key {
        digest: digest::of_text(&all.join("\0")),
        about,
    }
}

/// Replaces the URL of a track by the track's name.
fn name_track(fields: &mut Map<String, Value>) -> About {
    let url = fields.get(AUDIO_URL).and_then(Value::as_str);
    let Some(url) = url.and_then(|url| Url::parse(url).ok()) else {
        return About::Unknown;
    };
    let (name, about) = match padded_track(url.path()) {
        Some((transcript, track)) => (
            format!("{transcript}/{track}"),
            About::Transcript(TranscriptId::new(transcript)),
        ),
        None => (url.path().to_owned(), About::Unknown),
    };
    fields.insert(AUDIO_URL.to_owned(), Value::String(name));
    about
}

/// The transcript and the track's name, without its ending, of a padded track's path.
fn padded_track(path: &str) -> Option<(&str, &str)> {
    let (_, below) = path.rsplit_once("/file_pipeline/")?;
    let (transcript, track) = below.split_once("/tracks/")?;
    let track = track.rsplit_once('.').map_or(track, |(name, _)| name);
    let is_plain = |name: &str| !name.is_empty() && !name.contains('/');
    (is_plain(transcript) && is_plain(track)).then_some((transcript, track))
}

/// Numbers as numbers: `1` and `1.0` ask the same.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().and_then(Number::from_f64);
            Value::Number(if number.is_f64() {
                number
            } else {
                float.unwrap_or(number)
            })
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, plain(value)))
                .collect(),
        ),
        other => other,
    }
}

/// The parameters in order of their names, credentials left out.
fn query(text: &str) -> String {
    let mut pairs: Vec<_> = form_urlencoded::parse(text.as_bytes())
        .filter(|(name, _)| !CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()))
        .collect();
    pairs.sort();
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn boundary(content_type: &str) -> Option<String> {
    let (_, after) = content_type.split_once("boundary=")?;
    let end = after.find(';').unwrap_or(after.len());
    Some(after[..end].trim().trim_matches('"').to_owned())
}

/// The digest of a form's parts, whatever separates them.
fn parts(body: &[u8], boundary: &str) -> String {
    let separator = [b"--", boundary.as_bytes()].concat();
    let mut all = Sha256::new();
    let mut rest = body;
    while let Some(at) = find(rest, &separator) {
        let part = &rest[..at];
        all.update((part.len() as u64).to_be_bytes());
        all.update(part);
        rest = &rest[at + separator.len()..];
    }
    hex::encode(all.finalize())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|here| here == wanted)
}

fn of_bytes(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(service: SharedService, body: &Value) -> Key {
        key(&Question {
            service,
            method: "POST",
            path: "/chat/completions",
            query: None,
            content_type: "application/json",
            body: body.to_string().as_bytes(),
        })
    }

    fn track(url: &str) -> Key {
        let body = json!({"audio_file_url": url, "language": "en", "batch": true});
        asked(SharedService::Transcription, &body)
    }

    #[test]
    fn the_session_and_the_order_of_keys_ask_nothing_and_everything_else_does() {
        let one = json!({"model": "m", "messages": [{"role": "user", "content": "a"}],
            "temperature": 1, "litellm_session_id": "task-1"});
        let same = json!({"litellm_session_id": "run_1", "temperature": 1.0, "model": "m",
            "messages": [{"content": "a", "role": "user"}]});
        let one = asked(SharedService::Llm, &one);
        assert_eq!(one.digest, asked(SharedService::Llm, &same).digest);
        assert_eq!(one.about, About::Task("task-1".to_owned()));
        for other in [
            json!({"model": "n", "messages": [{"role": "user", "content": "a"}], "temperature": 1}),
            json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "temperature": 0.9}),
            json!({"model": "m", "messages": [{"role": "user", "content": "b"}], "temperature": 1}),
            json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "temperature": 1,
                "stream": true}),
        ] {
            assert_ne!(
                one.digest,
                asked(SharedService::Llm, &other).digest,
                "{other}"
            );
        }
    }

    #[test]
    fn a_padded_track_is_the_same_in_both_pipelines_however_its_url_is_signed() {
        let control = track(
            "https://b.s3.amazonaws.com/file_pipeline/t-1/tracks/padded_0.webm?X-Amz-Signature=a",
        );
        let candidate = track(
            "http://127.0.0.1:8482/b/shadow/run_1/file_pipeline/t-1/tracks/padded_0.ogg?X-Amz-Signature=b",
        );
        assert_eq!(control, candidate);
        assert_eq!(control.about, About::Transcript(TranscriptId::new("t-1")));
        for other in [
            "https://b.s3.amazonaws.com/file_pipeline/t-1/tracks/padded_1.webm",
            "https://b.s3.amazonaws.com/file_pipeline/t-2/tracks/padded_0.webm",
        ] {
            assert_ne!(control.digest, track(other).digest, "{other}");
        }
    }

    #[test]
    fn a_raw_track_says_of_no_transcript() {
        let raw = track("https://daily.s3.amazonaws.com/room/1-cam-audio-2?X-Amz-Signature=a");
        assert_eq!(raw.about, About::Unknown);
        let odd = track("https://b.example/file_pipeline//tracks/padded_0.webm");
        assert_eq!(odd.about, About::Unknown);
    }

    #[test]
    fn credentials_in_the_query_are_no_part_of_a_question() {
        let asked = |query| {
            key(&Question {
                service: SharedService::Llm,
                method: "GET",
                path: "/models",
                query: Some(query),
                content_type: "",
                body: b"",
            })
        };
        assert_eq!(asked("api_key=a&v=1&x=2"), asked("x=2&v=1&api_key=b"));
        assert_ne!(asked("v=1"), asked("v=2"));
    }

    #[test]
    fn a_form_is_the_same_with_another_boundary() {
        let form = |boundary: &str, content: &str| {
            let body = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n{content}\r\n--{boundary}--\r\n"
            );
            key(&Question {
                service: SharedService::Transcription,
                method: "POST",
                path: "/v1/audio/transcriptions",
                query: None,
                content_type: &format!("multipart/form-data; boundary={boundary}"),
                body: body.as_bytes(),
            })
        };
        assert_eq!(
            form("aaa", "sound"),
            form("\"b-b\"".trim_matches('"'), "sound")
        );
        assert_ne!(form("aaa", "sound"), form("aaa", "noise"));
    }
}
