//! `switchyard audio pad`.

use std::path::PathBuf;

use console::style;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    super::{ExitStatus, Globals, output::say, table},
    target::{Kept, Target},
    tracks::{Track, TrackArgs},
    work::{clock, faults, on_tracks, timing},
};
use crate::audio::pad::{self, PadReport};

/// What `switchyard audio pad` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tracks: TrackArgs,
    /// The padded track, or a folder for several; `-` is standard output. By default NAME.padded.webm
    /// in the current folder (.wav where the track has to be decoded).
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Places the track where the legacy pipeline does: some 7 ms early, and not at all where it
    /// begins at 0.
    #[arg(long)]
    legacy: bool,
}

/// What became of one track.
#[derive(Serialize)]
struct Padded {
    track: String,
    #[serde(flatten)]
    report: PadReport,
    #[serde(flatten)]
    kept: Option<Kept>,
}

pub(super) async fn run(
    args: &Args,
    stop: &CancellationToken,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    let output = args.output.as_deref();
    let is_folder = output.is_some_and(|path| path.is_dir() || ends_like_a_folder(path));
    let to_stdout = output.is_some_and(|path| path.as_os_str() == "-");
    let several = args.tracks.places().len() > 1;
    anyhow::ensure!(
        !several || output.is_none() || is_folder,
        "several tracks need a folder for their results; name one that exists with `--output`"
    );
    anyhow::ensure!(
        !(to_stdout && globals.json),
        "`--json` and the padded track cannot both go to standard output; name a file with `--output`"
    );
    let tracks = args.tracks.open(stop, globals).await?;
    let mut all = Vec::with_capacity(tracks.len());
    for track in &tracks {
        let target = |extension: &str| match output {
            Some(path) if !is_folder => Target::named(path),
            folder => {
                let name = format!("{}.padded.{extension}", stem(&track.file_name));
                Target::File(folder.map_or_else(PathBuf::new, PathBuf::from).join(name))
            }
        };
        all.push(pad_one(track, args, &target, stop).await?);
    }
    if globals.json {
        Globals::print_json(&all)?;
    } else if !to_stdout {
        tell(&all);
    }
    Ok(ExitStatus::Success)
}

/// Daily's keys have no extension.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, "webm" | "wav" | "aac" | "m4a" | "mp4" | "mp3" | "ogg")) => stem,
        _ => name,
    }
}

fn ends_like_a_folder(path: &std::path::Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

async fn pad_one(
    track: &Track,
    args: &Args,
    target: &dyn Fn(&str) -> Target,
    stop: &CancellationToken,
) -> anyhow::Result<Padded> {
    let source = track.source(timing(args.legacy), stop)?;
    // Which container it will be is known afterwards; both names lie in the same folder.
    let places = args.tracks.places();
    for extension in ["webm", "wav"] {
        target(extension).spares(places)?;
    }
    let draft = target("webm").draft()?;
    let sink = draft.file()?;
    let done = on_tracks("padding", &[track], stop, move || pad::pad(source, sink)).await?;
    let report = done.map_err(|error| track.explain(error))?;
    let kept = match report.container {
        Some(container) => Some(draft.keep_as(target(container.extension()))?),
        None => None,
    };
    Ok(Padded {
        track: track.shown.clone(),
        report,
        kept,
    })
}

fn tell(all: &[Padded]) {
    let mut rows = table::table(&["track", "begins", "ends", "holes", "faults", "padded to"]);
    for padded in all {
        let track = &padded.report.track;
        let name = padded.track.rsplit('/').next().unwrap_or_default();
        let to = match padded.kept.as_ref().and_then(|kept| kept.output.as_ref()) {
            Some(path) => path.display().to_string(),
            None => "nothing, it holds no sound".to_owned(),
        };
        rows.add_row([
            name.to_owned(),
            clock(track.start_ms),
            clock(crate::audio::milliseconds(track.samples)),
            match track.gaps {
                0 => "none".to_owned(),
                gaps => {
                    let length = crate::audio::milliseconds(track.gap_samples);
                    format!("{gaps}, {}", clock(length))
                }
            },
            faults(track),
            to,
        ]);
    }
    table::print(&rows);
    if all.iter().any(|padded| !padded.report.track.is_whole()) {
        say!(
            "\n{}",
            style("What could be read of damaged tracks is there; `switchyard audio inspect` shows more.").yellow()
        );
    }
}
