//! EBML, the element notation of WebM: ids, variable-length numbers and plain values, read and written.
//!
//! Reading never fails on odd content: a malformed number is `None`, and what to do about it is
//! the caller's decision (RFC 8794).

/// The ids of the elements this program reads or writes, length marker included (RFC 9559).
pub mod id {
    pub const EBML: u32 = 0x1A45_DFA3;
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const SEEK_HEAD: u32 = 0x114D_9B74;
    pub const SEEK: u32 = 0x4DBB;
    pub const SEEK_ID: u32 = 0x53AB;
    pub const SEEK_POSITION: u32 = 0x53AC;
    pub const INFO: u32 = 0x1549_A966;
    pub const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub const DURATION: u32 = 0x4489;
    pub const MUXING_APP: u32 = 0x4D80;
    pub const WRITING_APP: u32 = 0x5741;
    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const TRACK_UID: u32 = 0x73C5;
    pub const TRACK_TYPE: u32 = 0x83;
    pub const FLAG_LACING: u32 = 0x9C;
    pub const LANGUAGE: u32 = 0x22_B59C;
    pub const CODEC_ID: u32 = 0x86;
    pub const CODEC_PRIVATE: u32 = 0x63A2;
    pub const CODEC_DELAY: u32 = 0x56AA;
    pub const SEEK_PRE_ROLL: u32 = 0x56BB;
    pub const AUDIO: u32 = 0xE1;
    pub const SAMPLING_FREQUENCY: u32 = 0xB5;
    pub const CHANNELS: u32 = 0x9F;
    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const TIMESTAMP: u32 = 0xE7;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const BLOCK_GROUP: u32 = 0xA0;
    pub const BLOCK: u32 = 0xA1;
    pub const DISCARD_PADDING: u32 = 0x75A2;
    pub const CUES: u32 = 0x1C53_BB6B;
    pub const CUE_POINT: u32 = 0xBB;
    pub const CUE_TIME: u32 = 0xB3;
    pub const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub const CUE_TRACK: u32 = 0xF7;
    pub const CUE_CLUSTER_POSITION: u32 = 0xF1;
    pub const TAGS: u32 = 0x1254_C367;
    pub const ATTACHMENTS: u32 = 0x1941_A469;
    pub const CHAPTERS: u32 = 0x1043_A770;
    pub const VOID: u32 = 0xEC;
    pub const CRC_32: u32 = 0xBF;
    pub const POSITION: u32 = 0xA7;
    pub const PREV_SIZE: u32 = 0xAB;
    pub const SILENT_TRACKS: u32 = 0x5854;
    pub const ENCRYPTED_BLOCK: u32 = 0xAF;
}

/// The longest element header: an id of four bytes and a size of eight.
pub const MAX_HEADER: usize = 12;

/// How long an element says its content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Bytes.
    Known(u64),
    /// A live recorder does not know yet.
    Unknown,
}

/// An id and the bytes it took.
pub fn read_id(bytes: &[u8]) -> Option<(u32, usize)> {
    let length = marked_length(bytes, 4)?;
    let id = bytes[..length]
        .iter()
        .fold(0, |id, byte| id << 8 | u32::from(*byte));
    Some((id, length))
}

/// A variable-length number and the bytes it took.
pub fn read_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = marked_length(bytes, 8)?;
    let first = u64::from(bytes[0]) & ((1 << (8 - length)) - 1);
    let number = bytes[1..length]
        .iter()
        .fold(first, |number, byte| number << 8 | u64::from(*byte));
    Some((number, length))
}

/// A size and the bytes it took; all ones means unknown.
pub fn read_size(bytes: &[u8]) -> Option<(Size, usize)> {
    let (number, length) = read_number(bytes)?;
    let size = if number == all_ones(length) {
        Size::Unknown
    } else {
        Size::Known(number)
    };
    Some((size, length))
}

/// The length a number's first byte announces, when that many bytes are there.
fn marked_length(bytes: &[u8], longest: usize) -> Option<usize> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    (length <= longest && length <= bytes.len()).then_some(length)
}

fn all_ones(length: usize) -> u64 {
    (1 << (7 * length)) - 1
}

