//! `switchyard check`: tests every connection of the settings and says what is wrong.

use super::{ExitStatus, Globals, output::say, table};
use crate::app::{self, Finding};

pub(super) async fn run(globals: &Globals) -> anyhow::Result<ExitStatus> {
    // The settings themselves have to be right before anything can be asked.
    let config = globals.settings()?;
    config.environment(globals.environment.as_deref())?;
    let findings = app::check(config, globals.environment.as_deref()).await;
    show(&findings, globals.json)
}

fn show(findings: &[Finding], json: bool) -> anyhow::Result<ExitStatus> {
    let bad = findings.iter().filter(|finding| !finding.ok).count();
    if json {
        Globals::print_json(&findings)?;
    } else {
        let mut table = table::table(&["", "connection", "found"]);
        for finding in findings {
            let mark = if finding.ok { "ok" } else { "FAULT" };
            let style = if finding.ok {
                console::Style::new().green()
            } else {
                console::Style::new().red().bold()
            };
            table.add_row([
                style.apply_to(mark).to_string(),
                finding.what.to_owned(),
                finding.found.clone(),
            ]);
        }
        table::print(&table);
        say!();
        for finding in findings {
            if let Some(remedy) = &finding.remedy {
                say!("{}: {remedy}", finding.what);
            }
        }
        match bad {
            0 => say!("everything answers"),
            1 => say!("1 fault"),
            _ => say!("{bad} faults"),
        }
    }
    Ok(if bad == 0 {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}
