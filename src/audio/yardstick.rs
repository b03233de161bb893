//! What the audio path is measured with: tracks of any length, and the two things that have to be
//! done whatever the design, decoding Opus and encoding MP3, each alone on one thread.
//!
//! No clock runs here; whoever measures holds it.

use std::io::{ErrorKind, Read, Seek, Write};

use super::mix::Mixer;
use super::mixdown::each_block;
use super::mp3::{Lame, Mp3Settings, SAMPLES_PER_FRAME};
use super::opus::Decoder;
use super::source::Source;
use super::{Error, MAX_SAMPLES, SAMPLE_RATE, wav, webm};

/// A stretch in which nothing is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mute {
    /// Milliseconds since the recording's start.
    pub start_ms: u64,
    /// Milliseconds.
    pub length_ms: u64,
}

/// Repeats the packets of a WebM/Opus track until `seconds` after the recording's start, beginning
/// `start_ms` after it. Packets within mutes are left out. Gives the bytes written.
pub fn lengthen(
    track: &[u8],
    seconds: u64,
    start_ms: u64,
    mutes: &[Mute],
    sink: impl Write + Seek,
) -> Result<u64, Error> {
    let mut reader = webm::Reader::open(track)?;
    let mut writer = webm::Writer::new(sink, reader.head())?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet()? {
        packets.push(packet);
    }
    let end = seconds
        .saturating_mul(u64::from(SAMPLE_RATE))
        .min(MAX_SAMPLES);
    let is_muted = |ms: u64| {
        let within = |mute: &&Mute| (mute.start_ms..mute.start_ms + mute.length_ms).contains(&ms);
        mutes.iter().find(within).is_some()
    };
    let mut position = start_ms * 48;
    for packet in packets.iter().cycle() {
        if position >= end {
            break;
        }
        let ms = position / 48;
        position += u64::from(packet.samples);
        if !is_muted(ms) {
            writer.packet(ms.cast_signed(), &packet.data, position as f64 / 48.0, 0)?;
        }
    }
    Ok(writer.finish()?)
}

/// Decodes a WebM/Opus track's packets as they lie in the file; the samples per channel they gave.
pub fn decode(source: impl Read) -> Result<u64, Error> {
    let mut reader = webm::Reader::open(source)?;
    let head = reader.head();
    let mut decoder = Decoder::new(head.channels, head.gain_q8)?;
    let channels = u64::from(head.channels);
    let mut values = 0;
    while let Some(packet) = reader.next_packet()? {
        values += decoder.decode(&packet.data, packet.samples).0.len() as u64;
    }
    Ok(values / channels)
}

/// The mix of tracks as 16-bit little-endian stereo at 48 kHz without a header; its frames.
pub fn programme(tracks: Vec<Source>, mut sink: impl Write) -> Result<u64, Error> {
    let mut mixer = Mixer::default();
    let mut bytes = Vec::new();
    each_block(tracks, &mut mixer, &|_| {}, &|| false, &mut |mixer| {
        let (left, right) = (mixer.left(), mixer.right().unwrap_or(mixer.left()));
        bytes.clear();
        for (left, right) in left.iter().zip(right) {
            bytes.extend(wav::quantise(*left).to_le_bytes());
            bytes.extend(wav::quantise(*right).to_le_bytes());
        }
        Ok(sink.write_all(&bytes)?)
    })?;
    sink.flush()?;
    Ok(mixer.frames)
}

/// Encodes what [`programme`] writes with one LAME from end to end; the bytes it gave.
pub fn encode(
    mut pcm: impl Read,
    settings: Mp3Settings,
    mut sink: impl Write,
) -> Result<u64, Error> {
    const FRAME: usize = 4;
    let mut lame = Lame::new(settings)?;
    let mut bytes = vec![0; 64 * SAMPLES_PER_FRAME * FRAME];
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut written = 0;
    let mut give = |lame: &mut Lame| {
        let coded = lame.take();
        written += coded.len() as u64;
        sink.write_all(&coded)
    };
    loop {
        let filled = fill(&mut pcm, &mut bytes)?;
        if filled == 0 {
            break;
        }
        left.clear();
        right.clear();
        for frame in bytes[..filled].chunks_exact(FRAME) {
            left.push(f32::from(i16::from_le_bytes([frame[0], frame[1]])) / 32_768.0);
            right.push(f32::from(i16::from_le_bytes([frame[2], frame[3]])) / 32_768.0);
        }
        lame.encode(&left, &right)?;
        give(&mut lame)?;
    }
    lame.flush::<mp3lame_encoder::FlushGap>()?;
    give(&mut lame)?;
    Ok(written)
}

/// Reads until the buffer is full or the source ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
