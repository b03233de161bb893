//! The mix of one side of a run, whole or in part, as players ask for it.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::super::{Door, Error, error::PageError, headers};
use crate::{
    access::{Action, Caller},
    controller::{Mix, Silence},
    model::{Pipeline, RunId},
    report::html::{Heard, Side},
};

/// What a report says of the sound; its addresses are relative to the report's.
pub(super) async fn heard(door: &Door, id: &RunId) -> Result<Heard, Error> {
    heard_below(door, id, "audio").await
}

/// The same on another page than the run's.
pub(super) async fn heard_elsewhere(door: &Door, id: &RunId) -> Result<Heard, Error> {
    heard_below(door, id, &format!("/runs/{id}/audio")).await
}

async fn heard_below(door: &Door, id: &RunId, below: &str) -> Result<Heard, Error> {
    let [control, candidate] = door.sound.mixes(id).await?;
    let side = |found: Result<Mix, Silence>, side: &str| match found {
        Ok(_) => Side::Plays(format!("{below}/{side}")),
        Err(silence) => Side::Silent(silence.to_string()),
    };
    Ok(Heard {
        control: side(control, "control"),
        candidate: side(candidate, "candidate"),
    })
}

/// Answers `GET` and `HEAD`.
pub(super) async fn mix(
    State(door): State<Door>,
    caller: Caller,
    Path((id, side)): Path<(RunId, String)>,
    asked: HeaderMap,
) -> Result<Response, PageError> {
    let of = match side.as_str() {
        "control" => Pipeline::Control,
        "candidate" => Pipeline::Candidate,
        _ => Err(Error::NotFound(format!(
            "a run has the sound of `control` and `candidate`, not of `{side}`"
        )))?,
    };
    door.run_of(&id, &caller, Action::ReadReports).await?;
    let mix = door.sound.mix(&id, of).await.map_err(Error::from)?;
    Ok(answer(&door, &id, mix, &asked).await?)
}

/// What is asked for of a mix, or why it cannot be heard.
pub(super) async fn answer(
    door: &Door,
    id: &RunId,
    mix: Result<Mix, Silence>,
    asked: &HeaderMap,
) -> Result<Response, Error> {
    let mix = mix.map_err(|silence| refused(id, &silence))?;
    let (status, part) = match part(asked, &mix) {
        Part::Whole => (StatusCode::OK, (0, mix.size - 1)),
        Part::Of(part) => (StatusCode::PARTIAL_CONTENT, part),
        Part::Beyond => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{}", mix.size))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let bytes = door.sound.bytes(&mix, part).await;
    let bytes = bytes.map_err(|silence| refused(id, &silence))?;
    let mut answer = (status, Body::from_stream(bytes)).into_response();
    let (first, last) = part;
    let told = [
        (header::CONTENT_TYPE, "audio/mpeg".to_owned()),
        (header::CONTENT_LENGTH, (last - first + 1).to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            headers::SOUND_POLICY.to_owned(),
        ),
    ];
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    for (name, value) in &told {
        add(name.clone(), value);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{last}/{}", mix.size);
        add(header::CONTENT_RANGE, &range);
    }
    if let Some(etag) = &mix.etag {
        add(header::ETAG, etag);
    }
    Ok(answer)
}

fn refused(id: &RunId, silence: &Silence) -> Error {
    let told = silence.to_string();
    match silence {
        Silence::NoRun => Error::no_run(id),
        Silence::Elsewhere(_) | Silence::NoControl | Silence::Missing => Error::NotFound(told),
        Silence::TakenBack(_) | Silence::Replaced => Error::Gone(told),
        Silence::Unknown(_) => Error::Unavailable(told),
    }
}

/// What of a mix is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// All of it, or something that may be answered by all of it.
    Whole,
    /// These bytes, the last included.
    Of((u64, u64)),
    /// Nothing of it.
    Beyond,
}

/// One range of bytes (RFC 9110, 14.2). Several at once, and units we do not know, are answered by the
/// whole, as is a range of another version than ours.
fn part(asked: &HeaderMap, mix: &Mix) -> Part {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let is_ours = text(header::IF_RANGE).is_none_or(|version| mix.etag.as_deref() == Some(version));
    let range = text(header::RANGE).filter(|_| is_ours);
    let range = range.and_then(|range| range.trim().strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let end = mix.size.saturating_sub(1);
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (number(first), number(last)) {
        (Some(first), _) if first > end => Part::Beyond,
        (Some(first), Some(last)) if first <= last => Part::Of((first, last.min(end))),
        (Some(first), None) if last.trim().is_empty() => Part::Of((first, end)),
        (None, Some(0)) if first.trim().is_empty() => Part::Beyond,
        (None, Some(count)) if first.trim().is_empty() => {
            Part::Of((mix.size.saturating_sub(count), end))
        }
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_standard_says() {
        let mix = Mix {
            key: "t/audio.mp3".to_owned(),
            size: 1000,
            etag: Some("\"v1\"".to_owned()),
        };
        let of = |range: &str, version: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().expect("a value"));
            if let Some(version) = version {
                headers.insert(header::IF_RANGE, version.parse().expect("a value"));
            }
            part(&headers, &mix)
        };
        for (range, expected) in [
            ("bytes=0-99", Part::Of((0, 99))),
            ("bytes=990-", Part::Of((990, 999))),
            ("bytes=900-5000", Part::Of((900, 999))),
            ("bytes=-10", Part::Of((990, 999))),
            ("bytes=-5000", Part::Of((0, 999))),
            ("bytes=1000-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-3", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("pages=1-2", Part::Whole),
        ] {
            assert_eq!(of(range, None), expected, "{range}");
        }
        assert_eq!(part(&HeaderMap::new(), &mix), Part::Whole);
        assert_eq!(of("bytes=0-9", Some("\"v1\"")), Part::Of((0, 9)));
        assert_eq!(of("bytes=0-9", Some("\"v0\"")), Part::Whole);
    }
}