/// The elements directly inside `content`; ends silently at the first malformed one.
pub fn children(content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let (id, id_length) = read_id(rest)?;
        let (size, size_length) = read_size(&rest[id_length..])?;
        let body = &rest[id_length + size_length..];
        let length = match size {
            Size::Known(size) => usize::try_from(size).unwrap_or(usize::MAX).min(body.len()),
            Size::Unknown => body.len(),
        };
        let (inside, after) = body.split_at(length);
        rest = after;
        Some((id, inside))
    })
}

/// An unsigned integer of up to eight bytes; longer ones are cut to their first eight.
pub fn unsigned(content: &[u8]) -> u64 {
    content
        .iter()
        .take(8)
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// A signed integer of up to eight bytes.
pub fn signed(content: &[u8]) -> i64 {
    let width = content.len().min(8) as u32 * 8;
    if width == 0 {
        return 0;
    }
    unsigned(content).cast_signed() << (64 - width) >> (64 - width)
}

/// Appends an element's id.
pub fn push_id(out: &mut Vec<u8>, id: u32) {
    let leading = id.leading_zeros() as usize / 8;
    out.extend_from_slice(&id.to_be_bytes()[leading..]);
}

/// Appends a number in exactly `width` bytes.
pub fn push_number(out: &mut Vec<u8>, number: u64, width: usize) {
    debug_assert!(number <= all_ones(width));
    let marked = number | 1 << (7 * width);
    out.extend_from_slice(&marked.to_be_bytes()[8 - width..]);
}

/// Appends a size in as few bytes as it takes.
pub fn push_size(out: &mut Vec<u8>, size: usize) {
    let size = size as u64;
    let width = (1..8).find(|width| size < all_ones(*width)).unwrap_or(8);
    push_number(out, size, width);
}

/// Appends a size that says "unknown" in eight bytes, to be overwritten later.
pub fn push_unknown_size(out: &mut Vec<u8>) {
    push_number(out, all_ones(8), 8);
}

/// Appends a whole element.
pub fn push_element(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    push_id(out, id);
    push_size(out, content.len());
    out.extend_from_slice(content);
}

/// Appends an element holding an unsigned integer in as few bytes as it takes.
pub fn push_unsigned(out: &mut Vec<u8>, id: u32, value: u64) {
    let leading = (value.leading_zeros() as usize / 8).min(7);
    push_element(out, id, &value.to_be_bytes()[leading..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_at_every_width() {
        for width in 1..=8 {
            for number in [0, 1, all_ones(width) - 1] {
                let mut out = Vec::new();
                push_number(&mut out, number, width);
                assert_eq!(read_number(&out), Some((number, width)));
            }
        }
    }

    #[test]
    fn a_size_of_all_ones_is_unknown() {
        assert_eq!(read_size(&[0xFF]), Some((Size::Unknown, 1)));
        let mut out = Vec::new();
        push_unknown_size(&mut out);
        assert_eq!(read_size(&out), Some((Size::Unknown, 8)));
    }

    #[test]
    fn a_size_is_never_written_as_unknown() {
        for size in [126, 127, 128, 16_382, 16_383] {
            let mut out = Vec::new();
            push_size(&mut out, size);
            assert_eq!(read_size(&out), Some((Size::Known(size as u64), out.len())));
        }
    }

    #[test]
    fn signed_integers_keep_their_sign_at_any_width() {
        assert_eq!(signed(&[0xFF]), -1);
        assert_eq!(signed(&[0x01, 0x00]), 256);
        assert_eq!(signed(&(-5_i64).to_be_bytes()), -5);
        assert_eq!(signed(&[]), 0);
    }

    #[test]
    fn a_child_that_claims_too_much_gets_what_is_there() {
        let found: Vec<_> = children(&[0xD7, 0x88, 1, 2]).collect();
        assert_eq!(found, [(id::TRACK_NUMBER, &[1, 2][..])]);
    }

    #[test]
    fn malformed_numbers_are_none() {
        assert_eq!(read_number(&[]), None);
        assert_eq!(read_number(&[0]), None);
        assert_eq!(read_number(&[0x40]), None);
        assert_eq!(read_id(&[0x08, 0, 0, 0, 0]), None);
    }
}
