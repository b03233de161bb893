//! Stand-ins for the services outside: Daily, transcription, language model, Zulip, a customer's
//! webhook receiver and a sign-in provider, on one loopback port, each below a path of its own.
//!
//! What they answer is data (`providers/*.json` of a recorded meeting). They keep every request
//! and fail on demand, both through [`Sandbox`] and through `/_sandbox/…` over HTTP.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

mod answers;
mod control;
mod daily;
mod fault;
mod kind;
mod llm;
mod record;
mod server;
mod sign_in;
mod transcription;
mod webhook;
mod wire;
mod zulip;

pub use answers::Answers;
pub use fault::{Fault, FaultKind};
pub use record::Recorded;
pub use sign_in::{CLIENT, PEOPLE, SignInAnswers, Signing};

use server::World;

/// A service that is stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Recordings and participants.
    Daily,
    /// Words of a track.
    Transcription,
    /// Topics, title and summaries.
    Llm,
    /// Chat messages.
    Zulip,
    /// A customer's receiver.
    Webhook,
    /// Where people sign in.
    SignIn,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Daily,
        Self::Transcription,
        Self::Llm,
        Self::Zulip,
        Self::Webhook,
        Self::SignIn,
    ];

    /// The first segment of its paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Transcription => "transcription",
            Self::Llm => "llm",
            Self::Zulip => "zulip",
            Self::Webhook => "webhook",
            Self::SignIn => "oidc",
        }
    }

    /// The path a client of it is given, with the API's version where clients expect it there.
    const fn base_path(self) -> &'static str {
        match self {
            Self::Daily => "daily/v1",
            Self::Transcription => "transcription",
            Self::Llm => "llm/v1",
            Self::Zulip => "zulip",
            Self::Webhook => "webhook",
            Self::SignIn => "oidc",
        }
    }
}

/// What `switchyard sandbox` needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder with `daily.json` and its like.
    pub answers: PathBuf,
    /// The time.
    pub clock: Clock,
}

/// Tells the stand-ins the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Serves the stand-ins until `shutdown`.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    let answers = Answers::load(&settings.answers)?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("sandbox: listening on {}", settings.listen))?;
    let sandbox = Sandbox::start(answers, listener)?;
    sandbox.keep_time(settings.clock);
    shutdown.cancelled().await;
    sandbox.stop().await;
    Ok(())
}

/// Running stand-ins; they end when this is dropped.
pub struct Sandbox {
    world: World,
    root: Url,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Begins to serve on `listener`.
    pub fn start(answers: Answers, listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("sandbox: its own address")?;
        let root = Url::parse(&format!("http://{address}/")).context("sandbox: its own URL")?;
        let world = World::new(answers)?;
        let server = tokio::spawn(server::serve(world.clone(), listener));
        tracing::info!(url = %root, "sandbox serves at {root}");
        Ok(Self {
            world,
            root,
            server,
        })
    }

    /// The URL to give to a client of the service, without a slash at its end.
    pub fn url(&self, service: Service) -> Url {
        let mut url = self.root.clone();
        url.set_path(service.base_path());
        url
    }

    /// The URL of everything, which `/_sandbox` lies below.
    pub fn root(&self) -> &Url {
        &self.root
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.world.log().all()
    }

    /// The requests one service got.
    pub fn requests_to(&self, service: Service) -> Vec<Recorded> {
        self.world.log().of(service)
    }

    /// What the time is; the sign-in provider signs nobody in before it is told.
    pub fn keep_time(&self, clock: Clock) {
        self.world.keep_time(clock);
    }

    /// How the sign-in provider answers from now on.
    pub fn sign_in_answers(&self, answers: SignInAnswers) {
        self.world.sign_in_answers(answers);
    }

    /// Adds a fault; the first that fits a request decides.
    pub fn fault(&self, fault: Fault) {
        self.world.faults().add(fault);
    }

    /// Everything works again, requests that hang included.
    pub fn clear_faults(&self) {
        self.world.faults().clear();
        self.world.release();
    }

    /// Lets hanging requests go on.
    pub fn release(&self) {
        self.world.release();
    }

    /// Has a service answer by a variant of its data (`any_recording`, `silent`, `failure`,
    /// `invalid_answer`, `patch_invalid`, `post_failure`, `server_error`, `gone`), or plainly again.
    pub fn vary(&self, service: Service, variant: Option<&str>) -> anyhow::Result<()> {
        self.world.vary(service, variant)
    }

    /// Ends what is open and waits for it.
    pub async fn stop(mut self) {
        self.world.shut_down();
        // A panic in there has been printed already.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.world.shut_down();
    }
}
