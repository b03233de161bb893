//! `switchyard report`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{
    ExitStatus, Globals,
    output::{self, say},
};
use crate::{
    app::App,
    model::RunId,
    report::{
        self, ReportData,
        evidence::{self, EvidenceReport, Links},
    },
};

/// What `switchyard report` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The run; without one, the report is on all the evidence of the environment and flag.
    run: Option<RunId>,
    /// Writes the report as one HTML file. In a run's, other than on the terminal, is what was said.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the verdict, its reasons and the fields as Markdown for a chat, with nothing of any
    /// meeting.
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    markdown: Option<PathBuf>,
    /// Beside the HTML file, writes the reports of the recordings it names as runs/RUN.html, and
    /// links them. What was said is in them.
    #[arg(long, requires = "html", conflicts_with = "run")]
    recordings: bool,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let Some(id) = &args.run else {
        return all(&app, &args, globals).await;
    };
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

/// The report on all the evidence.
async fn all(app: &App, args: &Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let report = app.mover()?.evidence_report().await?;
    let mut written = Vec::new();
    if let Some(path) = &args.html {
        let links = if args.recordings {
            write_recordings(app, &report, path, &mut written).await?;
            Links::Beside
        } else {
            Links::Command
        };
        write(path, &evidence::html::render(&report, links)?, &mut written)?;
    }
    if let Some(path) = &args.markdown {
        write(path, &evidence::markdown::render(&report), &mut written)?;
    }
    if globals.json {
        say!("{}", evidence::json::render(&report)?);
    } else if written.is_empty() {
        let text = evidence::terminal::render(&report, console::colors_enabled());
        output::print(format_args!("{text}"));
    } else {
        for path in written {
            say!("wrote {}", path.display());
        }
    }
    Ok(ExitStatus::Success)
}

async fn write_recordings(
    app: &App,
    report: &EvidenceReport,
    page: &Path,
    written: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    let shadow = app.shadow()?;
    let folder = page.parent().unwrap_or(Path::new(""));
    for worst in &report.worst {
        let Some(beside) = Links::Beside.of(&worst.run) else {
            continue;
        };
        let data = shadow.report(&worst.run).await?.with_context(|| {
            format!(
                "the comparison of run `{}` is gone; `switchyard compare {}` writes it anew",
                worst.run, worst.run
            )
        })?;
        let path = folder.join(beside);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("making the folder `{}`", folder.display()))?;
        }
        write(&path, &report::html::render(&data)?, written)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str, written: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))?;
    written.push(path.to_owned());
    Ok(())
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
    write(path, &report::html::render(data)?, &mut Vec::new())
}
