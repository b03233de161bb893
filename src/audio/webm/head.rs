//! What a WebM file says about its audio track before the first block.

use crate::audio::Error;
use crate::audio::ebml::{self, id};

/// No real file delays its codec by more than 80 ms; a second is the guard.
const MAX_CODEC_DELAY_NS: u64 = 1_000_000_000;

const TRACK_TYPE_AUDIO: u64 = 2;

/// The Opus track of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusHead {
    /// The number its blocks carry.
    pub number: u64,
    /// What is subtracted from block times, in nanoseconds.
    pub codec_delay_ns: u64,
    /// 1 or 2.
    pub channels: u8,
    /// Decoded samples to drop at the start.
    pub pre_skip: u16,
    /// Output gain in 1/256 dB.
    pub gain_q8: i16,
    /// The rate before coding in Hz: for display, Opus is always decoded at 48 kHz.
    pub input_rate: u32,
}

/// The first Opus track described in a Tracks element; `None` when it describes no audio track.
pub fn opus_track(tracks: &[u8]) -> Result<Option<OpusHead>, Error> {
    let mut other_codec = None;
    for (_, entry) in ebml::children(tracks).filter(|(id, _)| *id == id::TRACK_ENTRY) {
        match track_entry(entry)? {
            Entry::Opus(head) => return Ok(Some(head)),
            Entry::OtherCodec(codec) => other_codec = other_codec.or(Some(codec)),
            Entry::NotAudio => {}
        }
    }
    match other_codec {
        Some(codec) => Err(Error::Unsupported(format!(
            "a WebM track coded as {codec}; only Opus is read"
        ))),
        None => Ok(None),
    }
}

enum Entry {
    Opus(OpusHead),
    OtherCodec(String),
    NotAudio,
}

fn track_entry(entry: &[u8]) -> Result<Entry, Error> {
    let (mut number, mut kind, mut codec_delay_ns) = (0, 0, 0);
    let (mut codec, mut private, mut audio): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    for (id, content) in ebml::children(entry) {
        match id {
            id::TRACK_NUMBER => number = ebml::unsigned(content),
            id::TRACK_TYPE => kind = ebml::unsigned(content),
            id::CODEC_ID => codec = content,
            id::CODEC_PRIVATE => private = content,
            id::CODEC_DELAY => codec_delay_ns = ebml::unsigned(content).min(MAX_CODEC_DELAY_NS),
            id::AUDIO => audio = content,
            _ => {}
        }
    }
    if kind != TRACK_TYPE_AUDIO || number == 0 {
        return Ok(Entry::NotAudio);
    }
    if !codec.starts_with(b"A_OPUS") {
        return Ok(Entry::OtherCodec(printable(codec)));
    }
    let mut head = OpusHead {
        number,
        codec_delay_ns,
        channels: audio_channels(audio),
        pre_skip: 0,
        gain_q8: 0,
        input_rate: 48_000,
    };
    apply_private(&mut head, private)?;
    if head.channels > 2 {
        let channels = head.channels;
        return Err(Error::Unsupported(format!(
            "an Opus track of {channels} channels; at most 2 are read"
        )));
    }
    head.channels = head.channels.max(1);
    Ok(Entry::Opus(head))
}

fn audio_channels(audio: &[u8]) -> u8 {
    ebml::children(audio)
        .find(|(id, _)| *id == id::CHANNELS)
        .map_or(1, |(_, content)| {
            u8::try_from(ebml::unsigned(content)).unwrap_or(u8::MAX)
        })
}

/// Reads the `OpusHead` structure (RFC 7845, 5.1), when there is one.
fn apply_private(head: &mut OpusHead, private: &[u8]) -> Result<(), Error> {
    let Some(fields) = private.strip_prefix(b"OpusHead") else {
        return Ok(());
    };
    let &[
        _version,
        channels,
        p0,
        p1,
        r0,
        r1,
        r2,
        r3,
        g0,
        g1,
        mapping,
        ..,
    ] = fields
    else {
        return Ok(());
    };
    if mapping != 0 {
        return Err(Error::Unsupported(format!(
            "an Opus track of channel mapping {mapping}"
        )));
    }
    head.channels = channels;
    head.pre_skip = u16::from_le_bytes([p0, p1]);
    head.input_rate = u32::from_le_bytes([r0, r1, r2, r3]);
    head.gain_q8 = i16::from_le_bytes([g0, g1]);
    Ok(())
}

/// A codec's name without anything that could harm a log line.
fn printable(codec: &[u8]) -> String {
    codec
        .iter()
        .take(32)
        .filter(|byte| byte.is_ascii_graphic())
        .map(|byte| *byte as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(codec: &[u8], private: &[u8]) -> Vec<u8> {
        let mut entry = Vec::new();
        ebml::push_unsigned(&mut entry, id::TRACK_NUMBER, 3);
        ebml::push_unsigned(&mut entry, id::TRACK_TYPE, 2);
        ebml::push_element(&mut entry, id::CODEC_ID, codec);
        ebml::push_element(&mut entry, id::CODEC_PRIVATE, private);
        let mut tracks = Vec::new();
        ebml::push_element(&mut tracks, id::TRACK_ENTRY, &entry);
        tracks
    }

    fn opus_head(channels: u8, mapping: u8) -> Vec<u8> {
        let mut head = b"OpusHead\x01".to_vec();
        head.extend([channels, 0x38, 1, 0x80, 0xBB, 0, 0, 0x00, 0xFF, mapping]);
        head
    }

    #[test]
    fn the_head_gives_channels_pre_skip_and_gain() {
        let head = opus_track(&tracks(b"A_OPUS", &opus_head(2, 0)))
            .unwrap()
            .unwrap();
        assert_eq!(
            (head.number, head.channels, head.pre_skip, head.gain_q8),
            (3, 2, 312, -256)
        );
    }

    #[test]
    fn another_codec_is_named_in_the_error() {
        let error = opus_track(&tracks(b"A_VORBIS", &[])).unwrap_err();
        assert!(error.to_string().contains("A_VORBIS"), "{error}");
    }

    #[test]
    fn surround_sound_is_rejected() {
        assert!(opus_track(&tracks(b"A_OPUS", &opus_head(6, 1))).is_err());
        assert!(opus_track(&tracks(b"A_OPUS", &opus_head(3, 0))).is_err());
    }
}
