//! `switchyard selftest`.

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    controller::SELFTEST_CONTROLS,
    selftest::{Defect, NEEDED, Tested},
};

/// What `switchyard selftest` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How many controls are used, the newest.
    #[arg(long, value_name = "NUMBER", default_value_t = SELFTEST_CONTROLS,
        value_parser = clap::value_parser!(i64).range(1..=1000))]
    controls: i64,
    /// Shows the newest test instead of making one.
    #[arg(long)]
    last: bool,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let tests = app.selftests()?;
    let tested = if args.last {
        let newest = tests.newest().await?;
        newest.map(|test| (test.tested, Some(test.at)))
    } else {
        let tested = tests.test(args.controls).await?;
        tested.map(|tested| (tested, None))
    };
    let Some((tested, at)) = tested else {
        if globals.json {
            Globals::print_json(&serde_json::Value::Null)?;
        } else if args.last {
            say!(
                "The comparison of {} was never tested; leave out `--last`.",
                app.name
            );
        } else {
            say!(
                "There is nothing to test the comparison with: {} has no control of a run yet.",
                app.name
            );
        }
        return Ok(ExitStatus::NotYet);
    };
    if globals.json {
        let mut told = serde_json::to_value(&tested)?;
        told["passes"] = tested.passes().into();
        told["needed"] = NEEDED.into();
        if let Some(at) = at {
            told["at"] = serde_json::to_value(at)?;
        }
        Globals::print_json(&told)?;
    } else {
        print(&tested);
    }
    Ok(if tested.passes() {
        ExitStatus::Success
    } else {
        ExitStatus::NoGo
    })
}

fn print(tested: &Tested) {
    let mut table = table::table(&["defect", "severity", "caught", "of", "share"]);
    for score in &tested.scores {
        let label = match Defect::parse(&score.defect) {
            Some(defect) => defect.label().to_owned(),
            None => score.defect.clone(),
        };
        let share = match score.rate() {
            None => "not applicable".to_owned(),
            Some(rate) if score.fails() => format!("{:.0} %, too little", rate * 100.0),
            Some(rate) => format!("{:.0} %", rate * 100.0),
        };
        table.add_row([
            label,
            score.severity.to_string(),
            score.caught.to_string(),
            score.of.to_string(),
            share,
        ]);
    }
    table::print(&table);
    say!();
    if tested.passes() {
        say!(
            "The comparison may be believed: of every S0 and S1 defect at least {:.0} % was caught in {} controls.",
            NEEDED * 100.0,
            tested.controls
        );
    } else {
        say!(
            "The gate is void: of every S0 and S1 defect at least {:.0} % has to be caught in {} controls. Mend the comparison or its policy.",
            NEEDED * 100.0,
            tested.controls
        );
    }
}
