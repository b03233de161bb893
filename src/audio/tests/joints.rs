//! Segments encoded side by side and joined: one stream, without a seam to hear or to trip over.

use std::io::Cursor;

use super::fixtures::{hard, heard, samples_of};
use crate::audio::mp3::{Layout, Mp3Settings, SAMPLES_PER_FRAME, Writer};

/// So short that ten seconds have dozens of joints.
const SHORT: Layout = Layout {
    frames: 16,
    warm_up: 12,
};
/// One segment whatever the length: plain LAME.
const SERIAL: Layout = Layout {
    frames: 1 << 20,
    warm_up: 12,
};
/// The frame header and the side information of stereo.
const OVERHEAD: usize = 4 + 32;

fn encoded(left: &[f32], right: Option<&[f32]>, layout: Layout, encoders: usize) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let settings = Mp3Settings::default();
    let mut writer = Writer::new(&mut out, settings, layout, encoders).unwrap();
    let mut at = 0;
    // Pieces of odd sizes: how it is fed must not matter.
    for piece in left.chunks(7_001) {
        let right = right.map(|right| &right[at..at + piece.len()]);
        writer.write(piece, right).unwrap();
        at += piece.len();
    }
    writer.finish().unwrap();
    out.into_inner()
}

/// Two voices, one on each side.
fn conversation() -> (Vec<f32>, Vec<f32>) {
    let mut left = heard(&hard("mono_off0"));
    let mut right = heard(&hard("stereo_off1234"));
    let length = left.len().min(right.len());
    left.truncate(length);
    right.truncate(length);
    (left, right)
}

fn frames(mp3: &[u8]) -> Vec<&[u8]> {
    mp3.chunks_exact(384).collect()
}

/// How many bytes before the frame its data begin (ISO/IEC 11172-3: nine bits of side information).
fn main_data_begin(frame: &[u8]) -> usize {
    usize::from(frame[4]) << 1 | usize::from(frame[5] >> 7)
}

/// Energy of what decoding changed, by frame.
fn noise(left: &[f32], right: &[f32], mp3: &[u8]) -> Vec<f64> {
    let (_, pcm) = samples_of(mp3);
    assert_eq!(pcm.len(), left.len() * 2);
    let scale = Mp3Settings::default().scale();
    let values: Vec<f64> = pcm
        .chunks_exact(2)
        .zip(left.iter().zip(right))
        .map(|(coded, (left, right))| {
            let off = |coded: f32, meant: f32| f64::from(coded - meant * scale).powi(2);
            off(coded[0], *left) + off(coded[1], *right)
        })
        .collect();
    values
        .chunks(SAMPLES_PER_FRAME)
        .map(|frame| frame.iter().sum())
        .collect()
}

#[test]
fn any_number_of_encoders_gives_the_same_bytes() {
    let (left, right) = conversation();
    let alone = encoded(&left, Some(&right), SHORT, 1);
    for encoders in [2, 3, 6, 99] {
        assert!(
            encoded(&left, Some(&right), SHORT, encoders) == alone,
            "{encoders}"
        );
    }
    assert_ne!(
        alone,
        encoded(&left, Some(&right), SERIAL, 1),
        "nothing was joined"
    );
}

#[test]
fn a_right_channel_that_is_the_left_one_need_not_be_given() {
    let (left, _) = conversation();
    assert!(encoded(&left, None, SHORT, 2) == encoded(&left, Some(&left), SHORT, 2));
}

