//! Tracks to one MP3, with its waveform and its exact duration, in one pass.
//!
//! One thread per track decodes into a bounded channel, this thread mixes, and as many threads as
//! allowed encode: memory depends on the number of tracks and encoders and not on length.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mix::{Block, Mixer};
use super::mp3::{self, DELAY, Layout, Mp3Settings};
use super::source::{Meter, Source, Timing};
use super::track::{Track, TrackReport};
use super::{Error, SAMPLE_RATE, milliseconds, waveform};
use crate::model::AudioFacts;

/// Frames mixed at a time: a quarter of a second.
const BLOCK: usize = SAMPLE_RATE as usize / 4;
/// Blocks a track may be ahead of the mix.
const AHEAD: usize = 4;

/// How tracks are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MixSettings {
    /// How the sum is encoded.
    pub mp3: Mp3Settings,
    /// Threads that encode, 1 to [`mp3::MAX_ENCODERS`]; others decode. The bytes do not depend on it.
    pub encoders: usize,
}

impl Default for MixSettings {
    /// 128 kb/s, two encoders.
    fn default() -> Self {
        Self {
            mp3: Mp3Settings::default(),
            encoders: 2,
        }
    }
}

/// How far a mixdown is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Samples mixed.
    pub samples: u64,
    /// One per track, in their order.
    pub tracks: Vec<TrackProgress>,
}

/// How far a track of a mixdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackProgress {
    /// Bytes read.
    pub read_bytes: u64,
    /// Of so many, where that is known.
    pub bytes: Option<u64>,
    /// Whether it is mixed to its end.
    pub has_ended: bool,
}

impl Progress {
    /// The share of the sources' bytes that is read, 0 to 1; none where a length is not known.
    pub fn fraction(&self) -> Option<f64> {
        let total: u64 = self
            .tracks
            .iter()
            .map(|track| track.bytes)
            .sum::<Option<_>>()?;
        let read: u64 = self.tracks.iter().map(TrackProgress::done_bytes).sum();
        (total > 0).then(|| (read as f64 / total as f64).min(1.0))
    }
}

impl TrackProgress {
    fn done_bytes(&self) -> u64 {
        match self.bytes {
            Some(bytes) if self.has_ended => bytes,
            _ => self.read_bytes,
        }
    }
}

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
    /// RMS of each 100 ms of the MP3, by what went in and LAME's scale.
    #[serde(skip)]
    pub envelope: Vec<f32>,
    /// One per track, in their order.
    pub tracks: Vec<TrackReport>,
}

impl MixReport {
    /// What the MP3 holds, as decoding it would tell.
    pub fn facts(&self) -> AudioFacts {
        AudioFacts {
            sample_rate: self.sample_rate,
            channels: self.channels,
            samples: self.samples,
            envelope: self.envelope.clone(),
        }
    }
}

/// Mixes raw or padded tracks into an MP3; the same tracks give the same bytes.
///
/// `progress` is told after every second of sound; `cancelled` is asked more often.
/// A track that cannot be read is an error naming it; one that is cut short or damaged is mixed as
/// far as it goes and its report says so; when no track has any sound, that is an error.
pub fn mixdown(
    tracks: Vec<Source>,
    settings: MixSettings,
    progress: &dyn Fn(&Progress),
    cancelled: &dyn Fn() -> bool,
    sink: impl Write + Seek,
) -> Result<MixReport, Error> {
    let mut writer = mp3::Writer::new(sink, settings.mp3, Layout::USUAL, settings.encoders)?;
    let mut mixer = Mixer::default();
    let reports = each_block(tracks, &mut mixer, progress, cancelled, &mut |mixer| {
        writer.write(mixer.left(), mixer.right())
    })?;
    if mixer.frames == 0 {
        return Err(Error::Empty {
            tracks: reports.len(),
        });
    }
    let written = writer.finish()?;
    let scale = settings.mp3.scale();
    let envelope = mixer.envelope.finish();
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
        envelope: envelope.into_iter().map(|rms| rms * scale).collect(),
        tracks: reports,
    })
}

/// The same into a file, which is then at its beginning. In the legacy's timing its waveform is the
/// legacy's, too: that of the finished MP3 decoded again, where a peak at the edge of a part may lie
/// in the other one. That takes a decoding more.
pub fn mixdown_to_file(
    tracks: Vec<Source>,
    settings: MixSettings,
    timing: Timing,
    progress: &dyn Fn(&Progress),
    cancelled: &dyn Fn() -> bool,
    mp3: &mut File,
) -> Result<MixReport, Error> {
    let mut report = mixdown(tracks, settings, progress, cancelled, &mut *mp3)?;
    mp3.rewind()?;
    if timing == Timing::Legacy {
        report.waveform_legacy = waveform::of_mp3(Source::new(mp3.try_clone()?))?;
        mp3.rewind()?;
    }
    Ok(report)
}

/// Decodes the tracks side by side, mixes block after block and hands each to `take`.
pub(super) fn each_block(
    tracks: Vec<Source>,
    mixer: &mut Mixer,
    progress: &dyn Fn(&Progress),
    cancelled: &dyn Fn() -> bool,
    take: &mut dyn FnMut(&Mixer) -> Result<(), Error>,
) -> Result<Vec<TrackReport>, Error> {
    std::thread::scope(|scope| {
        let mut feeds = Vec::with_capacity(tracks.len());
        for (index, source) in tracks.into_iter().enumerate() {
            feeds.push(Feed::start(scope, index, source)?);
        }
        let mut blocks = Vec::with_capacity(feeds.len());
        loop {
            if cancelled() {
                return Err(Error::Cancelled);
            }
            blocks.clear();
            for feed in &mut feeds {
                blocks.extend(feed.next_block()?);
            }
            if blocks.is_empty() {
                return Ok(feeds.into_iter().map(|feed| feed.report).collect());
            }
            mixer.mix(&blocks);
            take(mixer)?;
            if mixer.frames.is_multiple_of(u64::from(SAMPLE_RATE)) {
                progress(&Progress {
                    samples: mixer.frames,
                    tracks: feeds.iter().map(Feed::progress).collect(),
                });
            }
        }
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
    meter: Meter,
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
        let meter = source.meter();
        let thread = Builder::new()
            .name(format!("track {index}"))
            .spawn_scoped(scope, move || decode(source, &sender))?;
        Ok(Self {
            index,
            meter,
            blocks,
            thread: Some(thread),
            report: TrackReport::default(),
        })
    }

    fn progress(&self) -> TrackProgress {
        TrackProgress {
            read_bytes: self.meter.read_bytes(),
            bytes: self.meter.bytes,
            has_ended: self.thread.is_none(),
        }
    }

    /// The track's next block, shorter at its end; `None` after it.
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
