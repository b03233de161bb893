//! `switchyard health`.

use super::{ExitStatus, Globals, output::say, table};

/// What `switchyard health` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Closes the breaker, if the newest look found Conductor well.
    Close(Close),
}

#[derive(clap::Args)]
struct Close {
    /// Who closes it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    if let Some(Action::Close(Close { by, reason })) = args.action {
        anyhow::ensure!(
            !by.trim().is_empty() && !reason.trim().is_empty(),
            "who closes the breaker says who they are and why; write both after `--by` and `--reason`"
        );
        app.close_breaker(&by, &reason).await??;
        globals.tell(format_args!("The breaker of {} is closed.", app.name));
        return Ok(ExitStatus::Success);
    }
    let standing = app.standing().await?;
    if globals.json {
        Globals::print_json(&standing)?;
        return Ok(ExitStatus::Success);
    }
    if !standing.probes.is_empty() {
        let mut table = table::table(&["layer", "probe", "", "since", "found"]);
        for probe in &standing.probes {
            table.add_row([
                probe.layer.to_string(),
                probe.name.clone(),
                if probe.ok { "ok" } else { "bad" }.to_owned(),
                probe.since.format("%Y-%m-%d %H:%M:%S").to_string(),
                probe.found.clone(),
            ]);
        }
        table::print(&table);
    }
    say!("The breaker of {}: {}", app.name, standing.line);
    if let Some(down) = &standing.holding {
        say!("Starts of the candidate wait, since both pipelines need what is down: {down}.");
    }
    for sentence in &standing.not_told {
        say!("Not told what happens, {sentence}.");
    }
    Ok(ExitStatus::Success)
}
