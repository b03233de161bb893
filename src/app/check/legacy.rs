//! What live runs and the tap need of Reflector and of those it tells.

use super::{Finding, within};
use crate::{
    app::App,
    config::{Legacy, Secret, Tap},
    legacy::celery::{Broker, Limits, Queue, RedisLocation},
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
    if let Some(tap) = &legacy.tap {
        findings.push(within("the tap's queues", queues(legacy, tap)).await);
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

/// Whether the legacy workers take from where the tap hands on, and from nowhere before it.
async fn queues(legacy: &Legacy, tap: &Tap) -> Finding {
    const WHAT: &str = "the tap's queues";
    let Some(url) = &legacy.broker_url else {
        let found = "`legacy.tap` is set and `legacy.broker_url` is not";
        let remedy = "write Reflector's `CELERY_BROKER_URL` to `legacy.broker_url`";
        return Finding::bad(WHAT, found, remedy);
    };
    let (from, to) = (&tap.from, &tap.legacy);
    let asked = async {
        let location = RedisLocation::parse(url.expose())?;
        let broker = Broker::new(&location, legacy.key_prefix.as_str(), Limits::default())?;
        let waiting = broker.length(&Queue::new(from.as_str())?).await?;
        anyhow::Ok((waiting, broker.consumers().await?))
    };
    let (waiting, consumers) = match asked.await {
        Ok(found) => found,
        Err(error) => {
            return Finding::bad(WHAT, format!("{error:#}"), "mend Celery's broker first");
        }
    };
    let of = |queue: &str| consumers.get(queue).copied().unwrap_or_default();
    match (of(from), of(to)) {
        (0, 0) => Finding::bad(
            WHAT,
            format!("no worker answers that it takes from `{to}`"),
            format!(
                "start the legacy workers with `-Q {to}`, or ask again when they are less busy"
            ),
        ),
        (0, workers) => Finding::good(
            WHAT,
            format!("{waiting} wait on `{from}`; {workers} workers take from `{to}`"),
        ),
        (workers, _) => Finding::bad(
            WHAT,
            format!("{workers} workers take from `{from}` beside the tap, and messages past it"),
            format!("restart these workers with `-Q {to}`"),
        ),
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
