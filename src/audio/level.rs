//! How loud samples are: peaks, energy, and the RMS of each 100 ms.

/// Samples looked at side by side.
const LANES: usize = 8;
/// Windows of the envelope per second.
pub const ENVELOPE_RATE: u32 = 10;

/// The largest magnitude; a NaN counts as nothing.
pub fn peak(samples: &[f32]) -> f32 {
    let larger = |peak: f32, sample: f32| {
        let size = sample.abs();
        if size > peak { size } else { peak }
    };
    let mut lanes = [0.0_f32; LANES];
    let chunks = samples.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, sample) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *sample);
        }
    }
    lanes
        .iter()
        .chain(rest)
        .fold(0.0, |peak, one| larger(peak, *one))
}

/// The sum of squares.
pub fn energy(samples: &[f32]) -> f64 {
    // Single precision is enough for as few samples as are added up in one go.
    const GO: usize = 4096;
    samples.chunks(GO).map(few).sum()
}

fn few(samples: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = samples.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, sample) in lanes.iter_mut().zip(chunk) {
            *lane += sample * sample;
        }
    }
    let rest: f32 = rest.iter().map(|sample| sample * sample).sum();
    f64::from(lanes.iter().sum::<f32>() + rest)
}

/// RMS over windows of a fixed number of frames, over all channels.
#[derive(Debug)]
pub struct Envelope {
    window: usize,
    channels: usize,
    filled: usize,
    energy: f64,
    values: Vec<f32>,
}

impl Envelope {
    /// Windows of 100 ms at `rate` (Hz).
    pub fn new(rate: u32, channels: usize) -> Self {
        Self {
            window: (rate / ENVELOPE_RATE).max(1) as usize,
            channels,
            filled: 0,
            energy: 0.0,
            values: Vec::new(),
        }
    }

    /// Takes in interleaved samples.
    pub fn add(&mut self, mut pcm: &[f32]) {
        while !pcm.is_empty() {
            let frames = (pcm.len() / self.channels).min(self.window - self.filled);
            if frames == 0 {
                return; // less than a frame
            }
            let (part, rest) = pcm.split_at(frames * self.channels);
            self.count(frames, energy(part));
            pcm = rest;
        }
    }

    /// Takes in two channels, equally many samples of each.
    pub fn add_two(&mut self, mut left: &[f32], mut right: &[f32]) {
        while !left.is_empty() {
            let frames = left.len().min(self.window - self.filled);
            let (left_now, left_later) = left.split_at(frames);
            let (right_now, right_later) = right.split_at(frames);
            self.count(frames, energy(left_now) + energy(right_now));
            (left, right) = (left_later, right_later);
        }
    }

    fn count(&mut self, frames: usize, energy: f64) {
        self.energy += energy;
        self.filled += frames;
        if self.filled == self.window {
            self.close();
        }
    }

    fn close(&mut self) {
        let values = self.filled * self.channels;
        self.values
            .push((self.energy / values as f64).sqrt() as f32);
        self.energy = 0.0;
        self.filled = 0;
    }

    /// The windows; the last, incomplete one counts by its own length.
    pub fn finish(mut self) -> Vec<f32> {
        if self.filled > 0 {
            self.close();
        }
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_and_energy_are_those_of_plain_loops() {
        let samples: Vec<f32> = (0..10_007_i16)
            .map(|at| f32::from(at * 7 % 1009 - 500) / 700.0)
            .collect();
        for length in [0, 1, 7, 8, 9, 4096, 4097, 10_007] {
            let samples = &samples[..length];
            let plain = samples
                .iter()
                .fold(0.0_f32, |peak, one| peak.max(one.abs()));
            assert_eq!(peak(samples).to_bits(), plain.to_bits());
            let plain: f64 = samples.iter().map(|one| f64::from(*one).powi(2)).sum();
            assert!((energy(samples) - plain).abs() <= plain * 1e-5, "{length}");
        }
        assert!(peak(&[f32::NAN, -0.5]) == 0.5);
    }

    #[test]
    fn the_envelope_of_a_constant_is_that_constant() {
        let mut envelope = Envelope::new(20, 2);
        for _ in 0..5 {
            envelope.add(&[0.5, -0.5]);
        }
        assert_eq!(envelope.finish(), [0.5, 0.5, 0.5]);
    }

    #[test]
    fn channels_apart_and_interleaved_have_the_same_envelope() {
        let mut apart = Envelope::new(48_000, 2);
        let mut interleaved = Envelope::new(48_000, 2);
        let left = vec![0.25; 10_000];
        let right = vec![-0.5; 10_000];
        apart.add_two(&left, &right);
        for _ in 0..10_000 {
            interleaved.add(&[0.25, -0.5]);
        }
        let (apart, interleaved) = (apart.finish(), interleaved.finish());
        assert_eq!(apart.len(), 3);
        for (one, other) in apart.iter().zip(&interleaved) {
            assert!((one - other).abs() < 1e-6, "{one}, {other}");
        }
    }
}
