//! The tracks a command is given: fetched, watched while they are read, and named in errors.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{super::Globals, work::Meter};
use crate::{
    app::{Place, Sound},
    audio::{
        Error,
        source::{MediaSource, Source, Timing},
    },
    model::TrackName,
};

/// Which tracks, and how to get them.
#[derive(clap::Args)]
pub(super) struct TrackArgs {
    /// The tracks: files, URLs, or objects as `s3://BUCKET/KEY`.
    #[arg(required = true, value_name = "TRACK")]
    tracks: Vec<Place>,
    /// When a track without times of its own (WAV, AAC, MP3) begins, in milliseconds since the
    /// recording's start; once, or once for each track. By its name where that is Daily's, else 0.
    /// WebM carries its own times.
    #[arg(long, value_name = "MS")]
    offset: Vec<u64>,
    /// Seconds to wait for a connection to a URL, and for each further piece of an answer.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "write a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "write a number of seconds above 0".to_owned())
}

/// A track that is there.
pub(super) struct Track {
    /// Where it is, as it may be told.
    pub shown: String,
    /// The last part of its path.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    place: Place,
    file: File,
    start_ms: u64,
    at: Arc<AtomicU64>,
}

impl TrackArgs {
    /// Where the tracks are.
    pub fn places(&self) -> &[Place] {
        &self.tracks
    }

    /// Opens all, fetching what lies elsewhere.
    pub async fn open(
        &self,
        stop: &CancellationToken,
        globals: &Globals,
    ) -> anyhow::Result<Vec<Track>> {
        anyhow::ensure!(
            self.offset.len() <= 1 || self.offset.len() == self.tracks.len(),
            "{} offsets for {} tracks; write `--offset` once, or once for each track",
            self.offset.len(),
            self.tracks.len()
        );
        let mut opened = Vec::with_capacity(self.tracks.len());
        for (index, place) in self.tracks.iter().enumerate() {
            let given = match *self.offset {
                [one] => Some(one),
                _ => self.offset.get(index).copied(),
            };
            let meter = Meter::of_fetch(place);
            let settings = || {
                let config = globals
                    .settings()
                    .context("the settings name the object store")?;
                Sound::environment(&config, globals.environment.as_deref())
            };
            let told = |got, of| meter.at(got, of);
            let opening = Sound::open(place, self.timeout, settings, &told);
            let sound = tokio::select! {
                sound = opening => sound?,
                () = stop.cancelled() => return Err(super::work::stopped()),
            };
            meter.end();
            opened.push(Track {
                shown: place.shown(),
                file_name: place.file_name(),
                size: sound.size,
                start_ms: given.unwrap_or_else(|| start_by_name(&place.file_name())),
                place: place.clone(),
                file: sound.file,
                at: Arc::default(),
            });
        }
        Ok(opened)
    }
}

/// When a track begins by Daily's name of it; 0 where the name does not say.
fn start_by_name(name: &str) -> u64 {
    TrackName::parse(name).map_or(0, |name| {
        name.track_start_ms.saturating_sub(name.recording_start_ms)
    })
}

impl Track {
    /// Its bytes, from the beginning; reading fails once told to stop.
    pub fn source(&self, timing: Timing, stop: &CancellationToken) -> anyhow::Result<Source> {
        let file = self
            .file
            .try_clone()
            .with_context(|| format!("reading `{}`", self.shown))?;
        let watched = Watched {
            file,
            size: self.size,
            at: Arc::clone(&self.at),
            stop: stop.clone(),
        };
        Ok(Source::new(watched)
            .starting_at_ms(self.start_ms)
            .timed(timing))
    }

    /// Whether it is WebM, by how it begins.
    pub fn is_webm(&self) -> anyhow::Result<bool> {
        const EBML: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];
        let mut head = [0; EBML.len()];
        let read = self.file.read_at(&mut head, 0);
        let read = read.with_context(|| format!("reading `{}`", self.shown))?;
        Ok(head[..read] == EBML)
    }

    /// How many of its bytes were read.
    pub fn read(&self) -> u64 {
        self.at.load(Ordering::Relaxed).min(self.size)
    }

    /// What went wrong with it, and what to do about that.
    pub fn explain(&self, error: Error) -> anyhow::Error {
        let shown = &self.shown;
        let remedy = match (&error, &self.place) {
            (Error::NotAudio { .. }, Place::Link(_)) => {
                "check that the URL names a track and has not expired"
            }
            (Error::NotAudio { .. }, _) => "name a track of WebM, WAV, AAC or MP3",
            (Error::Unsupported(_), _) => "convert it to WebM/Opus or WAV of one or two channels",
            (Error::Damaged(_), _) => {
                "nothing of it can be read; get it again from where it was recorded"
            }
            (Error::Io(_), _) => {
                let (read, size) = (self.read(), self.size);
                return anyhow::Error::new(error)
                    .context(format!("`{shown}`, after {read} of {size} bytes"));
            }
            _ => return anyhow::Error::new(error).context(format!("`{shown}`")),
        };
        anyhow::anyhow!("`{shown}`: {error}; {remedy}")
    }
}

/// What went wrong with one of several tracks, and what to do about that.
pub(super) fn explain(error: Error, tracks: &[Track]) -> anyhow::Error {
    match error {
        Error::Track { index, error } => match tracks.get(index) {
            Some(track) => track.explain(*error),
            None => anyhow::Error::new(*error),
        },
        Error::Empty { .. } => {
            anyhow::anyhow!("{error}; `switchyard audio inspect` shows what they hold")
        }
        error => anyhow::Error::new(error),
    }
}

/// A file whose reading is watched and can be stopped.
struct Watched {
    file: File,
    size: u64,
    at: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("stopped"));
        }
        let count = self.file.read(buffer)?;
        self.at.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = self.file.seek(to)?;
        self.at.store(position, Ordering::Relaxed);
        Ok(position)
    }
}

impl MediaSource for Watched {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.size)
    }
}
