//! The proxy before the language model and the transcription service: it lets the control's requests
//! through unchanged, keeps what was answered for a while, and gives it to a shadow run that asks the
//! same of the same transcript. Differences then come from the pipeline alone, and the shadow costs
//! next to nothing.
//!
//! Control and candidate have doors of their own, `/control/…` and `/candidate/…`, and what lies
//! behind the control's knows of no kept answer: whatever happens here, the control is answered by
//! the service. Keeping is done on the side, in bounded memory; where our database does not answer,
//! or there is no room, nothing is kept.

mod candidate;
mod control;
mod cost;
mod keep;
pub mod key;
mod pass;
mod tee;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::{
    model::{EnvironmentName, SharedService, TranscriptId, is_loopback_name},
    store::Store,
};
use candidate::InVain;
use control::Redirected;
use keep::Keeper;
use tee::Room;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Who asks anew though an answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is kept and nothing reused; requests pass.
    Off,
    /// So many percent of recordings ask anew; 0 for none.
    Share {
        /// 0 to 100.
        anew_percent: u8,
    },
}

impl Mode {
    /// Whether a recording's shadow runs may get the control's answers. It is the same for all requests
    /// of a recording: half a shared run would say neither what sharing nor what asking costs.
    pub fn shares(self, transcript: &TranscriptId) -> bool {
        match self {
            Self::Off => false,
            Self::Share { anew_percent } => {
                let hash = crate::model::digest::of_text(&format!("anew\0{transcript}"));
                let draw = u64::from_str_radix(&hash[..12], 16).unwrap_or_default() % 100;
                draw >= u64::from(anew_percent)
            }
        }
    }
}

/// Everything the proxy is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose recordings these are.
    pub environment: EnvironmentName,
    /// Who asks anew.
    pub mode: Mode,
    /// Base URL of the language model's API.
    pub llm: Url,
    /// Base URL of the transcription service.
    pub transcription: Url,
    /// How long a shadow run waits at most for the control to have asked.
    pub wait: Duration,
    /// How long a shadow run's request to the model may take in all.
    pub llm_patience: Duration,
    /// How long one to the transcription service may take.
    pub transcription_patience: Duration,
    /// How long answers are kept.
    pub keep: TimeDelta,
    /// How many bytes of them.
    pub keep_bytes: i64,
}

/// How often answers that are too old are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Memory for all bodies under way.
const ROOM: usize = 128 << 20;

/// The longest body that is kept: the words of a whole day's meeting are a fraction of it.
const LONGEST: usize = 16 << 20;

/// The proxy.
#[derive(Clone)]
pub struct Sharing(Arc<Inner>);

struct Inner {
    settings: Settings,
    store: Store,
    http: reqwest::Client,
    room: Room,
    keeper: Keeper,
    redirected: Redirected,
    in_vain: InVain,
    /// Told when an answer was kept.
    kept: Arc<Notify>,
    clock: Clock,
}

impl Sharing {
    /// Has to be called on the runtime, which then keeps answers until the proxy is dropped.
    pub fn new(settings: Settings, store: Store, clock: Clock) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = pass::client().context("setting up the proxy's HTTP client")?;
        let kept = Arc::new(Notify::new());
        let keeper = Keeper::start(
            settings.environment.clone(),
            store.clone(),
            Arc::clone(&kept),
            Arc::clone(&clock),
        );
        Ok(Self(Arc::new(Inner {
            settings,
            store,
            http,
            room: Room::new(ROOM, LONGEST),
            keeper,
            redirected: Redirected::default(),
            in_vain: InVain::default(),
            kept,
            clock,
        })))
    }

    /// Serves until told to stop. What is under way then gets to its end.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let router = self.router();
        let stop = shutdown.clone();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        let (served, ()) = tokio::join!(serving.into_future(), self.sweep(shutdown));
        served.context("serving the proxy for shared answers")
    }

    /// All routes.
    pub fn router(&self) -> Router {
        Router::new().fallback(any).with_state(self.clone())
    }

    async fn sweep(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.sweep_once().await {
                warn!("cannot forget old answers of the control's, trying again: {error:#}");
            }
        }
    }

    /// Forgets what is too old or too much. How many answers.
    pub async fn sweep_once(&self) -> anyhow::Result<u64> {
        let settings = &self.0.settings;
        let now = (self.0.clock)();
        self.0
            .store
            .sweep_shared(
                &settings.environment,
                now - settings.keep,
                settings.keep_bytes,
            )
            .await
    }

    fn base(&self, service: SharedService) -> &Url {
        match service {
            SharedService::Llm => &self.0.settings.llm,
            SharedService::Transcription => &self.0.settings.transcription,
        }
    }
}

