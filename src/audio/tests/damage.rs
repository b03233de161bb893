//! Bad input: what is readable is delivered and said to be damaged, the rest is refused by name.

use std::io::{self, Cursor, Read};

use super::fixtures::{hard, packets, padded, source};
use crate::audio::Error;
use crate::audio::mixdown::{MixSettings, mixdown};
use crate::audio::pad::pad;
use crate::audio::source::Source;
use crate::audio::webm::Reader;

fn refusal(bytes: &[u8]) -> Error {
    pad(source(bytes), Cursor::new(Vec::new())).unwrap_err()
}

#[test]
fn damaged_tracks_give_every_packet_that_can_be_read() {
    let health = |name: &str| {
        let raw = hard(name);
        let mut reader = Reader::open(&raw[..]).unwrap();
        while reader.next_packet().unwrap().is_some() {}
        reader.health().clone()
    };
    let corrupt = health("corrupt_mid");
    assert_eq!(corrupt.packets, 492);
    assert!(corrupt.resyncs > 0 && corrupt.skipped_bytes > 0);

    let flipped = health("bitflips");
    assert_eq!(flipped.packets, 463);
    assert!(flipped.resyncs > 0);

    let truncated = health("truncated");
    assert_eq!((truncated.packets, truncated.truncated), (290, true));

    let trailing = health("trailing_garbage");
    assert_eq!(trailing.packets, health("mono_off0").packets);

    assert_eq!(health("one_packet").packets, 1);
    assert_eq!(health("empty").packets, 0);
    assert_eq!(health("empty_payload").bad_packets, 2);
}

#[test]
fn the_report_of_a_damaged_track_says_so() {
    for name in ["corrupt_mid", "bitflips", "truncated"] {
        assert!(!padded(&hard(name)).1.track.is_whole(), "{name}");
    }
    assert!(padded(&hard("mono_off0")).1.track.is_whole());
}

#[test]
fn what_is_not_audio_is_refused_for_good_and_named() {
    for (name, words) in [
        ("html", "an XML document"),
        ("zero_bytes", "an empty file"),
        ("truncated_head", "ends before it describes a track"),
    ] {
        let error = refusal(&hard(name));
        assert!(error.is_permanent(), "{name}");
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
    let error = refusal(b"RIFF\0\0\0\0WAVE but no more");
    assert!(error.is_permanent(), "{error}");
}

#[test]
fn an_unreadable_track_fails_the_mix_and_is_named() {
    let tracks = vec![source(&hard("mono_off0")), source(&hard("html"))];
    let sink = Cursor::new(Vec::new());
    let error = mixdown(tracks, MixSettings::default(), &|_| {}, &|| false, sink).unwrap_err();
    assert!(matches!(error, Error::Track { index: 1, .. }), "{error}");
    assert!(error.is_permanent());
}

#[test]
fn a_mix_of_nothing_is_an_error() {
    let sink = || Cursor::new(Vec::new());
    let settings = MixSettings::default();
    let empty = vec![source(&hard("empty")), source(&hard("empty"))];
    let error = mixdown(empty, settings, &|_| {}, &|| false, sink()).unwrap_err();
    assert!(matches!(error, Error::Empty { tracks: 2 }), "{error}");
    let error = mixdown(Vec::new(), settings, &|_| {}, &|| false, sink()).unwrap_err();
    assert!(matches!(error, Error::Empty { tracks: 0 }), "{error}");
}

/// Fails after the bytes it has.
struct Broken(Cursor<Vec<u8>>);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn a_reader_that_fails_is_not_taken_for_a_short_track() {
    let cut = hard("mono_off0")[..20_000].to_vec();
    let broken = || Source::stream(Broken(Cursor::new(cut.clone())));
    let error = pad(broken(), Cursor::new(Vec::new())).unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
    assert!(!error.is_permanent());
    let sink = Cursor::new(Vec::new());
    let error = mixdown(
        vec![broken()],
        MixSettings::default(),
        &|_| {},
        &|| false,
        sink,
    )
    .unwrap_err();
    assert!(!error.is_permanent(), "{error}");
}

#[test]
fn a_step_back_is_dropped_until_in_step_again() {
    let raw = hard("mono_off0");
    let (_, whole) = padded(&raw);
    // The same clusters once more: everything in them has passed.
    let cluster = [0x1F, 0x43, 0xB6, 0x75];
    let first = raw.windows(4).position(|four| four == cluster).unwrap();
    let mut twice = raw.clone();
    twice.extend_from_slice(&raw[first..]);
    let (_, report) = padded(&twice);
    assert_eq!(report.track.samples, whole.track.samples);
    assert_eq!(report.track.dropped_packets, packets(&raw).1.len() as u64);
}

/// Numbers that look random and are the same every time (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn mutated_files_never_panic_nor_grow_beyond_a_day() {
    let mut noise = Noise(7);
    for name in [
        "lacing_ebml",
        "one_packet",
        "frame_60",
        "preskip_no_codecdelay",
    ] {
        let mut raw = hard(name);
        raw.truncate(6_000);
        for _ in 0..150 {
            let mut bytes = raw.clone();
            for _ in 0..=noise.below(12) {
                // Most of the structure is in the head.
                let reach = if noise.below(2) == 0 {
                    400.min(bytes.len())
                } else {
                    bytes.len()
                };
                let at = noise.below(reach);
                bytes[at] = noise.below(256) as u8;
            }
            if noise.below(4) == 0 {
                let cut = noise.below(bytes.len());
                bytes.truncate(cut);
            }
            if let Ok(report) = pad(source(&bytes), Cursor::new(Vec::new())) {
                assert!(report.track.samples <= crate::audio::MAX_SAMPLES + 48_000);
            }
        }
    }
}
