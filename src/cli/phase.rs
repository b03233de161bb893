//! `switchyard phase`.

use anyhow::Context;
use console::{Style, style};

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    app::App,
    controller::{Approved, Moved, Plan},
    model::GateVerdict,
    rollout::{Advance, Check, Move, Percent, Position, Refusal, Standing},
    store::{PhaseRow, Request},
};

/// What `switchyard phase` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Shows what the next step asks for, and how that stands. Ends with 0 if it could be made, 2 if
    /// something is missing, 3 if something has to be put right.
    Plan(PlanArgs),
    /// Moves the migration, for recordings that arrive from now on. Forward by one step and under its
    /// conditions; back at any time.
    Set(Set),
    /// Lists moves that wait for approval.
    Requests,
    /// Approves a move that somebody else asked for, and makes it if that was all it lacked.
    Approve(Answer),
    /// Takes back a move that was asked for.
    Withdraw(Answer),
}

#[derive(clap::Args)]
struct PlanArgs {
    /// Where to; the usual next step by default.
    to: Option<Position>,
    /// Of recordings in shadow, of rooms in cutover; up to two decimals.
    #[arg(long, value_name = "NUMBER")]
    percent: Option<Percent>,
}

#[derive(clap::Args)]
struct Set {
    /// infrastructure, parallel, shadow, cutover, soak, draining, archived or removed.
    to: Position,
    /// Of recordings in shadow, of rooms in cutover; up to two decimals.
    #[arg(long, value_name = "NUMBER")]
    percent: Option<Percent>,
    /// Who moves it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record; needed with `--override`.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The version you saw: refused when it has changed since. The newest by default.
    #[arg(long, value_name = "VERSION")]
    seen: Option<i64>,
    /// The digest of the evidence you saw: refused when there is other by now. Any by default.
    #[arg(long, value_name = "DIGEST")]
    evidence: Option<String>,
    /// A precondition you take upon yourself, for four hours and on record; may be repeated. `all`
    /// stands for whatever may be overridden.
    #[arg(long = "override", value_name = "PRECONDITION")]
    overrides: Vec<Overriding>,
    /// The environment's name, which the last step asks you to type.
    #[arg(long, value_name = "ENVIRONMENT")]
    confirm: Option<String>,
}

#[derive(clap::Args)]
struct Answer {
    /// The request.
    id: String,
    /// Who answers, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// What somebody takes upon themselves.
#[derive(Clone, Copy)]
enum Overriding {
    One(Check),
    All,
}

impl std::str::FromStr for Overriding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "all" {
            return Ok(Self::All);
        }
        let check: Check = name.parse().map_err(|error| format!("{error}"))?;
        if check.may_be_overridden() {
            Ok(Self::One(check))
        } else {
            Err(format!("`{check}` cannot be overridden"))
        }
    }
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match args.action {
        None => show(&app, globals.json).await,
        Some(Action::Plan(plan)) => show_plan(&app, &plan, globals.json).await,
        Some(Action::Set(set)) => change(&app, set, globals).await,
        Some(Action::Requests) => requests(&app, globals.json).await,
        Some(Action::Approve(answer)) => approve(&app, &answer, globals).await,
        Some(Action::Withdraw(answer)) => withdraw(&app, &answer, globals).await,
    }
}

async fn show(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let mut rows = app.store.phases().await?;
    if !rows.iter().any(|row| row.environment == app.name) {
        rows.push(app.mover()?.stands().await?);
    }
    if json {
        let told: Vec<_> = rows.iter().map(PhaseRow::told).collect();
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&[
        "environment",
        "flag",
        "phase",
        "percent",
        "version",
        "changed",
        "by",
    ]);
    for row in rows {
        let changed = row.changed_at.filter(|_| row.version > 0);
        let changed = changed.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string());
        table.add_row([
            row.environment.to_string(),
            row.flag.to_string(),
            row.position.name().to_owned(),
            percent(&row).unwrap_or_default(),
            row.version.to_string(),
            changed.unwrap_or_else(|| "never".to_owned()),
            row.changed_by.unwrap_or_default(),
        ]);
    }
    table::print(&table);
    Ok(ExitStatus::Success)
}

