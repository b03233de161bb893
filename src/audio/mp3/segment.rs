//! One stretch of a programme, encoded by a LAME of its own so that stretches can be encoded side by
//! side and joined.
//!
//! A fresh encoder differs from one in the middle of a programme in what it remembers: overlapping
//! transforms, the ear's model, and unused bits it may still spend (the reservoir). So each segment
//! is led up to by some frames of what comes before it, which are thrown away. Before its own first
//! frame, and after its last, the reservoir is emptied: no frame refers to bits across a joint.

use mp3lame_encoder::{FlushGap, FlushNoGap};

use super::{Lame, Mp3Settings, SAMPLES_PER_FRAME};
use crate::audio::Error;

/// Samples LAME wants beyond a frame's own before it gives the frame out.
pub const AHEAD: usize = 224;

/// How a programme is cut, in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Frames in a segment; the last one takes the rest.
    pub frames: usize,
    /// Frames of what comes before it.
    pub warm_up: usize,
}

impl Layout {
    /// Segments of 12.3 s: long enough that warming up costs 2 %, short enough for memory.
    pub const USUAL: Self = Self {
        frames: 512,
        warm_up: 12,
    };
}

/// A stretch of a programme.
pub struct Segment {
    /// Its place.
    pub index: usize,
    /// Frames before its own at the beginning of its samples.
    pub warm_up: usize,
    /// Samples of the left channel, [`AHEAD`] beyond its own last frame, or all there are.
    pub left: Vec<f32>,
    /// The right channel where it differs.
    pub right: Option<Vec<f32>>,
    /// Whether the programme ends here.
    pub is_last: bool,
}

impl Segment {
    /// Its own frames.
    pub fn encode(&self, settings: Mp3Settings) -> Result<Vec<u8>, Error> {
        let (left, right) = (&self.left, self.right.as_ref().unwrap_or(&self.left));
        let mut lame = Lame::new(settings)?;
        let mut from = 0;
        if self.warm_up > 0 {
            from = self.warm_up * SAMPLES_PER_FRAME + AHEAD;
            lame.encode(&left[..from], &right[..from])?;
            lame.flush::<FlushNoGap>()?;
            let thrown = lame.take().len() / settings.frame_bytes();
            self.expect_frames(self.warm_up, thrown)?;
        }
        lame.encode(&left[from..], &right[from..])?;
        if self.is_last {
            lame.flush::<FlushGap>()?;
            return Ok(lame.take());
        }
        lame.flush::<FlushNoGap>()?;
        let coded = lame.take();
        let own = (left.len() - AHEAD) / SAMPLES_PER_FRAME - self.warm_up;
        self.expect_frames(own, coded.len() / settings.frame_bytes())?;
        Ok(coded)
    }

    fn expect_frames(&self, expected: usize, given: usize) -> Result<(), Error> {
        if expected == given {
            return Ok(());
        }
        Err(Error::Encoder(format!(
            "lame gave {given} frames for {expected} in segment {}",
            self.index
        )))
    }
}
