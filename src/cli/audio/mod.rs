//! `switchyard audio`: what the workers do with sound, by hand, on files and URLs.

mod inspect;
mod mixdown;
mod pad;
mod picture;
mod target;
mod tracks;
mod waveform;
mod work;

use tokio_util::sync::CancellationToken;

use super::{ExitStatus, Globals, serve};

/// What `switchyard audio` takes.
#[derive(clap::Args)]
#[command(
    after_help = "A TRACK is a file, an http:// or https:// URL, or s3://BUCKET/KEY in the object store of the \
        environment. What lies elsewhere is fetched whole before anything is done with it. Results are local \
        files, there whole or not at all."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Puts tracks onto the recording's clock: silence in front, holes filled, nothing transcoded.
    Pad(pad::Args),
    /// Mixes raw or padded tracks to one MP3, with its waveform and its exact length.
    Mixdown(mixdown::Args),
    /// Draws the waveform that browsers show, of an MP3 or of tracks.
    Waveform(waveform::Args),
    /// Shows what tracks hold: codec, packets, offset, holes, how loud they are when.
    Inspect(inspect::Args),
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let stop = CancellationToken::new();
    serve::stop_on_signal(stop.clone());
    match args.command {
        Command::Pad(args) => pad::run(&args, &stop, globals).await,
        Command::Mixdown(args) => mixdown::run(&args, &stop, globals).await,
        Command::Waveform(args) => waveform::run(&args, &stop, globals).await,
        Command::Inspect(args) => inspect::run(&args, &stop, globals).await,
    }
}
