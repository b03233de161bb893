//! The stream that tells when flags may have other values: another phase, other rules, another day.
//!
//! However many listen, one watcher looks, some times a second, and only while somebody listens.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::controller::intake::Intake;

/// How often is looked: whoever listens knows of a flip within a second.
const EVERY: Duration = Duration::from_millis(250);

/// What flags are evaluated by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Configuration {
    tag: String,
    /// Seconds since the epoch; none where nothing was ever changed.
    changed_at: Option<i64>,
}

type Seen = Option<Configuration>;

/// The watcher, while there is one. Cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Changes {
    intake: Intake,
    shutdown: CancellationToken,
    watcher: Arc<Mutex<Option<watch::Sender<Seen>>>>,
}

impl Changes {
    pub(in crate::http) fn new(intake: Intake, shutdown: CancellationToken) -> Self {
        Self {
            intake,
            shutdown,
            watcher: Arc::default(),
        }
    }

    /// Answers with an event for each configuration that differs from the last one known; none known,
    /// from the one there is now.
    pub(super) fn answer(&self, known: Option<&str>) -> Response {
        let listener = Listener {
            receiver: self.listen(),
            shutdown: self.shutdown.clone(),
            known: known.map(str::to_owned),
        };
        Sse::new(events(listener))
            .keep_alive(KeepAlive::default())
            .into_response()
    }

    fn listen(&self) -> watch::Receiver<Seen> {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*watcher {
            let mut receiver = sender.subscribe();
            // What was seen before is news to this listener.
            receiver.mark_changed();
            return receiver;
        }
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(self.clone().watch(sender.clone()));
        *watcher = Some(sender);
        receiver
    }

    /// Looks until nobody listens or the program stops.
    async fn watch(self, sender: watch::Sender<Seen>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_well = true;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = sender.closed() => if self.leave(&sender) { return },
                _ = ticks.tick() => {}
            }
            let looked = self.look().await;
            if let Err(error) = &looked
                && was_well
            {
                warn!("cannot tell listeners of flags, trying again: {error:#}");
            }
            was_well = looked.is_ok();
            if let Ok(seen) = looked {
                sender.send_if_modified(|last| {
                    let is_new = last.as_ref() != Some(&seen);
                    *last = Some(seen);
                    is_new
                });
            }
        }
    }

    /// Forgets the watcher, unless somebody began to listen just now.
    fn leave(&self, sender: &watch::Sender<Seen>) -> bool {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody_listens = sender.receiver_count() == 0;
        if nobody_listens {
            *watcher = None;
        }
        nobody_listens
    }

    async fn look(&self) -> anyhow::Result<Configuration> {
        let intake = &self.intake;
        let now = (intake.clock)();
        let standing = intake
            .store
            .standing(&intake.environment, &intake.flag, now)
            .await?;
        Ok(Configuration {
            tag: standing.configuration(),
            changed_at: standing.changed_at().map(|at| at.timestamp()),
        })
    }
}

struct Listener {
    receiver: watch::Receiver<Seen>,
    shutdown: CancellationToken,
    known: Option<String>,
}

fn events(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listener, |mut listener| async {
        loop {
            tokio::select! {
                () = listener.shutdown.cancelled() => return None,
                changed = listener.receiver.changed() => changed.ok()?,
            }
            let Some(seen) = listener.receiver.borrow_and_update().clone() else {
                continue;
            };
            let known = listener.known.replace(seen.tag.clone());
            if known.is_some_and(|known| known != seen.tag) {
                return Some((Ok(event(&seen)), listener));
            }
        }
    })
}

fn event(seen: &Configuration) -> Event {
    let mut told = json!({ "type": "refetchEvaluation", "etag": format!("\"{}\"", seen.tag) });
    if let Some(changed_at) = seen.changed_at {
        told["lastModified"] = changed_at.into();
    }
    // Every event is called so: listeners go by its `type`.
    let event = Event::default().event("message").id(&seen.tag);
    event.data(told.to_string())
}
