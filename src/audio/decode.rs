//! MP3, WAV and AAC to samples, and what is to be known about an MP3.

use symphonia::core::audio::{Channels, GenericAudioBufferRef};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Symphonia;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::Error;
use super::level::Envelope;
use super::source::{Source, is_early_end};
use crate::model::AudioFacts;

/// Rates outside are a damaged header's.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// No codec read here has longer packets (WAV's are cut to as much).
const MAX_PACKET_FRAMES: u64 = 8192;

/// The samples of an MP3, WAV or AAC file, packet by packet.
pub(super) struct Stream {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    coded_frames: Option<u64>,
    /// Numerator and denominator, in seconds, of the unit of durations.
    time_base: (u32, u32),
    shape: Shape,
    pcm: Vec<f32>,
    /// Whether `pcm` was decoded by `open` and not handed out yet.
    pending: bool,
    health: Health,
}

/// What does not change within a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Hz.
    pub rate: u32,
    /// 1 or 2.
    pub channels: usize,
}

/// What was met on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub packets: u64,
    pub bad_packets: u64,
    pub truncated: bool,
}

impl Stream {
    /// Reads up to the first samples, since some formats know their shape only then.
    pub fn open(reader: Box<dyn MediaSource>) -> Result<Self, Error> {
        let stream = MediaSourceStream::new(reader, MediaSourceStreamOptions::default());
        let format = symphonia::default::get_probe()
            .probe(
                &Hint::new(),
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .map_err(unreadable)?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| Error::Unsupported("a file without an audio track".into()))?;
        let params = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio())
            .ok_or_else(|| Error::Unsupported("an unknown codec".into()))?;
        let shape = Shape {
            rate: params.sample_rate.unwrap_or(super::SAMPLE_RATE),
            channels: params.channels.as_ref().map_or(1, Channels::count),
        };
        let edges = u64::from(track.delay.unwrap_or(0)) + u64::from(track.padding.unwrap_or(0));
        let coded_frames = track.num_frames.map(|frames| frames + edges);
        let time_base = track.time_base.map_or((1, shape.rate.max(1)), |base| {
            (base.numer.get(), base.denom.get())
        });
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(unreadable)?;
        let mut stream = Self {
            track: track.id,
            coded_frames,
            time_base,
            format,
            decoder,
            shape,
            pcm: Vec::new(),
            pending: false,
            health: Health::default(),
        };
        stream.pending = stream.decode_next(None)?;
        stream.check_shape()?;
        Ok(stream)
    }

    /// Rate and channels of everything that [`next_samples`](Self::next_samples) gives.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Samples per channel with the encoder's delay and padding, as the header tells.
    pub fn coded_frames(&self) -> Option<u64> {
        self.coded_frames
    }

    /// Whether there is nothing to hand out; to be asked before the first samples are taken.
    pub fn is_empty(&self) -> bool {
        !self.pending
    }

    /// What was met so far.
    pub fn health(&self) -> Health {
        self.health
    }

    /// The next samples, interleaved; `None` at the end.
    pub fn next_samples(&mut self) -> Result<Option<&[f32]>, Error> {
        let there = std::mem::take(&mut self.pending) || self.decode_next(Some(self.shape))?;
        Ok(there.then_some(&self.pcm))
    }

    /// Decodes the next packet into `pcm`; false at the end. A packet that is undecodable or of
    /// another shape than expected becomes silence of its own duration; before the shape is known
    /// such packets are passed over.
    fn decode_next(&mut self, expected: Option<Shape>) -> Result<bool, Error> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(Symphonia::IoError(error)) if !is_early_end(&error) => return Err(error.into()),
                Err(_) => {
                    self.health.truncated = true;
                    return Ok(false);
                }
            };
            if packet.track_id != self.track {
                continue;
            }
            self.health.packets += 1;
            if let Ok(buffer) = self.decoder.decode(&packet) {
                let shape = shape_of(&buffer);
                if expected.is_none_or(|expected| expected == shape) {
                    self.shape = shape;
                    buffer.copy_to_vec_interleaved(&mut self.pcm);
                    return Ok(true);
                }
            }
            self.health.bad_packets += 1;
            if let Some(shape) = expected {
                let frames = self.frames_in(packet.dur.get());
                self.pcm.clear();
                self.pcm.resize(frames * shape.channels, 0.0);
                return Ok(true);
            }
        }
    }

    /// A duration in the file's own unit as frames, at most those of a packet.
    fn frames_in(&self, duration: u64) -> usize {
        let (numerator, denominator) = self.time_base;
        let per_second = u64::from(numerator) * u64::from(self.shape.rate);
        let frames = duration.saturating_mul(per_second) / u64::from(denominator);
        frames.min(MAX_PACKET_FRAMES) as usize
    }

    fn check_shape(&self) -> Result<(), Error> {
        let Shape { rate, channels } = self.shape;
        if !RATES.contains(&rate) {
            return Err(Error::Unsupported(format!("a sample rate of {rate} Hz")));
        }
        if !(1..=2).contains(&channels) {
            return Err(Error::Unsupported(format!(
                "{channels} channels; at most 2 are read"
            )));
        }
        Ok(())
    }
}

fn shape_of(buffer: &GenericAudioBufferRef<'_>) -> Shape {
    let spec = buffer.spec();
    Shape {
        rate: spec.rate(),
        channels: spec.channels().count(),
    }
}

fn unreadable(error: Symphonia) -> Error {
    match error {
        Symphonia::IoError(error) if !is_early_end(&error) => Error::Io(error),
        Symphonia::Unsupported(what) => Error::Unsupported(what.into()),
        error => Error::Damaged(error.to_string()),
    }
}

/// Rate, channels, exact length and envelope of an MP3 (or WAV or AAC), by decoding it.
pub fn facts_of_mp3(source: Source) -> Result<AudioFacts, Error> {
    facts_of_mp3_after(source, 0)
}

/// The same, with an envelope that begins `skip` samples in. The legacy places tracks some 7 ms
/// early, which is enough to spoil the correlation of 100 ms windows; skipping as much here
/// before comparing takes that out.
pub fn facts_of_mp3_after(source: Source, skip: u64) -> Result<AudioFacts, Error> {
    let mut stream = Stream::open(source.open()?.reader)?;
    let Shape { rate, channels } = stream.shape();
    let mut values = 0;
    let mut skip = usize::try_from(skip)
        .unwrap_or(usize::MAX)
        .saturating_mul(channels);
    let mut envelope = Envelope::new(rate, channels);
    while let Some(pcm) = stream.next_samples()? {
        values += pcm.len() as u64;
        let skipped = skip.min(pcm.len());
        skip -= skipped;
        envelope.add(&pcm[skipped..]);
    }
    Ok(AudioFacts {
        sample_rate: rate,
        channels: channels as u16,
        samples: values / channels as u64,
        envelope: envelope.finish(),
    })
}
