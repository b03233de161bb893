//! Reads an Opus track's packets from a WebM stream, forward only, from any reader.
//!
//! On nonsense it scans for the next plausible Cluster and goes on, so one damaged spot costs a
//! few packets instead of the rest of the track. Element sizes are bounded before anything is
//! allocated for them.

use std::collections::VecDeque;
use std::io::Read;

use super::block::Block;
use super::head::{self, OpusHead};
use super::window::Window;
use super::{MAX_TIME_NS, MIN_TIME_NS};
use crate::audio::ebml::{self, Size, id};
use crate::audio::{Error, opus_packet};

/// The largest element inside a cluster that is believed.
const MAX_IN_CLUSTER: u64 = 4 << 20;
/// The largest element outside clusters that is believed, to be skipped.
const MAX_OUTSIDE: u64 = 256 << 20;
/// The largest element that is read as a whole.
const MAX_READ: u64 = 8 << 20;
/// The largest cluster time in ticks that is believed.
const MAX_CLUSTER_TICKS: u64 = 1 << 40;
const MAX_SCALE_NS: u64 = 1_000_000_000;
/// No packet discards more than its own 120 ms.
const MAX_DISCARD_NS: i64 = 120_000_000;

/// What the reader met on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Packets handed out.
    pub packets: u64,
    /// Packets without a readable duration or with an impossible time.
    pub bad_packets: u64,
    /// How often it lost the thread and looked for the next cluster.
    pub resyncs: u64,
    /// Bytes passed over while looking.
    pub skipped_bytes: u64,
    /// Whether the stream ended inside an element.
    pub truncated: bool,
}

/// One Opus packet as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Block time in nanoseconds; the codec delay is not subtracted.
    pub time_ns: i64,
    /// The packet's bytes, never empty.
    pub data: Vec<u8>,
    /// How long it lasts at 48 kHz.
    pub samples: u32,
    /// How much of its end is not to be played, in nanoseconds.
    pub discard_ns: i64,
}

/// A WebM stream past its track description.
pub struct Reader<R> {
    window: Window<R>,
    state: State,
}

/// What the elements read so far have said.
struct State {
    track: Option<OpusHead>,
    scale_ns: i64,
    cluster_ticks: Option<i64>,
    ready: VecDeque<Packet>,
    health: Health,
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
        let state = State {
            track: None,
            scale_ns: 1_000_000,
            cluster_ticks: None,
            ready: VecDeque::new(),
            health: Health::default(),
        };
        let mut reader = Self {
            window: Window::new(source),
            state,
        };
        while reader.state.track.is_none() {
            if reader.step()? == Step::End {
                return Err(Error::Damaged(
                    "the WebM file ends before it describes a track".into(),
                ));
            }
            if reader.state.cluster_ticks.is_some() && reader.state.track.is_none() {
                return Err(Error::Unsupported(
                    "a WebM file without an audio track".into(),
                ));
            }
        }
        Ok(reader)
    }

    /// The track's description.
    pub fn head(&self) -> &OpusHead {
        self.state
            .track
            .as_ref()
            .expect("open reads until there is a track")
    }

    /// What was met so far; final once [`next_packet`](Self::next_packet) gave `None`.
    pub fn health(&self) -> &Health {
        &self.state.health
    }

    /// The next packet of the track, in file order; `None` at the end.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            if let Some(packet) = self.state.ready.pop_front() {
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
                self.state.health.truncated = true;
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
                self.state.cluster_ticks = None;
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
            id if header.in_cluster()
                && !is_known_in_cluster(id)
                && self.state.cluster_ticks.is_some() =>
            {
                self.resync()
            }
            _ => {
                self.window.consume(header.length);
                if self.window.skip(size)? {
                    return Ok(Step::More);
                }
                self.state.health.truncated = true;
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
            self.state.health.truncated = true;
            self.state.health.skipped_bytes += self.window.consume_all() as u64;
            return Ok(Step::End);
        }
        let content = &self.window.bytes()[header.length..length];
        if self.state.take(header.id, content)? {
            self.window.consume(length);
            Ok(Step::More)
        } else {
            self.resync()
        }
    }

    /// Scans forward to the next Cluster whose first child is one that clusters have.
    fn resync(&mut self) -> Result<Step, Error> {
        const CLUSTER: [u8; 4] = id::CLUSTER.to_be_bytes();
        self.state.health.resyncs += 1;
        self.state.cluster_ticks = None;
        let mut passed = 1;
        loop {
            self.window.consume(passed);
            self.state.health.skipped_bytes += passed as u64;
            if !self.window.fill(CLUSTER.len() + ebml::MAX_HEADER)? {
                self.state.health.skipped_bytes += self.window.consume_all() as u64;
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

impl State {
    /// Takes in an element; false when its content is nonsense.
    fn take(&mut self, id: u32, content: &[u8]) -> Result<bool, Error> {
        Ok(match id {
            id::INFO => {
                self.info(content);
                true
            }
            id::TRACKS => {
                if self.track.is_none() {
                    self.track = head::opus_track(content)?;
                }
                true
            }
            id::TIMESTAMP => self.cluster_time(content),
            id::SIMPLE_BLOCK => self.block(content, 0).is_some(),
            _ => self.block_group(content),
        })
    }

    fn info(&mut self, content: &[u8]) {
        if let Some((_, scale)) = ebml::children(content).find(|(id, _)| *id == id::TIMESTAMP_SCALE)
        {
            self.scale_ns = ebml::unsigned(scale).clamp(1, MAX_SCALE_NS).cast_signed();
        }
    }

    fn cluster_time(&mut self, content: &[u8]) -> bool {
        let ticks = ebml::unsigned(content);
        let good = content.len() <= 8 && ticks < MAX_CLUSTER_TICKS;
        if good {
            self.cluster_ticks = Some(ticks.cast_signed());
        }
        good
    }

    fn block_group(&mut self, content: &[u8]) -> bool {
        let (mut block, mut discard_ns) = (None, 0);
        for (id, content) in ebml::children(content) {
            match id {
                id::BLOCK => block = Some(content),
                id::DISCARD_PADDING => {
                    discard_ns = ebml::signed(content).clamp(0, MAX_DISCARD_NS);
                }
                _ => {}
            }
        }
        block.is_none_or(|block| self.block(block, discard_ns).is_some())
    }

    /// Queues a block's packets; `None` when it is nonsense.
    fn block(&mut self, content: &[u8], discard_ns: i64) -> Option<()> {
        let block = Block::parse(content)?;
        let cluster = self.cluster_ticks?;
        if Some(block.track) != self.track.as_ref().map(|track| track.number) {
            return (block.track < 128).then_some(()); // another track's, or nonsense
        }
        let time_ns = (cluster + i64::from(block.relative))
            .checked_mul(self.scale_ns)
            .filter(|time| (MIN_TIME_NS..MAX_TIME_NS).contains(time));
        let Some(mut time_ns) = time_ns else {
            self.health.bad_packets += 1;
            return Some(());
        };
        let packets = block.packets()?;
        let last = packets.len() - 1;
        for (index, data) in packets.into_iter().enumerate() {
            let Some(samples) = opus_packet::duration(data) else {
                self.health.bad_packets += 1;
                continue;
            };
            self.health.packets += 1;
            let discard_ns = if index == last { discard_ns } else { 0 };
            self.ready.push_back(Packet {
                time_ns,
                data: data.to_vec(),
                samples,
                discard_ns,
            });
            time_ns += i64::from(samples) * 1_000_000 / 48;
        }
        Some(())
    }
}
