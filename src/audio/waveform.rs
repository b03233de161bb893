//! The waveform browsers draw: peaks of equal parts, divided by the largest, two decimals.
//!
//! The legacy has 254 values where 255 were meant: it takes the part's length from the MP3's
//! container duration, which counts the encoder's delay and padding, so the last part never
//! fills and is dropped.

use super::decode::{Shape, Stream};
use super::level::peak;
use super::mp3::{DELAY, SAMPLES_PER_FRAME};
use super::source::Source;
use super::{Error, SAMPLE_RATE};

/// How many parts are meant.
pub const PARTS: usize = 255;

/// Frames in one stored peak: 5 ms.
const PEAK_FRAMES: usize = 240;
/// So many peaks are kept (2.9 hours of 5 ms); in longer programmes they are twice as long, or four
/// times, so that memory does not grow with length.
const MOST_PEAKS: usize = 1 << 21;

/// Peaks of a stereo programme at 48 kHz, 5 ms each, taken while it passes.
#[derive(Clone, Debug)]
pub struct Peaks {
    values: Vec<f32>,
    /// Frames in each of the values.
    width: usize,
    current: f32,
    filled: usize,
    frames: u64,
}

impl Default for Peaks {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            width: PEAK_FRAMES,
            current: 0.0,
            filled: 0,
            frames: 0,
        }
    }
}

impl Peaks {
    /// Takes in the next samples of both channels, equally many of each.
    pub fn add(&mut self, mut left: &[f32], mut right: &[f32]) {
        self.frames += left.len() as u64;
        while !left.is_empty() {
            let count = left.len().min(self.width - self.filled);
            let (left_now, left_later) = left.split_at(count);
            let (right_now, right_later) = right.split_at(count);
            self.current = self.current.max(peak(left_now)).max(peak(right_now));
            self.filled += count;
            if self.filled == self.width {
                self.values.push(std::mem::take(&mut self.current));
                self.filled = 0;
            }
            if self.values.len() == MOST_PEAKS {
                self.widen();
            }
            (left, right) = (left_later, right_later);
        }
    }

    /// Joins every two peaks.
    fn widen(&mut self) {
        for at in 0..MOST_PEAKS / 2 {
            self.values[at] = self.values[2 * at].max(self.values[2 * at + 1]);
        }
        self.values.truncate(MOST_PEAKS / 2);
        self.width *= 2;
    }

    /// 255 values, each for an equal part of the programme.
    pub fn exact(&self) -> Vec<f64> {
        let boundary = |part: usize| part as u64 * self.frames / PARTS as u64;
        let parts = (0..PARTS).map(|part| self.largest(boundary(part), boundary(part + 1)));
        normalised(parts.collect())
    }

    /// The values the legacy makes of an MP3 of this programme with `mp3_frames` frames.
    pub fn legacy(&self, mp3_frames: u64) -> Vec<f64> {
        let coded = mp3_frames * SAMPLES_PER_FRAME as u64;
        let shape = Shape {
            rate: SAMPLE_RATE,
            channels: 2,
        };
        let chunk = legacy_chunk(coded, shape);
        let chunks = 2 * self.frames / chunk;
        let parts = (0..chunks).map(|index| {
            let (from, _) = legacy_span(index * chunk);
            let (_, to) = legacy_span((index + 1) * chunk);
            self.largest(from, to.min(self.frames))
        });
        normalised(parts.collect())
    }

    /// The largest peak that has a sample in this range of frames, which takes at least one peak.
    fn largest(&self, from: u64, to: u64) -> f32 {
        let first = from as usize / self.width;
        let end = (to as usize).div_ceil(self.width).max(first + 1);
        let unfinished = (self.filled > 0 && end > self.values.len()).then_some(self.current);
        let finished = self.values.iter().take(end).skip(first).copied();
        finished.chain(unfinished).fold(0.0, f32::max)
    }
}

/// The legacy's algorithm on a finished MP3: the fallback when the mixdown's own waveform is not
/// at hand, and the strict measure to compare with.
///
/// Values are taken channel after channel within each decoded packet, as the legacy does.
pub fn of_mp3(source: Source) -> Result<Vec<f64>, Error> {
    let mut stream = Stream::open(source.open()?.reader)?;
    let shape = stream.shape();
    let coded = stream.coded_frames().ok_or_else(|| {
        Error::Unsupported("an mp3 whose length is not known before it is decoded".into())
    })?;
    let chunk = legacy_chunk(coded, shape);
    let (mut parts, mut current, mut filled) = (Vec::new(), 0.0_f32, 0);
    while let Some(pcm) = stream.next_samples()? {
        for channel in 0..shape.channels {
            for value in pcm.iter().skip(channel).step_by(shape.channels) {
                current = current.max(value.abs());
                filled += 1;
                if filled == chunk {
                    parts.push(std::mem::take(&mut current));
                    filled = 0;
                }
            }
        }
    }
    Ok(normalised(parts))
}

/// 255 values of an MP3, WAV or AAC file, each for an equal part of it.
pub fn exact_of_file(source: Source) -> Result<Vec<f64>, Error> {
    let mut stream = Stream::open(source.open()?.reader)?;
    let channels = stream.shape().channels;
    let mut peaks = Peaks::default();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while let Some(pcm) = stream.next_samples()? {
        left.clear();
        left.extend(pcm.iter().step_by(channels));
        right.clear();
        right.extend(pcm.iter().skip(channels - 1).step_by(channels));
        peaks.add(&left, &right);
    }
    Ok(peaks.exact())
}

