//! Reads an Opus track's packets from a WebM stream, forward only, from any reader.
//!
//! On nonsense it scans for the next plausible Cluster and goes on, so one damaged spot costs a
//! few packets instead of the rest of the track. Element sizes are bounded before anything is
//! allocated for them.

use std::io::Read;

use super::contents::{Contents, Health, Packet};
use super::head::OpusHead;
use super::window::Window;
use crate::audio::Error;
use crate::audio::ebml::{self, Size, id};

/// The largest element inside a cluster that is believed.
const MAX_IN_CLUSTER: u64 = 4 << 20;
/// The largest element outside clusters that is believed, to be skipped.
const MAX_OUTSIDE: u64 = 256 << 20;
/// The largest element that is read as a whole.
const MAX_READ: u64 = 8 << 20;

/// A WebM stream past its track description.
pub struct Reader<R> {
    window: Window<R>,
    contents: Contents,
}

/// An element's header.
struct Header {
    id: u32,
    size: Size,
    length: usize,
}

/// Whether there is more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    End,
}

impl<R: Read> Reader<R> {
    /// Reads up to the description of the first Opus track.
    pub fn open(source: R) -> Result<Self, Error> {
        let mut reader = Self {
            window: Window::new(source),
            contents: Contents::default(),
        };
        while reader.contents.track.is_none() {
            if reader.step()? == Step::End {
                return Err(Error::Damaged(
                    "the WebM file ends before it describes a track".into(),
                ));
            }
            if reader.contents.in_cluster() && reader.contents.track.is_none() {
                return Err(Error::Unsupported(
                    "a WebM file without an audio track".into(),
                ));
            }
        }
        Ok(reader)
    }

    /// The track's description.
    pub fn head(&self) -> &OpusHead {
        self.contents
            .track
            .as_ref()
            .expect("open reads until there is a track")
    }

    /// What was met so far; final once [`next_packet`](Self::next_packet) gave `None`.
    pub fn health(&self) -> &Health {
        &self.contents.health
    }

    /// The next packet of the track, in file order; `None` at the end.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            if let Some(packet) = self.contents.ready.pop_front() {
                return Ok(Some(packet));
            }
            if self.step()? == Step::End {
                return Ok(None);
            }
        }
    }

    /// Reads one element.
    fn step(&mut self) -> Result<Step, Error> {
        self.window.fill(ebml::MAX_HEADER)?;
        let Some(header) = Header::parse(self.window.bytes()) else {
            if self.window.bytes().is_empty() {
                return Ok(Step::End);
            }
            if self.window.ended() && self.window.bytes().len() < ebml::MAX_HEADER {
                self.contents.health.truncated = true;
                self.window.consume_all();
                return Ok(Step::End);
            }
            return self.resync();
        };
        match (header.id, header.size) {
            (id::SEGMENT, _) => {
                self.window.consume(header.length);
                Ok(Step::More)
            }
            (id::CLUSTER, _) => {
                self.window.consume(header.length);
                self.contents.leave_cluster();
                Ok(Step::More)
            }
            (_, Size::Known(size)) if header.believable(size) => self.content(&header, size),
            _ => self.resync(),
        }
    }

    fn content(&mut self, header: &Header, size: u64) -> Result<Step, Error> {
        match header.id {
            id::INFO | id::TRACKS | id::TIMESTAMP | id::SIMPLE_BLOCK | id::BLOCK_GROUP => {
                self.whole_element(header, size)
            }
            id if header.in_cluster() && !is_known_in_cluster(id) && self.contents.in_cluster() => {
                self.resync()
            }
            _ => {
                self.window.consume(header.length);
                if self.window.skip(size)? {
                    return Ok(Step::More);
                }
                self.contents.health.truncated = true;
                Ok(Step::End)
            }
        }
    }

    fn whole_element(&mut self, header: &Header, size: u64) -> Result<Step, Error> {
        let Some(size) = usize::try_from(size)
            .ok()
            .filter(|size| *size as u64 <= MAX_READ)
        else {
            return self.resync();
        };
        let length = header.length + size;
        if !self.window.fill(length)? {
            self.contents.health.truncated = true;
            self.contents.health.skipped_bytes += self.window.consume_all() as u64;
            return Ok(Step::End);
        }
        let content = &self.window.bytes()[header.length..length];
        if self.contents.take(header.id, content)? {
            self.window.consume(length);
            Ok(Step::More)
        } else {
            self.resync()
        }
    }

    /// Scans forward to the next Cluster whose first child is one that clusters have.
    fn resync(&mut self) -> Result<Step, Error> {
        const CLUSTER: [u8; 4] = id::CLUSTER.to_be_bytes();
        self.contents.health.resyncs += 1;
        self.contents.leave_cluster();
        let mut passed = 1;
        loop {
            self.window.consume(passed);
            self.contents.health.skipped_bytes += passed as u64;
            if !self.window.fill(CLUSTER.len() + ebml::MAX_HEADER)? {
                self.contents.health.skipped_bytes += self.window.consume_all() as u64;
                return Ok(Step::End);
            }
            let bytes = self.window.bytes();
            passed = match bytes
                .windows(CLUSTER.len())
                .position(|four| four == CLUSTER)
            {
                Some(0) if starts_like_a_cluster(&bytes[CLUSTER.len()..]) => return Ok(Step::More),
                Some(0) => 1,
                Some(position) => position,
                None => bytes.len() - (CLUSTER.len() - 1),
            };
        }
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, id_length) = ebml::read_id(bytes)?;
        let (size, size_length) = ebml::read_size(&bytes[id_length..])?;
        Some(Self {
            id,
            size,
            length: id_length + size_length,
        })
    }

    /// Whether this element can only be part of a cluster (or is nonsense).
    fn in_cluster(&self) -> bool {
        !matches!(
            self.id,
            id::EBML
                | id::SEGMENT
                | id::CLUSTER
                | id::INFO
                | id::TRACKS
                | id::SEEK_HEAD
                | id::CUES
                | id::TAGS
                | id::ATTACHMENTS
                | id::CHAPTERS
        )
    }

    fn believable(&self, size: u64) -> bool {
        size <= if self.in_cluster() {
            MAX_IN_CLUSTER
        } else {
            MAX_OUTSIDE
        }
    }
}

fn is_known_in_cluster(id: u32) -> bool {
    matches!(
        id,
        id::VOID
            | id::CRC_32
            | id::POSITION
            | id::PREV_SIZE
            | id::SILENT_TRACKS
            | id::ENCRYPTED_BLOCK
            | id::BLOCK
    )
}

fn starts_like_a_cluster(after_id: &[u8]) -> bool {
    let Some((_, length)) = ebml::read_size(after_id) else {
        return false;
    };
    after_id.get(length).is_some_and(|child| {
        [
            id::TIMESTAMP,
            id::CRC_32,
            id::VOID,
            id::SIMPLE_BLOCK,
            id::BLOCK_GROUP,
            id::PREV_SIZE,
            id::POSITION,
        ]
        .contains(&u32::from(*child))
    })
}
