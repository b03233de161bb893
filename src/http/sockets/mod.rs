//! WebSockets: what runs tell, as Reflector's dictionary has it, for whoever shows it to users.
//!
//! Events are read from our database by each listener for itself, from where it is: whoever reads slowly
//! costs no memory, and is let go. How far open runs are is told beside, as it changes.

mod frames;
mod log;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, MissedTickBehavior, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Error,
    caller::left_of,
    events::{Events, Snapshot, Topic, next},
};
use crate::{
    access::{Action, Caller, Reach},
    controller::{Clock, Shadow},
    model::{RunId, TranscriptId},
    store::Store,
};
use frames::Frames;
use log::Log;

pub(super) use log::{from_id, mark_of};

/// How patient sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a listener is asked whether it is still there.
    pub heartbeat: Duration,
    /// How long it may take to take what it is told.
    pub sending: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(20),
            sending: Duration::from_secs(10),
        }
    }
}

/// How many listen at once.
const AT_MOST: usize = 256;

/// How long somebody may take to hear why the socket is closed.
const FAREWELL: Duration = Duration::from_secs(30);

/// The longest message that is read: nothing is read but signs of life.
const LONGEST_MESSAGE: usize = 4096;

/// The subprotocol under which browsers send a token, as Reflector's own sockets take it.
pub(super) const BEARER: &str = "bearer";

/// All sockets. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sockets {
    events: Events,
    store: Store,
    clock: Clock,
    shutdown: CancellationToken,
    patience: Patience,
    places: Arc<Semaphore>,
}

/// What is listened to.
pub(super) enum Wanted {
    /// One run, whatever it is, and what it makes.
    Run(RunId, TranscriptId),
    /// All runs that serve somebody.
    Serving,
}

/// One listener.
struct Listener {
    wanted: Wanted,
    /// Where they may see runs.
    sees: Reach,
    /// Where they may read what was said in meetings.
    reads: Reach,
    log: Log,
    frames: Frames,
}

