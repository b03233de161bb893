//! A safe Opus decoder around libopus. Always 48 kHz, whatever rate a file's header names.
#![allow(
    unsafe_code,
    reason = "libopus has no safe binding that decodes floats with gain and concealment"
)]

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use super::Error;
use super::opus_packet::MAX_SAMPLES;

const RATE: i32 = 48_000;

/// How a packet came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// As it was meant.
    Whole,
    /// It could not be decoded; the decoder's guess, or silence, stands in for its own duration.
    Concealed,
}

/// One track's decoder state.
pub struct Decoder {
    state: NonNull<opusic_sys::OpusDecoder>,
    channels: usize,
    pcm: Vec<f32>,
}

// SAFETY: the state is plain memory owned by this value alone; libopus keeps no thread-local data.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: `state` came from `opus_decoder_create` and is destroyed once.
        unsafe { opusic_sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

impl Decoder {
    /// A decoder with 1 or 2 output channels and an output gain in 1/256 dB.
    pub fn new(channels: u8, gain_q8: i16) -> Result<Self, Error> {
        let mut error = 0;
        // SAFETY: `error` outlives the call; libopus checks the other arguments.
        let state =
            unsafe { opusic_sys::opus_decoder_create(RATE, c_int::from(channels), &raw mut error) };
        let state = NonNull::new(state)
            .ok_or_else(|| Error::Unsupported(format!("Opus in {channels} channels")))?;
        let channels = usize::from(channels);
        let pcm = vec![0.0; MAX_SAMPLES as usize * channels];
        let decoder = Self {
            state,
            channels,
            pcm,
        };
        // SAFETY: this request takes exactly one `int`.
        let set = unsafe {
            opusic_sys::opus_decoder_ctl(
                decoder.state.as_ptr(),
                opusic_sys::OPUS_SET_GAIN_REQUEST,
                c_int::from(gain_q8),
            )
        };
        if set == opusic_sys::OPUS_OK {
            Ok(decoder)
        } else {
            Err(Error::Unsupported(format!(
                "an Opus output gain of {gain_q8}/256 dB"
            )))
        }
    }

    /// Decodes a packet that lasts `samples` into interleaved floats.
    /// The result always has that duration, however bad the packet is.
    pub fn decode(&mut self, packet: &[u8], samples: u32) -> (&[f32], Decoded) {
        let samples = samples.min(MAX_SAMPLES);
        let expected = samples as usize;
        let (data, length) = match c_int::try_from(packet.len()) {
            Ok(length) if length > 0 => (packet.as_ptr(), length),
            _ => (ptr::null(), 0),
        };
        let mut decoded = Decoded::Whole;
        // SAFETY: `data` has `length` bytes and `pcm` room for MAX_SAMPLES frames.
        let mut frames = unsafe { self.call(data, length, MAX_SAMPLES) };
        if frames != expected {
            decoded = Decoded::Concealed;
            // SAFETY: no data asks for concealment; `samples` frames fit into `pcm`.
            frames = unsafe { self.call(ptr::null(), 0, samples) };
        }
        if frames != expected {
            self.pcm[..expected * self.channels].fill(0.0);
        }
        (&self.pcm[..expected * self.channels], decoded)
    }

    /// Calls libopus; the number of frames decoded, 0 on any error.
    ///
    /// # Safety
    /// `data` must point to `length` readable bytes or be null with `length` 0, and `room` must
    /// not exceed `MAX_SAMPLES`.
    unsafe fn call(&mut self, data: *const u8, length: c_int, room: u32) -> usize {
        // SAFETY: the caller vouches for `data`; `pcm` holds MAX_SAMPLES frames of `channels`.
        let frames = unsafe {
            opusic_sys::opus_decode_float(
                self.state.as_ptr(),
                data,
                length,
                self.pcm.as_mut_ptr(),
                room.cast_signed(),
                0,
            )
        };
        usize::try_from(frames).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::opus_packet::CELT_SILENCE;

    #[test]
    fn silence_decodes_to_silence_in_both_layouts() {
        for channels in [1, 2] {
            for (samples, packet) in CELT_SILENCE {
                let mut decoder = Decoder::new(channels, 0).unwrap();
                let (pcm, outcome) = decoder.decode(packet, samples);
                assert_eq!(outcome, Decoded::Whole);
                assert_eq!(pcm.len(), samples as usize * usize::from(channels));
                assert!(pcm.iter().all(|sample| sample.abs() < 1e-9));
            }
        }
    }

    #[test]
    fn garbage_is_concealed_for_its_own_duration() {
        let mut decoder = Decoder::new(1, 0).unwrap();
        let (pcm, outcome) = decoder.decode(&[0xFF], 960);
        assert_eq!((pcm.len(), outcome), (960, Decoded::Concealed));
        let (pcm, _) = decoder.decode(&[], 2880);
        assert_eq!(pcm.len(), 2880);
    }

    #[test]
    fn three_channels_are_refused() {
        assert!(Decoder::new(3, 0).is_err());
    }
}
