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

/// Frames in one stored peak at first.
const PEAK_FRAMES: usize = 8;
/// So many peaks of a channel are kept. In longer programmes they are twice as long, or four times:
/// memory does not grow with length, and a part of the waveform always has thousands of them.
const MOST_PEAKS: usize = 1 << 20;
/// Below half a step of 16 bits there is nothing to draw: silence as decoders leave it.
const SILENCE: f32 = 0.5 / 32_768.0;

/// Peaks of a programme at 48 kHz, taken while it passes.
#[derive(Clone, Debug)]
pub struct Peaks {
    left: Channel,
    /// Where it differs from the left one.
    right: Option<Channel>,
    /// So many values are kept.
    most: usize,
    /// Frames in each of the values.
    width: usize,
    /// Frames in those under way.
    filled: usize,
    frames: u64,
}

/// One channel's peaks.
#[derive(Clone, Debug, Default)]
struct Channel {
    values: Vec<f32>,
    current: f32,
}

impl Default for Peaks {
    fn default() -> Self {
        Self::keeping(MOST_PEAKS)
    }
}

impl Peaks {
    /// Keeps at most so many values, an even number.
    fn keeping(most: usize) -> Self {
        Self {
            left: Channel::default(),
            right: None,
            most,
            width: PEAK_FRAMES,
            filled: 0,
            frames: 0,
        }
    }

    /// Takes in the next samples, equally many of each channel; no right one means that it is the
    /// left one.
    pub fn add(&mut self, left: &[f32], right: Option<&[f32]>) {
        if right.is_some() && self.right.is_none() {
            self.right = Some(self.left.clone());
        }
        let mut from = 0;
        while from < left.len() {
            let to = left.len().min(from + self.width - self.filled);
            self.left.add(&left[from..to]);
            if let Some(channel) = &mut self.right {
                channel.add(&right.unwrap_or(left)[from..to]);
            }
            self.filled += to - from;
            from = to;
            if self.filled == self.width {
                self.close();
            }
        }
        self.frames += left.len() as u64;
    }

    /// Ends the values under way; joins every two when there are enough.
    fn close(&mut self) {
        self.filled = 0;
        for channel in std::iter::once(&mut self.left).chain(&mut self.right) {
            channel.values.push(std::mem::take(&mut channel.current));
        }
        if self.left.values.len() == self.most {
            for channel in std::iter::once(&mut self.left).chain(&mut self.right) {
                channel.join();
            }
            self.width *= 2;
        }
    }

    /// 255 values, each for an equal part of the programme.
    pub fn exact(&self) -> Vec<f64> {
        let boundary = |part: usize| part as u64 * self.frames / PARTS as u64;
        let parts = (0..PARTS).map(|part| {
            let (from, to) = (boundary(part), boundary(part + 1));
            let left = self.largest(&self.left, from, to.max(from + 1));
            let right = self.right.as_ref();
            right.map_or(left, |right| {
                left.max(self.largest(right, from, to.max(from + 1)))
            })
        });
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
        let end = self.frames;
        let parts = (0..chunks).map(|index| {
            let (from, to) = (cut_at(index * chunk), cut_at((index + 1) * chunk));
            let right = self.right.as_ref().unwrap_or(&self.left);
            let left = self.largest(&self.left, from.left, to.left.min(end));
            left.max(self.largest(right, from.right, to.right.min(end)))
        });
        normalised(parts.collect())
    }

    /// The largest of a channel's peaks with a sample in this range of frames.
    fn largest(&self, channel: &Channel, from: u64, to: u64) -> f32 {
        if from >= to {
            return 0.0;
        }
        let first = from as usize / self.width;
        let end = (to as usize).div_ceil(self.width);
        let values = &channel.values;
        let unfinished = (self.filled > 0 && end > values.len()).then_some(channel.current);
        let finished = values.iter().take(end).skip(first).copied();
        finished.chain(unfinished).fold(0.0, f32::max)
    }
}

impl Channel {
    fn add(&mut self, samples: &[f32]) {
        self.current = self.current.max(peak(samples));
    }

    fn join(&mut self) {
        let half = self.values.len() / 2;
        for at in 0..half {
            self.values[at] = self.values[2 * at].max(self.values[2 * at + 1]);
        }
        self.values.truncate(half);
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
        right.extend(pcm.iter().skip(1).step_by(channels));
        peaks.add(&left, (channels > 1).then_some(&right[..]));
    }
    Ok(peaks.exact())
}

