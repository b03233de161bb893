//! Test inputs, and plain ways to look into what came out.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use crate::audio::decode::{Shape, Stream};
use crate::audio::mixdown::{MixReport, MixSettings, mixdown};
use crate::audio::opus::Decoder;
use crate::audio::pad::{PadReport, pad};
use crate::audio::source::Source;
use crate::audio::webm::{OpusHead, Packet, Reader};

/// Fixtures that hold packets, undamaged; `manifest.json` beside them says what each is.
pub const GOOD: [&str; 30] = [
    "mono_off0",
    "mono_off17293",
    "mono_off8130_nopreskip",
    "stereo_off1234",
    "mono_in_stereo_header",
    "espeak_off500",
    "finite_cues",
    "long_clusters",
    "dtx_kept",
    "dtx_dropped",
    "lost_single",
    "mute_gaps",
    "mute_gap_off0",
    "jitter",
    "drift",
    "dup_ts",
    "huge_gap",
    "frame_2_5",
    "frame_10",
    "frame_40",
    "frame_60",
    "preskip_no_codecdelay",
    "no_private",
    "sampling16k",
    "lacing_fixed",
    "lacing_ebml",
    "track_no_200",
    "one_packet",
    "empty_payload",
    "trailing_garbage",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A file under the fixtures.
pub fn file(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One of the hard WebM files.
pub fn hard(name: &str) -> Vec<u8> {
    file(&format!("audio/{name}.webm"))
}

pub fn source(bytes: &[u8]) -> Source {
    Source::new(Cursor::new(bytes.to_vec()))
}

/// Gives one byte at a time, as the worst network does.
pub struct OneByte(pub Cursor<Vec<u8>>);

impl Read for OneByte {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

pub fn padded(bytes: &[u8]) -> (Vec<u8>, PadReport) {
    let mut out = Cursor::new(Vec::new());
    let report = pad(source(bytes), &mut out).unwrap();
    (out.into_inner(), report)
}

/// Mixes at 128 kb/s.
pub fn mixed(tracks: &[Vec<u8>]) -> (Vec<u8>, MixReport) {
    let sources = tracks.iter().map(|track| source(track)).collect();
    let mut out = Cursor::new(Vec::new());
    let settings = MixSettings::default();
    let report = mixdown(sources, settings, &|_| {}, &|| false, &mut out).unwrap();
    (out.into_inner(), report)
}

/// A WebM file's packets, as they are stored.
pub fn packets(webm: &[u8]) -> (OpusHead, Vec<Packet>) {
    let mut reader = Reader::open(webm).unwrap();
    let head = reader.head().clone();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        packets.push(packet);
    }
    (head, packets)
}

/// Where a packet's first decoded sample belongs.
pub fn wanted(head: &OpusHead, packet: &Packet) -> i64 {
    ((packet.time_ns - head.codec_delay_ns as i64) * 48 + 500_000).div_euclid(1_000_000)
}

/// All that libopus makes of packets in file order, pre-skip included, interleaved.
pub fn decoded(head: &OpusHead, packets: &[Packet]) -> Vec<f32> {
    let mut decoder = Decoder::new(head.channels, head.gain_q8).unwrap();
    let mut pcm = Vec::new();
    for packet in packets {
        pcm.extend_from_slice(decoder.decode(&packet.data, packet.samples).0);
    }
    pcm
}

/// A WebM file's first channel from the recording's start, pre-skip dropped.
pub fn heard(webm: &[u8]) -> Vec<f32> {
    let (head, packets) = packets(webm);
    let channels = usize::from(head.channels);
    let pcm = decoded(&head, &packets);
    pcm.into_iter()
        .step_by(channels)
        .skip(usize::from(head.pre_skip))
        .collect()
}

/// An MP3's (or WAV's) samples, interleaved.
pub fn samples_of(bytes: &[u8]) -> (Shape, Vec<f32>) {
    let mut stream = Stream::open(Box::new(Cursor::new(bytes.to_vec()))).unwrap();
    let mut pcm = Vec::new();
    while let Some(piece) = stream.next_samples().unwrap() {
        pcm.extend_from_slice(piece);
    }
    (stream.shape(), pcm)
}

/// Pearson's correlation over the length both have.
pub fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let count = left.len().min(right.len());
    let (left, right) = (&left[..count], &right[..count]);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
    let (left_mean, right_mean) = (mean(left), mean(right));
    let (mut both, mut left_only, mut right_only) = (0.0, 0.0, 0.0);
    for (left, right) in left.iter().zip(right) {
        let (left, right) = (left - left_mean, right - right_mean);
        both += left * right;
        left_only += left * left;
        right_only += right * right;
    }
    both / (left_only * right_only).sqrt()
}
