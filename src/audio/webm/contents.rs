//! What the elements of a WebM stream say, taken in one after the other.

use std::collections::{BTreeMap, VecDeque};

use super::block::Block;
use super::head::{self, OpusHead};
use super::{MAX_TIME_NS, MIN_TIME_NS};
use crate::audio::ebml::{self, id};
use crate::audio::{Error, opus_packet};

/// The largest cluster time in ticks that is believed.
const MAX_CLUSTER_TICKS: u64 = 1 << 40;
const MAX_SCALE_NS: u64 = 1_000_000_000;
/// A tick when the file does not say: a millisecond.
const USUAL_SCALE_NS: i64 = 1_000_000;
/// No packet discards more than its own 120 ms.
const MAX_DISCARD_NS: i64 = 120_000_000;

/// What the reader met on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Packets handed out.
    pub packets: u64,
    /// How many of them are how long, in samples; an Opus packet can have 48 lengths.
    pub lengths: BTreeMap<u32, u64>,
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

/// What the elements read so far have said.
#[derive(Default)]
pub struct Contents {
    /// The first Opus track.
    pub track: Option<OpusHead>,
    /// Packets of that track, not handed out yet.
    pub ready: VecDeque<Packet>,
    /// What was met so far.
    pub health: Health,
    scale_ns: Option<i64>,
    cluster_ticks: Option<i64>,
}

impl Contents {
    /// Whether a cluster's time is known, so that blocks can be placed.
    pub fn in_cluster(&self) -> bool {
        self.cluster_ticks.is_some()
    }

    /// Forgets the cluster's time: another begins, or the thread is lost.
    pub fn leave_cluster(&mut self) {
        self.cluster_ticks = None;
    }

    /// Takes in an element; false when its content is nonsense.
    pub fn take(&mut self, id: u32, content: &[u8]) -> Result<bool, Error> {
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
            let scale_ns = ebml::unsigned(scale).clamp(1, MAX_SCALE_NS);
            self.scale_ns = Some(scale_ns.cast_signed());
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
            .checked_mul(self.scale_ns.unwrap_or(USUAL_SCALE_NS))
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
            *self.health.lengths.entry(samples).or_default() += 1;
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
