//! `switchyard audio mixdown`.

use std::path::PathBuf;

use anyhow::Context;
use console::style;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    super::{ExitStatus, Globals, output::say, table},
    picture,
    target::{Kept, Target},
    tracks::{self, Track, TrackArgs},
    work::{clock, codec, faults, on_tracks, timing},
};
use crate::audio::{
    milliseconds,
    mixdown::{self, MixReport, MixSettings},
    mp3::{MAX_ENCODERS, Mp3Settings},
};

/// What `switchyard audio mixdown` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tracks: TrackArgs,
    /// The mix; `-` is standard output.
    #[arg(short, long, value_name = "PATH", default_value = "mix.mp3")]
    output: PathBuf,
    /// Also writes the waveform, as Reflector stores it: a JSON array.
    #[arg(long, value_name = "PATH")]
    waveform: Option<PathBuf>,
    /// kb/s of the mix.
    #[arg(long, value_name = "KBPS", default_value = "128")]
    bit_rate: u32,
    /// Threads that encode; the mix is the same for any number of them. As many as the machine has
    /// processors by default.
    #[arg(long, value_name = "NUMBER")]
    workers: Option<usize>,
    /// Does as the legacy pipeline: tracks some 7 ms early, the waveform in its 254 parts, the
    /// length with the encoder's delay.
    #[arg(long)]
    legacy: bool,
}

/// What came out.
#[derive(Serialize)]
struct Mixed<'a> {
    #[serde(flatten)]
    kept: &'a Kept,
    #[serde(flatten)]
    report: &'a MixReport,
}

pub(super) async fn run(
    args: &Args,
    stop: &CancellationToken,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    let target = Target::named(&args.output);
    let to_stdout = matches!(target, Target::Stdout);
    anyhow::ensure!(
        !(to_stdout && globals.json),
        "`--json` and the mix cannot both go to standard output; name a file with `--output`"
    );
    target.spares(args.tracks.places())?;
    if let Some(path) = &args.waveform {
        Target::File(path.clone()).spares(args.tracks.places())?;
    }
    let tracks = args.tracks.open(stop, globals).await?;
    let draft = target.draft()?;
    let sink = draft.file()?;
    let report = mix(&tracks, args.settings()?, args.legacy, stop, sink).await?;
    let waveform = if args.legacy {
        &report.waveform_legacy
    } else {
        &report.waveform
    };
    let kept = draft.keep()?;
    if let Some(path) = &args.waveform {
        write_waveform(waveform, path)?;
    }
    if globals.json {
        Globals::print_json(&Mixed {
            kept: &kept,
            report: &report,
        })?;
    } else if !to_stdout {
        tell(&tracks, &report, waveform, &kept, args);
    }
    Ok(ExitStatus::Success)
}

impl Args {
    fn settings(&self) -> anyhow::Result<MixSettings> {
        let mp3 = Mp3Settings {
            bit_rate_kbps: self.bit_rate,
        };
        let most = MAX_ENCODERS;
        let encoders = match self.workers {
            Some(given) => {
                anyhow::ensure!(
                    (1..=most).contains(&given),
                    "`--workers {given}` makes no sense; write 1 to {most}"
                );
                given
            }
            None => std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(most),
        };
        Ok(MixSettings { mp3, encoders })
    }
}

/// Mixes tracks into a file.
pub(super) async fn mix(
    tracks: &[Track],
    settings: MixSettings,
    legacy: bool,
    stop: &CancellationToken,
    mut file: std::fs::File,
) -> anyhow::Result<MixReport> {
    let timing = timing(legacy);
    let mut sources = Vec::with_capacity(tracks.len());
    for track in tracks {
        sources.push(track.source(timing, stop)?);
    }
    let all: Vec<_> = tracks.iter().collect();
    let until = stop.clone();
    let done = on_tracks("mixing", &all, stop, move || {
        let cancelled = || until.is_cancelled();
        mixdown::mixdown_to_file(sources, settings, timing, &|_| {}, &cancelled, &mut file)
    });
    done.await?.map_err(|error| tracks::explain(error, tracks))
}

/// Writes a waveform as Reflector stores it.
pub(super) fn write_waveform(waveform: &[f64], path: &std::path::Path) -> anyhow::Result<()> {
    use std::io::Write as _;

    let draft = Target::named(path).draft()?;
    let text = serde_json::to_string(waveform)?;
    draft
        .file()?
        .write_all(text.as_bytes())
        .with_context(|| format!("writing `{}`", path.display()))?;
    draft.keep().map(drop)
}

fn tell(tracks: &[Track], report: &MixReport, waveform: &[f64], kept: &Kept, args: &Args) {
    let mut rows = table::table(&["track", "codec", "begins", "ends", "holes", "faults"]);
    for (track, told) in tracks.iter().zip(&report.tracks) {
        rows.add_row([
            track.file_name.clone(),
            codec(told.codec).to_owned(),
            clock(told.start_ms),
            clock(milliseconds(told.samples)),
            told.gaps.to_string(),
            faults(told),
        ]);
    }
    table::print(&rows);
    say!();
    for line in picture::waveform(waveform) {
        say!("{}", style(line).cyan());
    }
    let length = if args.legacy {
        report.duration_legacy_ms
    } else {
        report.duration_ms
    };
    let clipped = match report.clipped {
        0 => String::new(),
        clipped => format!(", {clipped} samples clipped"),
    };
    let output = kept.output.as_ref().map(|path| path.display().to_string());
    say!(
        "{} of {} at {} kb/s in {}{clipped}",
        clock(length),
        indicatif::HumanBytes(report.bytes),
        args.bit_rate,
        output.unwrap_or_default()
    );
}