async fn show_plan(app: &App, args: &PlanArgs, json: bool) -> anyhow::Result<ExitStatus> {
    let to = match args.to {
        None => None,
        Some(to) => Some(with_percent(to, args.percent)?),
    };
    let plan = app.mover()?.plan(to).await?;
    let Some(plan) = plan else {
        anyhow::bail!("Celery is removed, which is the last step; there is no next one");
    };
    if json {
        Globals::print_json(&plan)?;
    } else {
        print_plan(&plan);
    }
    Ok(status_of(&plan))
}

fn status_of(plan: &Plan) -> ExitStatus {
    match plan.verdict() {
        GateVerdict::Pass => ExitStatus::Success,
        GateVerdict::Fail => ExitStatus::NoGo,
        GateVerdict::NotYet => ExitStatus::NotYet,
    }
}

pub(super) fn print_plan(plan: &Plan) {
    say!(
        "{} -> {} (version {}, evidence {} of {} recordings)",
        plan.position,
        plan.to,
        plan.version,
        plan.evidence.digest,
        plan.evidence.recordings
    );
    if !plan.preconditions.is_empty() {
        say!();
        let mut table = table::table(&["precondition", "state", "is", "has to be", "missing"]);
        for one in &plan.preconditions {
            let (colour, missing) = match &one.state {
                Standing::Met => (Style::new().green(), one.missing.clone()),
                Standing::NotYet => (Style::new().yellow(), one.missing.clone()),
                Standing::Failed => (Style::new().red(), one.missing.clone()),
                Standing::Overridden { by, until, .. } => (
                    Style::new().yellow(),
                    format!("{by} overrides it until {}", until.format("%H:%M UTC")),
                ),
            };
            table.add_row([
                one.check.to_string(),
                colour.apply_to(one.state.word()).to_string(),
                one.value.clone(),
                one.bound.clone(),
                missing,
            ]);
        }
        table::print(&table);
    }
    say!();
    if let Some(hold) = &plan.hold {
        say!(
            "{} {} since {}: {}",
            hold.owner,
            style("holds").red(),
            hold.placed_at.format("%Y-%m-%d %H:%M UTC"),
            hold.reason
        );
    }
    for sentence in &plan.consequences {
        say!("{sentence}");
    }
    if plan.approvals > 0 {
        say!("It takes the approval of {} other people.", plan.approvals);
    }
    let verdict = match status_of(plan) {
        ExitStatus::Success => style("GO").green().bold(),
        ExitStatus::NoGo => style("NO-GO").red().bold(),
        ExitStatus::NotYet | ExitStatus::Failure => style("NOT YET").yellow().bold(),
    };
    say!("{verdict}: {}", plan.line);
}

async fn change(app: &App, set: Set, globals: &Globals) -> anyhow::Result<ExitStatus> {
    named(&set.by, "moves the migration")?;
    let to = with_percent(set.to, set.percent)?;
    anyhow::ensure!(
        set.overrides.is_empty() || !set.reason.trim().is_empty(),
        "`--override` goes on record with its reason; add `--reason TEXT`"
    );
    let mover = app.mover()?;
    let stands = mover.stands().await?;
    let overriding = overridden(&set.overrides, stands.position, to);
    let wanted = Move {
        to,
        seen: set.seen.unwrap_or(stands.version),
        evidence: set.evidence,
        by: set.by,
        reason: set.reason,
        typed_name: set.confirm,
    };
    let came_to = mover.go(&wanted, &overriding).await?;
    tell(app, came_to, globals)
}

fn overridden(overrides: &[Overriding], from: Position, to: Position) -> Vec<Check> {
    let mut checks = Vec::new();
    for one in overrides {
        match one {
            Overriding::One(check) => checks.push(*check),
            Overriding::All => {
                let may = |check: &&Check| check.may_be_overridden();
                checks.extend(crate::rollout::required(from, to).iter().filter(may));
            }
        }
    }
    checks
}

