//! Padding: a raw track becomes one whose sample 0 is the recording's start, without holes.
//!
//! A WebM/Opus track is copied packet by packet behind packets of silence; nothing is decoded.
//! Its times are followed whatever they are, so a track that begins at 0 (or before) has its
//! holes filled as well. Other kinds are decoded and written as 48 kHz 16-bit WAV.

use std::io::{Read, Seek, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::{Kind, Source};
use super::timeline::Timeline;
use super::track::{Track, TrackReport, opus_report};
use super::{Error, wav, webm};

/// What a padded track is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// WebM with the source's Opus packets.
    Webm,
    /// 48 kHz 16-bit WAV.
    Wav,
}

impl Container {
    /// The file's extension without a dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Webm => "webm",
            Self::Wav => "wav",
        }
    }

    /// The MIME type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Webm => "audio/webm",
            Self::Wav => "audio/wav",
        }
    }
}

/// What became of a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PadReport {
    /// What was done and how whole the source was.
    #[serde(flatten)]
    pub track: TrackReport,
    /// What was written; `None` when the track holds no packet, and then nothing was.
    pub container: Option<Container>,
    /// Bytes written.
    pub bytes: u64,
}

/// Pads a track. The same source gives the same bytes; a padded track gives itself.
///
/// A source that is no audio, or of a kind that is not read, is a permanent error; a damaged one
/// yields what is readable and says so in the report.
pub fn pad(source: Source, sink: impl Write + Seek) -> Result<PadReport, Error> {
    let opened = source.open()?;
    match opened.kind {
        Kind::WebM => pad_opus(Timeline::open(opened.reader, opened.timing)?, sink),
        _ => pad_decoded(Track::open(opened)?, sink),
    }
}

fn pad_opus(
    mut timeline: Timeline<impl Read>,
    sink: impl Write + Seek,
) -> Result<PadReport, Error> {
    if timeline.is_empty() {
        return Ok(PadReport {
            track: opus_report(&timeline),
            container: None,
            bytes: 0,
        });
    }
    let head = timeline.head();
    let pre_skip = i64::from(head.pre_skip);
    let mut writer = webm::Writer::new(sink, &head)?;
    let mut end = 0;
    while let Some(piece) = timeline.next_piece()? {
        let samples = i64::from(piece.samples);
        let time_ms = (piece.position + pre_skip + 24) / 48;
        end = (piece.position + samples - i64::from(piece.discard())).max(0);
        writer.packet(time_ms, &piece.data, end as f64 / 48.0, piece.discard_ns)?;
    }
    let mut track = opus_report(&timeline);
    track.samples = end.cast_unsigned();
    Ok(PadReport {
        track,
        container: Some(Container::Webm),
        bytes: writer.finish()?,
    })
}

fn pad_decoded(mut track: Track, sink: impl Write + Seek) -> Result<PadReport, Error> {
    let mut pcm = Vec::new();
    if !track.read(&mut pcm)? {
        return Ok(PadReport {
            track: track.report(),
            container: None,
            bytes: 0,
        });
    }
    let mut writer = wav::Writer::new(sink, track.channels() as u16)?;
    loop {
        writer.write(&pcm)?;
        pcm.clear();
        if !track.read(&mut pcm)? {
            break;
        }
    }
    let bytes = writer.finish()?;
    Ok(PadReport {
        track: track.report(),
        container: Some(Container::Wav),
        bytes,
    })
}
