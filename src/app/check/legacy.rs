//! What live runs and the tap need of Reflector and of those it tells.

use super::{Finding, within};
use crate::{
    app::App,
    config::Secret,
    legacy::celery::{Broker, Limits, RedisLocation},
};

/// Everything the settings name of it.
pub(super) async fn all(app: &App) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(legacy) = &app.environment.legacy else {
        return findings;
    };
    findings.push(within("Reflector's database", reflector(app)).await);
    if let Some(url) = &legacy.broker_url {
        findings.push(within("Celery's broker", broker(url)).await);
    }
    if legacy.redis_url.is_some() {
        findings.push(within("Reflector's Redis", redis(app)).await);
    }
    if app.environment.zulip.is_some() {
        findings.push(within("Zulip", zulip(app)).await);
    }
    findings.extend(data_dir(app));
    findings
}

async fn reflector(app: &App) -> Finding {
    const WHAT: &str = "Reflector's database";
    let remedy = "check `legacy.database_url`";
    let found = match app.reflector() {
        Ok(reflector) => reflector.check().await,
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), remedy),
    };
    match found {
        Ok(found) if found.faults.is_empty() && found.may_write => {
            Finding::good(WHAT, "it can be read, and written in cutover")
        }
        Ok(found) if found.faults.is_empty() => Finding::good(
            WHAT,
            "it can be read; cutover wants a role that may also update `transcript` and `recording`",
        ),
        Ok(found) => {
            let faults: Vec<_> = found.faults.iter().map(ToString::to_string).collect();
            Finding::bad(WHAT, faults.join("; "), "mend what is named")
        }
        Err(error) => Finding::bad(WHAT, error, remedy),
    }
}

async fn broker(url: &Secret) -> Finding {
    const WHAT: &str = "Celery's broker";
    let remedy = "start Redis, or change `legacy.broker_url`";
    let location = match RedisLocation::parse(url.expose()) {
        Ok(location) => location,
        Err(error) => return Finding::bad(WHAT, error, remedy),
    };
    let asked = async { Broker::new(&location, "", Limits::default())?.ping().await };
    match asked.await {
        Ok(()) => Finding::good(WHAT, "it answers"),
        Err(error) => Finding::bad(WHAT, error, remedy),
    }
}

async fn redis(app: &App) -> Finding {
    const WHAT: &str = "Reflector's Redis";
    let remedy = "start Redis, or change `legacy.redis_url`";
    let publisher = match app.publisher() {
        Ok(Some(publisher)) => publisher,
        Ok(None) => return Finding::good(WHAT, "none is named"),
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), remedy),
    };
    match publisher.ping().await {
        Ok(()) => Finding::good(WHAT, "it answers"),
        Err(error) => Finding::bad(WHAT, error, remedy),
    }
}

async fn zulip(app: &App) -> Finding {
    const WHAT: &str = "Zulip";
    let bot = match app.zulip() {
        Ok(Some(bot)) => bot,
        Ok(None) => {
            return Finding::bad(
                WHAT,
                "a bot is named, and no host to find it at",
                "write `reflector.zulip_realm`",
            );
        }
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), "change `zulip`"),
    };
    match bot.reach().await {
        Ok(()) => Finding::good(WHAT, "it takes the bot's key"),
        Err(error) => Finding::bad(
            WHAT,
            error,
            "check `reflector.zulip_realm`, `zulip.email` and `zulip.api_key`",
        ),
    }
}

fn data_dir(app: &App) -> Option<Finding> {
    const WHAT: &str = "Reflector's data folder";
    let folder = app.environment.reflector.data_dir.as_ref()?;
    Some(if folder.is_dir() {
        Finding::good(WHAT, "it is there")
    } else {
        Finding::bad(
            WHAT,
            format!("`{}` is not there", folder.display()),
            "mount it, or change `reflector.data_dir`",
        )
    })
}
