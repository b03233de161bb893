//! Puts one track on the recording's clock: silence in front, holes filled, nothing transcoded.

use std::{collections::BTreeMap, io::Seek};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audio::{self, source::Source},
    model::{ObjectKey, RunId, TaskName, TrackName, Usage, UsageKind, digest},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct PadTrack;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// 0-based; also the speaker's number.
    pub track_index: u32,
    /// The bucket of the raw track.
    pub bucket_name: String,
    /// The raw track.
    pub s3_key: ObjectKey,
}

/// What it reports.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Padded {
    /// 0-based; also the speaker's number.
    pub track_index: u32,
    /// The padded track in Reflector's bucket; none where the raw one holds no audio at all.
    pub padded_key: Option<ObjectKey>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the padded track in hex, which answers are cached by.
    pub sha256: String,
    /// When its own sound begins, in milliseconds since the recording's start.
    pub offset_ms: f64,
    /// Length in samples of 1/48000 s, silence included.
    pub samples: u64,
    /// Holes (muted microphone, lost packets) that were filled.
    pub gaps: u64,
    /// Faults that were got over: damaged places skipped, undecodable packets.
    pub faults: u64,
    /// Whether the raw track ends in the middle of an element.
    pub truncated: bool,
}

/// The tracks in order of their index, none missing. The engine hands a fork's results over as a
/// map, whose order means nothing.
pub fn in_order(
    tracks: BTreeMap<String, Padded>,
    expected: usize,
) -> Result<Vec<Padded>, TaskError> {
    let mut tracks: Vec<_> = tracks.into_values().collect();
    tracks.sort_by_key(|track| track.track_index);
    let complete = tracks.len() == expected
        && tracks
            .iter()
            .zip(0..)
            .all(|(track, index)| track.track_index == index);
    if complete {
        Ok(tracks)
    } else {
        Err(TaskError::terminal(format!(
            "{} of {expected} tracks were padded; the fork lost some",
            tracks.len()
        )))
    }
}

/// When a track without time stamps of its own begins, in milliseconds since the recording's
/// start, by its file name; 0 where the name does not say.
fn start_by_name(key: &ObjectKey) -> u64 {
    TrackName::parse(key.as_str()).map_or(0, |name| {
        name.track_start_ms.saturating_sub(name.recording_start_ms)
    })
}

impl Task for PadTrack {
    const NAME: TaskName = TaskName::PadTrack;
    type Input = Input;
    type Output = Padded;

    async fn run(input: Input, context: &Context) -> Result<Made<Padded>, TaskError> {
        let services = &context.services;
        let index = input.track_index;
        let raw = services
            .objects
            .get_to_file(&input.bucket_name, input.s3_key.as_str())
            .await;
        let raw = match raw {
            Ok(raw) => raw,
            Err(error) => return Err(context.unreadable_source(error).await),
        };
        let read = Usage {
            kind: UsageKind::BytesRead,
            of: input.bucket_name.clone(),
            amount: raw.size as f64,
        };
        let source = Source::new(raw.file)
            .of_length(raw.size)
            .starting_at_ms(start_by_name(&input.s3_key))
            .timed(services.tuning.audio_timing);
        let (report, sha256, file) = services
            .processors
            .work(1, move |_| {
                let mut padded = tempfile::tempfile()?;
                let report = audio::pad::pad(source, &mut padded)?;
                padded.rewind()?;
                let sha256 = digest::of_reader(&mut padded)?;
                padded.rewind()?;
                Ok((report, sha256, padded))
            })
            .await
            .map_err(|error| error.context(format!("track {index} (`{}`)", input.s3_key)))?;
        context.used([read]);
        let mut made = Padded {
            track_index: index,
            padded_key: None,
            size: 0,
            sha256: String::new(),
            offset_ms: report.track.start_ms,
            samples: report.track.samples,
            gaps: report.track.gaps,
            faults: report.track.resyncs + report.track.bad_packets,
            truncated: report.track.truncated,
        };
        if let Some(kind) = report.container {
            let live_key = context.live_padded_key(index, kind.extension());
            let key = context.key(&live_key);
            let bucket = &services.tuning.bucket;
            let put = services
                .objects
                .put_file(bucket, key.as_str(), file, None)
                .await?;
            context.used([Usage {
                kind: UsageKind::BytesWritten,
                of: bucket.clone(),
                amount: put.size as f64,
            }]);
            context.intend_scratch(
                IntentKind::PutObject,
                format!("{bucket}/{live_key}"),
                put.size.to_string(),
            );
            made.padded_key = Some(key);
            made.size = put.size;
            made.sha256 = sha256;
        }
        Ok(Made::small(made))
    }
}
