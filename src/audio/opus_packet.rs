//! What one Opus packet says without decoding it, and the packets that stand for silence (RFC 6716).

/// The longest an Opus packet can last: 120 ms.
pub const MAX_SAMPLES: u32 = 5760;

/// Lengths of an Opus frame are whole multiples of this: 2.5 ms.
pub const QUANTUM: i64 = 120;

/// CELT silence, longest first: samples and bytes. They decode to less than a millionth of the
/// smallest 16-bit step. Being mono they also fit a stereo stream.
pub const CELT_SILENCE: [(u32, &[u8]); 5] = [
    // Code 3: a count byte, then six frames of 20 ms of equal size.
    (
        5760,
        &[
            0xFB, 6, 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE, 0xFF, 0xFE,
        ],
    ),
    (960, &[0xF8, 0xFF, 0xFE]),
    (480, &[0xF0, 0xFF, 0xFE]),
    (240, &[0xE8, 0xFF, 0xFE]),
    (120, &[0xE0, 0xFF, 0xFE]),
];

/// 20 ms of SILK silence (what libopus itself makes of zeros, wide band). Put before a CELT
/// packet it makes the decoder start from a clean CELT state, so that what follows decodes
/// exactly as it did without the silence in front.
pub const SILK_SILENCE: (u32, &[u8]) = (960, &[0x48, 0x0B, 0xE4, 0xC1, 0x36, 0xEC, 0xC5, 0x80]);

/// How long a packet lasts in samples at 48 kHz; `None` when it is malformed (section 3.1).
pub fn duration(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = frame_duration(toc);
    let frames = match toc & 3 {
        0 => 1,
        1 if packet.len().is_multiple_of(2) => return None, // two frames of equal size
        1 | 2 => 2,
        _ => u32::from(*packet.get(1)? & 0x3F),
    };
    let samples = frame * frames;
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples)
}

/// Samples at 48 kHz of one frame under this table-of-contents byte.
fn frame_duration(toc: u8) -> u32 {
    let config = toc >> 3;
    match config {
        0..12 => [480, 960, 1920, 2880][usize::from(config & 3)], // SILK
        12..16 => [480, 960][usize::from(config & 1)],            // hybrid
        _ => 120 << (config & 3),                                 // CELT
    }
}

/// Whether the packet is coded in CELT only.
pub fn is_celt(packet: &[u8]) -> bool {
    packet.first().is_some_and(|toc| toc & 0x80 != 0)
}

/// A frame without content in the manner of the packet that begins with `toc`: every decoder
/// conceals it as a loss. Samples and the one byte.
pub fn loss(toc: u8) -> (u32, u8) {
    (frame_duration(toc), toc & !3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silence_packets_last_what_their_table_says() {
        for (samples, packet) in CELT_SILENCE.iter().chain([&SILK_SILENCE]) {
            assert_eq!(duration(packet), Some(*samples));
        }
    }

    #[test]
    fn packets_of_odd_shape_have_no_duration() {
        assert_eq!(duration(&[]), None);
        assert_eq!(duration(&[0xFB]), None, "code 3 without a count");
        assert_eq!(duration(&[0xFB, 0]), None, "no frames");
        assert_eq!(duration(&[0xFB, 7]), None, "140 ms");
        assert_eq!(
            duration(&[0xF9, 1]),
            None,
            "two frames cannot share one byte"
        );
    }

    #[test]
    fn a_loss_lasts_one_frame_of_the_packet_before() {
        assert_eq!(loss(0xFB), (960, 0xF8));
        assert_eq!(duration(&[loss(0x7B).1]), Some(loss(0x7B).0));
    }
}
