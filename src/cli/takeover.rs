//! `switchyard takeover`.

use anyhow::Context;

use super::{ExitStatus, Globals, output::say};
use crate::{app::App, model::RunId};

/// What `switchyard takeover` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run whose recording Celery is to process instead.
    run: RunId,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app: App = globals.app().await?;
    let run = app
        .store
        .run(&args.run)
        .await?
        .filter(|run| run.environment == app.name)
        .with_context(|| {
            let (id, name) = (&args.run, &app.name);
            format!("environment `{name}` has no run `{id}`; `switchyard runs` lists them")
        })?;
    let given = app.giving_back()?.give_back(&run, &args.reason).await??;
    if globals.json {
        Globals::print_json(&serde_json::json!({
            "run_id": run.id,
            "epoch": given.epoch,
            "task_id": given.task_id,
            "published": given.published,
        }))?;
    } else if given.published {
        say!(
            "Celery processes the recording now, as task `{}`.",
            given.task_id
        );
    } else {
        say!(
            "Celery had been given the recording before, as task `{}`.",
            given.task_id
        );
    }
    Ok(ExitStatus::Success)
}
