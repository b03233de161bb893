//! One track as samples on the recording's clock, and what was met on the way.

use std::collections::BTreeMap;
use std::io::Read;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decode::{Shape, Stream};
use super::opus::{Decoded, Decoder};
use super::resample::Resampler;
use super::source::{Kind, MediaSource, Opened};
use super::timeline::{Hole, Timeline};
use super::webm::OpusHead;
use super::{Error, MAX_SAMPLES, SAMPLE_RATE, milliseconds, wav};

/// Samples per millisecond.
const PER_MILLISECOND: u64 = SAMPLE_RATE as u64 / 1000;
/// Leading silence is handed out in pieces of this many frames.
const SILENCE_PIECE: u64 = 48_000;

/// What a track was coded as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// WebM/Opus, the usual one.
    #[default]
    Opus,
    /// WAV.
    Pcm,
    /// AAC in MP4 or ADTS.
    Aac,
    /// MP3.
    Mp3,
}

/// What was done to a track, and how whole it was. Samples are per channel at 48 kHz.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrackReport {
    /// What it was coded as.
    pub codec: Codec,
    /// When its own sound begins, in milliseconds since the recording's start.
    pub start_ms: f64,
    /// Silence put in front.
    pub lead_samples: u64,
    /// Holes filled.
    pub gaps: u64,
    /// Samples put into them.
    pub gap_samples: u64,
    /// Frames of those left to the decoder to conceal.
    pub concealed: u64,
    /// Packets left out because their time had passed.
    pub dropped_packets: u64,
    /// How often the reader lost the thread and found it again.
    pub resyncs: u64,
    /// Bytes passed over while looking for it.
    pub skipped_bytes: u64,
    /// Packets that were malformed or, when decoding, undecodable.
    pub bad_packets: u64,
    /// Whether the content ends in the middle of something.
    pub truncated: bool,
    /// Length on the recording's clock, silence in front included.
    pub samples: u64,
    /// Good packets read.
    pub packets: u64,
}

impl TrackReport {
    /// Whether nothing of the source was lost on the way.
    pub fn is_whole(&self) -> bool {
        !self.truncated && self.resyncs == 0 && self.bad_packets == 0
    }
}

/// A track being decoded.
pub(super) enum Track {
    Opus(Box<OpusTrack<Box<dyn MediaSource>>>),
    Other(Box<OtherTrack>),
}

impl Track {
    /// Reads up to the first packet.
    pub fn open(opened: Opened) -> Result<Self, Error> {
        Ok(match opened.kind {
            Kind::WebM => {
                let timeline = Timeline::open(opened.reader, opened.timing)?;
                Self::Opus(Box::new(OpusTrack::new(timeline)?))
            }
            _ => Self::Other(Box::new(OtherTrack::open(opened)?)),
        })
    }

    /// 1 or 2.
    pub fn channels(&self) -> usize {
        match self {
            Self::Opus(track) => track.channels,
            Self::Other(track) => track.shape.channels,
        }
    }

    /// Appends the next interleaved samples to `out`; false at the end.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, Error> {
        match self {
            Self::Opus(track) => track.read(out),
            Self::Other(track) => track.read(out),
        }
    }

    /// What the head says; of a track that is not Opus only the rate.
    pub fn head(&self) -> OpusHead {
        match self {
            Self::Opus(track) => track.timeline.own_head().clone(),
            Self::Other(track) => OpusHead {
                number: 0,
                codec_delay_ns: 0,
                channels: track.shape.channels as u8,
                pre_skip: 0,
                gain_q8: 0,
                input_rate: track.shape.rate,
            },
        }
    }

    /// The holes found so far; tracks without time stamps have none.
    pub fn holes(&self) -> &[Hole] {
        match self {
            Self::Opus(track) => &track.timeline.placement().holes,
            Self::Other(_) => &[],
        }
    }

    /// How many packets so far are how long, in samples; told of Opus only.
    pub fn packet_lengths(&self) -> &BTreeMap<u32, u64> {
        static NONE: BTreeMap<u32, u64> = BTreeMap::new();
        match self {
            Self::Opus(track) => &track.timeline.health().lengths,
            Self::Other(_) => &NONE,
        }
    }

    /// What was met so far; final after the end.
    pub fn report(&self) -> TrackReport {
        match self {
            Self::Opus(track) => track.report(),
            Self::Other(track) => track.report(),
        }
    }
}

/// A WebM track: timeline, then libopus.
pub(super) struct OpusTrack<R> {
    timeline: Timeline<R>,
    decoder: Decoder,
    channels: usize,
    /// Decoded samples still to be dropped.
    pre_skip: usize,
    samples: u64,
    undecodable: u64,
}

