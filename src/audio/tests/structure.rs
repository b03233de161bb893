//! A padded file is complete: players find its length and its way to any place.

use super::fixtures::{GOOD, hard, packets, padded};
use crate::audio::ebml::{self, Size, id};

/// The content of the first child with this id.
fn child(content: &[u8], wanted: u32) -> &[u8] {
    let found = ebml::children(content).find(|(id, _)| *id == wanted);
    found.unwrap_or_else(|| panic!("no element {wanted:#x}")).1
}

fn number(content: &[u8], id: u32) -> u64 {
    ebml::unsigned(child(content, id))
}

/// The segment's content, after checking that its size is that of the file.
fn segment(file: &[u8]) -> &[u8] {
    let (first, header) = ebml::children(file).next().unwrap();
    assert_eq!(first, id::EBML);
    let rest = &file[header.len() + 5..]; // the header's own id and size take five bytes
    let (id, id_length) = ebml::read_id(rest).unwrap();
    assert_eq!(id, id::SEGMENT);
    let (size, size_length) = ebml::read_size(&rest[id_length..]).unwrap();
    let content = &rest[id_length + size_length..];
    assert_eq!(size, Size::Known(content.len() as u64));
    content
}

#[test]
fn duration_codec_delay_seek_head_and_cues_are_right() {
    for name in GOOD {
        let (file, report) = padded(&hard(name));
        let segment = segment(&file);

        let duration = child(child(segment, id::INFO), id::DURATION);
        let duration = f64::from_be_bytes(duration.try_into().unwrap());
        assert!(
            (duration - report.track.samples as f64 / 48.0).abs() < 1e-6,
            "{name}"
        );

        let entry = child(child(segment, id::TRACKS), id::TRACK_ENTRY);
        let pre_skip = u64::from(packets(&file).0.pre_skip);
        let delay = number(entry, id::CODEC_DELAY);
        assert!((delay * 48).abs_diff(pre_skip * 1_000_000) <= 48, "{name}");

        for (_, seek) in ebml::children(child(segment, id::SEEK_HEAD)) {
            let position = number(seek, id::SEEK_POSITION) as usize;
            assert!(
                segment[position..].starts_with(child(seek, id::SEEK_ID)),
                "{name}"
            );
        }

        let cues: Vec<_> = ebml::children(child(segment, id::CUES)).collect();
        let clusters = ebml::children(segment)
            .filter(|(id, _)| *id == id::CLUSTER)
            .count();
        assert_eq!(cues.len(), clusters, "{name}");
        for (_, cue) in cues {
            let place = child(cue, id::CUE_TRACK_POSITIONS);
            let at = number(place, id::CUE_CLUSTER_POSITION) as usize;
            let (found, cluster) = ebml::children(&segment[at..]).next().unwrap();
            assert_eq!(found, id::CLUSTER, "{name}");
            assert_eq!(
                number(cluster, id::TIMESTAMP),
                number(cue, id::CUE_TIME),
                "{name}"
            );
        }
    }
}

#[test]
fn block_times_are_those_of_running_samples_and_begin_at_zero() {
    for name in GOOD {
        let (head, packets) = packets(&padded(&hard(name)).0);
        assert_eq!(packets[0].time_ns, 0, "{name}: players would begin late");
        let (mut running, mut before) = (0, 0);
        for packet in packets {
            assert!(packet.time_ns >= before, "{name}: a step back");
            before = packet.time_ns;
            let off = packet.time_ns * 48 / 1_000_000 - running;
            assert!(
                off.abs() <= 24,
                "{name}: a block is {off} samples off its place"
            );
            running += i64::from(packet.samples);
        }
        assert!(
            head.codec_delay_ns * 48 >= (u64::from(head.pre_skip) * 1_000_000).saturating_sub(48),
            "{name}"
        );
    }
}

#[test]
fn the_known_length_of_a_known_track_is_met() {
    // Measured in a browser for this fixture: 27.3135 s, first sound at sample 830 400 or later.
    let (_, report) = padded(&hard("mono_off17293"));
    assert_eq!(report.track.samples, 1_311_048);
    assert!((report.track.start_ms - 17_300.0).abs() < 1e-9);
}
