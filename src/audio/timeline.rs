//! Puts a raw track's packets on the recording's clock: leading silence, holes filled, late
//! packets dropped. Padding copies what comes out of here, mixing decodes it, so both agree.
//!
//! A position counts 48 kHz samples since the recording's start. Positions are those of *decoded*
//! samples, pre-skip included, so the first one is minus the pre-skip.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Read;

use super::opus_packet::{self, CELT_SILENCE, QUANTUM, SILK_SILENCE};
use super::source::Timing;
use super::webm::{Health, OpusHead, Packet, Reader};
use super::{Error, MAX_SAMPLES};

/// Packets looked at before a small shift is believed to be a loss and not jitter.
const LOOK_AHEAD: usize = 50;
/// A hole this long (200 ms) is a hole whatever comes after it.
const CERTAIN_HOLE: i64 = 9600;
/// Shifts below this (18.5 ms) are jitter or rounding, never a lost packet.
const SMALLEST_HOLE: i64 = 890;
/// Holes up to this (100 ms) are concealed by the decoder, longer ones are silent.
const LONGEST_CONCEALED: i64 = 4800;
/// A packet this early (100 ms) against the running time is from the past.
const STEP_BACK: i64 = -4800;
/// The pre-skip field has 16 bits.
const MAX_PRE_SKIP: i64 = 65_000;
/// Whole milliseconds, in samples: Chromium rounds the codec delay to them.
const MILLISECOND: i64 = 48;
/// So many holes are listed; all are counted.
pub const MAX_HOLES: usize = 1000;

/// A packet in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The packet: the source's own, silence, or a loss to conceal.
    pub data: Cow<'static, [u8]>,
    /// How long it lasts.
    pub samples: u32,
    /// Position of its first decoded sample.
    pub position: i64,
    /// How much of its end is not to be played, in nanoseconds.
    pub discard_ns: i64,
}

impl Piece {
    /// How much of its end is not to be played, in samples.
    pub fn discard(&self) -> u32 {
        let samples = (self.discard_ns.max(0) * 48 + 500_000) / 1_000_000;
        u32::try_from(samples).map_or(self.samples, |samples| samples.min(self.samples))
    }
}

/// What was done to put the track in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Position of the first sample that is the track's own and is to be played.
    pub start: i64,
    /// Samples of silence put in front.
    pub lead: u64,
    /// Holes filled, and the samples put into them.
    pub gaps: u64,
    pub gap_samples: u64,
    /// Frames left to the decoder to conceal, out of those.
    pub concealed: u64,
    /// Packets left out because their time had passed.
    pub dropped_packets: u64,
    /// The first [`MAX_HOLES`] of the holes.
    pub holes: Vec<Hole>,
}

/// A stretch without packets, as it was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Position of its first sample.
    pub position: i64,
    /// How long it is.
    pub samples: u64,
    /// Whether it was short enough for the decoder to conceal; longer ones are silent.
    pub concealed: bool,
}

/// A track's packets, one after the other without holes.
pub struct Timeline<R> {
    reader: Reader<R>,
    ahead: VecDeque<Packet>,
    reader_ended: bool,
    empty: bool,
    /// Silence still to be handed out before the next packet, in samples.
    silence: i64,
    /// How much of that silence a SILK packet at its end takes.
    silk_tail: i64,
    /// Losses still to be handed out before that silence, in frames like the last packet's.
    losses: i64,
    position: i64,
    pre_skip: u16,
    last_toc: u8,
    catching_up: bool,
    timing: Timing,
    /// What the legacy's rule moves all packets by.
    moved: i64,
    /// Whether packets are laid end to end, whatever their stamps say.
    closed: bool,
    placement: Placement,
}

impl<R: Read> Timeline<R> {
    /// Reads ahead and decides where the track begins.
    pub fn open(source: R, timing: Timing) -> Result<Self, Error> {
        let mut timeline = Self {
            reader: Reader::open(source)?,
            ahead: VecDeque::with_capacity(LOOK_AHEAD),
            reader_ended: false,
            empty: false,
            silence: 0,
            silk_tail: 0,
            losses: 0,
            position: 0,
            pre_skip: 0,
            last_toc: CELT_SILENCE[1].1[0],
            catching_up: false,
            timing,
            moved: 0,
            closed: false,
            placement: Placement::default(),
        };
        timeline.look_ahead()?;
        timeline.empty = timeline.ahead.is_empty();
        timeline.place_first();
        Ok(timeline)
    }

