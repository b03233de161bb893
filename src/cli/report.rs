//! `switchyard report`.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::{
    ExitStatus, Globals,
    output::{self, say},
};
use crate::{
    app::App,
    controller::{Bytes, Sound},
    model::RunId,
    report::{
        self, ReportData,
        evidence::{self, EvidenceReport, Links},
        html::{Heard, Side},
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
    /// Also tells what changed since then: `7d`, `12h`, a day or a time. How it stood is worked out from
    /// what was known by then, by the bounds as they are now.
    #[arg(long, value_name = "WHEN", conflicts_with = "run")]
    since: Option<String>,
    /// Beside an HTML file NAME.html, writes what control and candidate mixed as NAME.control.mp3 and
    /// NAME.candidate.mp3, and the page plays them. Nobody deletes these copies for you.
    #[arg(long, requires = "html", requires = "run")]
    audio: bool,
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
        let mut written = Vec::new();
        let heard = if args.audio {
            write_sound(&app.sound()?, id, path, &mut written).await?
        } else {
            Heard::nothing(NO_SOUND)
        };
        write(path, &report::html::render(&found, &heard)?, &mut written)?;
        if !globals.json {
            for path in written {
                say!("wrote {}", path.display());
            }
            return Ok(ExitStatus::Success);
        }
    }
    print(&found, globals.json)?;
    Ok(ExitStatus::Success)
}

/// The report on all the evidence.
async fn all(app: &App, args: &Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let since = args.since.as_deref();
    let since = since.map(|text| evidence::since(text, (app.clock)()));
    let since = since.transpose().map_err(anyhow::Error::msg)?;
    let report = app.mover()?.evidence_report(since).await?;
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
        write(&path, &without_sound(&data)?, written)?;
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
    write(path, &without_sound(data)?, &mut Vec::new())
}

/// What pages in files say where nobody asked for sound.
const NO_SOUND: &str = "this file came without sound; `switchyard report RUN --html FILE --audio` puts it beside the file, and the report on the server of `switchyard serve` plays it";

fn without_sound(data: &ReportData) -> anyhow::Result<String> {
    Ok(report::html::render(data, &Heard::nothing(NO_SOUND))?)
}

/// Writes what may be heard of a run beside a page.
async fn write_sound(
    sound: &Sound,
    run: &RunId,
    page: &Path,
    written: &mut Vec<PathBuf>,
) -> anyhow::Result<Heard> {
    let [control, candidate] = sound.mixes(run).await?;
    let mut sides = Vec::new();
    for (name, found) in [("control", control), ("candidate", candidate)] {
        let side = match found {
            Err(silence) => Side::Silent(silence.to_string()),
            Ok(mix) => {
                let path = page.with_extension(format!("{name}.mp3"));
                let bytes = sound.bytes(&mix, (0, mix.size - 1)).await;
                let bytes = bytes.map_err(|silence| anyhow::anyhow!("{silence}"))?;
                copy(bytes, &path).await?;
                written.push(path.clone());
                let beside = path.file_name().unwrap_or_default();
                Side::Plays(address_of(&beside.to_string_lossy()))
            }
        };
        sides.push(side);
    }
    let candidate = sides.pop();
    let control = sides.pop();
    let none = || Side::Silent("there is none".to_owned());
    Ok(Heard {
        control: control.unwrap_or_else(none),
        candidate: candidate.unwrap_or_else(none),
    })
}

/// Writes bytes as they come.
async fn copy(mut bytes: Bytes, path: &Path) -> anyhow::Result<()> {
    let doing = || format!("writing `{}`", path.display());
    let mut file = tokio::fs::File::create(path).await.with_context(doing)?;
    while let Some(piece) = bytes.next().await {
        let piece = piece.with_context(|| format!("reading the sound for `{}`", path.display()))?;
        file.write_all(&piece).await.with_context(doing)?;
    }
    file.flush().await.with_context(doing)
}

/// The name of a file beside the page as an address: what addresses may not have is written as
/// hexadecimal, and what could be taken for a scheme does not begin it.
fn address_of(name: &str) -> String {
    let mut address = "./".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}