fn with_percent(to: Position, percent: Option<Percent>) -> anyhow::Result<Position> {
    match (to.has_percent(), percent) {
        (true, Some(percent)) => Ok(to.at(percent)),
        (true, None) => anyhow::bail!(
            "phase {} goes by a percentage; add e.g. `--percent 10`",
            to.phase()
        ),
        (false, None) => Ok(to),
        (false, Some(_)) => {
            anyhow::bail!("{} has no percentage; leave out `--percent`", to.name())
        }
    }
}

fn named(name: &str, does: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !name.trim().is_empty(),
        "`--by` names nobody; write who {does}"
    );
    Ok(())
}

/// Says what became of a move.
fn tell(app: &App, moved: Moved, globals: &Globals) -> anyhow::Result<ExitStatus> {
    match moved {
        Moved::Made(flipped) => {
            if globals.json {
                let mut told = flipped.now.told();
                told["before"] = flipped.before.to_string().into();
                told["audit"] = flipped.audited.into();
                Globals::print_json(&told)?;
                return Ok(ExitStatus::Success);
            }
            let row = &flipped.now;
            say!("{}: {}, version {}", app.name, row.position, row.version);
            if let Advance::Forward(preconditions) = &flipped.advance {
                for one in preconditions {
                    if one.state.is_overridden() {
                        say!("`{}` was overridden: it is {}", one.check, one.value);
                    }
                }
            }
            if flipped.before == Position::Removed {
                say!("Celery may be given work again: see that legacy workers run before it is.");
            }
            Ok(ExitStatus::Success)
        }
        Moved::Requested { id, have, need } => {
            if globals.json {
                let told = serde_json::json!({ "request": id, "approvals": have, "needed": need });
                Globals::print_json(&told)?;
            } else {
                say!(
                    "Everything is met. It waits for approval, {have} of {need} so far: switchyard phase approve {id} --by NAME"
                );
            }
            Ok(ExitStatus::Success)
        }
        Moved::Refused(refusal) => refused(&refusal, globals),
    }
}

fn refused(refusal: &Refusal, globals: &Globals) -> anyhow::Result<ExitStatus> {
    if globals.json {
        let told = serde_json::json!({
            "reason": refusal.reason(),
            "remedy": refusal.remedy(),
            "refusal": refusal,
        });
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Failure);
    }
    anyhow::bail!("{}; {}", refusal.reason(), refusal.remedy())
}

async fn requests(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let requests = app.mover()?.requests().await?;
    if json {
        let told: Vec<_> = requests.iter().map(Request::told).collect();
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    if requests.is_empty() {
        say!("Nothing waits for approval.");
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["request", "to", "by", "since", "approved by", "reason"]);
    for request in requests {
        table.add_row([
            request.id,
            request.wanted.to.to_string(),
            request.wanted.by,
            request.requested_at.format("%Y-%m-%d %H:%M").to_string(),
            request.approved_by.join(", "),
            request.wanted.reason,
        ]);
    }
    table::print(&table);
    Ok(ExitStatus::Success)
}

async fn approve(app: &App, answer: &Answer, globals: &Globals) -> anyhow::Result<ExitStatus> {
    named(&answer.by, "approves")?;
    match app.mover()?.approve(&answer.id, &answer.by).await? {
        Approved::Nothing => anyhow::bail!(
            "no open request `{}` waits for `{}`; `switchyard phase requests` lists them",
            answer.id,
            answer.by
        ),
        Approved::ByRequester => anyhow::bail!(
            "`{}` asked for it, and somebody else has to approve it",
            answer.by
        ),
        Approved::Moved(moved) => tell(app, moved, globals),
    }
}

async fn withdraw(app: &App, answer: &Answer, globals: &Globals) -> anyhow::Result<ExitStatus> {
    named(&answer.by, "takes it back")?;
    let withdrawn = app.mover()?.withdraw(&answer.id, &answer.by).await?;
    let withdrawn = withdrawn.then_some(());
    withdrawn.with_context(|| {
        format!(
            "there is no open request `{}`; `switchyard phase requests` lists them",
            answer.id
        )
    })?;
    globals.tell(format_args!("Request {} is taken back.", answer.id));
    Ok(ExitStatus::Success)
}

/// The percentage, where one is chosen.
fn percent(row: &PhaseRow) -> Option<String> {
    let position = row.position;
    position
        .has_percent()
        .then(|| format!("{} %", position.percent()))
}
