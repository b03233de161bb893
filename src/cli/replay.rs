//! `switchyard replay`.

use std::time::Duration;

use console::style;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{ExitStatus, Globals, follow::View, moment::Moment, output::say, serve, table};
use crate::{
    app::App,
    controller::{Driver, LEASE, NewReplay, Replays, Tally, Ticked},
    model::RoomId,
    store::{Replay, ReplayState, Skipped},
};

/// What `switchyard replay` takes.
#[derive(clap::Args)]
#[command(
    after_help = "Without `--from`, `--resume` or `--cancel` it lists replays. A replay that is interrupted, even by \
        kill -9, goes on with `--resume` and starts no recording twice."
)]
pub(super) struct Args {
    /// Replays recordings whose transcript was made on that day or later, oldest first.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["resume", "cancel"], requires_all = ["limit", "rate", "by"])]
    from: Option<Moment>,
    /// And before that day; all until now by default. Days begin at midnight UTC.
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<Moment>,
    /// How many recordings are looked at, at most, those included that cannot be replayed.
    #[arg(long, value_name = "NUMBER", requires = "from")]
    limit: Option<i64>,
    /// How many recordings are started in an hour, at most.
    #[arg(long, value_name = "NUMBER")]
    rate: Option<i64>,
    /// US dollars all its runs may cost together, by the prices of the settings. Until the first has
    /// ended they run one by one.
    #[arg(long, value_name = "USD")]
    budget: Option<f64>,
    /// Recordings of this room alone, by the id of its row.
    #[arg(long, value_name = "ID", requires = "from")]
    room: Option<RoomId>,
    /// Runs recordings again that the candidate has run on before, with the answers paid for then.
    #[arg(long, requires = "from")]
    anew: bool,
    /// Goes on with a replay that was interrupted or has stopped; `--rate` and `--budget` change it.
    #[arg(long, value_name = "ID", conflicts_with = "cancel")]
    resume: Option<String>,
    /// Stops a replay until it is resumed: nothing more of it is started, what is under way ends.
    #[arg(long, value_name = "ID", requires = "by", conflicts_with_all = ["from", "resume", "cancel"])]
    pause: Option<String>,
    /// Ends a replay: nothing more of it is started.
    #[arg(long, value_name = "ID", requires = "by")]
    cancel: Option<String>,
    /// Shows how far a replay is.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "resume", "pause", "cancel"])]
    show: Option<String>,
    /// Who does it, for the record.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// How often the replay is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// How many are listed.
const LISTED: i64 = 20;

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let by = args.by.clone().unwrap_or_default();
    anyhow::ensure!(
        args.by.as_ref().is_none_or(|name| !name.trim().is_empty()),
        "`--by` names nobody; write who does it"
    );
    if let Some(id) = &args.show {
        let replays = app.replays()?;
        let replay = replays.find(id).await??;
        let tally = replays.tally(&replay).await?;
        if globals.json {
            Globals::print_json(&line(&replay, Some(&tally)))?;
        } else {
            print(&replay, &tally);
        }
        return Ok(ExitStatus::Success);
    }
    if let Some(id) = &args.pause {
        let paused = app.replays()?.pause(id, &by).await??;
        globals.tell(format_args!(
            "Replay {id} is paused; what is under way ends by itself, and `switchyard replay --resume {id}` goes on."
        ));
        if globals.json {
            Globals::print_json(&line(&paused, None))?;
        }
        return Ok(ExitStatus::Success);
    }
    if let Some(id) = &args.cancel {
        let cancelled = app.replays()?.cancel(id, &by).await??;
        globals.tell(format_args!(
            "Replay {id} is cancelled; what is under way ends by itself."
        ));
        if globals.json {
            Globals::print_json(&line(&cancelled, None))?;
        }
        return Ok(ExitStatus::Success);
    }
    let (replays, replay) = if let Some(id) = &args.resume {
        anyhow::ensure!(
            args.by.is_some() || (args.rate.is_none() && args.budget.is_none()),
            "other bounds go on record; add `--by NAME`"
        );
        let replays = app.replays()?;
        let bounds = (args.rate, args.budget);
        let replay = replays.resume(id, bounds, (&by, Driver::Command)).await??;
        (replays, replay)
    } else if let (Some(from), Some(at_most), Some(per_hour)) = (args.from, args.limit, args.rate) {
        let replays = app.replays()?;
        let new = NewReplay {
            from: from.0,
            to: args.to.map(|to| to.0),
            room: args.room,
            at_most,
            per_hour,
            budget_usd: args.budget,
            anew: args.anew,
            driver: Driver::Command,
            by,
        };
        let replay = replays.begin(&new).await??;
        globals.tell(format_args!("Replay {}", replay.id));
        (replays, replay)
    } else {
        anyhow::ensure!(
            args.rate.is_none() && args.budget.is_none(),
            "`--rate` and `--budget` bound a replay; begin one with `--from`, or go on with `--resume`"
        );
        list(&app, globals.json).await?;
        return Ok(ExitStatus::Success);
    };
    let stop = CancellationToken::new();
    serve::stop_on_signal(stop.clone());
    to_the_end(&replays, &replay.id, &stop).await?;
    let replay = replays.find(&replay.id).await??;
    let tally = replays.tally(&replay).await?;
    if globals.json {
        Globals::print_json(&line(&replay, Some(&tally)))?;
    } else {
        print(&replay, &tally);
    }
    Ok(match replay.state {
        ReplayState::Ended => ExitStatus::Success,
        _ => ExitStatus::Failure,
    })
}

