//! The mix: exact in length, the same from raw and padded tracks, stoppable.

use std::cell::RefCell;
use std::io::Cursor;

use super::fixtures::{hard, heard, mixed, padded, samples_of, source};
use crate::audio::mixdown::{MixSettings, legacy_duration_ms, mixdown};
use crate::audio::mp3::{self, Mp3Settings};
use crate::audio::source::Source;
use crate::audio::track::TrackReport;
use crate::audio::{Error, decode, waveform};

/// An MP3 of a quiet tone so many samples long.
fn tone(samples: usize, settings: Mp3Settings) -> Vec<u8> {
    let pcm: Vec<f32> = (0..samples)
        .map(|frame| (frame as f32 * 0.05).sin() * 0.5)
        .collect();
    let mut out = Cursor::new(Vec::new());
    let mut writer = mp3::Writer::new(&mut out, settings, mp3::Layout::USUAL, 1).unwrap();
    writer.write(&pcm, None).unwrap();
    writer.finish().unwrap();
    out.into_inner()
}

#[test]
fn a_decoder_gives_exactly_the_samples_that_went_in() {
    for samples in [
        0, 1, 47, 575, 576, 647, 1151, 1152, 1153, 2304, 10_000, 48_000,
    ] {
        let (shape, pcm) = samples_of(&tone(samples, Mp3Settings::default()));
        assert_eq!(
            (shape.rate, shape.channels),
            (48_000, 2),
            "{samples} samples"
        );
        assert_eq!(pcm.len() / 2, samples);
    }
}

#[test]
fn the_sound_is_not_shifted_by_encoding() {
    let (_, pcm) = samples_of(&tone(20_000, Mp3Settings::default()));
    // LAME scales by 0.95 at this rate; a shift of one sample would show as more than 0.02.
    for frame in 5_000..15_000 {
        let expected = (frame as f32 * 0.05).sin() * 0.475;
        assert!((pcm[frame * 2] - expected).abs() < 0.02, "sample {frame}");
    }
}

#[test]
fn every_bit_rate_offered_gives_frames_of_one_size() {
    for bit_rate_kbps in [32, 64, 128, 192, 320] {
        let settings = Mp3Settings { bit_rate_kbps };
        let mp3 = tone(48_000, settings);
        let frame = 3 * bit_rate_kbps as usize;
        assert_eq!(mp3.len() % frame, 0);
        for header in mp3.chunks(frame) {
            assert_eq!(header[..2], [0xFF, 0xFB], "{bit_rate_kbps} kb/s");
        }
    }
}

#[test]
fn an_unknown_bit_rate_is_refused_with_those_that_are_known() {
    let settings = MixSettings {
        mp3: Mp3Settings { bit_rate_kbps: 100 },
        encoders: 1,
    };
    let sink = Cursor::new(Vec::new());
    let tracks = vec![source(&hard("one_packet"))];
    let error = mixdown(tracks, settings, &|_| {}, &|| false, sink).unwrap_err();
    assert!(error.to_string().contains("112, 128"), "{error}");
}

#[test]
fn raw_and_padded_tracks_give_the_same_bytes() {
    let names = [
        "mono_off17293",
        "stereo_off1234",
        "mute_gap_off0",
        "lost_single",
        "frame_60",
        "drift",
    ];
    let raw: Vec<_> = names.map(hard).into();
    let ready: Vec<_> = raw.iter().map(|track| padded(track).0).collect();
    let (from_raw, raw_report) = mixed(&raw);
    let (from_padded, padded_report) = mixed(&ready);
    assert!(from_raw == from_padded);
    assert_eq!(raw_report.waveform, padded_report.waveform);
    assert_eq!(raw_report.samples, padded_report.samples);
}

