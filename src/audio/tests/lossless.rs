//! Padding changes when a track is heard and nothing else.

use std::io::Cursor;

use proptest::prelude::*;

use super::fixtures::{GOOD, OneByte, decoded, hard, packets, padded, source, wanted};
use crate::audio::opus_packet::{CELT_SILENCE, QUANTUM};
use crate::audio::pad::{Container, pad};
use crate::audio::source::Source;
use crate::audio::webm::{OpusHead, Writer};

/// The step of 16-bit samples.
const LSB: f32 = 1.0 / 32_768.0;

/// How many decoded samples there are before the first hole or step back in the stamps.
fn until_first_hole(name: &str) -> usize {
    let (head, packets) = packets(&hard(name));
    let mut running = wanted(&head, &packets[0]);
    let mut samples = 0;
    for packet in &packets {
        if (wanted(&head, packet) - running).abs() > 840 {
            break;
        }
        running += i64::from(packet.samples);
        samples += packet.samples as usize;
    }
    samples
}

#[test]
fn a_padded_track_decodes_to_silence_and_then_to_the_raw_track() {
    for name in GOOD {
        let raw = hard(name);
        let (raw_head, raw_packets) = packets(&raw);
        let (out, report) = padded(&raw);
        let (head, out_packets) = packets(&out);
        let channels = usize::from(raw_head.channels);
        let (before, after) = (
            decoded(&raw_head, &raw_packets),
            decoded(&head, &out_packets),
        );

        // Placement: the first kept sample is where the stamps say.
        let start = (wanted(&raw_head, &raw_packets[0]) + i64::from(raw_head.pre_skip)).max(0);
        assert_eq!(
            (report.track.start_ms * 48.0).round() as i64,
            start,
            "{name}"
        );
        let lead = report.track.lead_samples as usize;
        if lead > 0 {
            let heard_at = lead as i64 + i64::from(raw_head.pre_skip) - i64::from(head.pre_skip);
            assert_eq!(heard_at, start, "{name}");
        }

        // Silence in front: nothing at all, but for the last 20 ms before CELT.
        let quiet = lead.saturating_sub(960) * channels;
        assert!(
            after[..quiet].iter().all(|sample| sample.abs() < 1e-9),
            "{name}"
        );
        let hush = &after[quiet..lead * channels];
        assert!(
            hush.iter().all(|sample| sample.abs() <= 2.0 * LSB),
            "{name}"
        );

        // The sound: bit for bit, once the decoder's 5 ms cross-fade or the pre-skip is over.
        let from = usize::from(raw_head.pre_skip).max(240);
        let to = until_first_hole(name);
        assert!(to > from, "{name} is too short to compare");
        let same = before[from * channels..to * channels]
            .iter()
            .zip(&after[(lead + from) * channels..(lead + to) * channels])
            .all(|(before, after)| before.to_bits() == after.to_bits());
        assert!(same, "{name}: the sound differs");
    }
}

#[test]
fn a_padded_track_ends_when_the_raw_one_does() {
    for name in GOOD {
        let raw = hard(name);
        let (head, raw_packets) = packets(&raw);
        let end = raw_packets
            .iter()
            .map(|packet| wanted(&head, packet) + i64::from(packet.samples))
            .max()
            .unwrap();
        let (_, report) = padded(&raw);
        let off = report.track.samples as i64 - end;
        // A repeated packet is played; drift below a packet is not yet corrected.
        let bound = if matches!(name, "dup_ts" | "drift") {
            960
        } else {
            QUANTUM + 48
        };
        assert!(off.abs() <= bound, "{name}: off by {off} samples");
    }
}

#[test]
fn every_packet_is_heard_when_its_stamp_says() {
    for name in GOOD.into_iter().filter(|name| *name != "dup_ts") {
        let raw = hard(name);
        let (raw_head, raw_packets) = packets(&raw);
        let (out, _) = padded(&raw);
        let (head, out_packets) = packets(&out);
        let mut position = -i64::from(head.pre_skip);
        let mut raw_packets = raw_packets.iter().peekable();
        for packet in out_packets {
            // What was put in between has bytes of its own.
            if let Some(own) = raw_packets.next_if(|raw| raw.data == packet.data) {
                let off = position - wanted(&raw_head, own);
                let bound = if name == "drift" { 888 } else { QUANTUM + 48 };
                assert!(off.abs() <= bound, "{name}: a packet is {off} samples off");
            }
            position += i64::from(packet.samples);
        }
        assert_eq!(raw_packets.next(), None, "{name}: a packet is missing");
    }
}

