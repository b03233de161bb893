//! `switchyard notices`.

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    controller::NoticeList,
    store::{Delivery, DeliveryState},
};

/// What `switchyard notices` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// How many notices are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Sends one target a notice that says it is a test; ends with 1 where it does not arrive.
    Test(Test),
}

#[derive(clap::Args)]
struct Test {
    /// The target, as the settings call it.
    target: String,
    /// Who tests, for whoever reads it.
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let notices = app.notices()?;
    if let Some(Action::Test(test)) = args.action {
        anyhow::ensure!(
            !test.by.trim().is_empty(),
            "`--by` names nobody; write who tests"
        );
        let delivery = notices.test(&test.target, &test.by).await??;
        return tested(&delivery, globals);
    }
    let list = notices.list(args.limit).await?;
    if globals.json {
        Globals::print_json(&list)?;
        return Ok(ExitStatus::Success);
    }
    show(&list);
    Ok(ExitStatus::Success)
}

fn tested(delivery: &Delivery, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let arrived = delivery.state == DeliveryState::Sent;
    if globals.json {
        Globals::print_json(delivery)?;
    } else if arrived {
        say!("`{}` has it.", delivery.target);
    } else {
        let why = delivery.why.as_deref();
        say!(
            "`{}` does not have it: {}. It is tried again while `switchyard serve` runs.",
            delivery.target,
            why.unwrap_or("another process is sending it")
        );
    }
    Ok(if arrived {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}

fn show(list: &NoticeList) {
    if list.targets.is_empty() {
        say!("Nobody is told but the log: the settings have no `[[environments.NAME.notices]]`.");
    } else {
        let mut table = table::table(&["target", "kind", ""]);
        for target in &list.targets {
            let kind = if target.is_set {
                target.kind.clone()
            } else {
                "not in the settings".to_owned()
            };
            let stands = target.trouble().unwrap_or_else(|| "ok".to_owned());
            table.add_row([target.name.clone(), kind, stands]);
        }
        table::print(&table);
    }
    say!();
    if list.notices.is_empty() {
        say!("There were no notices.");
        return;
    }
    let mut table = table::table(&["when", "kind", "told", "notice"]);
    for notice in &list.notices {
        let told: Vec<String> = notice.deliveries.iter().map(told).collect();
        table.add_row([
            notice.created_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            notice.kind.to_string(),
            if told.is_empty() {
                "the log".to_owned()
            } else {
                told.join("\n")
            },
            notice.text.clone(),
        ]);
    }
    table::print(&table);
}

/// To whom, and whether it is there.
fn told(delivery: &Delivery) -> String {
    let target = &delivery.target;
    match delivery.state {
        DeliveryState::Sent => target.clone(),
        DeliveryState::Summed => format!("{target}, in one with others"),
        DeliveryState::Sending => format!("{target}: under way"),
        DeliveryState::Waiting if delivery.attempts == 0 => format!("{target}: waits"),
        DeliveryState::Waiting => format!("{target}: failed {} times", delivery.attempts),
        DeliveryState::GivenUp => format!("{target}: GIVEN UP"),
    }
}
