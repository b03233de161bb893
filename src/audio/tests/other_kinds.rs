//! Tracks without time stamps: WAV at any rate becomes 48 kHz WAV on the recording's clock.

use std::io::Cursor;

use super::fixtures::{mixed, padded, samples_of, source};
use crate::audio::mixdown::{MixSettings, mixdown};
use crate::audio::pad::{Container, pad};
use crate::audio::track::Codec;

/// A WAV file of a tone, 16 bits.
fn wav(rate: u32, channels: u16, frames: u32) -> Vec<u8> {
    let data = frames * u32::from(channels) * 2;
    let mut out = b"RIFF".to_vec();
    out.extend((36 + data).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(channels) * 2).to_le_bytes());
    out.extend((channels * 2).to_le_bytes());
    out.extend(16_u16.to_le_bytes());
    out.extend(b"data");
    out.extend(data.to_le_bytes());
    for frame in 0..frames {
        let phase = f64::from(frame) * 300.0 / f64::from(rate) * std::f64::consts::TAU;
        let sample = (phase.sin() * 8_000.0) as i16;
        for _ in 0..channels {
            out.extend(sample.to_le_bytes());
        }
    }
    out
}

#[test]
fn a_wav_track_is_resampled_and_put_in_its_place() {
    for rate in [16_000, 44_100, 48_000] {
        let raw = wav(rate, 1, rate * 2);
        let mut out = Cursor::new(Vec::new());
        let report = pad(source(&raw).starting_at_ms(1_500), &mut out).unwrap();
        assert_eq!(report.container, Some(Container::Wav));
        assert_eq!(report.track.codec, Codec::Pcm);
        assert_eq!(report.track.samples, 72_000 + 96_000, "{rate} Hz");
        let out = out.into_inner();
        assert_eq!(report.bytes, out.len() as u64);
        let (shape, pcm) = samples_of(&out);
        assert_eq!(
            (shape.rate, shape.channels, pcm.len()),
            (48_000, 1, 168_000)
        );
        assert!(
            pcm[..71_000].iter().all(|sample| *sample == 0.0),
            "{rate} Hz"
        );
        let peak = pcm[72_000..].iter().copied().fold(0.0, f32::max);
        assert!(
            (peak - 8_000.0 / 32_768.0).abs() < 0.01,
            "{rate} Hz: {peak}"
        );
    }
}

#[test]
fn a_padded_wav_track_padded_again_is_itself_and_mixes_the_same() {
    let raw = wav(44_100, 2, 44_100);
    let (once, _) = padded(&raw);
    assert!(padded(&once).0 == once);
    assert!(mixed(&[raw]).0 == mixed(&[once]).0);
}

#[test]
fn a_wav_track_mixes_at_its_start() {
    let mut out = Cursor::new(Vec::new());
    let track = source(&wav(48_000, 1, 48_000)).starting_at_ms(2_000);
    let report = mixdown(
        vec![track],
        MixSettings::default(),
        &|_| {},
        &|| false,
        &mut out,
    )
    .unwrap();
    assert_eq!(report.samples, 3 * 48_000);
    assert!((report.tracks[0].start_ms - 2_000.0).abs() < 1e-9);
}

#[test]
fn a_truncated_wav_gives_what_is_there() {
    let raw = wav(48_000, 1, 48_000);
    let (_, report) = padded(&raw[..raw.len() / 2]);
    assert!(report.track.samples > 20_000 && report.track.samples < 24_000);
    assert!(report.track.truncated);
}

#[test]
fn a_start_after_a_day_is_refused_before_anything_is_written() {
    let late = source(&wav(48_000, 1, 100)).starting_at_ms(25 * 3600 * 1000);
    let mut out = Cursor::new(Vec::new());
    assert!(pad(late, &mut out).unwrap_err().is_permanent());
    assert!(out.into_inner().is_empty());
}

#[test]
fn impossible_rates_and_channels_are_refused() {
    for raw in [wav(7_000, 1, 7_000), wav(48_000, 6, 100)] {
        let error = pad(source(&raw), Cursor::new(Vec::new())).unwrap_err();
        assert!(error.is_permanent(), "{error}");
    }
}
