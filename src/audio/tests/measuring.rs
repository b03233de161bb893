//! What tracks are inspected and measured with.

use std::io::Cursor;

use super::fixtures::{hard, mixed, packets, padded, source};
use super::other_kinds::wav;
use crate::audio::inspect::{Inspection, inspect};
use crate::audio::mp3::Mp3Settings;
use crate::audio::yardstick::{Mute, decode, encode, lengthen, programme};
use crate::audio::{Error, track::Codec};

fn inspected(bytes: &[u8]) -> Inspection {
    inspect(source(bytes), 40, &|| false).unwrap()
}

#[test]
fn an_inspection_tells_head_packets_place_and_holes() {
    let found = inspected(&hard("lost_single"));
    assert_eq!((found.container.as_str(), found.channels), ("webm", 1));
    assert_eq!((found.pre_skip, found.codec_delay_ms), (312, 6.5));
    assert_eq!(found.bytes, hard("lost_single").len() as u64);
    let lengths: Vec<_> = found.packet_lengths.iter().collect();
    assert_eq!(lengths.len(), 1);
    assert_eq!(
        (lengths[0].ms, lengths[0].packets),
        (20.0, found.track.packets)
    );
    assert_eq!(found.holes.len() as u64, found.track.gaps);
    assert!(found.holes.iter().all(|hole| hole.concealed));

    let found = inspected(&hard("mute_gaps"));
    let holes: Vec<_> = found
        .holes
        .iter()
        .map(|hole| hole.length_ms.round())
        .collect();
    assert_eq!(holes, [3_000.0, 15_778.0]);
    assert!(found.holes.iter().all(|hole| !hole.concealed));
    // Where they are, by the fixture's own words: after 3 s and after 7 s of sound.
    let after = |hole: usize| found.holes[hole].start_ms - found.track.start_ms;
    assert!((after(0) - 3_000.0).abs() < 25.0, "{}", after(0));
    assert!((after(1) - 10_000.0).abs() < 25.0, "{}", after(1));
}

#[test]
fn an_inspection_tells_how_loud_a_track_is_and_when() {
    let found = inspected(&hard("mono_off17293"));
    assert_eq!(found.levels_db.len(), 40);
    // 17.3 of 27.3 s are silence in front.
    assert!(found.levels_db[..24].iter().all(Option::is_none));
    assert!(found.levels_db[27..].iter().all(Option::is_some));
    let (peak, rms) = (found.peak_db.unwrap(), found.rms_db.unwrap());
    assert!(rms < peak && peak < 0.5 && rms > -60.0, "{peak}, {rms}");

    // A tone of 8000 steps.
    let found = inspected(&wav(48_000, 1, 48_000));
    assert_eq!(found.track.codec, Codec::Pcm);
    assert!((found.peak_db.unwrap() - 20.0 * (8_000.0_f64 / 32_768.0).log10()).abs() < 0.01);
    assert!((found.peak_db.unwrap() - found.rms_db.unwrap() - 3.01).abs() < 0.02);
}

#[test]
fn an_inspection_tells_of_damage_and_of_nothing_at_all() {
    assert!(inspected(&hard("truncated")).track.truncated);
    assert!(inspected(&hard("corrupt_mid")).track.resyncs > 0);
    let empty = inspected(&hard("empty"));
    assert_eq!(
        (empty.track.packets, empty.peak_db, empty.levels_db.len()),
        (0, None, 0)
    );
    assert!(inspect(source(&hard("html")), 40, &|| false).is_err());
    let stopped = inspect(source(&hard("mono_off0")), 40, &|| true);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn a_lengthened_track_is_as_long_as_asked_with_its_mutes() {
    let mut long = Cursor::new(Vec::new());
    let mutes = [Mute {
        start_ms: 20_000,
        length_ms: 10_000,
    }];
    let bytes = lengthen(&hard("mono_off0"), 60, 5_000, &mutes, &mut long).unwrap();
    let long = long.into_inner();
    assert_eq!(bytes, long.len() as u64);
    let (_, report) = padded(&long);
    assert!(
        (report.track.samples as i64 - 60 * 48_000).abs() < 960,
        "{}",
        report.track.samples
    );
    assert_eq!((report.track.gaps, report.track.start_ms), (1, 5_000.0));
    assert!(report.track.gap_samples.abs_diff(480_000) <= 960);
    assert_eq!(packets(&long).1.len(), (55 - 10) * 50);
}

#[test]
fn the_least_that_has_to_be_done_is_all_of_it() {
    let raw = hard("stereo_off1234");
    let (_, stored) = packets(&raw);
    let samples: u64 = stored.iter().map(|packet| u64::from(packet.samples)).sum();
    assert_eq!(decode(&raw[..]).unwrap(), samples);

    let mut pcm = Vec::new();
    let frames = programme(vec![source(&raw), source(&hard("mono_off0"))], &mut pcm).unwrap();
    assert_eq!(pcm.len() as u64, frames * 4);
    let (mp3, report) = mixed(&[raw, hard("mono_off0")]);
    assert_eq!(frames, report.samples);
    let mut coded = Vec::new();
    let bytes = encode(&pcm[..], Mp3Settings::default(), &mut coded).unwrap();
    assert_eq!(bytes, coded.len() as u64);
    assert_eq!(bytes, mp3.len() as u64 - 384, "all but the header's frame");
}
