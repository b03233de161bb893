//! Streams of snapshots, for those who watch runs.
//!
//! However many listen to the same thing, one watcher looks about once a second, and only while
//! somebody listens. A listener that is slow misses snapshots in between, never the newest.

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::api::runs::RunList;
use crate::{access::Reach, controller::Shadow, model::RunId};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// What can be listened to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// The newest runs of these environments.
    Runs(Reach),
    /// One run.
    Run(RunId),
    /// The runs that serve somebody, and when they told something last.
    Serving,
}

/// What was seen last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    /// None before the first look.
    pub json: Option<Arc<str>>,
    /// Nothing more will come.
    pub is_last: bool,
}

/// All watchers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Events {
    shadow: Shadow,
    shutdown: CancellationToken,
    watchers: Arc<Mutex<HashMap<Topic, watch::Sender<Snapshot>>>>,
}

impl Events {
    pub(super) fn new(shadow: Shadow, shutdown: CancellationToken) -> Self {
        Self {
            shadow,
            shutdown,
            watchers: Arc::default(),
        }
    }

    /// Answers with `snapshot` events, the first at once, and an `end` event when nothing more
    /// will come. A stream that stops without one is worth asking for again.
    pub(super) fn answer(&self, topic: Topic) -> Response {
        let listener = Listener::Listens(self.listen(topic), self.shutdown.clone());
        Sse::new(events(listener))
            .keep_alive(KeepAlive::default())
            .into_response()
    }

    /// What is seen, as it is seen.
    pub(super) fn listen(&self, topic: Topic) -> watch::Receiver<Snapshot> {
        match self.watchers().entry(topic) {
            Entry::Occupied(watcher) => {
                let mut receiver = watcher.get().subscribe();
                // What was seen before is news to this listener.
                receiver.mark_changed();
                receiver
            }
            Entry::Vacant(free) => {
                let (sender, receiver) = watch::channel(Snapshot::default());
                let topic = free.key().clone();
                tokio::spawn(self.clone().watch(topic, sender.clone()));
                free.insert(sender);
                receiver
            }
        }
    }

    /// Looks until nobody listens, nothing more will come, or the program stops.
    async fn watch(self, topic: Topic, sender: watch::Sender<Snapshot>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_well = true;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = sender.closed() => if self.leave(&topic, &sender) { return },
                _ = ticks.tick() => {
                    let looked = self.look(&topic).await;
                    if let Err(error) = &looked && was_well {
                        warn!("cannot tell listeners of runs, trying again: {error:#}");
                    }
                    was_well = looked.is_ok();
                    let Ok(seen) = looked else { continue };
                    let is_last = seen.is_last;
                    if is_last {
                        self.watchers().remove(&topic);
                    }
                    sender.send_if_modified(|last| {
                        let is_new = *last != seen;
                        *last = seen;
                        is_new
                    });
                    if is_last {
                        return;
                    }
                }
            }
        }
    }

    /// Forgets a watcher, unless somebody began to listen just now.
    fn leave(&self, topic: &Topic, sender: &watch::Sender<Snapshot>) -> bool {
        let mut watchers = self.watchers();
        let nobody_listens = sender.receiver_count() == 0;
        if nobody_listens {
            watchers.remove(topic);
        }
        nobody_listens
    }

    async fn look(&self, topic: &Topic) -> anyhow::Result<Snapshot> {
        match topic {
            Topic::Runs(reach) => snapshot(&RunList::newest(&self.shadow, reach).await?, false),
            Topic::Run(id) => match self.shadow.detail(id).await? {
                Some(detail) => snapshot(&detail, detail.run.is_settled()),
                None => Ok(Snapshot {
                    json: None,
                    is_last: true,
                }),
            },
            Topic::Serving => {
                let runs = self.shadow.serving().await?;
                let newest = self.shadow.store.told_last().await?;
                snapshot(&json!({ "runs": runs, "newest": newest }), false)
            }
        }
    }

    fn watchers(&self) -> MutexGuard<'_, HashMap<Topic, watch::Sender<Snapshot>>> {
        // A map is whole between its calls, so a panic elsewhere does not spoil it.
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(seen: &impl Serialize, is_last: bool) -> anyhow::Result<Snapshot> {
    Ok(Snapshot {
        json: Some(serde_json::to_string(seen)?.into()),
        is_last,
    })
}

/// How far one listener is.
enum Listener {
    Listens(watch::Receiver<Snapshot>, CancellationToken),
    /// Has heard everything but that it is over.
    HeardAll,
}

fn events(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(listener), |listener| async {
        match listener? {
            Listener::HeardAll => Some((Ok(end()), None)),
            Listener::Listens(mut receiver, shutdown) => {
                let told = tokio::select! {
                    () = shutdown.cancelled() => return None,
                    told = next(&mut receiver) => told?,
                };
                let Some(json) = told.json else {
                    return Some((Ok(end()), None));
                };
                let event = Event::default().event("snapshot").data(json);
                let rest = if told.is_last {
                    Listener::HeardAll
                } else {
                    Listener::Listens(receiver, shutdown)
                };
                Some((Ok(event), Some(rest)))
            }
        }
    })
}

/// The next snapshot worth telling; none when the watcher is gone.
pub(super) async fn next(receiver: &mut watch::Receiver<Snapshot>) -> Option<Snapshot> {
    loop {
        receiver.changed().await.ok()?;
        let seen = receiver.borrow_and_update().clone();
        if seen.json.is_some() || seen.is_last {
            return Some(seen);
        }
    }
}

fn end() -> Event {
    Event::default().event("end").data("{}")
}
