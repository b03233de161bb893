//! `switchyard doctor`.

use std::path::PathBuf;

use super::{ExitStatus, Globals, output::say};
use crate::app::Bundle;

/// What `switchyard doctor` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The file to write; it must not exist yet.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let config = globals.settings()?;
    config.environment(globals.environment.as_deref())?;
    let bundle = Bundle::gather(config, globals.environment.as_deref()).await;
    let sha256 = bundle.write(&args.path).await?;
    let faults = bundle.checks.iter().filter(|finding| !finding.ok).count();
    if globals.json {
        Globals::print_json(&serde_json::json!({
            "path": args.path, "sha256": sha256, "faults": faults,
        }))?;
    } else {
        say!(
            "`{}` holds versions, settings, checks, how far everything is, and what failed in seven days.",
            args.path.display()
        );
        say!(
            "It holds no meeting text and no secret. Look it through before you hand it on: host names and paths of the settings are in it."
        );
        match faults {
            0 => say!("Everything answers."),
            1 => say!("1 connection has a fault; `switchyard check` shows it."),
            _ => say!("{faults} connections have a fault; `switchyard check` shows them."),
        }
    }
    Ok(ExitStatus::Success)
}
