//! Other sample rates to 48 kHz, without shifting the sound.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use super::{Error, SAMPLE_RATE};

const CHUNK: usize = 1024;

/// Converts one interleaved stream. The filter's delay is taken off, so sample 0 stays sample 0,
/// and the output is exactly as long as the input.
pub struct Resampler {
    fft: Fft<f32>,
    rate: u32,
    channels: usize,
    waiting: Vec<f32>,
    chunk: Vec<f32>,
    /// Output frames still to be dropped: the filter's delay.
    delay: usize,
    frames_in: u64,
    frames_out: u64,
}

impl Resampler {
    /// A converter from `rate` (Hz) for 1 or 2 channels.
    pub fn new(rate: u32, channels: usize) -> Result<Self, Error> {
        let (from, to) = (rate as usize, SAMPLE_RATE as usize);
        let fft = Fft::new(from, to, CHUNK, channels, FixedSync::Input)
            .map_err(|error| Error::Unsupported(format!("resampling from {rate} Hz: {error}")))?;
        Ok(Self {
            rate,
            channels,
            waiting: Vec::new(),
            chunk: vec![0.0; fft.output_frames_max() * channels],
            delay: fft.output_delay(),
            fft,
            frames_in: 0,
            frames_out: 0,
        })
    }

    /// Takes samples in and appends those that are ready to `out`.
    pub fn push(&mut self, pcm: &[f32], out: &mut Vec<f32>) -> Result<(), Error> {
        self.frames_in += (pcm.len() / self.channels) as u64;
        self.waiting.extend_from_slice(pcm);
        let mut used = 0;
        while self.waiting.len() - used >= self.fft.input_frames_next() * self.channels {
            used += self.convert(used, None, u64::MAX, out)? * self.channels;
        }
        self.waiting.drain(..used);
        Ok(())
    }

    /// Appends what is left; nothing may be pushed afterwards.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), Error> {
        let rate = u64::from(self.rate);
        let total = (self.frames_in * u64::from(SAMPLE_RATE) + rate / 2) / rate;
        let mut partial = self.waiting.len() / self.channels;
        while self.frames_out < total {
            self.convert(0, Some(partial), total, out)?;
            self.waiting.clear();
            partial = 0;
        }
        Ok(())
    }

    /// Converts one chunk from `waiting[from..]`, of which only `partial` frames may be there, and
    /// appends it up to `limit` output frames in all; the input frames it took.
    fn convert(
        &mut self,
        from: usize,
        partial: Option<usize>,
        limit: u64,
        out: &mut Vec<f32>,
    ) -> Result<usize, Error> {
        let broken = |error: &dyn std::fmt::Display| Error::Damaged(format!("resampling: {error}"));
        let input = &self.waiting[from..];
        let input = InterleavedSlice::new(input, self.channels, input.len() / self.channels)
            .map_err(|error| broken(&error))?;
        let room = self.chunk.len() / self.channels;
        let mut output = InterleavedSlice::new_mut(&mut self.chunk, self.channels, room)
            .map_err(|error| broken(&error))?;
        let mut indexing = Indexing::new();
        if let Some(partial) = partial {
            indexing = indexing.partial_len(partial);
        }
        let (taken, made) = self
            .fft
            .process_into_buffer(&input, &mut output, Some(&indexing))
            .map_err(|error| broken(&error))?;
        let skipped = self.delay.min(made);
        self.delay -= skipped;
        let wanted = usize::try_from(limit - self.frames_out).unwrap_or(usize::MAX);
        let kept = (made - skipped).min(wanted);
        out.extend_from_slice(&self.chunk[skipped * self.channels..][..kept * self.channels]);
        self.frames_out += kept as u64;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_length_and_its_phase() {
        for rate in [16_000_u32, 44_100, 96_000] {
            let tone = |frame: u32, rate: u32| {
                (f64::from(frame) * 440.0 / f64::from(rate) * std::f64::consts::TAU).sin() as f32
            };
            let input: Vec<f32> = (0..rate).map(|frame| tone(frame, rate)).collect();
            let mut resampler = Resampler::new(rate, 1).unwrap();
            let mut out = Vec::new();
            for piece in input.chunks(777) {
                resampler.push(piece, &mut out).unwrap();
            }
            resampler.finish(&mut out).unwrap();
            assert_eq!(out.len(), 48_000);
            for frame in 2_000..46_000 {
                let error = (out[frame as usize] - tone(frame, 48_000)).abs();
                assert!(error < 1e-3, "{rate} Hz, frame {frame}: off by {error}");
            }
        }
    }

    #[test]
    fn nothing_in_is_nothing_out() {
        let mut out = Vec::new();
        Resampler::new(44_100, 2).unwrap().finish(&mut out).unwrap();
        assert!(out.is_empty());
    }
}
