//! `switchyard audio waveform`.

use std::path::PathBuf;

use console::style;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    super::{ExitStatus, Globals, output::say},
    mixdown::{mix, write_waveform},
    picture,
    tracks::TrackArgs,
    work::on_tracks,
};
use crate::audio::{mixdown::MixSettings, source::Timing, waveform};

/// What `switchyard audio waveform` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tracks: TrackArgs,
    /// Writes the waveform, as Reflector stores it: a JSON array; `-` is standard output.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// The values the legacy pipeline would draw, usually 254, instead of 255 for equal parts.
    #[arg(long)]
    legacy: bool,
}

pub(super) async fn run(
    args: &Args,
    stop: &CancellationToken,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    let tracks = args.tracks.open(stop, globals).await?;
    let values = match &*tracks {
        [one] if !one.is_webm()? => {
            let (source, legacy) = (one.source(Timing::Exact, stop)?, args.legacy);
            let draw = move || {
                if legacy {
                    waveform::of_mp3(source)
                } else {
                    waveform::exact_of_file(source)
                }
            };
            let done = on_tracks("reading", &[one], stop, draw).await?;
            done.map_err(|error| one.explain(error))?
        }
        _ => {
            let settings = MixSettings::default();
            let report = mix(&tracks, settings, args.legacy, stop, tempfile::tempfile()?).await?;
            if args.legacy {
                report.waveform_legacy
            } else {
                report.waveform
            }
        }
    };
    if let Some(path) = &args.output {
        write_waveform(&values, path)?;
    }
    if globals.json {
        Globals::print_json(&json!({ "output": args.output, "waveform": values }))?;
    } else if args
        .output
        .as_ref()
        .is_none_or(|path| path.as_os_str() != "-")
    {
        for line in picture::waveform(&values) {
            say!("{}", style(line).cyan());
        }
        say!("{} values", values.len());
    }
    Ok(ExitStatus::Success)
}
