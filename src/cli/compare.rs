//! `switchyard compare`.

use anyhow::Context;

use super::{ExitStatus, Globals, report};
use crate::model::RunId;

/// What `switchyard compare` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run.
    run: RunId,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let id = &args.run;
    let run = app
        .store
        .run(id)
        .await?
        .with_context(|| format!("there is no run `{id}`; `switchyard runs` lists them"))?;
    anyhow::ensure!(
        run.state.is_final(),
        "run `{id}` has not ended yet; there is nothing to compare"
    );
    let compared = app.shadow()?.compare(&run).await?;
    report::print(&compared, globals.json)?;
    Ok(ExitStatus::Success)
}