/// Why a socket is closed, and what to do about it.
type Goodbye = (u16, &'static str);

const OVER: Goodbye = (close_code::NORMAL, "the run has told everything");
const STOPS: Goodbye = (close_code::AWAY, "the server stops; connect again");
const AGAIN: Goodbye = (close_code::AWAY, "connect again, and say again who you are");
const SLOW: Goodbye = (
    close_code::AGAIN,
    "you read too slowly; connect again with last_event_id",
);
const SILENT: Goodbye = (close_code::AWAY, "you do not answer; connect again");
const MUTE: Goodbye = (
    close_code::POLICY,
    "nothing is read here; listen, and post to the API",
);
const BROKEN: Goodbye = (
    close_code::ERROR,
    "something went wrong here; connect again with last_event_id",
);

impl Sockets {
    pub(super) fn new(
        shadow: &Shadow,
        events: Events,
        shutdown: CancellationToken,
        patience: Patience,
    ) -> Self {
        Self {
            events,
            store: shadow.store.clone(),
            clock: Arc::clone(&shadow.clock),
            shutdown,
            patience,
            places: Arc::new(Semaphore::new(AT_MOST)),
        }
    }

    /// Tells somebody of what they want to hear from there on.
    pub(super) fn answer(
        &self,
        upgrade: WebSocketUpgrade,
        caller: &Caller,
        wanted: Wanted,
        after: Option<&str>,
    ) -> Result<Response, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Error::Unavailable(format!("{AT_MOST} listen already; try again later"))
        })?;
        let log = match (after, &wanted) {
            (Some(id), _) => Log::after(from_id(id)?),
            (None, Wanted::Run(..)) => Log::whole(),
            (None, Wanted::Serving) => Log::since((self.clock)()),
        };
        let listener = Listener {
            wanted,
            sees: caller.reach(Action::View),
            reads: caller.reach(Action::ReadReports),
            log,
            frames: Frames::default(),
        };
        let left = left_of(caller, (self.clock)());
        let sockets = self.clone();
        let upgrade = upgrade
            .max_message_size(LONGEST_MESSAGE)
            .max_frame_size(LONGEST_MESSAGE)
            .protocols([BEARER]);
        Ok(upgrade.on_upgrade(move |socket| sockets.serve(socket, listener, left, place)))
    }

    async fn serve(
        self,
        mut socket: WebSocket,
        mut listener: Listener,
        left: Duration,
        _place: OwnedSemaphorePermit,
    ) {
        let goodbye = self.tell(&mut socket, &mut listener, left).await;
        let Some((code, reason)) = goodbye else {
            return;
        };
        let close = Message::Close(Some(CloseFrame {
            code,
            reason: reason.into(),
        }));
        let farewell = async {
            if socket.send(close).await.is_ok() {
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        // Whoever reads nothing any more does not read this either.
        drop(timeout(FAREWELL, farewell).await);
    }

    /// Tells until there is a reason to stop; none where the listener left.
    async fn tell(
        &self,
        socket: &mut WebSocket,
        listener: &mut Listener,
        left: Duration,
    ) -> Option<Goodbye> {
        let topic = match &listener.wanted {
            Wanted::Run(id, _) => Topic::Run(id.clone()),
            Wanted::Serving => Topic::Serving,
        };
        let mut bell = self.events.listen(topic);
        let ends = sleep(left);
        tokio::pin!(ends);
        let first = Instant::now() + self.patience.heartbeat;
        let mut beats = tokio::time::interval_at(first, self.patience.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_alive = true;
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Some(STOPS),
                () = &mut ends => return Some(AGAIN),
                _ = beats.tick() => {
                    if !std::mem::take(&mut is_alive) {
                        return Some(SILENT);
                    }
                    if let Err(goodbye) = self.send(socket, Message::Ping(Vec::new().into())).await {
                        return goodbye;
                    }
                }
                heard = socket.recv() => match heard {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return None,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => is_alive = true,
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => return Some(MUTE),
                },
                seen = next(&mut bell) => {
                    let Some(seen) = seen else { return Some(STOPS) };
                    let is_over = seen.is_last;
                    if let Err(goodbye) = self.tell_news(socket, listener, &seen).await {
                        return goodbye;
                    }
                    if is_over {
                        return Some(OVER);
                    }
                }
            }
        }
    }

    /// Tells what came since the last time, events before how far runs are.
    async fn tell_news(
        &self,
        socket: &mut WebSocket,
        listener: &mut Listener,
        seen: &Snapshot,
    ) -> Result<(), Option<Goodbye>> {
        loop {
            let read = listener.log.read(&self.store, &listener.wanted).await;
            let (events, is_all) = read.map_err(|problem| {
                warn!("cannot read what runs told for those who listen: {problem:#}");
                Some(BROKEN)
            })?;
            for event in events {
                if let Some(frame) = frames::of(&event, &listener.sees, &listener.reads) {
                    self.send(socket, Message::text(frame)).await?;
                }
            }
            if is_all {
                break;
            }
        }
        if let Some(json) = &seen.json {
            let of = match &listener.wanted {
                Wanted::Run(_, transcript) => Some(transcript),
                Wanted::Serving => None,
            };
            for frame in listener.frames.moved(json, &listener.sees, of) {
                self.send(socket, Message::text(frame)).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, socket: &mut WebSocket, message: Message) -> Result<(), Option<Goodbye>> {
        match timeout(self.patience.sending, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(SLOW)),
        }
    }
}

/// What a browser sends as its second subprotocol after `bearer`, where it cannot send the header
/// `authorization`.
pub(super) fn token_of(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let (scheme, token) = sent.split_once(',')?;
    (scheme.trim() == BEARER).then(|| token.trim())
}

/// Whether a request asks for a socket.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket"))
}
