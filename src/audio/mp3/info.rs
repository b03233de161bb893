//! The "Info" frame in front of the music: a silent frame holding LAME's tag with the exact
//! length, so that decoders drop the encoder's delay and padding and players know the duration.

use super::{ENCODER_DELAY, Mp3Settings, SAMPLES_PER_FRAME};

/// The index of a bit rate in MPEG-1 layer III frame headers is its place here plus 1.
const HEADER_RATES: [u32; 14] = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];

/// What has been written of the music.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Music {
    pub bytes: u64,
    crc: u16,
}

impl Music {
    /// Takes in the next frames.
    pub fn add(&mut self, coded: &[u8]) {
        self.bytes += coded.len() as u64;
        self.crc = crc16(self.crc, coded);
    }
}

/// The whole frame for `samples` per channel of stereo music.
pub fn frame(settings: Mp3Settings, music: &Music, samples: u64) -> Vec<u8> {
    let frame_bytes = settings.frame_bytes();
    let frames = music.bytes / frame_bytes as u64;
    let all_bytes = u32::try_from(music.bytes + frame_bytes as u64).unwrap_or(u32::MAX);
    let padding = (frames * SAMPLES_PER_FRAME as u64).saturating_sub(samples + ENCODER_DELAY);

    let mut out = Vec::with_capacity(frame_bytes);
    out.extend(frame_header(settings));
    out.extend([0; 32]); // side information of stereo, silent

    // Xing's part: flags for frames, bytes, table, quality; then those.
    out.extend(b"Info");
    out.extend(0xF_u32.to_be_bytes());
    out.extend(u32::try_from(frames).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(all_bytes.to_be_bytes());
    out.extend(seek_table(frames));
    out.extend(50_u32.to_be_bytes());

    // LAME's part, 36 bytes.
    out.extend(b"LAME3.100");
    out.push(1); // revision 0, constant bit rate
    out.push(200); // lowpass in 100 Hz
    out.extend([0; 8]); // peak and replay gain: not measured
    out.push(0); // encoding flags
    out.push(settings.bit_rate_kbps.min(255) as u8);
    let edges = (ENCODER_DELAY as u32) << 12 | (padding.min(0xFFF) as u32);
    out.extend(&edges.to_be_bytes()[1..]);
    out.extend([0; 4]); // miscellaneous, mp3 gain, preset and surround
    out.extend(all_bytes.to_be_bytes());
    out.extend(music.crc.to_be_bytes());
    let crc = crc16(0, &out);
    out.extend(crc.to_be_bytes());

    out.resize(frame_bytes, 0);
    out
}

/// MPEG-1 layer III without CRC, 48 kHz, joint stereo.
fn frame_header(settings: Mp3Settings) -> [u8; 4] {
    let place = HEADER_RATES
        .iter()
        .position(|kbps| *kbps == settings.bit_rate_kbps);
    let index = place.map_or(0, |place| place as u8 + 1);
    [0xFF, 0xFB, index << 4 | 0x04, 0x44]
}

/// For each hundredth of the time the 256th of the bytes: linear, since frames are of one size.
fn seek_table(frames: u64) -> [u8; 100] {
    let mut table = [0; 100];
    for (entry, hundredth) in table.iter_mut().zip(0..) {
        let place = (frames * hundredth / 100 + 1) * 256 / (frames + 1);
        *entry = place.min(255) as u8;
    }
    table
}

/// CRC-16 as LAME's tag has it: polynomial 0x8005, bits reversed.
fn crc16(crc: u16, bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = crc_table();
    bytes.iter().fold(crc, |crc, byte| {
        crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}

const fn crc_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xA001
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_published_one() {
        // CRC-16/ARC of the customary check string.
        assert_eq!(crc16(0, b"123456789"), 0xBB3D);
    }

    #[test]
    fn the_header_holds_frames_bytes_delay_and_padding() {
        let settings = Mp3Settings { bit_rate_kbps: 128 };
        let music = Music {
            bytes: 384 * 10,
            crc: 0,
        };
        let frame = frame(settings, &music, 10_000);
        assert_eq!(frame.len(), 384);
        assert_eq!(&frame[..4], [0xFF, 0xFB, 0x94, 0x44]);
        assert_eq!(&frame[36..40], b"Info");
        assert_eq!(&frame[44..48], 10_u32.to_be_bytes());
        assert_eq!(&frame[48..52], (384_u32 * 11).to_be_bytes());
        let edges = u32::from_be_bytes([0, frame[177], frame[178], frame[179]]);
        assert_eq!((edges >> 12, edges & 0xFFF), (576, 11_520 - 10_000 - 576));
        assert_eq!(crc16(0, &frame[..190]).to_be_bytes(), frame[190..192]);
    }
}
