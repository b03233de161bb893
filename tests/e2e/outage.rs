//! Conductor fails while it serves: new recordings go to Celery, open ones are taken over, and nothing
//! is lost or done twice. A real Conductor of the test's own, since it is killed.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use switchyard::{
    config::Config,
    model::EnvironmentName,
    rollout::{BreakerState, Owner},
    store::{RouteRow, RouteState, Store},
};
use tempfile::TempDir;

use crate::{
    faulty::{Fault, Faulty},
    migration::{Beside, ROUTED},
    miniature::Legacy,
    program::{own_port, until},
};

/// New recordings are to start on Celery within.
const PROMISED: Duration = Duration::from_secs(30);

/// A Conductor run by `scripts/conductor`.
pub struct Conductor {
    pub port: u16,
    state: TempDir,
    more: String,
}

impl Conductor {
    /// None where the tests know of none; the test is then skipped, aloud.
    async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    /// With more properties.
    pub async fn start_with(more: &str) -> Option<Self> {
        if std::env::var("SWITCHYARD_OUTAGES").is_err() {
            eprintln!("skipped: set SWITCHYARD_OUTAGES to let a Conductor fail in every way");
            return None;
        }
        if std::env::var("SWITCHYARD_TEST_CONDUCTOR").is_err() {
            eprintln!(
                "skipped: SWITCHYARD_TEST_CONDUCTOR names no server, so there may be no Java"
            );
            return None;
        }
        let conductor = Self {
            port: own_port(),
            state: tempfile::tempdir().expect("a folder"),
            more: more.to_owned(),
        };
        // The jar is large: the one that was fetched before does.
        let jar = "conductor-server-3.15.0-boot.jar";
        let fetched = root().join("target/conductor").join(jar);
        if fetched.exists() {
            let link = conductor.state.path().join(jar);
            std::os::unix::fs::symlink(fetched, link).expect("a link");
        }
        conductor.resume().await;
        Some(conductor)
    }

    /// Starts it with nothing in its memory.
    pub async fn resume(&self) {
        let started = self.script("start").await;
        assert!(started, "Conductor does not start");
    }

    async fn script(&self, what: &str) -> bool {
        let script = root().join("scripts/conductor");
        let mut command = tokio::process::Command::new(script);
        command
            .arg(what)
            .env("SWITCHYARD_STATE", self.state.path())
            .env("SWITCHYARD_CONDUCTOR_PORT", self.port.to_string())
            .env("SWITCHYARD_CONDUCTOR_MORE", &self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.status().await.expect("the script runs").success()
    }

    /// Sends a signal: `STOP`, `CONT` or `KILL`.
    pub fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.state.path().join("pid")).expect("it runs");
        let sent = std::process::Command::new("kill")
            .args([&format!("-{signal}"), pid.trim()])
            .status();
        assert!(sent.expect("there is such a program").success());
    }
}

impl Drop for Conductor {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.state.path().join("pid")) {
            let killed = std::process::Command::new("kill")
                .args(["-9", pid.trim()])
                .stderr(Stdio::null())
                .status();
            drop(killed);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Everything there is.
pub struct Story {
    pub legacy: Legacy,
    pub beside: Beside,
    pub store: Store,
    pub conductor: Conductor,
    proxy: Faulty,
    recordings: u32,
    opened: usize,
}

impl Story {
    /// In cutover.
    async fn begin() -> Option<Self> {
        let story = Self::set_up("").await?;
        story.beside.go("cutover").await;
        Some(story)
    }

    /// Where a migration begins, with more settings.
    pub async fn set_up(settings: &str) -> Option<Self> {
        let conductor = Conductor::start().await?;
        let legacy = Legacy::up("base", &[("LEGACY_TASK_ROUTES", ROUTED)]).await?;
        let target = format!("http://127.0.0.1:{}", conductor.port);
        let (proxy, url) = Faulty::before(&target).await;
        let stand_ins = legacy.place.sandbox.clone();
        let beside = Beside::with(&legacy, |site| {
            let engine = format!(
                "conductor.url = \"http://127.0.0.1:{}/api\"",
                site.engine_port
            );
            // Short, so that the test need not wait for hours; in the proportions of the defaults.
            let health = "health = { every_s = 2, timeout_s = 2, canary_s = 5, confirm_s = 5, \
                          cool_down_s = 10, good_looks = 3, steady_s = 6, drain_s = 10 }";
            site.change(
                &engine,
                &format!(
                    "conductor = {{ url = \"{url}/api\", timeout_s = 3 }}\n{health}\n{settings}"
                ),
            );
            site.change("legacy = \"celery\"", "legacy = \"pipelines\"");
            // Both pipelines need the same services.
            for service in ["daily/v1", "transcription", "llm/v1"] {
                site.change(
                    &format!("http://127.0.0.1:{}/{service}", site.sandbox_port),
                    &format!("{stand_ins}/{service}"),
                );
            }
        })
        .await;
        beside.is_watched().await;
        // One pipeline at a time: of two at once PostgreSQL may abort one, which then ends in `error`. What
        // Daily tells need not wait for that.
        legacy.worker(&["-Q", "pipelines", "--concurrency=1"]).await;
        legacy.worker(&["-Q", "celery"]).await;
        Some(Self {
            store: beside.store().await,
            legacy,
            beside,
            conductor,
            proxy,
            recordings: 0,
            opened: 0,
        })
    }

