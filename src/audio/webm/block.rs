//! Inside a block: its header and the packets laced into it (RFC 9559, 10).

use crate::audio::ebml;

/// A block's header and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The track it belongs to.
    pub track: u64,
    /// Ticks since its cluster's time.
    pub relative: i16,
    lacing: Lacing,
    content: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacing {
    None,
    Xiph,
    Fixed,
    Ebml,
}

impl<'a> Block<'a> {
    /// Reads the header; `None` when it is malformed.
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let (track, length) = ebml::read_number(content)?;
        let (header, content) = content[length..].split_at_checked(3)?;
        let lacing = match header[2] >> 1 & 3 {
            0 => Lacing::None,
            1 => Lacing::Xiph,
            2 => Lacing::Fixed,
            _ => Lacing::Ebml,
        };
        let relative = i16::from_be_bytes([header[0], header[1]]);
        Some(Self {
            track,
            relative,
            lacing,
            content,
        })
    }

    /// The packets in order; `None` when the sizes contradict the content.
    pub fn packets(&self) -> Option<Vec<&'a [u8]>> {
        if self.lacing == Lacing::None {
            return Some(vec![self.content]);
        }
        let (&last, mut rest) = self.content.split_first()?;
        let count = usize::from(last) + 1;
        let sizes = match self.lacing {
            Lacing::Fixed => {
                if !rest.len().is_multiple_of(count) {
                    return None;
                }
                vec![rest.len() / count; count - 1]
            }
            Lacing::Xiph => xiph_sizes(&mut rest, count - 1)?,
            _ => ebml_sizes(&mut rest, count - 1)?,
        };
        let mut packets = Vec::with_capacity(count);
        for size in sizes {
            let (packet, after) = rest.split_at_checked(size)?;
            packets.push(packet);
            rest = after;
        }
        packets.push(rest); // the last one's size is what is left
        Some(packets)
    }
}

/// Each size is a sum of bytes up to the first that is not 255.
fn xiph_sizes(rest: &mut &[u8], count: usize) -> Option<Vec<usize>> {
    let mut sizes = Vec::with_capacity(count);
    for _ in 0..count {
        let mut size = 0;
        loop {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            size += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
        sizes.push(size);
    }
    Some(sizes)
}

/// The first size as it is, the others as differences to the one before.
fn ebml_sizes(rest: &mut &[u8], count: usize) -> Option<Vec<usize>> {
    let mut sizes = Vec::with_capacity(count);
    let mut previous: Option<i64> = None;
    for _ in 0..count {
        let (number, length) = ebml::read_number(rest)?;
        *rest = &rest[length..];
        let number = i64::try_from(number).ok()?;
        let size = match previous {
            None => number,
            Some(previous) => previous + number - ((1 << (7 * length - 1)) - 1),
        };
        sizes.push(usize::try_from(size).ok()?);
        previous = Some(size);
    }
    Some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(flags: u8, content: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut block = vec![0x81, 0, 5, flags];
        block.extend_from_slice(content);
        let packets = Block::parse(&block)?.packets()?;
        Some(packets.into_iter().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn every_lacing_gives_the_same_packets() {
        let expected = Some(vec![vec![1], vec![2, 2], vec![3, 3, 3]]);
        assert_eq!(
            packets(0x02, &[2, 1, 2, 1, 2, 2, 3, 3, 3]),
            expected,
            "xiph"
        );
        assert_eq!(
            packets(0x06, &[2, 0x81, 0xC0, 1, 2, 2, 3, 3, 3]),
            expected,
            "ebml"
        );
        assert_eq!(
            packets(0x04, &[1, 7, 8]),
            Some(vec![vec![7], vec![8]]),
            "fixed"
        );
        assert_eq!(packets(0x80, &[9, 9]), Some(vec![vec![9, 9]]), "none");
    }

    #[test]
    fn sizes_beyond_the_content_are_malformed() {
        assert_eq!(packets(0x02, &[1, 200, 1]), None);
        assert_eq!(packets(0x02, &[1, 255]), None);
        assert_eq!(packets(0x04, &[1, 7, 8, 9]), None);
        assert_eq!(packets(0x06, &[2, 0x81, 0x80, 1]), None, "a negative size");
        assert_eq!(Block::parse(&[0x81, 0]), None);
    }
}
