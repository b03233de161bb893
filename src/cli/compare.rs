//! `switchyard compare`.

use anyhow::Context;

use super::{ExitStatus, Globals, report};
use crate::{controller::Signature, model::RunId, rollout::Mend};

/// What `switchyard compare` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run.
    run: RunId,
    /// Who wants it, for the record.
    #[arg(long, value_name = "NAME", default_value = "the command line")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let id = &args.run;
    let mending = app.mending()?;
    let signed = Signature {
        by: args.by,
        reason: args.reason,
        seen: None,
    };
    mending.mend(Mend::Compare, id, signed).await??;
    let compared = mending.shadow.report(id).await?;
    let compared = compared.with_context(|| format!("the comparison of run `{id}` is gone"))?;
    report::print(&compared, globals.json)?;
    Ok(ExitStatus::Success)
}
