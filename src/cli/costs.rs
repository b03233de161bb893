//! `switchyard costs`.

use chrono::TimeDelta;

use super::{ExitStatus, Globals, output::say, routing, table};
use crate::controller::spending::{Spending, Use};

/// What `switchyard costs` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How many days back runs are counted, by when they began.
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    days: u16,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let since = (app.clock)() - TimeDelta::days(i64::from(args.days));
    let spending = app.shadow()?.spending(since).await?;
    let today = app.routing()?.stands().await?;
    if globals.json {
        let mut told = serde_json::to_value(&spending)?;
        told["today"] = routing::spent_told(&today);
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    if spending.lines.is_empty() {
        say!("No run of the last {} days has used anything.", args.days);
    } else {
        print(&spending);
    }
    if !today.caps.is_none() {
        for line in routing::spent_lines(&today) {
            say!("{line}");
        }
    }
    Ok(ExitStatus::Success)
}

fn print(spending: &Spending) {
    let mut table = table::table(&["for", "step", "what", "amount", "cost"]);
    for line in &spending.lines {
        table.add_row([
            line.used_for.as_str().to_owned(),
            line.step.clone(),
            line.what.clone(),
            format!("{:.1} {}", line.amount, line.unit),
            money(line.usd),
        ]);
    }
    table::print(&table);
    say!();
    for total in &spending.totals {
        let each = total.usd.filter(|_| total.runs > 0);
        let each = each.map(|usd| usd / f64::from(total.runs));
        let (what, runs) = (total.used_for.as_str(), total.runs);
        let is_extra = match total.used_for {
            Use::Shadow => ", all of it on top of what the legacy pipeline costs",
            Use::Live => "",
        };
        say!(
            "{what}: {runs} runs, {}, {} each{is_extra}",
            money(total.usd),
            money(each)
        );
    }
}

fn money(usd: Option<f64>) -> String {
    usd.map_or_else(|| "no price".to_owned(), |usd| format!("${usd:.4}"))
}
