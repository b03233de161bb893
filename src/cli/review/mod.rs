//! `switchyard review`.

mod printed;
mod rules;

use anyhow::Context;

use super::{ExitStatus, Globals, output::say};
use crate::{
    app::App,
    compare::{Field, Severity},
    reviews::{ItemKind, Order, Refused, Says, Side, Sought, Target, Wanted},
};
use printed::{print_clusters, print_items, print_shown, print_summary};

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
    /// Lists sorts of differences: how many recordings have each, and how many are settled; or the
    /// items of one.
    Clusters(Clusters),
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
    Rules(rules::Rules),
}

#[derive(clap::Args)]
struct List {
    /// Leaves out side-by-sides this person has chosen in.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Items that ask this: difference, sample, title or summary.
    #[arg(long, value_name = "KIND",
        value_parser = |name: &str| ItemKind::parse(name).ok_or("write difference, sample, title or summary"))]
    kind: Option<ItemKind>,
    /// Differences of this field.
    #[arg(long, value_name = "FIELD",
        value_parser = |name: &str| Field::parse(name).ok_or("there is no such field; `switchyard gate` lists them"))]
    field: Option<Field>,
    /// Differences so bad: S0, S1, S2 or S3.
    #[arg(long, value_name = "SEVERITY",
        value_parser = |name: &str| Severity::parse(name).ok_or("write S0, S1, S2 or S3"))]
    severity: Option<Severity>,
    /// Differences of this cluster, by signature.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// What comes first: gravest or oldest.
    #[arg(long, value_name = "ORDER", default_value = "gravest",
        value_parser = |name: &str| Order::parse(name).ok_or("write gravest or oldest"))]
    order: Order,
}

#[derive(clap::Args)]
struct Clusters {
    /// One cluster, by signature, with its items.
    cluster: Option<String>,
    /// Tells how many of them this person has opened.
    #[arg(long, value_name = "NAME", requires = "cluster")]
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
    /// Tells what it would come to, and notes nothing.
    #[arg(long)]
    preview: bool,
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
    /// Tells what it would come to, and notes nothing.
    #[arg(long)]
    preview: bool,
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
    /// Tells what it would come to, and notes nothing.
    #[arg(long)]
    preview: bool,
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
    /// Tells what it would come to, and notes nothing.
    #[arg(long)]
    preview: bool,
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

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    match args.action {
        None => summary(&app, globals.json).await,
        Some(Action::List(list)) => queue(&app, list, globals.json).await,
        Some(Action::Clusters(Clusters { cluster: None, .. })) => {
            clusters(&app, globals.json).await
        }
        Some(Action::Clusters(Clusters {
            cluster: Some(cluster),
            by,
        })) => one_cluster(&app, &cluster, by.as_deref(), globals.json).await,
        Some(Action::Show(show)) => open(&app, &show, globals.json).await,
        Some(Action::Accept(said)) => {
            let mut wanted = wanted(&said.target, Says::Accept, said.by);
            wanted.reason = said.reason;
            say_so(&app, wanted, said.preview, globals).await
        }
        Some(Action::Reject(said)) => {
            let mut wanted = wanted(&said.target, Says::Reject, said.by);
            (wanted.reason, wanted.owner) = (said.reason, said.owner);
            say_so(&app, wanted, said.preview, globals).await
        }
        Some(Action::Waive(said)) => {
            let mut wanted = wanted(&said.target, Says::Waive, said.by);
            (wanted.reason, wanted.owner) = (said.reason, said.owner);
            (wanted.days, wanted.at_most) = (Some(said.days), Some(said.at_most));
            say_so(&app, wanted, said.preview, globals).await
        }
        Some(Action::Ask(said)) => {
            let mut wanted = wanted(&said.target, Says::NeedsInfo, said.by);
            wanted.reason = said.reason;
            say_so(&app, wanted, said.preview, globals).await
        }
        Some(Action::Choose(choose)) => choose_side(&app, &choose, globals).await,
        Some(Action::Rules(rules)) => rules::run(&app, rules, globals).await,
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

async fn queue(app: &App, list: List, json: bool) -> anyhow::Result<ExitStatus> {
    let sought = Sought {
        kind: list.kind,
        field: list.field,
        severity: list.severity,
        cluster: list.cluster,
        order: list.order,
    };
    let queue = app.reviews()?.sought(list.by.as_deref(), &sought).await?;
    if json {
        Globals::print_json(&queue)?;
    } else if queue.is_empty() {
        say!("Nothing is open.");
    } else {
        print_items(queue);
    }
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
    print_clusters(clusters);
    Ok(ExitStatus::Success)
}

async fn one_cluster(
    app: &App,
    signature: &str,
    by: Option<&str>,
    json: bool,
) -> anyhow::Result<ExitStatus> {
    let found = app.reviews()?.cluster(signature, by).await?;
    let found = found.with_context(|| {
        format!("there is no cluster `{signature}` under the versions as they are; `switchyard review clusters` lists them")
    })?;
    if json {
        Globals::print_json(&found)?;
        return Ok(ExitStatus::Success);
    }
    print_clusters(vec![found.cluster]);
    if let Some(by) = by {
        say!("{by} has opened {} of its items.", found.opened);
    }
    say!();
    print_items(found.members);
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

async fn say_so(
    app: &App,
    wanted: Wanted,
    is_preview: bool,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    if is_preview {
        return match app.reviews()?.foresee(&wanted).await? {
            Ok(foreseen) if globals.json => {
                Globals::print_json(&serde_json::json!({ "preview": foreseen }))?;
                Ok(ExitStatus::Success)
            }
            Ok(foreseen) => {
                say!("It {foreseen}.");
                Ok(ExitStatus::Success)
            }
            Err(refusal) => refused(&refusal, globals),
        };
    }
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