/// What a boundary at a value of the legacy's sequence cuts: the first frame that is at least in
/// part after it, and the end of the frames that are at least in part before it.
///
/// The sequence holds, for each decoded MP3 frame, all of the left channel and then all of the
/// right; the first frame is what the decoder's delay leaves of it.
fn legacy_span(value: u64) -> (u64, u64) {
    const FRAME: u64 = SAMPLES_PER_FRAME as u64;
    const FIRST: u64 = FRAME - DELAY;
    let (start, length, inside) = match value.checked_sub(2 * FIRST) {
        None => (0, FIRST, value),
        Some(later) => (
            FIRST + later / (2 * FRAME) * FRAME,
            FRAME,
            later % (2 * FRAME),
        ),
    };
    if inside < length {
        (start, start + inside)
    } else {
        (start + inside - length, start + length)
    }
}

/// `int(duration / 255 * rate * channels)`, at least 1, from the coded length.
fn legacy_chunk(coded_frames: u64, shape: Shape) -> u64 {
    let rate = f64::from(shape.rate);
    let duration = coded_frames as f64 / rate;
    ((duration / PARTS as f64 * rate * shape.channels as f64) as u64).max(1)
}

/// Divides by the largest and rounds to two decimals, halves to even; silence stays 0.
fn normalised(parts: Vec<f32>) -> Vec<f64> {
    let largest = f64::from(parts.iter().copied().fold(0.0, f32::max));
    let scale = |part: f32| {
        if largest > 0.0 {
            (f64::from(part) / largest * 100.0).round_ties_even() / 100.0
        } else {
            0.0
        }
    };
    parts.into_iter().map(scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A programme whose sample `frame` is known on sight.
    fn ramp(frames: usize) -> Vec<f32> {
        (0..frames)
            .map(|frame| (frame % 7919) as f32 / 7919.0 * frame as f32)
            .collect()
    }

    #[test]
    fn there_are_255_values_whatever_the_length() {
        for frames in [1, 100, 255, 48_000, 282_605 * 48] {
            let mut peaks = Peaks::default();
            let samples = vec![0.25; frames];
            peaks.add(&samples, &samples);
            assert_eq!(peaks.exact(), vec![1.0; PARTS], "{frames} frames");
        }
    }

    #[test]
    fn exact_values_equal_brute_force_within_one_peak() {
        let frames = PARTS * 4801 + 17;
        let samples = ramp(frames);
        let mut peaks = Peaks::default();
        for piece in samples.chunks(1111) {
            peaks.add(piece, &vec![0.0; piece.len()]);
        }
        let brute = |widen: usize| {
            let part = |part: usize| {
                let from = (part * frames / PARTS).saturating_sub(widen);
                let to = ((part + 1) * frames / PARTS + widen).min(frames);
                peak(&samples[from..to])
            };
            normalised((0..PARTS).map(part).collect())
        };
        let bounds = brute(0).into_iter().zip(brute(PEAK_FRAMES));
        for (value, (least, most)) in peaks.exact().into_iter().zip(bounds) {
            assert!(
                (least..=most).contains(&value),
                "{value} is not in {least}..={most}"
            );
        }
    }

    #[test]
    fn a_programme_of_a_day_has_no_more_peaks_than_one_of_three_hours() {
        let mut peaks = Peaks::default();
        let quiet = vec![0.1; 480_000];
        let mut loud = quiet.clone();
        loud[240_000] = 0.8;
        // A quarter of a day, loud once in its middle.
        let tens = 6 * 360;
        for ten in 0..tens {
            let samples = if ten == tens / 2 { &loud } else { &quiet };
            peaks.add(samples, samples);
        }
        assert!(peaks.values.len() <= MOST_PEAKS && peaks.width == 4 * PEAK_FRAMES);
        let mut expected = vec![0.12; PARTS];
        expected[127] = 1.0;
        assert_eq!(peaks.exact(), expected);
    }

    #[test]
    fn silence_is_zeros_and_not_nan() {
        let mut peaks = Peaks::default();
        peaks.add(&[0.0; 1000], &[0.0; 1000]);
        assert_eq!(peaks.exact(), vec![0.0; PARTS]);
        assert!(Peaks::default().exact().iter().all(|value| *value == 0.0));
    }

    #[test]
    fn a_peak_in_either_channel_counts() {
        let mut peaks = Peaks::default();
        let mut right = vec![0.2; 480_000];
        right[240_000] = -0.8;
        peaks.add(&vec![0.2; 480_000], &right);
        let mut expected = vec![0.25; PARTS];
        expected[127] = 1.0;
        assert_eq!(peaks.exact(), expected);
    }

    #[test]
    fn the_legacy_never_fills_its_last_part() {
        let mut peaks = Peaks::default();
        let second = vec![0.5; 48_000];
        for _ in 0..60 {
            peaks.add(&second, &second);
        }
        let frames = (60_u64 * 48_000 + 1105).div_ceil(1152);
        assert_eq!(peaks.legacy(frames).len(), 254);
    }
}