    /// Whether the track has no packet at all.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// The track as it is from here on: with its new pre-skip.
    pub fn head(&self) -> OpusHead {
        OpusHead {
            pre_skip: self.pre_skip,
            ..self.reader.head().clone()
        }
    }

    /// The track's head as it was read.
    pub fn own_head(&self) -> &OpusHead {
        self.reader.head()
    }

    /// What was done so far; final once [`next_piece`](Self::next_piece) gave `None`.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// What the reader met so far.
    pub fn health(&self) -> &Health {
        self.reader.health()
    }

    /// The next packet; each begins where the one before ended.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        loop {
            if let Some(filler) = self.next_filler() {
                return Ok(Some(filler));
            }
            self.look_ahead()?;
            let Some(next) = self.ahead.front() else {
                return Ok(None);
            };
            let shift = if self.closed {
                0
            } else {
                self.wanted(next) - self.position
            };
            let samples = i64::from(next.samples);
            if shift <= STEP_BACK || (self.catching_up && -shift * 2 >= samples) {
                self.catching_up = true;
                self.ahead.pop_front();
                self.placement.dropped_packets += 1;
                continue;
            }
            let hole = self.hole(shift);
            if hole > 0 {
                self.fill(hole);
                continue;
            }
            self.catching_up = false;
            if self.position > MAX_SAMPLES.cast_signed() {
                return Err(Error::Unsupported("a track longer than a day".into()));
            }
            if let Some(packet) = self.ahead.pop_front() {
                self.last_toc = packet.data[0];
                // Discarding in the middle would pull everything after it forward.
                let is_last = self.ahead.is_empty() && self.reader_ended;
                let discard_ns = if is_last { packet.discard_ns } else { 0 };
                return Ok(Some(self.piece(
                    Cow::Owned(packet.data),
                    packet.samples,
                    discard_ns,
                )));
            }
        }
    }

    fn look_ahead(&mut self) -> Result<(), Error> {
        while !self.reader_ended && self.ahead.len() < LOOK_AHEAD {
            match self.reader.next_packet()? {
                Some(packet) => self.ahead.push_back(packet),
                None => self.reader_ended = true,
            }
        }
        Ok(())
    }

    /// Where a packet says its first decoded sample belongs.
    fn wanted(&self, packet: &Packet) -> i64 {
        let delay_ns = self.reader.head().codec_delay_ns.cast_signed();
        ((packet.time_ns - delay_ns) * 48 + 500_000).div_euclid(1_000_000) + self.moved
    }

    /// Where the legacy has the first sample that is played: FFmpeg's time of the first packet, in
    /// milliseconds, less the codec delay rounded to milliseconds.
    fn legacy_start_ms(&self, first: &Packet) -> i64 {
        let delay_ns = self.reader.head().codec_delay_ns.cast_signed();
        first.time_ns.div_euclid(1_000_000) - (delay_ns + 500_000) / 1_000_000
    }

    /// Chooses pre-skip and leading silence so that the first sample lands exactly.
    fn place_first(&mut self) {
        let Some(first) = self.ahead.front() else {
            return;
        };
        let own = i64::from(self.reader.head().pre_skip);
        if self.timing == Timing::Legacy {
            let start_ms = self.legacy_start_ms(first);
            self.closed = start_ms <= 0;
            self.moved = start_ms.max(0) * MILLISECOND - own - self.wanted(first);
        }
        let wanted = self.wanted(first);
        let pre_skip = pre_skip_for(wanted, own);
        let lead = (wanted + pre_skip).max(0);
        self.silence = lead;
        let tail = i64::from(SILK_SILENCE.0);
        self.silk_tail = if lead >= tail && opus_packet::is_celt(&first.data) {
            tail
        } else {
            0
        };
        self.position = -pre_skip;
        self.pre_skip = u16::try_from(pre_skip).expect("capped at MAX_PRE_SKIP, never negative");
        self.placement.lead = lead.cast_unsigned();
        self.placement.start = (wanted + own).max(0);
    }

    /// How long the hole before the next packet is, in whole quanta; 0 for none.
    fn hole(&self, shift: i64) -> i64 {
        let hole = if shift < SMALLEST_HOLE {
            0
        } else if shift >= CERTAIN_HOLE {
            shift
        } else {
            // One late stamp is not a loss: the smallest shift of those to come decides.
            let mut running = self.position;
            let mut smallest = shift;
            for packet in &self.ahead {
                smallest = smallest.min(self.wanted(packet) - running);
                running += i64::from(packet.samples);
            }
            if smallest < SMALLEST_HOLE {
                0
            } else {
                smallest
            }
        };
        (hole + QUANTUM / 2) / QUANTUM * QUANTUM
    }

    fn fill(&mut self, hole: i64) {
        self.placement.gaps += 1;
        self.placement.gap_samples += hole.cast_unsigned();
        if self.placement.holes.len() < MAX_HOLES {
            self.placement.holes.push(Hole {
                position: self.position,
                samples: hole.cast_unsigned(),
                concealed: hole <= LONGEST_CONCEALED,
            });
        }
        self.silk_tail = 0;
        self.silence = hole;
        if hole <= LONGEST_CONCEALED {
            let frame = i64::from(opus_packet::loss(self.last_toc).0);
            self.losses = hole / frame;
            self.silence = hole % frame;
            self.placement.concealed += self.losses.cast_unsigned();
        }
    }

    /// The next packet of what was put before the track or into a hole.
    fn next_filler(&mut self) -> Option<Piece> {
        if self.losses > 0 {
            self.losses -= 1;
            let (samples, byte) = opus_packet::loss(self.last_toc);
            return Some(self.piece(Cow::Owned(vec![byte]), samples, 0));
        }
        let before_tail = self.silence - self.silk_tail;
        let fitting = CELT_SILENCE
            .into_iter()
            .find(|(samples, _)| i64::from(*samples) <= before_tail);
        let (samples, packet) = match fitting {
            Some(silence) => silence,
            None if self.silk_tail > 0 => {
                self.silk_tail = 0;
                SILK_SILENCE
            }
            None => return None,
        };
        self.silence -= i64::from(samples);
        Some(self.piece(Cow::Borrowed(packet), samples, 0))
    }

    fn piece(&mut self, data: Cow<'static, [u8]>, samples: u32, discard_ns: i64) -> Piece {
        let position = self.position;
        self.position += i64::from(samples);
        Piece {
            data,
            samples,
            position,
            discard_ns,
        }
    }
}

