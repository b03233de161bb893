//! `switchyard rehearse`.

use std::sync::PoisonError;

use console::style;
use tokio_util::sync::CancellationToken;

use super::{ExitStatus, Globals, mirror, output::say, serve, table};
use crate::{app::MirrorLimits, model::TranscriptId, store::Rehearsal};

/// What `switchyard rehearse` takes.
#[derive(clap::Args)]
#[command(
    after_help = "It works on a second row of the transcript's recording, which follows no room: nobody is told anything, \
        and all of it is removed. Like a mirror it does not begin while another legacy run is active; run it in a quiet \
        hour, with workers and legacy workers running."
)]
pub(super) struct Args {
    /// A transcript that the legacy pipeline has finished. Without one, rehearsals are listed.
    #[arg(long, value_name = "ID", requires = "by")]
    transcript: Option<TranscriptId>,
    /// Who rehearses, for the record.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// How many rehearsals are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let (Some(transcript), Some(by)) = (&args.transcript, &args.by) else {
        let rehearsals = app.store.rehearsals(&app.about()?, args.limit).await?;
        list(&rehearsals, globals.json)?;
        return Ok(ExitStatus::Success);
    };
    anyhow::ensure!(
        !by.trim().is_empty(),
        "`--by` names nobody; write who rehearses"
    );
    let (view, tell) = mirror::watched();
    let mirrors = app.mirrors(MirrorLimits::default(), tell)?;
    let stop = CancellationToken::new();
    serve::stop_on_signal(stop.clone());
    let done = mirrors.rehearse(transcript, by, &stop).await;
    view.lock().unwrap_or_else(PoisonError::into_inner).end();
    let rehearsal = done?;
    if globals.json {
        Globals::print_json(&rehearsal.told())?;
    } else {
        print(&rehearsal);
    }
    Ok(if rehearsal.passed == Some(true) {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

fn print(rehearsal: &Rehearsal) {
    let mut table = table::table(&["step", "went", "took", "found"]);
    for step in rehearsal.document.as_array().into_iter().flatten() {
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        let went = if step["ok"] == true {
            style("well").green()
        } else {
            style("wrong").red()
        };
        let seconds = step["took_ms"].as_f64().unwrap_or_default() / 1000.0;
        table.add_row([
            text("step"),
            went.to_string(),
            format!("{seconds:.1} s"),
            text("found"),
        ]);
    }
    table::print(&table);
    say!();
    if rehearsal.passed == Some(true) {
        say!("The rehearsal passed.");
    } else {
        say!("The rehearsal failed; what went wrong is above.");
    }
}

fn list(rehearsals: &[Rehearsal], json: bool) -> anyhow::Result<()> {
    if json {
        let told: Vec<_> = rehearsals.iter().map(Rehearsal::told).collect();
        return Globals::print_json(&told);
    }
    if rehearsals.is_empty() {
        say!("Nothing was rehearsed yet; `switchyard rehearse --transcript ID --by NAME` does.");
        return Ok(());
    }
    let mut table = table::table(&["rehearsal", "started", "by", "came to"]);
    for rehearsal in rehearsals {
        table.add_row([
            rehearsal.id.clone(),
            rehearsal.started_at.format("%Y-%m-%d %H:%M").to_string(),
            rehearsal.started_by.clone(),
            match rehearsal.passed {
                None => "not over".to_owned(),
                Some(true) => "passed".to_owned(),
                Some(false) => "failed".to_owned(),
            },
        ]);
    }
    table::print(&table);
    Ok(())
}
