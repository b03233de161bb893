//! Looking at Conductor, layer by layer: each look asks for more than the one before, so that what
//! answers well and does nothing is seen all the same.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::canary;
use crate::{
    conductor::{Client, Error, definitions, wire::PollData},
    controller::register::register,
    model::{HealthLimits, TaskName},
    rollout::{Layer, Probe},
};

/// Asks within a time.
pub(super) async fn within<E: std::fmt::Display>(
    name: &'static str,
    layer: Layer,
    seconds: i64,
    asking: impl Future<Output = Result<String, E>>,
) -> Probe {
    let patience = Duration::from_secs(seconds.unsigned_abs());
    let found = match tokio::time::timeout(patience, asking).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!("no answer within {seconds} s")),
    };
    Probe { name, layer, found }
}

/// Everything about Conductor that it can be asked itself.
pub(super) async fn conductor(
    client: &Client,
    holder: &str,
    limits: &HealthLimits,
    now: DateTime<Utc>,
) -> (Vec<Probe>, Option<Vec<PollData>>) {
    let ask = |name, asking| within(name, Layer::Conductor, limits.timeout_s, asking);
    let polls = async {
        let patience = Duration::from_secs(limits.timeout_s.unsigned_abs());
        tokio::time::timeout(patience, client.all_poll_data()).await
    };
    let canary = async {
        let patience = Duration::from_secs(limits.canary_s.unsigned_abs());
        let found = match tokio::time::timeout(patience, canary::fly(client, holder, now)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(format!("a workflow did not go through: {error:#}")),
            Err(_) => Err(format!(
                "a workflow did not go through within {} s",
                limits.canary_s
            )),
        };
        Probe {
            name: "canary",
            layer: Layer::Conductor,
            found,
        }
    };
    let (server, definitions, queues, canary, polls) = tokio::join!(
        ask("server", boxed(server(client))),
        ask("definitions", boxed(defined(client))),
        ask("queues", boxed(queues(client))),
        canary,
        polls,
    );
    let mut probes = vec![server, definitions, queues, canary];
    let polls = match polls {
        Ok(Ok(polls)) => Some(polls),
        Ok(Err(error)) => {
            probes.push(workers(Err(error.to_string())));
            None
        }
        Err(_) => {
            let found = format!("no answer within {} s", limits.timeout_s);
            probes.push(workers(Err(found)));
            None
        }
    };
    (probes, polls)
}

type Asking<'a> = std::pin::Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

fn boxed<'a>(asking: impl Future<Output = Result<String, String>> + Send + 'a) -> Asking<'a> {
    Box::pin(asking)
}

async fn server(client: &Client) -> Result<String, String> {
    let health = client.health().await.map_err(|error| error.to_string())?;
    if health.healthy {
        Ok("it answers".to_owned())
    } else {
        Err("it says that it is not healthy".to_owned())
    }
}

/// A server that kept its definitions in memory and was started anew has none: it gets them again.
async fn defined(client: &Client) -> Result<String, String> {
    let workflow = definitions::workflow();
    let name = &workflow.name;
    match client.workflow_def(name, Some(workflow.version)).await {
        Ok(theirs) if theirs.name == *name && theirs.tasks.len() == workflow.tasks.len() => {
            Ok(format!("workflow `{name}` is registered"))
        }
        Ok(_) => Err(format!(
            "asked for workflow `{name}`, it answers with another; run `switchyard register`"
        )),
        Err(Error::NotFound { .. }) => match register(client).await {
            Ok(_) => Err(format!(
                "it did not know workflow `{name}`, which is registered again"
            )),
            Err(error) => Err(format!("it does not know workflow `{name}`: {error:#}")),
        },
        Err(error) => Err(error.to_string()),
    }
}

