//! `switchyard hold`.

use chrono::TimeDelta;

use super::{ExitStatus, Globals, output::say, table};
use crate::{rollout::overdue, store::NewHold};

/// What `switchyard hold` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Blocks forward moves until the hold is released.
    Place(Place),
    /// Releases a hold.
    Release(Release),
}

#[derive(clap::Args)]
struct Place {
    /// Who holds.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// After how many hours it is to be asked about; it holds on until released.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..=2160))]
    hours: i64,
}

#[derive(clap::Args)]
struct Release {
    /// The hold.
    id: String,
    /// Who releases it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let (mover, now) = (app.mover()?, (app.clock)());
    match args.action {
        None => {
            let holds = mover.holds().await?;
            if globals.json {
                Globals::print_json(&holds)?;
                return Ok(ExitStatus::Success);
            }
            if holds.is_empty() {
                say!("Nobody holds {}.", app.name);
                return Ok(ExitStatus::Success);
            }
            let mut table = table::table(&["hold", "owner", "since", "until", "reason"]);
            for hold in holds {
                let until = match overdue(&hold, now) {
                    None => hold.expires_at.format("%Y-%m-%d %H:%M").to_string(),
                    Some(by) => format!("over its time by {by}, and still holds"),
                };
                table.add_row([
                    hold.id,
                    hold.owner,
                    hold.placed_at.format("%Y-%m-%d %H:%M").to_string(),
                    until,
                    hold.reason,
                ]);
            }
            table::print(&table);
        }
        Some(Action::Place(place)) => {
            anyhow::ensure!(
                !place.by.trim().is_empty() && !place.reason.trim().is_empty(),
                "a hold has an owner and a reason; write both after `--by` and `--reason`"
            );
            let hold = NewHold {
                owner: place.by,
                reason: place.reason,
                expires_at: now + TimeDelta::hours(place.hours),
            };
            let id = mover.hold(&hold).await?;
            if globals.json {
                Globals::print_json(&serde_json::json!({ "hold": id }))?;
            } else {
                say!("{} stays where it is: hold {id}", app.name);
            }
        }
        Some(Action::Release(release)) => {
            let released = mover.release(&release.id, &release.by, &release.reason);
            anyhow::ensure!(
                released.await?,
                "no hold `{}` is in force in {}; `switchyard hold` lists them",
                release.id,
                app.name
            );
            globals.tell(format_args!("Hold {} is released.", release.id));
        }
    }
    Ok(ExitStatus::Success)
}