/// Whose door a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Control,
    Candidate,
}

/// The door, the service, and the path below the service's base URL, as it came.
fn place(path: &str) -> Option<(Door, SharedService, &str)> {
    let (door, below) = if let Some(below) = path.strip_prefix("/control/") {
        (Door::Control, below)
    } else {
        (Door::Candidate, path.strip_prefix("/candidate/")?)
    };
    let end = below.find('/').unwrap_or(below.len());
    let service = SharedService::parse(&below[..end])?;
    Some((door, service, &below[end..]))
}

async fn any(State(sharing): State<Sharing>, request: Request) -> Response {
    let named = request.uri().authority().cloned().or_else(|| {
        let host = request.headers().get(header::HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok()
    });
    if !named.is_some_and(|named| is_loopback_name(named.host())) {
        return told(
            StatusCode::MISDIRECTED_REQUEST,
            "only requests to `localhost`, `127.0.0.1` or `[::1]` are passed on; use one of these names",
        );
    }
    let path = request.uri().path().to_owned();
    match place(&path) {
        Some((Door::Control, service, rest)) => sharing.control(service, rest, request).await,
        Some((Door::Candidate, service, rest)) => sharing.candidate(service, rest, request).await,
        None => told(StatusCode::NOT_FOUND, DOORS),
    }
}

/// What is told whoever asks at neither door.
const DOORS: &str =
    "there are `/control/llm`, `/control/transcription` and the same below `/candidate`";

/// Whether it is this proxy that listens there; fails where nobody answers in time.
pub async fn is_proxy(address: SocketAddr, patience: Duration) -> anyhow::Result<bool> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = pass::client().context("setting up an HTTP client")?;
    let asked = http.get(format!("http://{address}/")).timeout(patience);
    let answer = asked.send().await.map_err(|error| {
        // What went wrong stands in the innermost one.
        let mut why: &dyn std::error::Error = &error;
        while let Some(source) = why.source() {
            why = source;
        }
        anyhow::anyhow!("{address}: {why}")
    })?;
    Ok(answer.text().await.is_ok_and(|text| text.contains(DOORS)))
}

/// An answer of our own, which says whose it is.
fn told(status: StatusCode, message: &str) -> Response {
    let body = json!({"error": {"message": format!("switchyard: {message}")}});
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_and_services_are_told_from_the_path_and_the_rest_is_left_as_it_is() {
        assert_eq!(
            place("/control/llm/chat/completions"),
            Some((Door::Control, SharedService::Llm, "/chat/completions"))
        );
        assert_eq!(
            place("/candidate/transcription/v1/a%2Fb"),
            Some((Door::Candidate, SharedService::Transcription, "/v1/a%2Fb"))
        );
        assert_eq!(
            place("/control/llm"),
            Some((Door::Control, SharedService::Llm, ""))
        );
        for path in [
            "/",
            "/llm/chat",
            "/control/daily/v1",
            "/control/",
            "/controlx/llm",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[test]
    fn the_share_of_recordings_that_ask_anew_is_kept_and_each_stays_what_it_is() {
        let transcripts: Vec<_> = (0..2000)
            .map(|n| TranscriptId::new(format!("transcript-{n}")))
            .collect();
        let anew = |percent| {
            let mode = Mode::Share {
                anew_percent: percent,
            };
            transcripts.iter().filter(|id| !mode.shares(id)).count()
        };
        assert_eq!((anew(0), anew(100)), (0, 2000));
        assert!((150..=250).contains(&anew(10)), "{}", anew(10));
        assert!(transcripts.iter().all(|id| !Mode::Off.shares(id)));
        let (ten, twenty) = (
            Mode::Share { anew_percent: 10 },
            Mode::Share { anew_percent: 20 },
        );
        assert!(
            transcripts
                .iter()
                .all(|id| ten.shares(id) || !twenty.shares(id))
        );
    }
}
