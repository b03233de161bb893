//! `switchyard review rules`.

use super::{
    super::{ExitStatus, Globals, output::say, table},
    refused,
};
use crate::{
    app::App,
    compare::Class,
    reviews::{NewRule, Predicate},
};

#[derive(clap::Args)]
pub(super) struct Rules {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
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

/// Lists rules, makes one, or removes one.
pub(super) async fn run(app: &App, rules: Rules, globals: &Globals) -> anyhow::Result<ExitStatus> {
    match rules.action {
        None => list_rules(app, globals.json).await,
        Some(Action::Add(rule)) => add_rule(app, rule, globals).await,
        Some(Action::Remove(rule)) => remove_rule(app, &rule, globals).await,
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
