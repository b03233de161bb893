//! `switchyard gate`.

use serde_json::json;

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    gate::{Decision, FieldKind, FieldRow, FieldState, Line, LineState, Who},
    model::GateVerdict,
    rollout::Evidence,
};

/// What `switchyard gate` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Shows every line that was asked and every class of recordings.
    #[arg(long)]
    all: bool,
    /// Asks whether the candidate has served well enough for the legacy pipeline to go.
    #[arg(long, conflicts_with = "all")]
    soak: bool,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let mover = app.mover()?;
    let soak = mover.soak().await?;
    let verdict = if args.soak {
        if globals.json {
            let mut told = serde_json::to_value(&soak)?;
            told["environment"] = json!(app.name);
            Globals::print_json(&told)?;
        } else {
            say!("{}", soak.line);
            print_lines(&soak.lines);
        }
        soak.verdict
    } else {
        let (evidence, decision) = mover.gate().await?;
        if globals.json {
            let mut told = told(app.name.as_str(), &evidence, &decision)?;
            told["soak"] = serde_json::to_value(&soak)?;
            Globals::print_json(&told)?;
        } else {
            print(app.name.as_str(), &evidence, &decision, args.all);
            if soak.counts.ended + soak.counts.under_way > 0 {
                say!("soak: {}", soak.line);
            }
        }
        decision.verdict
    };
    Ok(match verdict {
        GateVerdict::Pass => ExitStatus::Success,
        GateVerdict::NotYet => ExitStatus::NotYet,
        GateVerdict::Fail => ExitStatus::NoGo,
    })
}

fn told(
    environment: &str,
    evidence: &Evidence,
    decision: &Decision,
) -> anyhow::Result<serde_json::Value> {
    let mut told = serde_json::to_value(decision)?;
    told["environment"] = json!(environment);
    told["evidence"] = serde_json::to_value(evidence)?;
    Ok(told)
}

fn print(environment: &str, evidence: &Evidence, decision: &Decision, all: bool) {
    say!("{}", decision.line);
    let (counts, left_out) = (&decision.counts, decision.left_out);
    say!(
        "{environment}: {} recordings on {} days, {} of them replayed, under versions {}; evidence {}",
        counts.recordings,
        counts.days,
        counts.replayed,
        evidence.epoch,
        evidence.digest
    );
    if left_out.control_failed + left_out.not_comparable + left_out.repeats > 0 {
        say!(
            "not counted: {} whose control failed, {} not comparable, {} run again",
            left_out.control_failed,
            left_out.not_comparable,
            left_out.repeats
        );
    }
    let lines = if all {
        &decision.lines
    } else {
        &decision.reasons
    };
    if !lines.is_empty() {
        say!();
        print_lines(lines);
    }
    say!();
    print_fields(&decision.fields);
    if !all {
        say!();
        say!("noise: {}", decision.noise);
    }
    let beside = [
        "coverage",
        "latency",
        "cost",
        "effects",
        "self-test",
        "reviews",
    ];
    if !all {
        for line in &decision.lines {
            if beside.contains(&line.name.as_str()) {
                say!("{}: {} ({})", line.name, line.observed, line.state.label());
            }
        }
        return;
    }
    say!();
    let mut table = table::table(&["tracks", "duration", "language", "recordings"]);
    for cell in &decision.coverage.cells {
        table.add_row([
            cell.stratum.tracks.to_string(),
            cell.stratum.duration.to_string(),
            cell.stratum.language.clone(),
            cell.recordings.to_string(),
        ]);
    }
    table::print(&table);
}

/// Sentences, since a table of them is wider than any screen.
fn print_lines(lines: &[Line]) {
    for line in lines {
        say!("{}: {}: {}", line.state.label(), line.name, line.observed);
        say!("  has to be: {}", line.bound);
        if !line.missing.is_empty() {
            let who = line.who.map_or("", Who::label);
            let days = match line.eta_days {
                None => String::new(),
                Some(days) => format!(", {days} d"),
            };
            say!("  missing: {} ({who}{days})", line.missing);
        }
    }
}

fn print_fields(fields: &[FieldRow]) {
    let mut table = table::table(&[
        "field", "kind", "differs", "noise", "excess", "evidence", "", "note",
    ]);
    for row in fields {
        table.add_row([
            row.name.clone(),
            match row.kind {
                FieldKind::Hard => "hard".to_owned(),
                FieldKind::Soft(margin) => format!("soft {margin}"),
            },
            format!("{}/{}", row.differs, row.compared),
            match row.noise_pairs {
                0 => "-".to_owned(),
                pairs => format!("{}/{pairs}", row.noise_differs),
            },
            row.excess_told(),
            bar(row.evidence, row.threshold),
            state(row.state).to_owned(),
            row.note.clone(),
        ]);
    }
    table::print(&table);
}

/// How far the evidence is on its way to what it has to reach.
fn bar(evidence: f64, threshold: f64) -> String {
    const LONG: usize = 10;
    // Full only once it is there.
    let is_reached = |tenth: &usize| evidence * LONG as f64 >= threshold * *tenth as f64;
    let filled = (1..=LONG).take_while(is_reached).count();
    format!("[{}{}]", "#".repeat(filled), ".".repeat(LONG - filled))
}

const fn state(state: FieldState) -> &'static str {
    match state {
        FieldState::Pass => LineState::Pass.label(),
        FieldState::Fail => LineState::Fail.label(),
        FieldState::NotYet => LineState::NotYet.label(),
        FieldState::Counted => "counted",
        FieldState::DryRun => "dry run",
        FieldState::NotLooked => LineState::NotLooked.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_once_the_evidence_is_there() {
        assert_eq!(bar(-3.0, 3.0), "[..........]");
        assert_eq!(bar(1.5, 3.0), "[#####.....]");
        assert_eq!(bar(2.999, 3.0), "[#########.]");
        assert_eq!(bar(3.0, 3.0), "[##########]");
        assert_eq!(bar(f64::NAN, 3.0), "[..........]");
    }
}
