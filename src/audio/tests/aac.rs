//! AAC tracks, bare (ADTS) and in MP4, built here from a published silent frame.

use super::fixtures::{mixed, padded};
use crate::audio::pad::Container;
use crate::audio::track::Codec;

/// A silent AAC-LC frame of one channel: 1024 samples (as in hls.js, `AAC.getSilentFrame`).
const SILENCE: [u8; 6] = [0x00, 0xC8, 0x00, 0x80, 0x23, 0x80];
const FRAMES: u32 = 47;

/// ADTS at a rate given by its index (ISO/IEC 13818-7, table 35).
pub fn adts(rate_index: u8) -> Vec<u8> {
    let length = 7 + SILENCE.len() as u8;
    let header = [
        0xFF,
        0xF1,
        0x40 | rate_index << 2,
        0x40,
        length >> 3,
        length << 5 | 0x1F,
        0xFC,
    ];
    [&header[..], &SILENCE].concat().repeat(FRAMES as usize)
}

fn atom(name: &str, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let size = u32::try_from(8 + content.len()).unwrap();
    [&size.to_be_bytes()[..], name.as_bytes(), &content].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// An MP4 at 48 kHz whose index comes last, as recorders write it (ISO/IEC 14496-12, -14).
pub fn mp4() -> Vec<u8> {
    let ftyp = atom("ftyp", &[b"M4A \0\0\0\0M4A isom"]);
    let mdat = atom("mdat", &[&SILENCE.repeat(FRAMES as usize)]);
    let samples_at = u32::try_from(ftyp.len() + 8).unwrap();
    let duration = FRAMES * 1024;

    let config = [0x05, 2, 0x11, 0x88]; // AAC-LC, 48 kHz, one channel
    let decoder = [
        &[0x04, 17, 0x40, 0x15, 0, 0, 0][..],
        &words(&[0, 0]),
        &config,
    ]
    .concat();
    let stream = [&[0x03, 25, 0, 1, 0][..], &decoder, &[0x06, 1, 2]].concat();
    let esds = atom("esds", &[&words(&[0]), &stream]);
    let sound = [
        &[0; 6][..],
        &[0, 1],
        &[0; 8],
        &[0, 1, 0, 16],
        &[0; 4],
        &words(&[48_000 << 16]),
    ];
    let mp4a = atom("mp4a", &[&sound.concat(), &esds]);
    let stbl = atom(
        "stbl",
        &[
            &atom("stsd", &[&words(&[0, 1]), &mp4a]),
            &atom("stts", &[&words(&[0, 1, FRAMES, 1024])]),
            &atom("stsc", &[&words(&[0, 1, 1, FRAMES, 1])]),
            &atom("stsz", &[&words(&[0, SILENCE.len() as u32, FRAMES])]),
            &atom("stco", &[&words(&[0, 1, samples_at])]),
        ],
    );
    let url = atom("url ", &[&words(&[1])]);
    let dinf = atom("dinf", &[&atom("dref", &[&words(&[0, 1]), &url])]);
    let minf = atom("minf", &[&atom("smhd", &[&words(&[0, 0])]), &dinf, &stbl]);
    let media_header = atom("mdhd", &[&words(&[0, 0, 0, 48_000, duration, 0x55C4_0000])]);
    let hdlr = atom("hdlr", &[&words(&[0, 0]), b"soun", &[0; 13]]);
    let mdia = atom("mdia", &[&media_header, &hdlr, &minf]);
    let matrix = words(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
    let tkhd = atom(
        "tkhd",
        &[
            &words(&[7, 0, 0, 1, 0, duration, 0, 0, 0, 0x0100_0000]),
            &matrix,
            &[0; 8],
        ],
    );
    let movie_header = atom(
        "mvhd",
        &[
            &words(&[0, 0, 0, 48_000, duration, 0x1_0000, 0x0100_0000, 0, 0]),
            &matrix,
            &[0; 24],
            &words(&[2]),
        ],
    );
    let moov = atom("moov", &[&movie_header, &atom("trak", &[&tkhd, &mdia])]);
    [ftyp, mdat, moov].concat()
}

#[test]
fn aac_tracks_become_wav() {
    for (kind, raw) in [("adts", adts(3)), ("mp4", mp4())] {
        let (out, report) = padded(&raw);
        assert_eq!(report.container, Some(Container::Wav), "{kind}");
        assert_eq!(report.track.codec, Codec::Aac, "{kind}");
        assert_eq!(report.track.packets, u64::from(FRAMES), "{kind}");
        assert_eq!(report.track.samples, u64::from(FRAMES) * 1024, "{kind}");
        assert_eq!(out.len() as u64, 44 + 2 * report.track.samples, "{kind}");
        assert!(report.track.is_whole(), "{kind}");
    }
}

#[test]
fn aac_at_another_rate_keeps_its_duration() {
    let (_, report) = padded(&adts(8)); // 16 kHz
    assert_eq!(report.track.samples, u64::from(FRAMES) * 1024 * 3);
}

#[test]
fn an_undecodable_packet_is_silent_for_its_own_duration() {
    let mut raw = adts(3);
    let payload = 20 * (7 + SILENCE.len()) + 7;
    raw[payload..payload + SILENCE.len()].fill(0x5F);
    let (_, report) = padded(&raw);
    assert_eq!(report.track.bad_packets, 1);
    assert_eq!(report.track.samples, u64::from(FRAMES) * 1024);
}

#[test]
fn aac_tracks_mix_the_same_raw_and_padded() {
    let raw = adts(4); // 44.1 kHz
    let ready = padded(&raw).0;
    assert!(mixed(&[raw]).0 == mixed(&[ready]).0);
}