/// Drives a replay until there is nothing more to do. Trouble is waited out.
async fn to_the_end(replays: &Replays, id: &str, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut view = View::new();
    let ended = loop {
        match replays.tick(id).await {
            Ok(Ticked::Over) => break Ok(()),
            Ok(Ticked::Going) => {
                let replay = replays.find(id).await??;
                let tally = replays.tally(&replay).await?;
                view.line(tally.percent(), progress(&replay, &tally));
            }
            Ok(Ticked::Elsewhere) => view.line(
                0,
                format!(
                    "another process is at it; if that was killed, this one goes on in {} s",
                    LEASE.num_seconds()
                ),
            ),
            Err(error) => view.line(0, format!("trying again: {error:#}")),
        }
        tokio::select! {
            () = stop.cancelled() => {
                break Err(anyhow::anyhow!("stopped; `switchyard replay --resume {id}` goes on"));
            }
            () = tokio::time::sleep(EVERY) => {}
        }
    };
    view.end();
    replays.leave(id).await?;
    ended
}

fn progress(replay: &Replay, tally: &Tally) -> String {
    if replay.state == ReplayState::Finding {
        return "looking for past recordings".to_owned();
    }
    let mut line = format!(
        "{} of {} done, {} under way, {} skipped, {:.4} USD",
        tally.ended + tally.skipped(),
        tally.found,
        tally.open,
        tally.skipped(),
        tally.usd
    );
    if let Some(at) = tally.ends_at {
        let at = at.format("%Y-%m-%d %H:%M UTC").to_string();
        line = format!("{line}, done about {at}");
    }
    line
}

async fn list(app: &App, json: bool) -> anyhow::Result<()> {
    let replays = app.store.replays(&app.name, LISTED).await?;
    if json {
        let lines: Vec<_> = replays.iter().map(|replay| line(replay, None)).collect();
        return Globals::print_json(&lines);
    }
    if replays.is_empty() {
        say!("Nothing was replayed in {} so far.", app.name);
        return Ok(());
    }
    let mut table = table::table(&[
        "replay", "started", "by", "from", "to", "limit", "rate", "budget", "state", "reason",
    ]);
    for replay in replays {
        let budget = replay.budget_usd.map(|usd| format!("{usd} USD"));
        table.add_row([
            replay.id,
            replay.started_at.format("%Y-%m-%d %H:%M").to_string(),
            replay.started_by,
            replay.from.format("%Y-%m-%d").to_string(),
            replay.to.format("%Y-%m-%d").to_string(),
            replay.at_most.to_string(),
            format!("{} / h", replay.per_hour),
            budget.unwrap_or_default(),
            replay.state.as_str().replace('_', " "),
            replay.reason,
        ]);
    }
    table::print(&table);
    Ok(())
}

fn print(replay: &Replay, tally: &Tally) {
    let mut table = table::table(&["what became of it", "recordings"]);
    table.add_row(["compared".to_owned(), tally.compared.to_string()]);
    for (verdict, number) in &tally.verdicts {
        table.add_row([
            format!("  {}", verdict.replace('_', " ")),
            number.to_string(),
        ]);
    }
    let stopped = tally.ended - tally.compared;
    if stopped > 0 {
        table.add_row(["stopped by somebody".to_owned(), stopped.to_string()]);
    }
    table.add_row(["skipped".to_owned(), tally.skipped().to_string()]);
    for (why, number) in &tally.skipped {
        let reason = Skipped::parse(why).map_or(*why, Skipped::reason);
        table.add_row([format!("  {reason}"), number.to_string()]);
    }
    if tally.waiting + tally.open > 0 {
        table.add_row(["under way".to_owned(), tally.open.to_string()]);
        table.add_row(["not started".to_owned(), tally.waiting.to_string()]);
    }
    table.add_row(["found".to_owned(), tally.found.to_string()]);
    table::print(&table);
    say!("It cost {:.4} USD, of what has a price.", tally.usd);
    if !replay.reason.is_empty() {
        let state = replay.state.as_str().replace('_', " ");
        say!("{}: {}", style(state).yellow(), replay.reason);
    }
}

fn line(replay: &Replay, tally: Option<&Tally>) -> Value {
    let mut told = replay.told();
    told["tally"] = json!(tally);
    told
}
