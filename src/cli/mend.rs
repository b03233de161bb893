//! `switchyard retry`, `resume` and `takeover`: what people do about a run.

use super::{ExitStatus, Globals, output::say};
use crate::{
    controller::{Mended, Signature},
    model::RunId,
    rollout::Mend,
};

/// What they take.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run.
    run: RunId,
    /// Who wants it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(mend: Mend, args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    anyhow::ensure!(
        !args.by.trim().is_empty() && !args.reason.trim().is_empty(),
        "`--by` and `--reason` go on record, so they must not be empty"
    );
    let app = globals.app().await?;
    let signed = Signature {
        by: args.by,
        reason: args.reason,
        seen: None,
    };
    let mended = app.mending()?.mend(mend, &args.run, signed).await??;
    if globals.json {
        let mut told = serde_json::json!(mended);
        told["run_id"] = serde_json::json!(args.run);
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    let run = &args.run;
    match &mended {
        Mended::GoesOn { waits: None } => say!("Run `{run}` goes on where it stopped."),
        Mended::GoesOn { waits: Some(why) } => say!("Run `{run}` is to go on: {why}."),
        Mended::GaveBack {
            task_id,
            published: true,
            ..
        } => say!("Celery processes the recording now, as task `{task_id}`."),
        Mended::GaveBack { task_id, .. } => {
            say!("Celery had been given the recording before, as task `{task_id}`.");
        }
        Mended::Compared { verdict } => say!("Run `{run}` was compared again: {verdict}."),
    }
    Ok(ExitStatus::Success)
}