impl<R: Read> OpusTrack<R> {
    fn new(timeline: Timeline<R>) -> Result<Self, Error> {
        let head = timeline.head();
        Ok(Self {
            decoder: Decoder::new(head.channels, head.gain_q8)?,
            channels: usize::from(head.channels),
            pre_skip: usize::from(head.pre_skip),
            timeline,
            samples: 0,
            undecodable: 0,
        })
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, Error> {
        let Some(piece) = self.timeline.next_piece()? else {
            return Ok(false);
        };
        let (pcm, decoded) = self.decoder.decode(&piece.data, piece.samples);
        if decoded == Decoded::Concealed {
            self.undecodable += 1;
        }
        let end = (piece.samples - piece.discard()) as usize;
        let start = self.pre_skip.min(end);
        self.pre_skip -= start;
        out.extend_from_slice(&pcm[start * self.channels..end * self.channels]);
        self.samples += (end - start) as u64;
        Ok(true)
    }

    fn report(&self) -> TrackReport {
        let mut report = opus_report(&self.timeline);
        report.bad_packets += self.undecodable;
        report.samples = self.samples;
        report
    }
}

/// A timeline's report, without the length.
pub(super) fn opus_report<R: Read>(timeline: &Timeline<R>) -> TrackReport {
    let (placement, health) = (timeline.placement(), timeline.health());
    TrackReport {
        codec: Codec::Opus,
        start_ms: milliseconds(placement.start.max(0).cast_unsigned()),
        lead_samples: placement.lead,
        gaps: placement.gaps,
        gap_samples: placement.gap_samples,
        concealed: placement.concealed,
        dropped_packets: placement.dropped_packets,
        resyncs: health.resyncs,
        skipped_bytes: health.skipped_bytes,
        bad_packets: health.bad_packets,
        truncated: health.truncated,
        samples: 0,
        packets: health.packets,
    }
}

/// A track without time stamps: silence up to its start, then its samples at 48 kHz, each rounded
/// to 16 bits so that a padded copy mixes to the same bytes.
///
/// AAC keeps its encoder's priming, some 20 to 45 ms of silence: containers do not reliably say
/// how much it is.
pub(super) struct OtherTrack {
    stream: Stream,
    shape: Shape,
    resampler: Option<Resampler>,
    codec: Codec,
    lead: u64,
    lead_left: u64,
    samples: u64,
    ended: bool,
}

impl OtherTrack {
    fn open(opened: Opened) -> Result<Self, Error> {
        let codec = match opened.kind {
            Kind::WebM => Codec::Opus,
            Kind::Wav => Codec::Pcm,
            Kind::Mp4 | Kind::Adts => Codec::Aac,
            Kind::Mp3 => Codec::Mp3,
        };
        let lead = opened.start_ms.saturating_mul(PER_MILLISECOND);
        if lead > MAX_SAMPLES {
            return Err(Error::Unsupported("a track that starts after a day".into()));
        }
        let stream = Stream::open(opened.reader)?;
        let shape = stream.shape();
        let resampler = match shape.rate {
            SAMPLE_RATE => None,
            rate => Some(Resampler::new(rate, shape.channels)?),
        };
        let ended = stream.is_empty();
        Ok(Self {
            stream,
            shape,
            resampler,
            codec,
            lead,
            lead_left: lead,
            samples: 0,
            ended,
        })
    }

    fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        let from = out.len();
        if self.lead_left > 0 {
            let frames = self.lead_left.min(SILENCE_PIECE);
            self.lead_left -= frames;
            out.resize(from + frames as usize * self.shape.channels, 0.0);
        } else {
            self.read_own(out)?;
        }
        for sample in &mut out[from..] {
            *sample = f32::from(wav::quantise(*sample)) / 32_768.0;
        }
        self.samples += ((out.len() - from) / self.shape.channels) as u64;
        if self.samples > MAX_SAMPLES {
            return Err(Error::Unsupported("a track longer than a day".into()));
        }
        Ok(true)
    }

    fn read_own(&mut self, out: &mut Vec<f32>) -> Result<(), Error> {
        match (self.stream.next_samples()?, &mut self.resampler) {
            (Some(pcm), Some(resampler)) => resampler.push(pcm, out),
            (Some(pcm), None) => {
                out.extend_from_slice(pcm);
                Ok(())
            }
            (None, resampler) => {
                self.ended = true;
                resampler
                    .as_mut()
                    .map_or(Ok(()), |resampler| resampler.finish(out))
            }
        }
    }

    fn report(&self) -> TrackReport {
        let health = self.stream.health();
        TrackReport {
            codec: self.codec,
            start_ms: milliseconds(self.lead),
            lead_samples: self.lead,
            bad_packets: health.bad_packets,
            truncated: health.truncated,
            samples: self.samples,
            packets: health.packets - health.bad_packets,
            ..TrackReport::default()
        }
    }
}
