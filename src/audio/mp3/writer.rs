//! Cuts a programme into segments, has them encoded, and writes their frames in order.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};

use super::info::{self, Music};
use super::pool::Pool;
use super::segment::{AHEAD, Layout, Segment};
use super::{Mp3Settings, SAMPLES_PER_FRAME};
use crate::audio::Error;

/// The last segment has at least so many frames, so that it has some of its own.
const LEAST_LAST: usize = 4;
/// Room for what is added at a time.
const SLACK: usize = 48_000;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Frames of music; the header's own frame is not counted.
    pub frames: u64,
    /// Bytes in all.
    pub bytes: u64,
}

/// An MP3 being written. Its header is right only after [`finish`](Self::finish).
pub struct Writer<W> {
    sink: W,
    origin: u64,
    settings: Mp3Settings,
    layout: Layout,
    pool: Pool,
    /// Samples not handed over yet, led by the next segment's warm-up.
    left: Vec<f32>,
    /// The right channel, once it differs from the left.
    right: Option<Vec<f32>>,
    /// The next segment's place.
    next: usize,
    /// Encoded segments that wait for one before them.
    early: BTreeMap<usize, Vec<u8>>,
    /// How many segments are written.
    written: usize,
    music: Music,
    samples: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Leaves room for the header.
    pub fn new(
        mut sink: W,
        settings: Mp3Settings,
        layout: Layout,
        encoders: usize,
    ) -> Result<Self, Error> {
        settings.bit_rate()?;
        let pool = Pool::start(settings, encoders)?;
        let origin = sink.stream_position()?;
        sink.write_all(&vec![0; settings.frame_bytes()])?;
        Ok(Self {
            sink,
            origin,
            settings,
            layout,
            pool,
            left: Vec::new(),
            right: None,
            next: 0,
            early: BTreeMap::new(),
            written: 0,
            music: Music::default(),
            samples: 0,
        })
    }

    /// Takes the next samples; no right channel means that it is the left one.
    pub fn write(&mut self, left: &[f32], right: Option<&[f32]>) -> Result<(), Error> {
        if right.is_some() && self.right.is_none() {
            self.right = Some(self.left.clone());
        }
        self.left.extend_from_slice(left);
        if let Some(kept) = &mut self.right {
            kept.extend_from_slice(right.unwrap_or(left));
        }
        self.samples += left.len() as u64;
        loop {
            let whole = (self.warm_up() + self.layout.frames) * SAMPLES_PER_FRAME + AHEAD;
            if self.left.len() < whole + LEAST_LAST * SAMPLES_PER_FRAME {
                break;
            }
            self.cut(whole)?;
        }
        while let Some((index, coded)) = self.pool.done() {
            self.take(index, coded?)?;
        }
        Ok(())
    }

    /// Encodes what is left, then writes the header.
    pub fn finish(mut self) -> Result<Written, Error> {
        let last = Segment {
            index: self.next,
            warm_up: self.warm_up(),
            left: std::mem::take(&mut self.left),
            right: self.right.take(),
            is_last: true,
        };
        self.pool.encode(last)?;
        self.pool.close();
        while self.written <= self.next {
            let (index, coded) = self.pool.wait()?;
            self.take(index, coded?)?;
        }
        let frame_bytes = self.settings.frame_bytes() as u64;
        let written = Written {
            frames: self.music.bytes / frame_bytes,
            bytes: self.music.bytes + frame_bytes,
        };
        let header = info::frame(self.settings, &self.music, self.samples);
        self.sink.seek(SeekFrom::Start(self.origin))?;
        self.sink.write_all(&header)?;
        self.sink
            .seek(SeekFrom::Start(self.origin + written.bytes))?;
        self.sink.flush()?;
        Ok(written)
    }

    /// How many frames of what comes before the next segment stand before it.
    fn warm_up(&self) -> usize {
        if self.next == 0 {
            0
        } else {
            self.layout.warm_up
        }
    }

    /// Hands the first `whole` samples over as a segment, and keeps what the next one needs.
    fn cut(&mut self, whole: usize) -> Result<(), Error> {
        let keep = whole - AHEAD - self.layout.warm_up * SAMPLES_PER_FRAME;
        let room = whole + (self.layout.warm_up + LEAST_LAST) * SAMPLES_PER_FRAME + SLACK;
        let cut = |channel: &mut Vec<f32>| {
            let mut rest = Vec::with_capacity(room);
            rest.extend_from_slice(&channel[keep..]);
            channel.truncate(whole);
            std::mem::replace(channel, rest)
        };
        let segment = Segment {
            index: self.next,
            warm_up: self.warm_up(),
            left: cut(&mut self.left),
            right: self.right.as_mut().map(cut),
            is_last: false,
        };
        self.next += 1;
        self.pool.encode(segment)
    }

    /// Writes a segment's frames as soon as all before it are written.
    fn take(&mut self, index: usize, coded: Vec<u8>) -> Result<(), Error> {
        self.early.insert(index, coded);
        while let Some(coded) = self.early.remove(&self.written) {
            self.music.add(&coded);
            self.sink.write_all(&coded)?;
            self.written += 1;
        }
        Ok(())
    }
}
