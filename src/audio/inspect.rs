//! What a track is: its container and head, its packets, where it lies, its holes, how loud it is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::level::{ENVELOPE_RATE, Envelope, peak};
use super::source::Source;
use super::track::{Track, TrackReport};
use super::{Error, SAMPLE_RATE, timeline};

/// So many holes are listed at most.
pub const MAX_HOLES: usize = timeline::MAX_HOLES;

/// What there is to say about a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inspection {
    /// webm, wav, mp4, aac or mp3: by the content, not by a name.
    pub container: String,
    /// 1 or 2, as the head says; packets may be mono in a stereo track.
    pub channels: u16,
    /// Hz: what was recorded at. Opus is always decoded at 48 kHz.
    pub input_rate: u32,
    /// Decoded samples to drop at the start.
    pub pre_skip: u16,
    /// What is subtracted from block times, in milliseconds.
    pub codec_delay_ms: f64,
    /// Output gain.
    pub gain_db: f64,
    /// Bytes read.
    pub bytes: u64,
    /// How long packets are, and how many of each length.
    pub packet_lengths: Vec<PacketLength>,
    /// Holes in the time stamps, as padding fills them; `gaps` counts those beyond [`MAX_HOLES`] too.
    pub holes: Vec<Hole>,
    /// The highest sample in dB below full scale; none in digital silence.
    pub peak_db: Option<f64>,
    /// RMS of the track's own sound, without the silence in front.
    pub rms_db: Option<f64>,
    /// RMS of equal parts from the recording's start on.
    pub levels_db: Vec<Option<f64>>,
    /// Where it lies, what was filled, and how whole it is.
    #[serde(flatten)]
    pub track: TrackReport,
}

/// Packets of one length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PacketLength {
    /// Milliseconds.
    pub ms: f64,
    /// How many there are.
    pub packets: u64,
}

/// A stretch without packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hole {
    /// Since the recording's start, in milliseconds.
    pub start_ms: f64,
    /// Milliseconds.
    pub length_ms: f64,
    /// Short enough for decoders to conceal; longer ones are silent.
    pub concealed: bool,
}

/// Decodes a track and says what it is; `parts` is how many levels are wanted.
///
/// A track without packets has no levels. Errors are those of reading it.
pub fn inspect(
    source: Source,
    parts: usize,
    cancelled: &dyn Fn() -> bool,
) -> Result<Inspection, Error> {
    let meter = source.meter();
    let opened = source.open()?;
    let container = opened.kind.name().to_owned();
    let mut track = Track::open(opened)?;
    let channels = track.channels();
    let mut envelope = Envelope::new(SAMPLE_RATE, channels);
    let (mut pcm, mut highest) = (Vec::new(), 0.0_f32);
    while track.read(&mut pcm)? {
        if cancelled() {
            return Err(Error::Cancelled);
        }
        highest = highest.max(peak(&pcm));
        envelope.add(&pcm);
        pcm.clear();
    }
    let report = track.report();
    let windows = envelope.finish();
    let lead = report.lead_samples / u64::from(SAMPLE_RATE / ENVELOPE_RATE);
    let own = windows.get(lead as usize..).unwrap_or_default();
    let head = track.head();
    Ok(Inspection {
        container,
        channels: channels as u16,
        input_rate: head.input_rate,
        pre_skip: head.pre_skip,
        codec_delay_ms: head.codec_delay_ns as f64 / 1e6,
        gain_db: f64::from(head.gain_q8) / 256.0,
        bytes: meter.read_bytes(),
        packet_lengths: lengths(track.packet_lengths()),
        holes: track.holes().iter().map(Hole::of).collect(),
        peak_db: decibels(f64::from(highest)),
        rms_db: decibels(rms(own)),
        levels_db: levels(&windows, parts),
        track: report,
    })
}

impl Hole {
    fn of(hole: &timeline::Hole) -> Self {
        Self {
            start_ms: hole.position as f64 / 48.0,
            length_ms: hole.samples as f64 / 48.0,
            concealed: hole.concealed,
        }
    }
}

fn lengths(counted: &BTreeMap<u32, u64>) -> Vec<PacketLength> {
    let length = |(samples, packets): (&u32, &u64)| PacketLength {
        ms: f64::from(*samples) / 48.0,
        packets: *packets,
    };
    counted.iter().map(length).collect()
}

/// Equal parts of the windows; where there are fewer windows than parts, some share one.
fn levels(windows: &[f32], parts: usize) -> Vec<Option<f64>> {
    if windows.is_empty() {
        return Vec::new();
    }
    let boundary = |part: usize| part * windows.len() / parts.max(1);
    let part = |part: usize| {
        let from = boundary(part).min(windows.len() - 1);
        let to = boundary(part + 1).max(from + 1);
        decibels(rms(&windows[from..to]))
    };
    (0..parts).map(part).collect()
}

fn rms(windows: &[f32]) -> f64 {
    let energy: f64 = windows.iter().map(|rms| f64::from(*rms).powi(2)).sum();
    (energy / windows.len().max(1) as f64).sqrt()
}

/// Below full scale; nothing below the smallest step of 24 bits.
fn decibels(level: f64) -> Option<f64> {
    (level > 1.0 / f64::from(1 << 24)).then(|| 20.0 * level.log10())
}