#[test]
fn holes_are_filled_and_counted() {
    let filled = |name: &str| {
        let (_, report) = padded(&hard(name));
        (report.track.gaps, report.track.gap_samples)
    };
    let (gaps, samples) = filled("mute_gaps");
    assert_eq!(gaps, 2);
    assert!((samples as i64 - 18_777 * 48).abs() <= 2 * 960, "{samples}");
    assert_eq!(
        filled("lost_single"),
        (11, 12 * 960),
        "two of the twelve are neighbours"
    );
    assert_eq!(filled("jitter"), (0, 0), "jitter is no loss");
    assert_eq!(
        filled("mute_gap_off0").0,
        1,
        "a track that begins at 0 is not left as it is"
    );
    let (gaps, samples) = filled("huge_gap");
    assert_eq!(gaps, 1);
    assert!(
        (samples as i64 - 40 * 60 * 48_000).abs() < 48_000,
        "{samples}"
    );
}

#[test]
fn short_losses_are_concealed_and_mutes_are_silent() {
    let (_, lost) = padded(&hard("lost_single"));
    assert_eq!(lost.track.concealed, 12);
    let (_, muted) = padded(&hard("mute_gaps"));
    assert_eq!(muted.track.concealed, 0);
}

#[test]
fn a_padded_track_padded_again_is_itself() {
    for name in [
        "mono_off0",
        "mono_off17293",
        "mono_off8130_nopreskip",
        "stereo_off1234",
        "lost_single",
        "mute_gaps",
        "frame_2_5",
        "one_packet",
        "dtx_kept",
    ] {
        let (once, _) = padded(&hard(name));
        let (twice, report) = padded(&once);
        assert!(once == twice, "{name} changed");
        assert_eq!(report.track.gaps, 0, "{name}");
    }
}

#[test]
fn a_pipe_that_gives_single_bytes_changes_nothing() {
    for name in [
        "mute_gaps",
        "lacing_ebml",
        "corrupt_mid",
        "trailing_garbage",
    ] {
        let raw = hard(name);
        let mut out = Cursor::new(Vec::new());
        let slow = Source::stream(OneByte(Cursor::new(raw.clone())));
        let report = pad(slow, &mut out).unwrap();
        assert_eq!((out.into_inner(), report), padded(&raw), "{name}");
    }
}

#[test]
fn the_output_gain_is_kept() {
    let head = head(0, -512);
    let raw = webm(&head, &[(0, 4)]);
    let (out, _) = padded(&raw);
    assert_eq!(packets(&out).0.gain_q8, -512);
}

#[test]
fn nothing_is_written_for_a_track_without_packets() {
    let mut out = Cursor::new(Vec::new());
    let report = pad(source(&hard("empty")), &mut out).unwrap();
    assert_eq!((report.container, report.bytes), (None, 0));
    assert!(out.into_inner().is_empty());
}

#[test]
fn the_report_names_extension_and_content_type() {
    let (out, report) = padded(&hard("mono_off0"));
    assert_eq!(report.bytes, out.len() as u64);
    let container = report.container.unwrap();
    assert_eq!(container, Container::Webm);
    assert_eq!(
        (container.extension(), container.content_type()),
        ("webm", "audio/webm")
    );
}

pub fn head(pre_skip: u16, gain_q8: i16) -> OpusHead {
    OpusHead {
        number: 1,
        codec_delay_ns: 0,
        channels: 1,
        pre_skip,
        gain_q8,
        input_rate: 48_000,
    }
}

/// A file of 20 ms packets: each run begins at a time in milliseconds and has so many packets.
pub fn webm(head: &OpusHead, runs: &[(i64, i64)]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut writer = Writer::new(&mut out, head).unwrap();
    for (start_ms, count) in runs {
        for packet in 0..*count {
            let time_ms = start_ms + packet * 20;
            writer
                .packet(time_ms, CELT_SILENCE[1].1, (time_ms + 20) as f64, 0)
                .unwrap();
        }
    }
    writer.finish().unwrap();
    out.into_inner()
}

#[test]
fn a_packet_stamped_after_a_day_is_not_believed() {
    let day_ms = 24 * 3600 * 1000;
    let (_, report) = padded(&webm(&head(0, 0), &[(0, 10), (day_ms + 1, 10)]));
    assert_eq!((report.track.packets, report.track.bad_packets), (10, 10));
    assert_eq!(report.track.samples, 9600);
}

