//! Meetings to measure with: read sentences at several pitches, taking turns over the noise of a room,
//! coded as WebRTC codes speech (Opus, mono, 20 ms, 30 kb/s, complexity 9, against losses), and made as
//! long as one likes by repeating them.
#![allow(
    unsafe_code,
    reason = "libopus has no safe binding that encodes with these settings"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "samples and places of samples are small"
)]

use std::{
    ffi::c_int,
    fs::{self, File},
    path::{Path, PathBuf},
    ptr::NonNull,
};

use switchyard::audio::yardstick::{self, Mute};

use crate::{dice::Dice, webm};

const RATE: usize = 48_000;
/// Samples of a packet: 20 ms.
const PACKET: usize = 960;
/// Seconds that are coded; longer tracks repeat them.
const SECONDS: usize = 300;
/// Their files' rate.
const VOICE_RATE: f64 = 16_000.0;
/// Amplitude of the room's noise: -62 dB of full scale.
const NOISE: f64 = 0.0008;
/// Share of packets that must be coded for speech and more at once, as WebRTC's are.
const LEAST_HYBRID: f64 = 0.9;

const VOICES: [&[u8]; 5] = [
    include_bytes!("voices/sense_and_sensibility_01_austen_64kb-0870.wav"),
    include_bytes!("voices/sense_and_sensibility_01_austen_64kb-0880.wav"),
    include_bytes!("voices/sense_and_sensibility_01_austen_64kb-0890.wav"),
    include_bytes!("voices/sense_and_sensibility_01_austen_64kb-0920.wav"),
    include_bytes!("voices/sense_and_sensibility_01_austen_64kb-0930.wav"),
];

/// How long a meeting is, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub tracks: usize,
    pub minutes: u64,
}

impl std::str::FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = text.split_once('x').and_then(|(tracks, minutes)| {
            let shape = Self {
                tracks: tracks.parse().ok()?,
                minutes: minutes.parse().ok()?,
            };
            let is_sound = (1..=32).contains(&shape.tracks) && (1..=720).contains(&shape.minutes);
            is_sound.then_some(shape)
        });
        shape.ok_or_else(|| "write TRACKSxMINUTES, as in 3x60".to_owned())
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} min", self.tracks, self.minutes)
    }
}

impl Shape {
    /// When a track begins, in milliseconds since the recording's start.
    pub const fn start_ms(track: usize) -> u64 {
        [0, 17_300, 305_020][track % 3]
    }

    /// The tracks as Daily would have recorded them, made unless they are there.
    ///
    /// The first begins at 0, the second at 17.3 s, the third at 305.02 s and has three mutes; so on
    /// in turn.
    pub fn tracks(self, folder: &Path) -> Vec<PathBuf> {
        fs::create_dir_all(folder).expect("a folder can be made");
        (0..self.tracks)
            .map(|track| self.track(track, folder))
            .collect()
    }

    fn track(self, track: usize, folder: &Path) -> PathBuf {
        let path = folder.join(format!("t{track}-{}min.webm", self.minutes));
        if path.exists() {
            return path;
        }
        let seconds = self.minutes * 60;
        let start_ms = Self::start_ms(track);
        let mute = |start_ms, length_ms| Mute {
            start_ms,
            length_ms,
        };
        let mutes = [
            mute(seconds * 1000 / 5, 60_000.min(seconds * 100)),
            mute(seconds * 1000 / 2, 3_370),
            mute(seconds * 1000 * 3 / 5, 240_000.min(seconds * 100)),
        ];
        let mutes = if track % 3 == 2 { &mutes[..] } else { &[] };
        let draft = path.with_extension("draft");
        let sink = File::create(&draft).expect("a file can be made");
        yardstick::lengthen(
            &coded(track),
            seconds + start_ms / 1000,
            start_ms,
            mutes,
            sink,
        )
        .expect("our own track is read");
        fs::rename(&draft, &path).expect("it is ours");
        path
    }
}

/// One speaker's five minutes as WebM.
fn coded(speaker: usize) -> Vec<u8> {
    let sound = sound(speaker);
    let mut encoder = Encoder::new();
    let packets: Vec<Vec<u8>> = sound
        .chunks_exact(PACKET)
        .map(|pcm| encoder.encode(pcm))
        .collect();
    // Configurations 12 to 15 (RFC 6716, 3.1).
    let is_hybrid = |packet: &&Vec<u8>| (12..16).contains(&(packet[0] >> 3));
    let share = packets.iter().filter(is_hybrid).count() as f64 / packets.len() as f64;
    assert!(
        share >= LEAST_HYBRID,
        "only {share:.2} of the packets are hybrid, so this is not what WebRTC sends"
    );
    webm::written(&packets, encoder.lookahead())
}