/// Where a boundary at a value of the legacy's sequence cuts each channel, in frames.
struct Cut {
    left: u64,
    right: u64,
}

/// The sequence holds, for each decoded MP3 frame, all of the left channel and then all of the
/// right; the first frame is what the decoder's delay leaves of it.
fn cut_at(value: u64) -> Cut {
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
    Cut {
        left: start + inside.min(length),
        right: start + inside.saturating_sub(length),
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
    let largest = parts.iter().copied().fold(0.0, f32::max);
    let is_silent = largest < SILENCE;
    let largest = f64::from(largest);
    let scale = |part: f32| {
        if is_silent {
            0.0
        } else {
            (f64::from(part) / largest * 100.0).round_ties_even() / 100.0
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
            peaks.add(&samples, None);
            assert_eq!(peaks.exact(), vec![1.0; PARTS], "{frames} frames");
        }
    }

    #[test]
    fn exact_values_equal_brute_force_within_one_peak() {
        let frames = PARTS * 4801 + 17;
        let samples = ramp(frames);
        let mut peaks = Peaks::default();
        for piece in samples.chunks(1111) {
            peaks.add(piece, Some(&vec![0.0; piece.len()]));
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
    fn a_long_programme_has_no_more_peaks_than_are_kept() {
        let mut peaks = Peaks::keeping(1000);
        let quiet = vec![0.1; 4_000];
        let mut loud = quiet.clone();
        loud[2_000] = 0.8;
        // It would need 3500 peaks; it is loud once, in its middle.
        for stretch in 0..7 {
            let samples = if stretch == 3 { &loud } else { &quiet };
            peaks.add(samples, None);
            assert!(peaks.left.values.len() < 1000);
        }
        assert_eq!(peaks.width, 4 * PEAK_FRAMES);
        let mut expected = vec![0.12; PARTS];
        expected[127] = 1.0;
        assert_eq!(peaks.exact(), expected);
    }

    #[test]
    fn silence_is_zeros_and_not_nan() {
        let mut peaks = Peaks::default();
        peaks.add(&[0.0; 1000], None);
        assert_eq!(peaks.exact(), vec![0.0; PARTS]);
        assert!(Peaks::default().exact().iter().all(|value| *value == 0.0));
    }

    #[test]
    fn a_peak_in_either_channel_counts() {
        let mut peaks = Peaks::default();
        let mut right = vec![0.2; 480_000];
        right[240_000] = -0.8;
        peaks.add(&vec![0.2; 480_000], Some(&right));
        let mut expected = vec![0.25; PARTS];
        expected[127] = 1.0;
        assert_eq!(peaks.exact(), expected);
    }

    #[test]
    fn the_legacys_parts_equal_brute_force_within_one_peak() {
        // Stereo, and so short that boundaries lie inside frames.
        let frames = 60_000;
        let (left, right) = (ramp(frames), ramp(frames + 500)[500..].to_vec());
        let mut peaks = Peaks::default();
        peaks.add(&left, Some(&right));
        let mp3_frames = (frames as u64 + DELAY).div_ceil(SAMPLES_PER_FRAME as u64);
        let coded = mp3_frames * SAMPLES_PER_FRAME as u64;
        let shape = Shape {
            rate: SAMPLE_RATE,
            channels: 2,
        };
        let chunk = legacy_chunk(coded, shape) as usize;
        // Channel after channel, frame after frame.
        let mut sequence = Vec::new();
        let (mut from, mut to) = (0, SAMPLES_PER_FRAME - DELAY as usize);
        while from < frames {
            sequence.extend_from_slice(&left[from..to]);
            sequence.extend_from_slice(&right[from..to]);
            (from, to) = (to, frames.min(to + SAMPLES_PER_FRAME));
        }
        let brute = normalised(sequence.chunks_exact(chunk).map(peak).collect());
        let ours = peaks.legacy(mp3_frames);
        assert_eq!(ours.len(), brute.len());
        for (ours, brute) in ours.iter().zip(&brute) {
            assert!((ours - brute).abs() <= 0.02, "{ours}, {brute}");
        }
    }

    #[test]
    fn the_legacy_never_fills_its_last_part() {
        let mut peaks = Peaks::default();
        let second = vec![0.5; 48_000];
        for _ in 0..60 {
            peaks.add(&second, None);
        }
        let frames = (60_u64 * 48_000 + 1105).div_ceil(1152);
        assert_eq!(peaks.legacy(frames).len(), 254);
    }
}
