//! How reviews are put on the terminal.

use console::style;

use super::super::{output::say, table};
use crate::{
    compare::TextChangeKind,
    controller::{Listed, Shown},
    reviews::{ClusterStanding, Summary},
};

pub(super) fn print_summary(summary: &Summary) {
    let mut table = table::table(&["obligation", "done", "needed", "state", "asks"]);
    for one in &summary.obligations {
        let state = if one.met {
            style("met").green()
        } else {
            style("not yet").yellow()
        };
        table.add_row([
            one.name.to_owned(),
            one.done.to_string(),
            one.needed.to_string(),
            state.to_string(),
            one.what.clone(),
        ]);
    }
    table::print(&table);
    say!();
    say!(
        "{} recordings; {} S0/S1 open, {} blockers, {} waivers and {} rules in force",
        summary.recordings,
        summary.open_severe,
        summary.blockers,
        summary.waivers.len(),
        summary.rules.len()
    );
    if let Some(most) = summary.missed_at_most {
        say!(
            "Of all recordings at most {:.1} % would be rejected, by the random sample so far.",
            most * 100.0
        );
    }
    for (what, tally) in [("titles", summary.titles), ("summaries", summary.summaries)] {
        if let Some(least) = tally.at_least {
            say!(
                "Blind {what}: candidate better {}, tie {}, control better {}; as good or better in at least {:.0} %",
                tally.win,
                tally.tie,
                tally.loss,
                least * 100.0
            );
        }
    }
    if let Some(kappa) = summary.kappa {
        say!("Reviewers agree beyond chance by kappa {kappa:.2}.");
    }
}

pub(super) fn print_items(items: Vec<Listed>) {
    let mut table = table::table(&["item", "kind", "severity", "class", "what", "state", "run"]);
    for Listed { item, standing } in items {
        let about = item.about.as_ref();
        table.add_row([
            item.id.clone(),
            item.kind.as_str().to_owned(),
            about
                .map(|about| about.severity.to_string())
                .unwrap_or_default(),
            about
                .map(|about| about.class.to_string())
                .unwrap_or_default(),
            about.map_or_else(
                || item.verdict.to_string(),
                |about| format!("{} {}", about.field, about.pattern),
            ),
            standing.word().to_owned(),
            item.run.to_string(),
        ]);
    }
    table::print(&table);
}

pub(super) fn print_clusters(clusters: Vec<ClusterStanding>) {
    let mut table = table::table(&[
        "cluster",
        "severity",
        "class",
        "field",
        "what",
        "recordings",
        "settled",
    ]);
    for cluster in clusters {
        table.add_row([
            cluster.signature,
            cluster.severity.to_string(),
            cluster.class.to_string(),
            cluster.field.to_string(),
            cluster.pattern,
            cluster.size.to_string(),
            cluster.settled.to_string(),
        ]);
    }
    table::print(&table);
}

pub(super) fn print_shown(shown: &Shown) {
    let Listed { item, standing } = &shown.listed;
    say!(
        "{} of run {}, {}: {}",
        item.kind.as_str(),
        item.run,
        item.verdict,
        standing.word()
    );
    if let Some(sides) = &shown.sides {
        say!("\n{}\n{}", style("LEFT").bold(), sides.left);
        say!("\n{}\n{}", style("RIGHT").bold(), sides.right);
        say!(
            "\nswitchyard review choose {} left|right|tie --by NAME",
            item.id
        );
        return;
    }
    let Some(about) = &item.about else {
        say!("switchyard report {} shows it", item.run);
        return;
    };
    say!(
        "{} {} in {}: {} (cluster {})",
        about.severity,
        about.class,
        about.field.label(),
        about.pattern,
        about.signature
    );
    for difference in shown.differences.iter().take(20) {
        let side = |value: &Option<serde_json::Value>| {
            value
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), ToString::to_string)
        };
        say!(
            "  {}  {}  {} -> {}",
            difference.path,
            difference.kind.label(),
            side(&difference.control),
            side(&difference.candidate)
        );
    }
    for text in &shown.texts {
        let changes = text.changes.iter().map(|change| match change.kind {
            TextChangeKind::Kept => change.text.clone(),
            TextChangeKind::Deleted => format!("[-{}-]", change.text),
            TextChangeKind::Inserted => format!("{{+{}+}}", change.text),
        });
        say!("\n{}\n{}", text.path, changes.collect::<String>());
    }
}