/// The pre-skip with which a track whose first decoded sample belongs at `wanted`, and whose own
/// pre-skip is `own`, needs leading silence in whole quanta only.
fn pre_skip_for(wanted: i64, own: i64) -> i64 {
    let least = own.max(-wanted);
    if wanted + own <= 0 {
        return least.min(MAX_PRE_SKIP);
    }
    let whole = |pre_skip: &i64| (wanted + pre_skip) % QUANTUM == 0;
    let candidates = least..least + 2 * QUANTUM;
    candidates
        .clone()
        .find(|pre_skip| whole(pre_skip) && pre_skip % MILLISECOND == 0)
        .or_else(|| candidates.clone().find(whole))
        .unwrap_or(least)
        .min(MAX_PRE_SKIP)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn leading_silence_is_always_whole_quanta(
            wanted in -100_000_i64..50_000_000,
            own in 0_i64..4000,
        ) {
            let pre_skip = pre_skip_for(wanted, own);
            prop_assert!((own.min(MAX_PRE_SKIP)..=MAX_PRE_SKIP).contains(&pre_skip));
            let lead = wanted + pre_skip;
            prop_assert!(lead <= 0 || lead % QUANTUM == 0);
        }
    }

    #[test]
    fn times_in_milliseconds_get_a_pre_skip_of_whole_milliseconds() {
        // A block at 17.3 s with a codec delay and pre-skip of 6.5 ms.
        let pre_skip = pre_skip_for(17_300 * 48 - 312, 312);
        assert_eq!(pre_skip % MILLISECOND, 0);
        assert!((312..312 + 240).contains(&pre_skip));
    }

    #[test]
    fn a_track_that_begins_early_loses_what_came_before_the_recording() {
        assert_eq!(pre_skip_for(-1000, 312), 1000);
        assert_eq!(pre_skip_for(-312, 312), 312);
    }
}
