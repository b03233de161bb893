//! Fuzzing with a bound: files of every kind, changed at random in the same way every time.
//!
//! `SWITCHYARD_FUZZ=60000` tries so many instead of a few hundred. Overflows panic in test builds.

use std::io::Cursor;

use super::aac::{adts, mp4};
use super::fixtures::{hard, mixed, source};
use super::other_kinds::wav;
use crate::audio::inspect::inspect;
use crate::audio::mixdown::{MixSettings, mixdown};
use crate::audio::pad::pad;
use crate::audio::source::Timing;
use crate::audio::{MAX_SAMPLES, waveform};

/// Numbers that look random and are the same every time (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        // What lengths and ids break on, more often than the rest.
        const ODD: [u8; 6] = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF];
        if self.below(3) == 0 {
            ODD[self.below(ODD.len())]
        } else {
            self.below(256) as u8
        }
    }
}

/// A few changes: bytes set, stretches cut out, doubled or moved, the end cut off.
fn mutated(noise: &mut Noise, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=noise.below(8) {
        // Most of the structure is in the head.
        let reach = if noise.below(2) == 0 {
            bytes.len().min(400)
        } else {
            bytes.len()
        };
        let at = noise.below(reach);
        let end = (at + noise.below(64)).min(bytes.len());
        match noise.below(12) {
            0 => {
                bytes.drain(at..end);
            }
            1 => {
                let doubled = bytes[at..end].to_vec();
                bytes.splice(at..at, doubled);
            }
            2 => bytes[at..end].reverse(),
            3 => bytes.truncate(end.max(1)),
            _ if at < bytes.len() => bytes[at] = noise.byte(),
            _ => {}
        }
    }
    bytes
}

fn rounds(usual: usize) -> usize {
    let asked = std::env::var("SWITCHYARD_FUZZ").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(usual)
}

/// Every kind, short.
fn originals() -> Vec<Vec<u8>> {
    let mut originals: Vec<Vec<u8>> = [
        "lacing_ebml",
        "lacing_fixed",
        "one_packet",
        "frame_60",
        "frame_2_5",
        "finite_cues",
        "stereo_off1234",
        "preskip_no_codecdelay",
        "mute_gaps",
    ]
    .map(hard)
    .into();
    originals.extend([
        adts(3),
        adts(4),
        mp4(),
        wav(44_100, 2, 4_410),
        wav(8_000, 1, 800),
    ]);
    originals.push(mixed(&[hard("one_packet")]).0[..9_000].to_vec());
    for original in &mut originals {
        original.truncate(6_000);
    }
    originals
}

#[test]
fn padding_and_inspecting_mutated_files_never_panics_nor_goes_beyond_a_day() {
    let mut noise = Noise(7);
    let originals = originals();
    for round in 0..rounds(900) {
        let bytes = mutated(&mut noise, &originals[round % originals.len()]);
        let timing = if round % 3 == 0 {
            Timing::Legacy
        } else {
            Timing::Exact
        };
        let padded = pad(source(&bytes).timed(timing), Cursor::new(Vec::new()));
        if let Ok(report) = padded {
            assert!(report.track.samples <= MAX_SAMPLES + 48_000);
        }
        let mut asked = 0;
        let until = || {
            asked += 1;
            asked > 200 // a day of silence in front takes a while
        };
        let until = std::cell::RefCell::new(until);
        let _ = inspect(source(&bytes).timed(timing), 10, &|| (until.borrow_mut())());
    }
}

#[test]
fn mixing_mutated_files_never_panics_nor_hangs() {
    let mut noise = Noise(11);
    let originals = originals();
    for _ in 0..rounds(45) {
        let mut tracks = Vec::new();
        for _ in 0..=noise.below(3) {
            let original = noise.below(originals.len());
            tracks.push(source(&mutated(&mut noise, &originals[original])));
        }
        let asked = std::cell::Cell::new(0);
        let until = || {
            asked.set(asked.get() + 1);
            asked.get() > 40 // ten seconds of sound
        };
        let sink = Cursor::new(Vec::new());
        let _ = mixdown(tracks, MixSettings::default(), &|_| {}, &until, sink);
    }
}

#[test]
fn the_waveform_of_mutated_files_never_panics() {
    let mut noise = Noise(13);
    let originals = originals();
    for round in 0..rounds(150) {
        let bytes = mutated(&mut noise, &originals[originals.len() - 1 - round % 6]);
        let _ = waveform::of_mp3(source(&bytes));
        let _ = waveform::exact_of_file(source(&bytes));
    }
}
