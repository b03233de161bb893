//! The legacy's mixing law: mono tracks count 1/sqrt(2) in both channels, stereo ones 1, all are
//! added without normalising and the sum is clipped hard at full scale.

use super::SAMPLE_RATE;
use super::level::Envelope;
use super::waveform::Peaks;

/// What `FFmpeg`'s mono-to-stereo conversion multiplies by: -3.01 dB.
const MONO_GAIN: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// A stretch of one track.
pub struct Block {
    /// 1 or 2.
    pub channels: usize,
    /// Interleaved.
    pub pcm: Vec<f32>,
}

impl Block {
    fn frames(&self) -> usize {
        self.pcm.len() / self.channels
    }
}

/// Adds the tracks' blocks and keeps what is to be known of the sum.
pub struct Mixer {
    /// Whether any track has two channels; without one the sum's channels are the same.
    is_stereo: bool,
    left: Vec<f32>,
    right: Vec<f32>,
    pub peaks: Peaks,
    pub envelope: Envelope,
    /// Values, of either channel, that were clipped.
    pub clipped: u64,
    /// Frames mixed so far.
    pub frames: u64,
}

impl Default for Mixer {
    fn default() -> Self {
        Self {
            is_stereo: false,
            left: Vec::new(),
            right: Vec::new(),
            peaks: Peaks::default(),
            envelope: Envelope::new(SAMPLE_RATE, 2),
            clipped: 0,
            frames: 0,
        }
    }
}

impl Mixer {
    /// Mixes blocks that begin at the same time, as long as the longest.
    pub fn mix(&mut self, blocks: &[Block]) {
        let frames = blocks.iter().map(Block::frames).max().unwrap_or(0);
        self.is_stereo |= blocks.iter().any(|block| block.channels > 1);
        self.left.clear();
        self.left.resize(frames, 0.0);
        self.right.clear();
        self.right
            .resize(if self.is_stereo { frames } else { 0 }, 0.0);
        for block in blocks {
            self.add(block);
        }
        let clipped = clip(&mut self.left);
        self.clipped += clipped;
        self.clipped += if self.is_stereo {
            clip(&mut self.right)
        } else {
            clipped
        };
        let right = if self.is_stereo {
            &self.right
        } else {
            &self.left
        };
        self.peaks.add(&self.left, right);
        self.envelope.add_two(&self.left, right);
        self.frames += frames as u64;
    }

    /// The last blocks' sum.
    pub fn left(&self) -> &[f32] {
        &self.left
    }

    /// Its right channel, if that can differ.
    pub fn right(&self) -> Option<&[f32]> {
        self.is_stereo.then_some(&self.right)
    }

    fn add(&mut self, block: &Block) {
        if block.channels == 1 {
            for channel in [&mut self.left, &mut self.right] {
                for (sum, sample) in channel.iter_mut().zip(&block.pcm) {
                    *sum += sample.clamp(-1.0, 1.0) * MONO_GAIN;
                }
            }
            return;
        }
        let sums = self.left.iter_mut().zip(&mut self.right);
        for ((left, right), frame) in sums.zip(block.pcm.chunks_exact(2)) {
            *left += frame[0].clamp(-1.0, 1.0);
            *right += frame[1].clamp(-1.0, 1.0);
        }
    }
}

/// Clips at full scale and counts how often.
fn clip(samples: &mut [f32]) -> u64 {
    let mut clipped = 0;
    for sample in samples {
        if sample.abs() > 1.0 {
            *sample = sample.clamp(-1.0, 1.0);
            clipped += 1;
        }
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(blocks: &[(usize, f32)]) -> (f32, f32, u64) {
        let blocks: Vec<Block> = blocks
            .iter()
            .map(|(channels, value)| Block {
                channels: *channels,
                pcm: vec![*value; 10 * channels],
            })
            .collect();
        let mut mixer = Mixer::default();
        mixer.mix(&blocks);
        let right = mixer.right().unwrap_or(mixer.left());
        (mixer.left()[9], right[9], mixer.clipped)
    }

    #[test]
    fn stereo_tracks_add_up_as_they_are() {
        assert_eq!(mixed(&[(2, 0.25), (2, 0.25)]), (0.5, 0.5, 0));
    }

    #[test]
    fn mono_tracks_lose_three_decibels() {
        let (left, right, _) = mixed(&[(1, 0.5)]);
        assert!((left - 0.353_553).abs() < 1e-6);
        assert_eq!(left.to_bits(), right.to_bits());
    }

    #[test]
    fn a_mono_track_is_in_both_channels_beside_a_stereo_one() {
        let (left, right, _) = mixed(&[(1, 0.5), (2, 0.25)]);
        assert!((left - 0.603_553).abs() < 1e-6);
        assert_eq!(left.to_bits(), right.to_bits());
    }

    #[test]
    fn clipped_values_of_a_mono_mix_count_in_both_channels() {
        assert_eq!(mixed(&[(1, 0.9), (1, 0.9)]), (1.0, 1.0, 20));
    }

    #[test]
    fn the_sum_is_clipped_and_counted() {
        assert_eq!(mixed(&[(2, 0.7), (2, 0.7)]), (1.0, 1.0, 20));
        assert_eq!(mixed(&[(2, -0.7), (2, -0.7)]), (-1.0, -1.0, 20));
    }

    #[test]
    fn the_mix_is_as_long_as_the_longest_track() {
        let mut mixer = Mixer::default();
        let block = |frames: usize| Block {
            channels: 1,
            pcm: vec![0.1; frames],
        };
        mixer.mix(&[block(3), block(5)]);
        mixer.mix(&[]);
        assert_eq!((mixer.frames, mixer.left().len()), (5, 0));
    }
}