/// Sentences in changing order at the speaker's pitch, some seconds apart, over noise.
fn sound(speaker: usize) -> Vec<f32> {
    let mut dice = Dice::new(20_261_126 + speaker as u64);
    let pitch = 0.9 + 0.07 * (speaker % 5) as f64;
    let mut noise = || ((dice.share() + dice.share() + dice.share() - 1.5) * NOISE) as f32;
    let mut sound: Vec<f32> = (0..SECONDS * RATE).map(|_| noise()).collect();
    let mut at = dice.below(8 * RATE);
    loop {
        let sentence = upsampled(&samples(VOICES[dice.below(VOICES.len())]), pitch);
        if at + sentence.len() > sound.len() {
            return sound;
        }
        for (sum, sample) in sound[at..].iter_mut().zip(&sentence) {
            *sum += sample * 0.8;
        }
        // Others have their turns, too.
        let pause = if dice.happens(0.5) {
            RATE / 2
        } else {
            12 * RATE
        };
        at += sentence.len() + pause + dice.below(RATE);
    }
}

/// The samples of a 16-bit mono WAV file with a header of 44 bytes.
fn samples(wav: &[u8]) -> Vec<f32> {
    let pairs = wav[44..].chunks_exact(2);
    pairs
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
        .collect()
}

/// At 48 kHz and another pitch, by cubic interpolation.
fn upsampled(samples: &[f32], pitch: f64) -> Vec<f32> {
    let step = VOICE_RATE / RATE as f64 * pitch;
    let last = samples.len().saturating_sub(3) as f64;
    let mut out = Vec::new();
    let mut position = 1.0;
    while position < last {
        let at = position as usize;
        let part = (position - at as f64) as f32;
        let near = &samples[at - 1..at + 3];
        let cubic = 3.0f32.mul_add(near[1] - near[2], near[3] - near[0]);
        let square = 2.0 * near[0] - 5.0 * near[1] + 4.0 * near[2] - near[3];
        let slope = near[2] - near[0];
        let curve = cubic.mul_add(part, square).mul_add(part, slope);
        out.push(curve.mul_add(part * 0.5, near[1]));
        position += step;
    }
    out
}

/// libopus as WebRTC sets it.
struct Encoder(NonNull<opusic_sys::OpusEncoder>);

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: it came from `opus_encoder_create` and is destroyed once.
        unsafe { opusic_sys::opus_encoder_destroy(self.0.as_ptr()) }
    }
}

impl Encoder {
    fn new() -> Self {
        let mut error = 0;
        // SAFETY: `error` outlives the call; libopus checks the other arguments.
        let state = unsafe {
            opusic_sys::opus_encoder_create(
                48_000,
                1,
                opusic_sys::OPUS_APPLICATION_VOIP,
                &raw mut error,
            )
        };
        let encoder = Self(NonNull::new(state).expect("libopus has an encoder"));
        for (request, value) in [
            (opusic_sys::OPUS_SET_BITRATE_REQUEST, 30_000),
            (opusic_sys::OPUS_SET_COMPLEXITY_REQUEST, 9),
            (
                opusic_sys::OPUS_SET_SIGNAL_REQUEST,
                opusic_sys::OPUS_SIGNAL_VOICE,
            ),
            (opusic_sys::OPUS_SET_INBAND_FEC_REQUEST, 1),
            (opusic_sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, 5),
        ] {
            // SAFETY: these requests take exactly one `int`.
            let set = unsafe { opusic_sys::opus_encoder_ctl(encoder.0.as_ptr(), request, value) };
            assert_eq!(set, opusic_sys::OPUS_OK, "request {request}");
        }
        encoder
    }

    /// Samples that decode before the first one.
    fn lookahead(&self) -> u16 {
        let mut samples: c_int = 0;
        let request = opusic_sys::OPUS_GET_LOOKAHEAD_REQUEST;
        // SAFETY: this request takes exactly one pointer to an `int`, which outlives the call.
        let got =
            unsafe { opusic_sys::opus_encoder_ctl(self.0.as_ptr(), request, &raw mut samples) };
        assert_eq!(got, opusic_sys::OPUS_OK, "the lookahead");
        u16::try_from(samples).expect("some milliseconds")
    }

    fn encode(&mut self, pcm: &[f32]) -> Vec<u8> {
        let mut packet = vec![0; 1500];
        // SAFETY: `pcm` holds 960 samples of one channel, `packet` the bytes that are told.
        let bytes = unsafe {
            opusic_sys::opus_encode_float(
                self.0.as_ptr(),
                pcm.as_ptr(),
                c_int::try_from(pcm.len()).expect("20 ms"),
                packet.as_mut_ptr(),
                1500,
            )
        };
        packet.truncate(usize::try_from(bytes).expect("it encodes"));
        packet
    }
}