/// A sender whose clock is slow: an hour of 60 ms packets, 300 ppm apart from the recorder's.
#[test]
fn an_hour_of_drift_is_made_up_for_a_packet_at_a_time() {
    const PACKETS: i64 = 60_000;
    let stamp = |packet: i64| packet * 60 + packet * 18 / 1000;
    let mut out = Cursor::new(Vec::new());
    let mut writer = Writer::new(&mut out, &head(0, 0)).unwrap();
    for packet in 0..PACKETS {
        let time_ms = stamp(packet);
        writer
            .packet(time_ms, &[SILK_60_MS], (time_ms + 60) as f64, 0)
            .unwrap();
    }
    writer.finish().unwrap();
    let (out, report) = padded(&out.into_inner());
    let end = (stamp(PACKETS - 1) + 60) * 48;
    let off = report.track.samples as i64 - end;
    assert!(off.abs() <= 960, "off by {off} samples after an hour");
    assert!(report.track.gaps > 50, "{} gaps", report.track.gaps);
    // 1.08 s have to be made up for, and nothing else is.
    assert!(report.track.gap_samples.abs_diff(18 * 60 * 48) <= 960);
    drop(out);
}

/// A packet of one byte: a silent SILK frame of 60 ms, one channel.
const SILK_60_MS: u8 = 3 << 3;

/// Packets of one byte and their lengths in samples: 2.5 to 60 ms.
const LENGTHS: [(u8, i64); 6] = [
    (0xE0, 120),
    (0xE8, 240),
    (0xF0, 480),
    (0xF8, 960),
    (2 << 3, 1920),
    (SILK_60_MS, 2880),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_offset_pre_skip_packets_and_holes_every_packet_is_in_time(
        start_ms in 0_i64..1_000_000,
        pre_skip in 0_u16..3840,
        channels in 1_u8..=2,
        length in prop::sample::select(&LENGTHS[..]),
        runs in prop::collection::vec((0_i64..3000, 1_i64..400), 1..6),
    ) {
        let (toc, samples) = length;
        let head = OpusHead { channels, ..head(pre_skip, 0) };
        let mut raw = Cursor::new(Vec::new());
        let mut writer = Writer::new(&mut raw, &head).unwrap();
        // In samples, so that packets of 2.5 ms have the stamps of a recorder that rounds down.
        let mut at = start_ms * 48;
        for (hole_ms, count) in runs {
            // Holes shorter than a packet are jitter; they are not made up here.
            at += if hole_ms < 20 { 0 } else { hole_ms * 48 };
            for _ in 0..count {
                writer.packet(at / 48, &[toc], (at + samples) as f64 / 48.0, 0).unwrap();
                at += samples;
            }
        }
        writer.finish().unwrap();
        let raw = raw.into_inner();
        let (out, report) = padded(&raw);

        // The writer's codec delay is the pre-skip, so all ends that much earlier.
        let off = report.track.samples as i64 - (at - i64::from(pre_skip)).max(0);
        prop_assert!(off.abs() <= QUANTUM + 48, "the end is off by {off} samples");

        let (raw_head, raw) = packets(&raw);
        let (head, out) = packets(&out);
        let first = wanted(&raw_head, &raw[0]);
        let lead = (first + i64::from(head.pre_skip)).max(0);
        let (mut running, mut before) = (0, 0);
        let mut own = Vec::new();
        for packet in &out {
            let off = packet.time_ns * 48 / 1_000_000 - running;
            prop_assert!(off.abs() <= 24, "a block is {off} samples off its place");
            prop_assert!(packet.time_ns >= before);
            before = packet.time_ns;
            if running >= lead && packet.data == [toc] {
                own.push(running - i64::from(head.pre_skip));
            }
            running += i64::from(packet.samples);
        }
        prop_assert_eq!(running - i64::from(head.pre_skip), report.track.samples as i64);
        // Losses are concealed by packets that look like the track's own; there are at least as many.
        prop_assert!(own.len() >= raw.len());
        let mut own = own.into_iter().peekable();
        for packet in &raw {
            let wanted = wanted(&raw_head, packet);
            let near = own.find(|position| (position - wanted).abs() <= QUANTUM + 48);
            prop_assert!(near.is_some(), "nothing is heard at {wanted}");
        }
    }
}
