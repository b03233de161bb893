//! Tracks to one MP3, with its waveform and its exact duration, in one pass.
//!
//! One thread per track decodes into a bounded channel, this thread mixes and encodes: memory
//! depends on the number of tracks and not on their length.

use std::io::{Seek, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mix::{Block, Mixer};
use super::mp3::{self, DELAY, Mp3Settings};
use super::source::Source;
use super::track::{Track, TrackReport};
use super::{Error, SAMPLE_RATE, milliseconds};

/// Frames mixed at a time: a second.
const BLOCK: usize = SAMPLE_RATE as usize;
/// Blocks a track may be ahead of the mix.
const AHEAD: usize = 3;

/// What came out of a mixdown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MixReport {
    /// Samples per channel; a decoder that reads the header gives exactly these.
    pub samples: u64,
    /// Hz.
    pub sample_rate: u32,
    /// Always 2.
    pub channels: u16,
    /// Bytes written.
    pub bytes: u64,
    /// Frames of music, the header's not counted.
    pub mp3_frames: u64,
    /// Values of either channel that were clipped.
    pub clipped: u64,
    /// The length of the mix.
    pub duration_ms: f64,
    /// The same as the legacy computes it: delay counted in, two decimals.
    pub duration_legacy_ms: f64,
    /// 255 peaks.
    pub waveform: Vec<f64>,
    /// The peaks as the legacy cuts them, usually 254.
    pub waveform_legacy: Vec<f64>,
    /// One per track, in their order.
    pub tracks: Vec<TrackReport>,
}

/// Mixes raw or padded tracks into an MP3; the same tracks give the same bytes.
///
/// `progress` is told the samples done after every second of sound; `cancelled` is asked as often.
/// A track that cannot be read is an error naming it; one that is cut short or damaged is mixed as
/// far as it goes and its report says so; when no track has any sound, that is an error.
pub fn mixdown(
    tracks: Vec<Source>,
    settings: Mp3Settings,
    progress: &dyn Fn(u64),
    cancelled: &dyn Fn() -> bool,
    sink: impl Write + Seek,
) -> Result<MixReport, Error> {
    let mut writer = mp3::Writer::new(sink, settings)?;
    let mut mixer = Mixer::default();
    let reports = std::thread::scope(|scope| {
        let mut feeds = Vec::with_capacity(tracks.len());
        for (index, source) in tracks.into_iter().enumerate() {
            feeds.push(Feed::start(scope, index, source)?);
        }
        loop {
            if cancelled() {
                return Err(Error::Cancelled);
            }
            let mut blocks = Vec::with_capacity(feeds.len());
            for feed in &mut feeds {
                blocks.extend(feed.next_block()?);
            }
            if blocks.is_empty() {
                return Ok(feeds
                    .into_iter()
                    .map(|feed| feed.report)
                    .collect::<Vec<_>>());
            }
            mixer.mix(&blocks);
            writer.write(&mixer.left, &mixer.right)?;
            progress(mixer.frames);
        }
    })?;
    if mixer.frames == 0 {
        return Err(Error::Empty {
            tracks: reports.len(),
        });
    }
    let written = writer.finish()?;
    Ok(MixReport {
        samples: mixer.frames,
        sample_rate: SAMPLE_RATE,
        channels: 2,
        bytes: written.bytes,
        mp3_frames: written.frames,
        clipped: mixer.clipped,
        duration_ms: milliseconds(mixer.frames),
        duration_legacy_ms: legacy_duration_ms(mixer.frames),
        waveform: mixer.peaks.exact(),
        waveform_legacy: mixer.peaks.legacy(written.frames),
        tracks: reports,
    })
}

/// `round((samples + 1105) / 48000 * 1000, 2)` as Python rounds: halves to even, exactly.
pub fn legacy_duration_ms(samples: u64) -> f64 {
    let exact = (samples + DELAY) as f64 / f64::from(SAMPLE_RATE) * 1000.0;
    format!("{exact:.2}")
        .parse()
        .expect("a printed number reads back")
}

/// A track being decoded on its own thread.
struct Feed<'scope> {
    index: usize,
    blocks: Receiver<Block>,
    thread: Option<ScopedJoinHandle<'scope, Result<TrackReport, Error>>>,
    report: TrackReport,
}

impl<'scope> Feed<'scope> {
    fn start(
        scope: &'scope Scope<'scope, '_>,
        index: usize,
        source: Source,
    ) -> Result<Self, Error> {
        let (sender, blocks) = sync_channel(AHEAD);
        let thread = Builder::new()
            .name(format!("track {index}"))
            .spawn_scoped(scope, move || decode(source, &sender))?;
        Ok(Self {
            index,
            blocks,
            thread: Some(thread),
            report: TrackReport::default(),
        })
    }

    /// The track's next second, shorter at its end; `None` after it.
    fn next_block(&mut self) -> Result<Option<Block>, Error> {
        if let Ok(block) = self.blocks.recv() {
            return Ok(Some(block));
        }
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().unwrap_or_else(|_| {
                Err(Error::Damaged("the decoder gave up on its content".into()))
            });
            self.report = ended.map_err(|error| Error::Track {
                index: self.index,
                error: Box::new(error),
            })?;
        }
        Ok(None)
    }
}

/// Decodes a track to its end, or until nobody listens any more.
fn decode(source: Source, sender: &SyncSender<Block>) -> Result<TrackReport, Error> {
    let mut track = Track::open(source.open()?)?;
    let channels = track.channels();
    let whole = BLOCK * channels;
    let mut pcm = Vec::with_capacity(2 * whole);
    let mut more = true;
    while more {
        more = track.read(&mut pcm)?;
        while pcm.len() >= whole {
            let rest = pcm.split_off(whole);
            let block = Block {
                channels,
                pcm: std::mem::replace(&mut pcm, rest),
            };
            if sender.send(block).is_err() {
                return Ok(track.report());
            }
        }
    }
    if !pcm.is_empty() {
        let _nobody_listens = sender.send(Block { channels, pcm }).is_err();
    }
    Ok(track.report())
}