    /// Daily tells of a recording; what it is called.
    pub async fn arrives(&mut self) -> String {
        self.recordings += 1;
        let name = format!("00000000-0000-4000-8000-{:012}", self.recordings);
        self.legacy.daily_webhook_of(&name).await;
        name
    }

    pub async fn route_of(&self, recording: &str) -> RouteRow {
        until("the recording is routed", async || {
            let environment = EnvironmentName::new("test");
            let routes = self.store.recent_routes(&environment, 100).await;
            let mut routes = routes.expect("a read").into_iter();
            routes.find(|route| {
                route
                    .recording_id
                    .as_ref()
                    .is_some_and(|id| id.as_str() == recording)
            })
        })
        .await
    }

    /// Waits until Celery serves it, whoever was to.
    async fn is_served_by_celery(&self, recording: &str) {
        until("Celery serves the recording", async || {
            let route = self.route_of(recording).await;
            if route.owner == Owner::Control {
                return Some(());
            }
            let owned = self.store.ownership(
                &route.environment,
                &route.flag,
                route.recording_id.as_ref()?,
            );
            let (ownership, _) = owned.await.expect("a read")?;
            (ownership.owner == Owner::Control).then_some(())
        })
        .await;
    }

    /// Waits until the candidate is at it.
    async fn is_under_way(&self, recording: &str) {
        until("the candidate is at the recording", async || {
            let run = self.route_of(recording).await.run_id?;
            let attempts = self.store.attempts(&run).await.expect("a read");
            let at_it = attempts
                .iter()
                .any(|attempt| attempt.task_name == "pad_track");
            at_it.then_some(())
        })
        .await;
    }

    async fn breaker(&self) -> BreakerState {
        let row = self.store.breaker(&EnvironmentName::new("test")).await;
        row.expect("a read").expect("it is watched").breaker.state
    }

    async fn until_breaker(&self, state: BreakerState) {
        until(&format!("the breaker is {state}"), async || {
            (self.breaker().await == state).then_some(())
        })
        .await;
    }

    /// Waits until nobody is at anything. The legacy takes its time on a busy machine, and what Daily
    /// tells waits behind that.
    pub async fn nothing_is_left(&self) {
        let is_so = async || {
            let environment = EnvironmentName::new("test");
            let routes = self.store.recent_routes(&environment, 100).await;
            let all = routes.expect("a read");
            let over = all.iter().all(|route| route.state == RouteState::Over);
            over && self.legacy.queue("pipelines").await.is_empty()
                && self.legacy.queue("celery").await.is_empty()
        };
        self.legacy.until("nothing is left to do", is_so).await;
    }

    /// Something breaks while one recording is under way; two more arrive, one before anybody can have
    /// noticed and one when somebody has.
    pub async fn breaks(&mut self, what: &str, break_it: impl FnOnce(&Self)) {
        self.nothing_is_left().await;
        let open = self.arrives().await;
        self.is_under_way(&open).await;
        let began = Instant::now();
        break_it(self);
        let early = self.arrives().await;
        until("there is a bad sign", async || {
            (self.breaker().await != BreakerState::Closed).then_some(())
        })
        .await;
        let sign = Instant::now();
        let late = self.arrives().await;
        let route = self.route_of(&late).await;
        let routed = sign.elapsed();
        assert_eq!(route.owner, Owner::Control, "{what}: {}", route.reason);
        self.is_served_by_celery(&early).await;
        let rerouted = sign.elapsed();
        self.is_served_by_celery(&open).await;
        let taken_over = sign.elapsed();
        println!(
            "{what}: first bad sign after {:.1} s; after that, a new recording started on Celery within {:.1} s, \
             one that came before within {:.1} s, the open one was taken over within {:.1} s",
            (sign - began).as_secs_f64(),
            routed.as_secs_f64(),
            rerouted.as_secs_f64(),
            taken_over.as_secs_f64(),
        );
        assert!(sign - began < PROMISED && routed < PROMISED && rerouted < PROMISED);
        self.opened += 1;
        let opened = if self.opened.is_multiple_of(3) {
            BreakerState::Latched
        } else {
            BreakerState::Open
        };
        assert_eq!(self.breaker().await, opened, "{what}");
    }

