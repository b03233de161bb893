//! Work that burns a processor: done beside, shown while it lasts, stopped when told to.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use console::Term;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::tracks::Track;
use crate::{
    app::Place,
    audio::{
        Error,
        source::Timing,
        track::{Codec, TrackReport},
    },
};

/// How often progress is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// Without a terminal a line is printed for so many hundredths.
const STEP: u64 = 25;

/// What is said of work that was told to stop.
pub(super) fn stopped() -> anyhow::Error {
    anyhow::anyhow!("stopped; nothing was written")
}

/// Does something with tracks on a thread of its own, and shows how far it has read them.
pub(super) async fn on_tracks<T: Send + 'static>(
    doing: &str,
    tracks: &[&Track],
    stop: &CancellationToken,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> anyhow::Result<Result<T, Error>> {
    let view = View::new(doing, tracks);
    let mut working = tokio::task::spawn_blocking(work);
    let mut looks = tokio::time::interval(EVERY);
    let done = loop {
        tokio::select! {
            done = &mut working => break done,
            _ = looks.tick() => view.look(tracks),
        }
    };
    view.end(tracks, matches!(done, Ok(Ok(_))));
    match done {
        Ok(Err(_)) if stop.is_cancelled() => Err(stopped()),
        Ok(done) => Ok(done),
        Err(_) => anyhow::bail!("{doing} gave up; this is a fault of Switchyard, please report it"),
    }
}

/// A bar for each track on a terminal; elsewhere a line now and then.
struct View {
    doing: String,
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    shown: AtomicU64,
}

impl View {
    fn new(doing: &str, tracks: &[&Track]) -> Self {
        let bars = Term::stderr().is_term().then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let bars = tracks
                .iter()
                .map(|track| {
                    let bar = all.add(ProgressBar::new(track.size.max(1)));
                    bar.set_style(style("{bar:30.cyan/dim} {percent:>3} %  {msg} {eta:.dim}"));
                    bar.set_message(format!("{doing} {}", track.file_name));
                    bar
                })
                .collect();
            (all, bars)
        });
        let view = Self {
            doing: doing.to_owned(),
            bars,
            shown: AtomicU64::new(0),
        };
        if view.bars.is_none() {
            view.line(0, tracks);
        }
        view
    }

    fn look(&self, tracks: &[&Track]) {
        if let Some((_, bars)) = &self.bars {
            for (bar, track) in bars.iter().zip(tracks) {
                bar.set_position(track.read());
            }
            return;
        }
        let size: u64 = tracks.iter().map(|track| track.size).sum();
        let read: u64 = tracks.iter().map(|track| track.read()).sum();
        let percent = read * 100 / size.max(1) / STEP * STEP;
        if percent < 100 && self.shown.fetch_max(percent, Ordering::Relaxed) < percent {
            self.line(percent, tracks);
        }
    }

    fn end(&self, tracks: &[&Track], is_done: bool) {
        match &self.bars {
            Some((all, bars)) => {
                for bar in bars {
                    bar.finish_and_clear();
                }
                drop(all.clear());
            }
            None if is_done => self.line(100, tracks),
            None => {}
        }
    }

    fn line(&self, percent: u64, tracks: &[&Track]) {
        let what = match tracks {
            [one] => one.shown.clone(),
            several => format!("{} tracks", several.len()),
        };
        eprintln!("{percent:>3} %  {} {what}", self.doing);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━╌")
}

/// Shows how far something is fetched; nothing for a file.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    told: Mutex<bool>,
    shown: Option<String>,
}

impl Meter {
    pub fn of_fetch(place: &Place) -> Self {
        let shown = match place {
            Place::File(_) => None,
            Place::Link(_) | Place::Object { .. } => Some(place.shown()),
        };
        let bar = shown
            .as_ref()
            .filter(|_| Term::stderr().is_term())
            .map(|_| {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(style("{bar:30.cyan/dim} {bytes:>10}  {msg}"));
                bar.set_message(format!("fetching {}", place.file_name()));
                bar.enable_steady_tick(EVERY);
                bar
            });
        if let (Some(shown), None) = (&shown, &bar) {
            eprintln!("       fetching {shown}");
        }
        Self {
            bar,
            told: Mutex::new(false),
            shown,
        }
    }

    /// So many bytes came, of so many.
    pub fn at(&self, got: u64, of: Option<u64>) {
        if let Some(bar) = &self.bar {
            if let Some(of) = of {
                bar.set_length(of);
            }
            bar.set_position(got);
            return;
        }
        if let (Some(shown), Some(of), Ok(mut told)) = (&self.shown, of, self.told.lock())
            && got == of
            && !std::mem::replace(&mut *told, true)
        {
            eprintln!("       fetched {shown}, {}", HumanBytes(of));
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Where tracks are placed.
pub(super) fn timing(legacy: bool) -> Timing {
    if legacy {
        Timing::Legacy
    } else {
        Timing::Exact
    }
}

/// What a track is coded as.
pub(super) fn codec(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "Opus",
        Codec::Pcm => "PCM",
        Codec::Aac => "AAC",
        Codec::Mp3 => "MP3",
    }
}

/// A position or a length: `17.300 s`, `4:42.605`, `1:05:05.034`.
pub(super) fn clock(ms: f64) -> String {
    // Positions are below a day.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let ms = ms.max(0.0).round() as u64;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, rest) = (ms / 1000 % 60, ms % 1000);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}.{rest:03} s"),
        (0, _) => format!("{minutes}:{seconds:02}.{rest:03}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}"),
    }
}

/// What was not whole about a track, in few words.
pub(super) fn faults(track: &TrackReport) -> String {
    let mut faults = Vec::new();
    let mut count = |number: u64, one: &str, many: &str| match number {
        0 => {}
        1 => faults.push(format!("1 {one}")),
        number => faults.push(format!("{number} {many}")),
    };
    count(track.resyncs, "damaged place", "damaged places");
    count(track.skipped_bytes, "byte skipped", "bytes skipped");
    count(track.bad_packets, "bad packet", "bad packets");
    count(track.dropped_packets, "late packet", "late packets");
    if track.truncated {
        faults.push("cut short".to_owned());
    }
    if faults.is_empty() {
        "none".to_owned()
    } else {
        faults.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_long_as_they_need_to_be() {
        assert_eq!(clock(17_300.4), "17.300 s");
        assert_eq!(clock(282_605.0), "4:42.605");
        assert_eq!(clock(3_905_033.5), "1:05:05.034");
    }

    #[test]
    fn faults_are_counted_in_words() {
        assert_eq!(faults(&TrackReport::default()), "none");
        let track = TrackReport {
            resyncs: 1,
            bad_packets: 2,
            truncated: true,
            ..TrackReport::default()
        };
        assert_eq!(faults(&track), "1 damaged place, 2 bad packets, cut short");
    }
}
