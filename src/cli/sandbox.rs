//! `switchyard sandbox`.

use std::{net::SocketAddr, path::PathBuf};

use tokio_util::sync::CancellationToken;

use super::{ExitStatus, serve};
use crate::app;

/// What `switchyard sandbox` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the stand-ins listen; each has a path of its own there.
    #[arg(long, default_value = "127.0.0.1:8483", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The folder with their answers.
    #[arg(
        long,
        default_value = "tests/fixtures/standup/providers",
        value_name = "FOLDER"
    )]
    answers: PathBuf,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitStatus> {
    let shutdown = CancellationToken::new();
    serve::stop_on_signal(shutdown.clone());
    app::serve_sandbox(args.listen, args.answers, shutdown).await?;
    Ok(ExitStatus::Success)
}
