//! `switchyard review`.

use console::style;

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    app::App,
    compare::{Class, TextChangeKind},
    controller::{Listed, Shown},
    reviews::{NewRule, Predicate, Refused, Says, Side, Summary, Target, Wanted},
};

/// What `switchyard review` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists what is open, the gravest first.
    List(List),
    /// Lists sorts of differences: how many recordings have each, and how many are settled.
    Clusters,
    /// Opens an item and shows it, meeting text included.
    Show(Show),
    /// Says that an item or a cluster is as good as the control's, or better.
    Accept(Accept),
    /// Says that it is not, and who is to mend it; that blocks until somebody says otherwise.
    Reject(Reject),
    /// Bears it for a while. Never S0; S1 takes two people.
    Waive(Waive),
    /// Says that more has to be known.
    Ask(Ask),
    /// Says which side of a side-by-side is better, and is told whose it was.
    Choose(Choose),
    /// Lists rules that hide differences, makes one, or removes one.
    Rules(Rules),
}

#[derive(clap::Args)]
struct List {
    /// Leaves out side-by-sides this person has chosen in.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(clap::Args)]
struct Show {
    /// The item.
    item: String,
    /// Who looks, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(clap::Args)]
struct Accept {
    /// An item, or a cluster's signature.
    target: String,
    /// Who says so, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

#[derive(clap::Args)]
struct Reject {
    /// An item, or a cluster's signature.
    target: String,
    /// Who says so, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who is to mend it.
    #[arg(long, value_name = "NAME")]
    owner: String,
}

#[derive(clap::Args)]
struct Waive {
    /// An item, or a cluster's signature.
    target: String,
    /// Who says so, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who answers for it.
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// For how many days, 30 at most.
    #[arg(long, value_name = "NUMBER")]
    days: i64,
    /// For how many items.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    at_most: i64,
}

#[derive(clap::Args)]
struct Ask {
    /// An item, or a cluster's signature.
    target: String,
    /// Who asks, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// What has to be known.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(clap::Args)]
struct Choose {
    /// The side-by-side.
    item: String,
    /// left, right or tie.
    #[arg(value_parser = |name: &str| Side::parse(name).ok_or("write left, right or tie"))]
    side: Side,
    /// Who chooses, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(clap::Args)]
struct Rules {
    #[command(subcommand)]
    action: Option<RulesAction>,
}

#[derive(clap::Subcommand)]
enum RulesAction {
    /// Makes a rule, or with `--preview` tells what it would have hidden.
    Add(AddRule),
    /// Removes a rule.
    Remove(RemoveRule),
}

#[derive(clap::Args)]
struct AddRule {
    /// `/FIELD/PLACE` as items show it, e.g. `/topics_titles/**`; `*` stands for one part.
    path: String,
    /// The class it hides, e.g. paraphrase.
    #[arg(value_parser = |name: &str| Class::parse(name).ok_or("there is no such class"))]
    class: Class,
    /// What else has to hold: any, count<=NUMBER, severity=S2 or severity=S3.
    #[arg(long, value_name = "TEXT", default_value = "any",
        value_parser = |text: &str| Predicate::parse(text).ok_or("write any, count<=NUMBER, severity=S2 or severity=S3"))]
    only: Predicate,
    /// How many differences it hides.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    at_most: i64,
    /// For how many days, 30 at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 14)]
    days: i64,
    /// Who makes it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Tells what it would have hidden, and makes nothing.
    #[arg(long)]
    preview: bool,
}

#[derive(clap::Args)]
struct RemoveRule {
    /// The rule.
    id: String,
    /// Who removes it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match args.action {
        None => summary(&app, globals.json).await,
        Some(Action::List(list)) => queue(&app, list.by.as_deref(), globals.json).await,
        Some(Action::Clusters) => clusters(&app, globals.json).await,
        Some(Action::Show(show)) => open(&app, &show, globals.json).await,
        Some(Action::Accept(said)) => {
            let mut wanted = wanted(&said.target, Says::Accept, said.by);
            wanted.reason = said.reason;
            say_so(&app, wanted, globals).await
        }
        Some(Action::Reject(said)) => {
            let mut wanted = wanted(&said.target, Says::Reject, said.by);
            (wanted.reason, wanted.owner) = (said.reason, said.owner);
            say_so(&app, wanted, globals).await
        }
        Some(Action::Waive(said)) => {
            let mut wanted = wanted(&said.target, Says::Waive, said.by);
            (wanted.reason, wanted.owner) = (said.reason, said.owner);
            (wanted.days, wanted.at_most) = (Some(said.days), Some(said.at_most));
            say_so(&app, wanted, globals).await
        }
        Some(Action::Ask(said)) => {
            let mut wanted = wanted(&said.target, Says::NeedsInfo, said.by);
            wanted.reason = said.reason;
            say_so(&app, wanted, globals).await
        }
        Some(Action::Choose(choose)) => choose_side(&app, &choose, globals).await,
        Some(Action::Rules(rules)) => match rules.action {
            None => list_rules(&app, globals.json).await,
            Some(RulesAction::Add(rule)) => add_rule(&app, rule, globals).await,
            Some(RulesAction::Remove(rule)) => remove_rule(&app, &rule, globals).await,
        },
    }
}

fn wanted(target: &str, says: Says, by: String) -> Wanted {
    Wanted {
        on: Target::parse(target),
        says,
        by,
        reason: String::new(),
        owner: String::new(),
        days: None,
        at_most: None,
    }
}

async fn summary(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let summary = app.reviews()?.summary().await?;
    if json {
        Globals::print_json(&summary)?;
    } else {
        print_summary(&summary);
    }
    Ok(if summary.is_done() {
        ExitStatus::Success
    } else if summary.open_severe > 0 || summary.blockers > 0 {
        ExitStatus::NoGo
    } else {
        ExitStatus::NotYet
    })
}

fn print_summary(summary: &Summary) {
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

async fn queue(app: &App, by: Option<&str>, json: bool) -> anyhow::Result<ExitStatus> {
    let queue = app.reviews()?.queue(by).await?;
    if json {
        Globals::print_json(&queue)?;
        return Ok(ExitStatus::Success);
    }
    if queue.is_empty() {
        say!("Nothing is open.");
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&["item", "kind", "severity", "class", "what", "state", "run"]);
    for Listed { item, standing } in queue {
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
    Ok(ExitStatus::Success)
}

async fn clusters(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let clusters = app.reviews()?.clusters().await?;
    if json {
        Globals::print_json(&clusters)?;
        return Ok(ExitStatus::Success);
    }
    if clusters.is_empty() {
        say!("There are no differences.");
        return Ok(ExitStatus::Success);
    }
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
    Ok(ExitStatus::Success)
}

async fn open(app: &App, show: &Show, json: bool) -> anyhow::Result<ExitStatus> {
    anyhow::ensure!(
        !show.by.trim().is_empty(),
        "`--by` names nobody; write who looks"
    );
    let shown = app.reviews()?.open(&show.item, &show.by).await?;
    let Some(shown) = shown else {
        anyhow::bail!(
            "there is no item `{}` under the versions as they are; `switchyard review list` lists them",
            show.item
        );
    };
    if json {
        Globals::print_json(&shown)?;
    } else {
        print_shown(&shown);
    }
    Ok(ExitStatus::Success)
}

fn print_shown(shown: &Shown) {
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

async fn say_so(app: &App, wanted: Wanted, globals: &Globals) -> anyhow::Result<ExitStatus> {
    match app.reviews()?.say(&wanted).await? {
        Ok(id) => {
            if globals.json {
                Globals::print_json(&serde_json::json!({ "said": id }))?;
            } else {
                say!(
                    "{} {}: {id}",
                    wanted.on.as_str(),
                    wanted.says.as_str().replace('_', " ")
                );
            }
            Ok(ExitStatus::Success)
        }
        Err(refusal) => refused(&refusal, globals),
    }
}

fn refused(refusal: &Refused, globals: &Globals) -> anyhow::Result<ExitStatus> {
    if globals.json {
        Globals::print_json(refusal)?;
        return Ok(ExitStatus::Failure);
    }
    anyhow::bail!("{refusal}")
}

async fn choose_side(app: &App, choose: &Choose, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let reviews = app.reviews()?;
    match reviews
        .choose(&choose.item, choose.side, &choose.by)
        .await?
    {
        Ok(choice) => {
            if globals.json {
                Globals::print_json(&serde_json::json!({ "chosen": choice }))?;
            } else {
                let told = match choice.as_str() {
                    "tie" => "neither",
                    side => side,
                };
                say!("You found better: {told}.");
            }
            Ok(ExitStatus::Success)
        }
        Err(refusal) => refused(&refusal, globals),
    }
}

async fn list_rules(app: &App, json: bool) -> anyhow::Result<ExitStatus> {
    let summary = app.reviews()?.summary().await?;
    if json {
        let rules = summary.rules.iter().zip(&summary.hidden);
        let told: Vec<_> = rules
            .map(|(rule, hidden)| serde_json::json!({ "rule": rule, "hidden": hidden }))
            .collect();
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    if summary.rules.is_empty() {
        say!("No rule hides anything.");
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&[
        "rule", "path", "class", "only", "hides", "at most", "until", "by", "reason",
    ]);
    for (rule, hidden) in summary.rules.iter().zip(&summary.hidden) {
        table.add_row([
            rule.id.clone(),
            rule.path.clone(),
            rule.class.to_string(),
            rule.predicate.to_string(),
            hidden.to_string(),
            rule.at_most.to_string(),
            rule.until.format("%Y-%m-%d %H:%M").to_string(),
            rule.by.clone(),
            rule.reason.clone(),
        ]);
    }
    table::print(&table);
    Ok(ExitStatus::Success)
}

async fn add_rule(app: &App, rule: AddRule, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let reviews = app.reviews()?;
    let is_preview = rule.preview;
    let rule = NewRule {
        path: rule.path,
        class: rule.class,
        predicate: rule.only,
        at_most: rule.at_most,
        days: rule.days,
        by: rule.by,
        reason: rule.reason,
    };
    let preview = reviews.preview(&rule).await?;
    if is_preview {
        if globals.json {
            Globals::print_json(&preview)?;
        } else {
            say!("It {preview}.");
        }
        return Ok(ExitStatus::Success);
    }
    match reviews.make_rule(&rule).await? {
        Ok(id) => {
            if globals.json {
                Globals::print_json(&serde_json::json!({ "rule": id, "preview": preview }))?;
            } else {
                say!("Rule {id} is in force; it {preview}.");
            }
            Ok(ExitStatus::Success)
        }
        Err(refusal) => refused(&refusal, globals),
    }
}

async fn remove_rule(
    app: &App,
    rule: &RemoveRule,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    let reviews = app.reviews()?;
    anyhow::ensure!(
        reviews
            .remove_rule(&rule.id, &rule.by, &rule.reason)
            .await?,
        "no rule `{}` is in force in {}; `switchyard review rules` lists them",
        rule.id,
        app.name
    );
    globals.tell(format_args!("Rule {} is removed.", rule.id));
    Ok(ExitStatus::Success)
}