#[test]
fn joined_segments_are_as_good_as_one_stream() {
    let (left, right) = conversation();
    let (left, right) = (left.repeat(4), right.repeat(4));
    let serial = encoded(&left, Some(&right), SERIAL, 1);
    let joined = encoded(&left, Some(&right), Layout::USUAL, 2);
    assert_eq!(frames(&serial).len(), frames(&joined).len());

    let (serial, joined) = (noise(&left, &right, &serial), noise(&left, &right, &joined));
    let decibels = |one: f64, other: f64| 10.0 * (one / other).log10();
    let all = |noise: &[f64]| noise.iter().sum::<f64>();
    let worse = decibels(all(&joined), all(&serial));
    // The frames around each joint, together.
    let at_joints = |noise: &[f64]| -> f64 {
        let around = |joint: usize| noise[joint - 1..=joint + 1].iter().sum::<f64>();
        (Layout::USUAL.frames..noise.len() - 2)
            .step_by(Layout::USUAL.frames)
            .map(around)
            .sum()
    };
    let seam = decibels(at_joints(&joined), at_joints(&serial));
    eprintln!("noise of joined segments: {worse:+.3} dB in all, {seam:+.3} dB at the joints");
    assert!(worse.abs() <= 0.1, "{worse} dB");
    assert!(seam <= 0.5, "{seam} dB");
}

#[test]
fn no_frame_takes_data_from_before_a_joint() {
    let (left, right) = conversation();
    let mp3 = encoded(&left, Some(&right), SHORT, 2);
    let music = &frames(&mp3)[1..];
    let mut since_joint = 0;
    let mut reaching_back = 0;
    for (index, frame) in music.iter().enumerate() {
        if index % SHORT.frames == 0 && index / SHORT.frames * SHORT.frames + 4 < music.len() {
            since_joint = 0;
            assert_eq!(main_data_begin(frame), 0, "frame {index}");
        }
        let begin = main_data_begin(frame);
        assert!(
            begin <= since_joint * (frame.len() - OVERHEAD),
            "frame {index}: {begin}"
        );
        reaching_back += usize::from(begin > 0);
        since_joint += 1;
    }
    assert!(reaching_back > music.len() / 4, "the reservoir is not used");
}

#[test]
fn every_length_around_a_joint_is_met_to_the_sample() {
    let (left, right) = conversation();
    let layout = Layout {
        frames: 4,
        warm_up: 3,
    };
    let settings = Mp3Settings::default();
    for joints in [1, 2, 3] {
        for off in [
            -4_609, -4_608, -1_153, -225, -224, -1, 0, 1, 224, 225, 1_152, 4_832, 4_833,
        ] {
            let length = (joints * layout.frames * SAMPLES_PER_FRAME) as i64 + off;
            let Ok(length) = usize::try_from(length) else {
                continue;
            };
            let mp3 = encoded(&left[..length], Some(&right[..length]), layout, 2);
            let (_, pcm) = samples_of(&mp3);
            assert_eq!(pcm.len(), length * 2, "{length} samples");
            let serial = encoded(&left[..length], Some(&right[..length]), SERIAL, 1);
            assert_eq!(mp3.len(), serial.len(), "{length} samples");
            assert_eq!(mp3.len() % settings.frame_bytes(), 0);
        }
    }
}

/// CRC-16 with polynomial 0x8005, bit by bit.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xA001
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn the_header_tells_frames_bytes_edges_and_checksums_of_what_follows() {
    let (left, right) = conversation();
    let mp3 = encoded(&left, Some(&right), SHORT, 2);
    let (header, music) = mp3.split_at(384);
    let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(&header[36..40], b"Info");
    assert_eq!(number(44), music.len() / 384, "frames");
    assert_eq!(number(48), mp3.len(), "bytes");
    let edges = number(176) & 0xFF_FFFF;
    let (delay, padding) = (edges >> 12, edges & 0xFFF);
    assert_eq!(delay, 576);
    assert_eq!(
        music.len() / 384 * SAMPLES_PER_FRAME,
        delay + left.len() + padding
    );
    assert_eq!(number(184), mp3.len(), "bytes once more");
    assert_eq!(
        number(188) >> 16,
        usize::from(crc(music)),
        "checksum of the music"
    );
    assert_eq!(
        number(188) & 0xFFFF,
        usize::from(crc(&header[..190])),
        "of the header"
    );
}
