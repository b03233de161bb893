//! Mixes the padded tracks into one MP3, and measures its length and waveform.

use std::{cell::Cell, collections::BTreeMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::pad_track::{Padded, in_order};
use crate::{
    audio::{
        self,
        mixdown::{MixSettings, Progress},
        mp3::{MAX_ENCODERS, Mp3Settings},
        source::Source,
    },
    contract::events::RunEvent,
    model::{AudioFacts, ObjectKey, RunId, TaskName, Usage, UsageKind},
    store::IntentKind,
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct MixdownTracks;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// What padding reported, by reference name.
    pub tracks: BTreeMap<String, Padded>,
    /// The tracks to process, in order.
    pub track_keys: Vec<String>,
}

/// What it reports.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The mix in Reflector's bucket.
    pub audio_key: ObjectKey,
    /// Bytes.
    pub size: u64,
    /// Length in milliseconds as the legacy reports it, encoder delay included.
    pub duration_ms: f64,
    /// Samples of the mix that had to be clipped.
    pub clipped: u64,
}

/// What stays in our store.
#[derive(Serialize, Deserialize)]
pub struct Mix {
    /// Peaks in the legacy's chunks, of what was encoded.
    pub waveform: Vec<f64>,
    /// What the MP3 holds.
    pub facts: AudioFacts,
}

/// Says every tenth how far it is; `told` is the last one said.
fn tell(progress: &Progress, told: &Cell<f64>) {
    let tenths = (progress.fraction().unwrap_or(0.0) * 10.0).floor();
    if tenths > told.replace(tenths.max(told.get())) {
        let ended = progress.tracks.iter().filter(|track| track.has_ended);
        debug!(
            mixed_ms = audio::milliseconds(progress.samples),
            tracks_ended = ended.count(),
            tracks = progress.tracks.len(),
            "mixing: {tenths}0 % of the tracks' bytes"
        );
    }
}

impl Task for MixdownTracks {
    const NAME: TaskName = TaskName::MixdownTracks;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let services = &context.services;
        let bucket = &services.tuning.bucket;
        if input.track_keys.is_empty() {
            return Err(TaskError::terminal(
                "the recording has no camera audio track; there is nothing to mix",
            ));
        }
        let mut sources = Vec::new();
        let mut bytes_read = 0;
        for track in in_order(input.tracks, input.track_keys.len())? {
            let Some(key) = track.padded_key else {
                continue;
            };
            context.own(&key)?;
            let padded = match services.objects.get_to_file(bucket, key.as_str()).await {
                Ok(padded) => padded,
                // A failed run's copies are swept when consent is denied, and it may be resumed.
                Err(error) => return Err(context.unreadable_source(error).await),
            };
            bytes_read += padded.size;
            sources.push(Source::new(padded.file).of_length(padded.size));
        }
        if sources.is_empty() {
            return Err(TaskError::terminal(
                "no track of the recording holds any audio; there is nothing to mix",
            ));
        }
        let (span, told) = (tracing::Span::current(), Cell::new(0.0));
        let bit_rate_kbps = services.tuning.mp3_bitrate / 1000;
        let timing = services.tuning.audio_timing;
        let (report, file) = services
            .processors
            .work(MAX_ENCODERS, move |leave| {
                let mut mp3 = tempfile::tempfile()?;
                let settings = MixSettings {
                    mp3: Mp3Settings { bit_rate_kbps },
                    encoders: leave.processors,
                };
                let report = audio::mixdown::mixdown_to_file(
                    sources,
                    settings,
                    timing,
                    &|progress| span.in_scope(|| tell(progress, &told)),
                    &|| leave.is_unwanted(),
                    &mut mp3,
                )?;
                Ok((report, mp3))
            })
            .await?;

        let live_key = context.live_audio_key();
        let key = context.key(&live_key);
        let put = services
            .objects
            .put_file(bucket, key.as_str(), file, None)
            .await?;
        let usage = |kind, amount: u64| Usage {
            kind,
            of: bucket.clone(),
            amount: amount as f64,
        };
        context.used([
            usage(UsageKind::BytesRead, bytes_read),
            usage(UsageKind::BytesWritten, put.size),
        ]);
        context.intend_column("duration", report.duration_legacy_ms);
        context.intend_event(&RunEvent::Duration(report.duration_legacy_ms));
        context.intend(
            IntentKind::PutObject,
            format!("{bucket}/{live_key}"),
            put.size.to_string(),
        );
        context.intend_column("audio_location", "storage");
        let output = Output {
            audio_key: key,
            size: put.size,
            duration_ms: report.duration_legacy_ms,
            clipped: report.clipped,
        };
        let mix = Mix {
            facts: report.facts(),
            waveform: report.waveform_legacy,
        };
        Made::with_document(output, mix)
    }
}
