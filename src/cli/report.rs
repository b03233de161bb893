//! `switchyard report`.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{
    ExitStatus, Globals,
    output::{self, say},
};
use crate::{
    model::RunId,
    report::{self, ReportData},
};

/// What `switchyard report` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run.
    run: RunId,
    /// Writes the report as one HTML file; other than on the terminal, what was said is in it.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let id = &args.run;
    app.store
        .run(id)
        .await?
        .with_context(|| format!("there is no run `{id}`; `switchyard runs` lists them"))?;
    let found = app.shadow()?.report(id).await?.with_context(|| {
        format!("run `{id}` has not been compared yet; `switchyard serve` does once it has ended, or `switchyard compare {id}`")
    })?;
    if let Some(path) = &args.html {
        write_html(&found, path)?;
        if !globals.json {
            say!("wrote {}", path.display());
            return Ok(ExitStatus::Success);
        }
    }
    print(&found, globals.json)?;
    Ok(ExitStatus::Success)
}

/// Prints a report for people or machines.
pub(super) fn print(data: &ReportData, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", report::json::render(data)?);
    } else {
        output::print(format_args!(
            "{}",
            report::terminal::render(data, console::colors_enabled())
        ));
    }
    Ok(())
}

/// Writes a report as one HTML file.
pub(super) fn write_html(data: &ReportData, path: &Path) -> anyhow::Result<()> {
    let html = report::html::render(data)?;
    std::fs::write(path, html).with_context(|| format!("writing `{}`", path.display()))
}