    /// It is well again: the breaker closes step by step, or by a person where it is latched.
    pub async fn recovers(&mut self, what: &str) {
        if self.breaker().await == BreakerState::Latched {
            let words = ["health", "close", "--by", "ops", "--reason", "it is mended"];
            // Refused until a look has found nothing wrong.
            until("a person closes the breaker", async || {
                let closing = self.beside.program(&words).ended().await;
                (closing.code == Some(0)).then_some(())
            })
            .await;
        }
        self.until_breaker(BreakerState::Closed).await;
        let environment = EnvironmentName::new("test");
        let trail = self
            .store
            .recent_audit(&environment, &Config::flag(), 8)
            .await;
        let mut states: Vec<_> = trail
            .expect("a read")
            .into_iter()
            .filter(|sealed| sealed.entry.action == "breaker")
            .map(|sealed| sealed.entry.after)
            .take_while(|state| state != "open" && state != "latched")
            .collect();
        states.reverse();
        println!("{what}: then {}", states.join(", "));
        let steps = [
            "half_open",
            "recovering",
            "recovering",
            "recovering",
            "closed",
        ];
        assert!(
            states == steps || states == ["closed"],
            "{what}: {states:?}"
        );
    }

    /// Everything that came was served, once.
    pub async fn everything_was_served_once(&self) {
        let count = usize::try_from(self.recordings).expect("it is small");
        let all_ended = async || {
            let rows = self.legacy.rows().await;
            let transcripts = rows["transcript"].as_array().expect("rows");
            let ended = transcripts.iter().filter(|row| row["status"] == "ended");
            ended.count() >= count
        };
        self.legacy
            .until("every transcript is ended", all_ended)
            .await;
        until("every webhook and post was sent", async || {
            let sent = self.legacy.requests_to("webhook").await.len();
            let posted = self.legacy.requests_to("zulip").await.len();
            (sent >= count && posted >= count).then_some(())
        })
        .await;
        self.nothing_is_left().await;
        let posts = self.legacy.requests_to("zulip").await;
        let posts: Vec<_> = posts.iter().map(|post| &post["method"]).collect();
        assert_eq!(posts, vec!["POST"; count]);
        assert_eq!(self.legacy.requests_to("webhook").await.len(), count);
        println!("{count} recordings came, {count} were served, each once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conductor_that_is_halted_or_killed_costs_no_recording_and_doubles_none() {
    let Some(mut story) = Story::begin().await else {
        return;
    };
    story
        .breaks("SIGSTOP", |story| story.conductor.signal("STOP"))
        .await;
    story.conductor.signal("CONT");
    story.recovers("SIGSTOP").await;

    story
        .breaks("SIGKILL", |story| story.conductor.signal("KILL"))
        .await;
    story.conductor.resume().await;
    story.recovers("SIGKILL").await;

    let last = story.arrives().await;
    let route = story.route_of(&last).await;
    assert_eq!(route.owner, Owner::Candidate, "{}", route.reason);
    story.everything_was_served_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_delays_resets_or_answers_garbage_costs_no_recording_and_doubles_none() {
    let Some(mut story) = Story::begin().await else {
        return;
    };
    for fault in [Fault::Nonsense, Fault::Delays, Fault::Resets] {
        let what = format!("{fault:?}");
        story.breaks(&what, |story| story.proxy.fails(fault)).await;
        story.proxy.fails(Fault::None);
        story.recovers(&what).await;
    }
    story.everything_was_served_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_language_model_that_is_down_makes_nothing_fail_over_and_is_named() {
    let Some(mut story) = Story::begin().await else {
        return;
    };
    let open = story.arrives().await;
    story.is_under_way(&open).await;
    let fault = json!({ "service": "llm", "kind": "status", "status": 503 });
    story.legacy.fault(&fault).await;
    let health = until("the reason is named", async || {
        let health = story.beside.json(&["health"]).await;
        health["holding"].is_string().then_some(health)
    })
    .await;
    println!("health says: {}", health["holding"]);
    let holding = health["holding"].as_str().expect("a text");
    assert!(holding.starts_with("language model: "), "{holding}");
    assert_eq!(health["state"], "closed");
    let waiting = story.arrives().await;
    let route = story.route_of(&waiting).await;
    assert_eq!(route.owner, Owner::Candidate, "{}", route.reason);

    // Long enough for the breaker to have opened, and for live runs to have been given back.
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(story.breaker().await, BreakerState::Closed);
    assert_eq!(story.route_of(&waiting).await.run_id, None);
    let url = format!("{}/_sandbox/faults", story.legacy.place.sandbox);
    let cleared = reqwest::Client::new().delete(url).send().await;
    assert!(cleared.expect("an answer").status().is_success());
    story.everything_was_served_once().await;
    for recording in [open, waiting] {
        assert_eq!(story.route_of(&recording).await.owner, Owner::Candidate);
    }
}
