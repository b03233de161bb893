//! `switchyard retention`.

use super::{ExitStatus, Globals, output::say, table};
use crate::{controller::RetentionPlan, store::Proof};

/// What `switchyard retention` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Shows what would be deleted now, and what is kept for what though its time is over.
    Plan,
    /// Deletes at once what is over its time; `switchyard serve` does it every hour.
    Run(Run),
    /// Lists what was deleted: how much, of what time, by which rule, by whom, and whether anything was
    /// left. Ends with 1 where something was.
    Proofs(Proofs),
}

#[derive(clap::Args)]
struct Run {
    /// Who deletes, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(clap::Args)]
struct Proofs {
    /// How many are listed.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: i64,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let retention = app.retention()?;
    match args.action {
        None | Some(Action::Plan) => {
            let plan = retention.plan().await?;
            if globals.json {
                Globals::print_json(&plan)?;
            } else {
                show_plan(&plan);
            }
            Ok(ExitStatus::Success)
        }
        Some(Action::Run(run)) => {
            anyhow::ensure!(
                !run.by.trim().is_empty(),
                "`--by` names nobody; write who deletes"
            );
            let proofs = retention.delete(&run.by).await??;
            show_proofs(&proofs, globals, "Nothing is over its time.")
        }
        Some(Action::Proofs(Proofs { limit })) => {
            let proofs = retention.proofs(limit).await?;
            show_proofs(&proofs, globals, "Nothing was deleted yet.")
        }
    }
}

fn show_plan(plan: &RetentionPlan) {
    if let Some(since) = plan.failing_since {
        say!(
            "DELETING FAILS since {}; the log of `switchyard serve` says why.",
            since.format("%Y-%m-%d %H:%M UTC")
        );
    }
    let mut table = table::table(&["class", "days", "due", "oldest", "rule"]);
    for class in &plan.classes {
        let oldest = class.oldest.map(|at| at.format("%Y-%m-%d").to_string());
        table.add_row([
            class.class.to_string(),
            class.days.to_string(),
            class.due.to_string(),
            oldest.unwrap_or_default(),
            class.rule.clone(),
        ]);
    }
    table::print(&table);
    for kept in &plan.kept {
        say!(
            "kept though over their time, {}: {} runs, e.g. {}",
            kept.why,
            kept.runs,
            kept.example
        );
    }
}

fn show_proofs(proofs: &[Proof], globals: &Globals, none: &str) -> anyhow::Result<ExitStatus> {
    let is_clean = proofs
        .iter()
        .all(|proof| proof.left_over.is_none_or(|left| left == 0));
    if globals.json {
        Globals::print_json(&proofs)?;
    } else if proofs.is_empty() {
        say!("{none}");
    } else {
        let mut table = table::table(&[
            "proof", "deleted", "class", "things", "rows", "from", "to", "by", "left",
        ]);
        for proof in proofs {
            table.add_row([
                proof.id.clone(),
                proof.deleted_at.format("%Y-%m-%d %H:%M").to_string(),
                proof.class.to_string(),
                proof.things.to_string(),
                proof.rows.to_string(),
                proof.first_at.format("%Y-%m-%d").to_string(),
                proof.last_at.format("%Y-%m-%d").to_string(),
                proof.by.clone(),
                proof
                    .left_over
                    .map_or_else(|| "not looked".to_owned(), |left| left.to_string()),
            ]);
        }
        table::print(&table);
    }
    Ok(if is_clean {
        ExitStatus::Success
    } else {
        ExitStatus::Failure
    })
}
