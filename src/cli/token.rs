//! `switchyard token`.

use super::{ExitStatus, Globals, output::say, table};
use crate::{
    access::{Action, Powers, token_stands},
    controller::access::{LONGEST_DAYS, WantedToken},
    model::{EnvironmentName, Role},
    store::Token,
};

/// What `switchyard token` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: SubCommand,
}

#[derive(clap::Subcommand)]
enum SubCommand {
    /// Makes a token and prints it, once: nobody can read it again.
    Create(Create),
    /// Lists tokens, with what they may do and when they were used last.
    List,
    /// Takes a token back, at once.
    Revoke(Revoke),
}

#[derive(clap::Args)]
struct Create {
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    label: String,
    /// viewer, reviewer, operator, approver or admin.
    #[arg(long)]
    role: Role,
    /// Another environment the role is held in, beside the one of this command; may be repeated.
    #[arg(long = "in", value_name = "ENVIRONMENT")]
    environments: Vec<EnvironmentName>,
    /// The role is held in every environment, those yet to come too.
    #[arg(long, conflicts_with = "environments")]
    everywhere: bool,
    /// Nothing but this action, whatever the role allows; may be repeated.
    #[arg(long, value_name = "ACTION")]
    only: Vec<Action>,
    /// Days it lasts.
    #[arg(long, value_name = "NUMBER", default_value_t = 90,
        value_parser = clap::value_parser!(i64).range(1..=LONGEST_DAYS))]
    days: i64,
    /// In whose name it acts: nobody approves what was asked for in their name. You by default.
    #[arg(long = "for", value_name = "NAME")]
    owner: Option<String>,
    /// Who makes it, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(clap::Args)]
struct Revoke {
    /// The token's id, as `token list` shows it.
    id: String,
    /// Who takes it back, for the record.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) async fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitStatus> {
    match args.action {
        SubCommand::Create(create) => make(create, globals).await,
        SubCommand::List => list(globals).await,
        SubCommand::Revoke(revoke) => take_back(revoke, globals).await,
    }
}

async fn make(create: Create, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let powers = if create.everywhere {
        Powers::everywhere(create.role)
    } else {
        let mut environments = create.environments;
        for name in &environments {
            // Says which there are.
            app.config.environment(Some(name.as_str()))?;
        }
        environments.push(app.name.clone());
        Powers::in_environments(create.role, &environments)
    };
    let wanted = WantedToken {
        label: create.label,
        owner: create.owner.unwrap_or_else(|| create.by.clone()),
        powers: powers.only(create.only),
        days: create.days,
        by: create.by,
    };
    let may = wanted.powers.to_string();
    let made = app.access()?.make_token(wanted).await?;
    let made = made.map_err(anyhow::Error::msg)?;
    if globals.json {
        Globals::print_json(&serde_json::json!({
            "token": made.secret,
            "id": made.id,
            "may": may,
            "expires_at": made.expires_at,
        }))?;
        return Ok(ExitStatus::Success);
    }
    say!("{}", made.secret);
    say!();
    say!(
        "This is token {}, {may}, until {}. It is not shown again: keep it where secrets are kept,",
        made.id,
        made.expires_at.format("%Y-%m-%d %H:%M UTC")
    );
    say!("and send it as `authorization: Bearer TOKEN`.");
    if app.config.access.is_none() {
        say!("The settings have no section `access`, so nobody has to show one yet.");
    }
    Ok(ExitStatus::Success)
}

async fn list(globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    let (tokens, now) = (app.access()?.tokens().await?, (app.clock)());
    if globals.json {
        let told: Vec<_> = tokens.iter().map(Token::told).collect();
        Globals::print_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    if tokens.is_empty() {
        say!("There are no tokens.");
        return Ok(ExitStatus::Success);
    }
    let mut table = table::table(&[
        "token",
        "label",
        "for",
        "may",
        "until",
        "last used",
        "state",
    ]);
    for token in tokens {
        let state = match token_stands(token.expires_at, token.revoked_at, now) {
            Ok(()) => "good".to_owned(),
            Err(crate::access::Spent::Expired(_)) => "expired".to_owned(),
            Err(crate::access::Spent::Revoked) => {
                format!("revoked by {}", token.revoked_by.unwrap_or_default())
            }
        };
        let used = token
            .used_at
            .map(|at| at.format("%Y-%m-%d %H:%M").to_string());
        table.add_row([
            token.id,
            token.label,
            token.owner,
            token.powers.to_string(),
            token.expires_at.format("%Y-%m-%d").to_string(),
            used.unwrap_or_else(|| "never".to_owned()),
            state,
        ]);
    }
    table::print(&table);
    Ok(ExitStatus::Success)
}

async fn take_back(revoke: Revoke, globals: &Globals) -> anyhow::Result<ExitStatus> {
    let app = globals.app().await?;
    anyhow::ensure!(
        !revoke.by.trim().is_empty(),
        "`--by` names nobody; write who takes the token back"
    );
    let access = app.access()?;
    let revoked = access.revoke_token(&revoke.id, &revoke.by, &revoke.reason);
    anyhow::ensure!(
        revoked.await?,
        "no token `{}` counts; `switchyard token list` lists them",
        revoke.id
    );
    globals.tell(format_args!("Token {} is revoked.", revoke.id));
    Ok(ExitStatus::Success)
}