#[test]
fn the_report_of_a_mix_fits_its_bytes() {
    let tracks = [hard("mono_off0"), hard("mono_off17293")];
    let (mp3, report) = mixed(&tracks);
    let (shape, pcm) = samples_of(&mp3);
    assert_eq!(pcm.len() as u64, report.samples * 2);
    assert_eq!(
        (shape.rate, shape.channels as u16),
        (report.sample_rate, report.channels)
    );
    assert_eq!(report.bytes, mp3.len() as u64);
    assert_eq!(
        report.samples,
        padded(&tracks[1]).1.track.samples,
        "as long as the longest"
    );
    assert_eq!(report.waveform.len(), 255);
    assert_eq!(report.waveform_legacy.len(), 254);
    assert_eq!(report.tracks.len(), 2);
    assert!(report.tracks.iter().all(TrackReport::is_whole));
}

#[test]
fn mono_packets_under_a_stereo_head_keep_their_level() {
    // The head's channels decide the gain, not the packets': 1 instead of 1/sqrt(2).
    let level = |name: &str| {
        let raw = hard(name);
        let before = energy(&heard(&raw));
        let facts = decode::facts_of_mp3(source(&mixed(&[raw]).0)).unwrap();
        let after: f64 = facts
            .envelope
            .iter()
            .map(|rms| f64::from(rms * rms))
            .sum::<f64>()
            * 4800.0;
        (after / before).sqrt() / 0.95 // LAME's own scale at 128 kb/s
    };
    let stereo_head = level("mono_in_stereo_header");
    assert!((stereo_head - 1.0).abs() < 0.03, "{stereo_head}");
    let mono_head = level("mono_off0");
    assert!(
        (mono_head - std::f64::consts::FRAC_1_SQRT_2).abs() < 0.03,
        "{mono_head}"
    );
}

fn energy(pcm: &[f32]) -> f64 {
    pcm.iter().map(|sample| f64::from(sample * sample)).sum()
}

#[test]
fn clipping_is_counted() {
    let loud = hard("mono_in_stereo_header");
    let copies = vec![loud; 12];
    assert!(mixed(&copies).1.clipped > 0);
    assert_eq!(mixed(&copies[..1]).1.clipped, 0);
}

#[test]
fn a_damaged_track_is_mixed_as_far_as_it_goes_and_reported() {
    let (_, report) = mixed(&[hard("truncated"), hard("mono_off0"), hard("empty")]);
    assert!(report.tracks[0].truncated);
    assert!(report.tracks[1].is_whole());
    assert_eq!(report.tracks[2].packets, 0);
}

#[test]
fn progress_is_told_and_a_cancelled_mix_stops() {
    let told = RefCell::new(Vec::new());
    let tracks: Vec<Source> = vec![source(&hard("mono_off17293"))];
    let sink = Cursor::new(Vec::new());
    let error = mixdown(
        tracks,
        MixSettings::default(),
        &|progress| told.borrow_mut().push(progress.samples),
        &|| told.borrow().len() == 3,
        sink,
    )
    .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(told.into_inner(), [48_000, 96_000, 144_000]);
}

#[test]
fn the_waveform_taken_while_mixing_is_the_legacys_own_of_the_same_mp3() {
    let (mp3, report) = mixed(&[hard("mono_off0"), hard("mute_gaps"), hard("stereo_off1234")]);
    let legacy = waveform::of_mp3(source(&mp3)).unwrap();
    assert_eq!(legacy.len(), report.waveform_legacy.len());
    let differences: Vec<f64> = legacy
        .iter()
        .zip(&report.waveform_legacy)
        .map(|(a, b)| (a - b).abs())
        .collect();
    let most = differences.iter().copied().fold(0.0, f64::max);
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    // The rest is coding: these are peaks of the mix, those of what 128 kb/s make of it.
    assert!(most <= 0.1 && mean <= 0.005, "at most {most}, mean {mean}");
}

#[test]
fn the_legacys_duration_is_the_one_that_was_observed() {
    // 298 320 samples were stored as 6238.02 ms.
    assert!((legacy_duration_ms(298_320) - 6238.02).abs() < 1e-9);
}
