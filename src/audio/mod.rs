//! Audio of a recording: pad tracks onto its clock, mix them to an MP3, draw the waveform.
//!
//! Everything here is a blocking calculation from readers to writers. Async callers use
//! `spawn_blocking`. 48 kHz throughout; positions are samples since the recording's start.
//!
//! What surprises most: padding does not transcode. The packets of a WebM/Opus track are copied
//! behind packets of silence, so the padded track decodes to silence and then exactly what the
//! raw track decodes to. Mixing runs the same timeline itself, so it takes raw or padded tracks
//! and gives the same bytes for both.
//!
//! | module | what |
//! | --- | --- |
//! | [`pad`] | a raw track to a padded one |
//! | [`mixdown`] | tracks to an MP3, its waveform and its duration |
//! | [`waveform`] | 255 peaks, and the 254 of the legacy |
//! | [`inspect`] | what a track is, where its holes are, how loud it is |
//! | [`decode`] | MP3, WAV and AAC to samples; the facts of an MP3 |
//! | [`track`] | one track as samples on the recording's clock, and what was met on the way |
//! | [`source`] | where a track is read from, and what kind of content it turns out to be |
//! | [`mp3`] | LAME and the header that makes an MP3's length exact |
//! | [`yardstick`] | long tracks, and the least that decoding and encoding cost |
//! | `timeline` | offset, leading silence, holes |
//! | `webm`, `ebml`, `opus`, `opus_packet`, `resample`, `wav`, `mix`, `level` | the parts of these |
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes, sample counts and samples are bounded by the guards in `webm` and `track`"
)]
#![allow(clippy::doc_markdown, reason = "WebM is a name, not code")]

pub mod decode;
pub mod inspect;
pub mod mixdown;
pub mod mp3;
pub mod pad;
pub mod source;
pub mod track;
pub mod waveform;
pub mod yardstick;

mod ebml;
mod level;
mod mix;
mod opus;
mod opus_packet;
mod resample;
mod timeline;
mod wav;
mod webm;

#[cfg(test)]
mod tests;

/// Samples per second of everything that is padded or mixed.
pub const SAMPLE_RATE: u32 = 48_000;

/// Nothing is longer than a day: the guard against headers that claim more.
pub const MAX_SAMPLES: u64 = 24 * 3600 * SAMPLE_RATE as u64;

/// Why audio could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content is something else, such as an error page of an object store.
    #[error("expected audio, found {found}")]
    NotAudio {
        /// What it is, in words: "an HTML page", "an empty file".
        found: String,
    },
    /// Audio of a kind that is not read or written here.
    #[error("unsupported audio: {0}")]
    Unsupported(String),
    /// Audio too damaged to get anything out of it.
    #[error("damaged audio: {0}")]
    Damaged(String),
    /// No track has any sound.
    #[error("none of the {tracks} tracks has any sound")]
    Empty {
        /// How many were looked at.
        tracks: usize,
    },
    /// One of the tracks of a mix failed.
    #[error("reading track {index}")]
    Track {
        /// Its place in the list, from 0.
        index: usize,
        /// What happened.
        #[source]
        error: Box<Error>,
    },
    /// The encoder refused; a matter of settings or memory, not of the input.
    #[error("encoding mp3: {0}")]
    Encoder(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Reading the source or writing the result failed.
    #[error("reading or writing audio")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// Whether the input itself is at fault, so that no other attempt can succeed.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NotAudio { .. }
            | Self::Unsupported(_)
            | Self::Damaged(_)
            | Self::Empty { .. } => true,
            Self::Track { error, .. } => error.is_permanent(),
            Self::Encoder(_) | Self::Cancelled | Self::Io(_) => false,
        }
    }
}

/// The length of `samples` in milliseconds.
pub fn milliseconds(samples: u64) -> f64 {
    samples as f64 * 1000.0 / f64::from(SAMPLE_RATE)
}
