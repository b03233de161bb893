//! `switchyard reports`.

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    compare::{Field, Verdict},
    store::WhichReports,
};

/// What `switchyard reports` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Runs with this verdict, e.g. differs.
    #[arg(long, value_name = "VERDICT",
        value_parser = |name: &str| Verdict::parse(name).ok_or("there is no such verdict; write match, within_noise, differs, candidate_failed, …"))]
    verdict: Option<Verdict>,
    /// Runs in which this field differs.
    #[arg(long, value_name = "FIELD",
        value_parser = |name: &str| Field::parse(name).ok_or("there is no such field; `switchyard gate` lists them"))]
    field: Option<Field>,
    /// Runs whose own id, or that of their recording or transcript, begins so.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// How many are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
    /// How many of the newest are left out before.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    skip: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let about = app.mover()?.about;
    let which = WhichReports {
        verdict: args.verdict.map(|verdict| verdict.as_str().to_owned()),
        field: args.field.map(|field| field.as_str().to_owned()),
        id: args.id,
    };
    let page = (args.skip.max(0), args.limit.max(0));
    let (reports, of) = app.store.reports(&about, &which, page).await?;
    if globals.json {
        Globals::print_json(&serde_json::json!({ "reports": reports, "of": of }))?;
        return Ok(ExitStatus::Success);
    }
    if reports.is_empty() {
        say!("No run was compared that fits.");
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&[
        "run",
        "recording",
        "compared",
        "verdict",
        "worst field",
        "differ",
    ]);
    for report in reports {
        let verdict = if report.is_current {
            report.verdict
        } else {
            format!("{} (earlier versions)", report.verdict)
        };
        table.add_row([
            report.run_id.to_string(),
            report.recording_id.to_string(),
            report.compared_at.format("%Y-%m-%d %H:%M").to_string(),
            verdict,
            report.worst.unwrap_or_default(),
            report.differs.to_string(),
        ]);
    }
    table::print(&table);
    say!("{of} in all; `switchyard report RUN` shows one.");
    Ok(ExitStatus::Success)
}
