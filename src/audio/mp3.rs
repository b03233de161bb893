//! MP3 by LAME: constant bit rate, joint stereo, 48 kHz, quality 3 — what the legacy's encoder is
//! at its defaults — behind a header that gives decoders the exact length.
//!
//! It is encoded in segments, several at a time, which are joined to one stream: the same bytes
//! for any number of encoders.

use std::num::NonZeroU32;

use mp3lame_encoder::{
    Bitrate, BuildError, Builder, DualPcm, EncodeError, EncoderFlush, Mode, Quality, VbrMode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, SAMPLE_RATE};

mod info;
mod pool;
mod segment;
mod writer;

pub use pool::MAX_ENCODERS;
pub(super) use segment::Layout;
pub(super) use writer::Writer;

/// Samples per channel in one frame of MPEG-1 layer III.
pub const SAMPLES_PER_FRAME: usize = 1152;

/// Samples LAME puts before the first one.
const ENCODER_DELAY: u64 = 576;
/// Samples in front of the first one once decoded: the encoder's and the decoder's 529.
pub const DELAY: u64 = ENCODER_DELAY + 529;
/// LAME is fed this many samples at a time, so that its output stays small.
const FEED: usize = SAMPLES_PER_FRAME * 8;
/// The bit rates of MPEG-1 layer III that LAME's binding offers, in kb/s.
const BIT_RATES: [(u32, Bitrate); 13] = [
    (32, Bitrate::Kbps32),
    (40, Bitrate::Kbps40),
    (48, Bitrate::Kbps48),
    (64, Bitrate::Kbps64),
    (80, Bitrate::Kbps80),
    (96, Bitrate::Kbps96),
    (112, Bitrate::Kbps112),
    (128, Bitrate::Kbps128),
    (160, Bitrate::Kbps160),
    (192, Bitrate::Kbps192),
    (224, Bitrate::Kbps224),
    (256, Bitrate::Kbps256),
    (320, Bitrate::Kbps320),
];

/// How an MP3 is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mp3Settings {
    /// kb/s: 32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256 or 320.
    pub bit_rate_kbps: u32,
}

impl Default for Mp3Settings {
    /// 128 kb/s, which production's legacy has.
    fn default() -> Self {
        Self { bit_rate_kbps: 128 }
    }
}

impl Mp3Settings {
    /// Bytes per frame; at 48 kHz all frames of one rate are of one size.
    fn frame_bytes(self) -> usize {
        144 * self.bit_rate_kbps as usize * 1000 / SAMPLE_RATE as usize
    }

    /// What LAME multiplies the sound by at this rate, against clipping (its `presets.c`).
    pub fn scale(self) -> f32 {
        match self.bit_rate_kbps {
            ..=160 => 0.95,
            192 => 0.97,
            224 => 0.98,
            _ => 1.0,
        }
    }

    fn bit_rate(self) -> Result<Bitrate, Error> {
        let found = BIT_RATES
            .iter()
            .find(|(kbps, _)| *kbps == self.bit_rate_kbps);
        found.map(|(_, rate)| *rate).ok_or_else(|| {
            let known: Vec<String> = BIT_RATES.iter().map(|(kbps, _)| kbps.to_string()).collect();
            let (given, known) = (self.bit_rate_kbps, known.join(", "));
            Error::Unsupported(format!("mp3 at {given} kb/s; use one of {known}"))
        })
    }
}

/// One LAME and what it has given out.
pub(super) struct Lame {
    encoder: mp3lame_encoder::Encoder,
    coded: Vec<u8>,
}

impl Lame {
    /// An encoder at the beginning of a programme.
    pub fn new(settings: Mp3Settings) -> Result<Self, Error> {
        Ok(Self {
            encoder: encoder(settings)?,
            coded: Vec::new(),
        })
    }

    /// Encodes the next samples, equally many of each channel.
    pub fn encode(&mut self, left: &[f32], right: &[f32]) -> Result<(), Error> {
        for (left, right) in left.chunks(FEED).zip(right.chunks(FEED)) {
            self.reserve(left.len());
            self.encoder
                .encode_to_vec(DualPcm { left, right }, &mut self.coded)
                .map_err(refused)?;
        }
        Ok(())
    }

    /// Gives out what is left inside.
    pub fn flush<F: EncoderFlush>(&mut self) -> Result<(), Error> {
        self.reserve(SAMPLES_PER_FRAME * 4);
        self.encoder
            .flush_to_vec::<F>(&mut self.coded)
            .map_err(refused)?;
        Ok(())
    }

    /// The frames given out since they were last taken.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.coded)
    }

    /// Makes room for what `samples` can become. Needed: LAME takes a buffer of size 0 for an
    /// unlimited one, so an unreserved `Vec` would be written past its end.
    fn reserve(&mut self, samples: usize) {
        self.coded
            .reserve(mp3lame_encoder::max_required_buffer_size(samples) + 7200);
    }
}

fn encoder(settings: Mp3Settings) -> Result<mp3lame_encoder::Encoder, Error> {
    let bit_rate = settings.bit_rate()?;
    let build = |builder: Builder| {
        builder
            .with_num_channels(2)?
            .with_sample_rate(SAMPLE_RATE)?
            .with_output_sample_rate(NonZeroU32::new(SAMPLE_RATE))?
            .with_brate(bit_rate)?
            .with_mode(Mode::JointStereo)?
            .with_quality(Quality::VeryNice)? // 3
            .with_vbr_mode(VbrMode::Off)?
            .with_to_write_vbr_tag(false)? // `info` writes it, when the length is known
            .build()
    };
    let builder = Builder::new().ok_or_else(|| Error::Encoder("no memory for lame".into()))?;
    build(builder).map_err(|error: BuildError| Error::Encoder(error.to_string()))
}

fn refused(error: EncodeError) -> Error {
    Error::Encoder(error.to_string())
}