async fn queues(client: &Client) -> Result<String, String> {
    let kinds = TaskName::ALL.map(TaskName::as_str);
    let sizes = client.queue_sizes(&kinds).await;
    let sizes = sizes.map_err(|error| error.to_string())?;
    if let Some(kind) = kinds.iter().find(|kind| !sizes.contains_key(**kind)) {
        return Err(format!("it does not tell how long queue `{kind}` is"));
    }
    let waiting: i64 = kinds.iter().filter_map(|kind| sizes.get(*kind)).sum();
    Ok(format!("{waiting} tasks wait"))
}

/// What is found of the workers.
pub(super) const fn workers(found: Result<String, String>) -> Probe {
    Probe {
        name: "workers",
        layer: Layer::Conductor,
        found,
    }
}

/// Since when each task kind is missed: a kind that nobody asked for yet gets as long as one that
/// was asked for just now.
pub(super) type Missed = BTreeMap<TaskName, DateTime<Utc>>;

/// Whether every task kind was asked for lately. The server's own clock counts: the canary's task
/// was asked for just now.
pub(super) fn idle(
    polls: &[PollData],
    missed: &mut Missed,
    limits: &HealthLimits,
    now: DateTime<Utc>,
) -> Probe {
    let last = |kind: &str| {
        let of_kind = polls.iter().filter(|poll| poll.queue_name == kind);
        of_kind.map(|poll| poll.last_poll_time).max()
    };
    let server_now = last(canary::NAME).unwrap_or(now.timestamp_millis());
    let patience = TimeDelta::seconds(limits.polled_s);
    let mut silent = Vec::new();
    for kind in TaskName::ALL {
        let age = match last(kind.as_str()) {
            Some(at) => {
                missed.remove(&kind);
                TimeDelta::milliseconds(server_now - at)
            }
            None => now - *missed.entry(kind).or_insert(now),
        };
        if age > patience {
            silent.push(kind.as_str());
        }
    }
    workers(match silent.as_slice() {
        [] => Ok("every task kind is asked for".to_owned()),
        kinds => Err(format!(
            "nobody asked for {} within {} s; start `switchyard worker`",
            kinds.join(", "),
            limits.polled_s
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(kind: &str, at: DateTime<Utc>) -> PollData {
        PollData {
            queue_name: kind.to_owned(),
            last_poll_time: at.timestamp_millis(),
            ..PollData::default()
        }
    }

    fn all_but(kind: TaskName, at: DateTime<Utc>) -> Vec<PollData> {
        let others = TaskName::ALL.into_iter().filter(|other| *other != kind);
        let mut polls: Vec<_> = others.map(|other| poll(other.as_str(), at)).collect();
        polls.push(poll(canary::NAME, at));
        polls
    }

    #[test]
    fn a_kind_that_nobody_asks_for_is_missed_after_a_while() {
        let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
        let at = |seconds| noon + TimeDelta::seconds(seconds);
        let limits = HealthLimits::default();
        let kind = TaskName::Finalize;
        let mut missed = Missed::new();
        for (seconds, ok) in [(0, true), (60, true), (61, false)] {
            let polls = all_but(kind, at(seconds));
            let probe = idle(&polls, &mut missed, &limits, at(seconds));
            assert_eq!(probe.found.is_ok(), ok, "{probe:?}");
        }
        let mut polls = all_but(kind, at(100));
        polls.push(poll(kind.as_str(), at(30)));
        let probe = idle(&polls, &mut missed, &limits, at(100));
        let found = probe.found.unwrap_err();
        assert!(
            found.starts_with("nobody asked for finalize within 60 s"),
            "{found}"
        );
    }

    #[test]
    fn a_server_whose_clock_is_wrong_is_asked_by_its_own() {
        let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
        let polls = all_but(TaskName::Finalize, noon - TimeDelta::hours(2));
        let mut missed = Missed::new();
        let probe = idle(&polls, &mut missed, &HealthLimits::default(), noon);
        assert!(probe.found.is_ok(), "{probe:?}");
    }
}
