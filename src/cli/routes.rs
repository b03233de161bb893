//! `switchyard routes`.

use chrono::{DateTime, Utc};

use super::{ExitStatus, Globals, output::say, table};
use crate::store::RouteRow;

/// What `switchyard routes` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How many routes are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let routes = app.store.recent_routes(&app.name, args.limit).await?;
    if globals.json {
        let told: Vec<_> = routes.iter().map(told).collect();
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    if routes.is_empty() {
        say!("Nothing has been routed yet; `docs/tap.md` tells how recordings come in.");
        return Ok(ExitStatus::Success);
    }
    let now = (app.clock)();
    let mut table = table::table(&[
        "transcript",
        "generation",
        "owner",
        "beside",
        "state",
        "run",
        "age",
        "reason",
    ]);
    for route in &routes {
        table.add_row([
            route.transcript_id.to_string(),
            route.generation.to_string(),
            route.owner.as_str().to_owned(),
            route.beside.as_str().to_owned(),
            route.state.as_str().to_owned(),
            route
                .run_id
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            age(route.arrived_at, now),
            route.reason.clone(),
        ]);
    }
    table::print(&table);
    Ok(ExitStatus::Success)
}

/// How long ago, in the unit that fits.
fn age(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn told(route: &RouteRow) -> serde_json::Value {
    serde_json::json!({
        "transcript_id": route.transcript_id,
        "generation": route.generation,
        "recording_id": route.recording_id,
        "owner": route.owner.as_str(),
        "beside": route.beside.as_str(),
        "phase": route.phase.as_str(),
        "bucket": route.bucket,
        "reason": route.reason,
        "way": route.way.as_str(),
        "task_id": route.task_id,
        "state": route.state.as_str(),
        "arrived_at": route.arrived_at,
        "confirmed_at": route.confirmed_at,
        "run_id": route.run_id,
        "control_id": route.control_id,
        "over_at": route.over_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_that_fits() {
        let now = DateTime::from_timestamp(1_760_954_400, 0).unwrap();
        for (seconds, told) in [
            (-5, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7200, "2 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(age(now - chrono::TimeDelta::seconds(seconds), now), told);
        }
    }
}
