//! The transcription's stand-in. It fetches the audio as the service does and fails as it would;
//! which words it answers follows from the path of the URL.

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    answers::{Answers, Plain, TrackAnswer},
    record::Call,
    server::Reply,
};

#[derive(Deserialize)]
struct Asked {
    audio_file_url: String,
    language: String,
}

/// Endings the service knows, and content types for URLs without one.
const ENDINGS: [&str; 7] = ["mp3", "mp4", "mpeg", "mpga", "m4a", "wav", "webm"];
const TYPES: [&str; 4] = ["audio/mpeg", "audio/mp3", "audio/wav", "audio/mp4"];
/// What a `WebM` file begins with.
const EBML: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];

/// `track 1`, if the URL is of one.
pub(super) fn about(call: &Call, answers: &Answers) -> String {
    url(call)
        .and_then(|url| track(&url, answers))
        .map_or_else(String::new, |track| format!("track {track}"))
}

/// The answer, and the bytes of audio that were fetched for it.
pub(super) async fn answer(
    call: &Call,
    answers: &Answers,
    variant: Option<&str>,
    http: &reqwest::Client,
) -> anyhow::Result<(Reply, Option<u64>)> {
    let failed = |status, detail: &str| Ok((Reply::json(status, &json!({"detail": detail})), None));
    if call.path != "/v1/audio/transcriptions-from-url" || call.method != "POST" {
        return failed(404, "Not Found");
    }
    if !call.has_bearer() {
        return failed(401, "Invalid API key");
    }
    let Ok(asked) = serde_json::from_slice::<Asked>(&call.body) else {
        return failed(422, "audio_file_url and language are required");
    };
    if asked.language.is_empty() {
        return failed(422, "language must not be empty");
    }
    let Some(url) = url(call) else {
        return failed(422, "audio_file_url is no URL");
    };

    // A URL signed for GET answers 403 to HEAD, which the service takes for "try and see".
    let head = http.head(url.clone()).send().await;
    if head.is_ok_and(|head| head.status() == 404) {
        return failed(404, "Audio file not found");
    }
    let Ok(got) = http.get(url.clone()).send().await else {
        return failed(500, "audio_file_url cannot be reached");
    };
    if got.status() != 200 {
        return failed(500, "audio_file_url was not answered with 200");
    }
    let content_type = got.headers().get("content-type").cloned();
    let Ok(audio) = got.bytes().await else {
        return failed(500, "audio_file_url broke off");
    };
    let path = url.path();
    let typed = content_type.is_some_and(|told| TYPES.iter().any(|known| told == *known));
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    if !ENDINGS.contains(&ending) && !typed {
        return failed(400, "Unsupported audio format");
    }
    if audio.is_empty() || (ending == "webm" && !audio.starts_with(&EBML)) {
        return failed(500, "Invalid data found when processing input");
    }
    let Some(track) = track(&url, answers) else {
        return failed(500, "the sandbox has no words for this audio");
    };
    let plain = words(track, answers, variant)?;
    Ok((Reply::plain(&plain), Some(audio.len() as u64)))
}

fn words(track: usize, answers: &Answers, variant: Option<&str>) -> anyhow::Result<Plain> {
    let file = &answers.transcription;
    if let Some(variant) = variant {
        let (_, value) = Answers::variant(&file.rest, variant)?;
        let varied: TrackAnswer = serde_json::from_value(value.clone())?;
        if varied.track_index == track {
            return Ok(varied.plain);
        }
    }
    let known = file.tracks.iter().find(|known| known.track_index == track);
    Ok(known.map_or_else(
        || Plain {
            status: 200,
            answer: json!({"text": "", "words": []}),
        },
        |known| known.plain.clone(),
    ))
}

fn url(call: &Call) -> Option<Url> {
    let asked: Asked = serde_json::from_slice(&call.body).ok()?;
    Url::parse(&asked.audio_file_url).ok()
}

fn track(url: &Url, answers: &Answers) -> Option<usize> {
    let has = |part: &String| url.path().contains(part.as_str());
    let rule = answers
        .tracks
        .iter()
        .find(|rule| rule.any_of.iter().any(has))?;
    Some(rule.track_index)
}
