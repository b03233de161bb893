//! The program between Reflector and its workers: recordings come in as they come to Reflector, pass
//! the tap on a real Redis, and run on a real Celery, on the candidate, or on both.

use std::fmt::Write as _;

use serde_json::{Value, json};
use switchyard::{model::RunState, store::Store};

use crate::{
    miniature::{Except, Legacy, recorded},
    program::{PROVIDER_SECRET, Process, SECRETS, Site, until, way_to},
};

/// Sends the pipeline's messages to the queue our tap takes from.
pub const ROUTED: &str = r#"{"reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process": {"queue": "switchyard"}}"#;

/// Switchyard beside a [`Legacy`]. Stand-ins that are only read are its own; what others can see goes
/// where the legacy's goes.
pub struct Beside {
    pub site: Site,
    variables: Vec<(&'static str, String)>,
    _sandbox: Process,
    pub up: Option<Process>,
}

impl Beside {
    pub async fn start(legacy: &Legacy) -> Self {
        Self::with(legacy, |_| {}).await
    }

    /// With other settings.
    pub async fn with(legacy: &Legacy, change: impl FnOnce(&Site)) -> Self {
        let site = Site::new();
        let place = &legacy.place;
        let folder = site.path("");
        let folder = folder.display();
        let (port, objects) = (site.objects_port, &place.store);
        site.change(
            &format!("endpoint = \"http://127.0.0.1:{port}\""),
            &format!("endpoint = \"{objects}\""),
        );
        site.change(&format!("local_dir = \"{folder}objects\""), "");
        let stand_ins = &place.sandbox;
        let mut text = std::fs::read_to_string(site.path("switchyard.toml")).expect("settings");
        write!(
            text,
            r#"
            [environments.test.legacy]
            database_url = {{ env = "SITE_LEGACY_DATABASE" }}
            broker_url = {{ env = "SITE_BROKER" }}
            redis_url = {{ env = "SITE_REDIS" }}

            [environments.test.legacy.tap]
            from = "switchyard"
            legacy = "celery"

            [environments.test.zulip]
            email = "reflector-bot@zulip.example.test"
            api_key = {{ env = "SITE_LLM_KEY" }}

            [environments.test.relays]
            "zulip.example.test" = "{stand_ins}/zulip"
            "hooks.example.test" = "{stand_ins}/webhook"
            "#
        )
        .expect("it is written");
        std::fs::write(site.path("switchyard.toml"), text).expect("it is written");
        change(&site);
        let variables = vec![
            ("SITE_LEGACY_DATABASE", place.database.clone()),
            ("SITE_BROKER", place.broker.clone()),
            ("SITE_REDIS", place.redis.clone()),
            ("RUST_LOG", "trace".to_owned()),
            (PROVIDER_SECRET.0, PROVIDER_SECRET.1.to_owned()),
        ];
        let mut beside = Self {
            _sandbox: site.sandbox().await,
            site,
            variables,
            up: None,
        };
        beside.up = Some(beside.up().await);
        beside
    }

    /// Starts it again, with other settings.
    pub async fn again(&mut self, change: impl FnOnce(&Site)) {
        self.up.take().expect("it runs").kill().await;
        change(&self.site);
        self.up = Some(self.up().await);
        self.is_watched().await;
    }

    pub fn program(&self, arguments: &[&str]) -> Process {
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.site.start_with(arguments, &variables)
    }

    async fn up(&self) -> Process {
        let up = self.program(&["up"]);
        up.logs("pages and API at").await;
        up
    }

    pub async fn run(&self, arguments: &[&str]) -> String {
        self.program(arguments).ended().await.well()
    }

    /// What it says when it refuses.
    pub async fn fails(&self, arguments: &[&str]) -> String {
        self.program(arguments).ended().await.refused()
    }

    /// Waits until Conductor is relied on.
    pub async fn is_watched(&self) {
        until("the breaker is closed", async || {
            let health = self.json(&["health"]).await;
            let is_closed = health["state"] == "closed" && health["watched"] == true;
            is_closed.then_some(())
        })
        .await;
    }

    /// Moves the migration to a step, for all recordings or rooms.
    pub async fn go(&self, step: &str) {
        self.is_watched().await;
        for words in way_to(step, "100") {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            self.run(&words).await;
        }
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        self.program(&[arguments, &["--json"]].concat())
            .ended()
            .await
            .json()
    }

    pub async fn store(&self) -> Store {
        self.site.store().await
    }
}

/// Waits until the newest run has ended.
pub async fn ended(store: &Store) -> switchyard::store::Run {
    until("a run ends", async || {
        let runs = store.recent_runs(1).await.expect("a read");
        runs.into_iter().find(|run| run.state.is_final())
    })
    .await
}

/// Promise 1, on the real thing: with Switchyard in shadow everything that others can see is as
/// it is without Switchyard, byte for byte; and the two pipelines are compared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_shadow_users_get_what_they_get_without_us_and_the_two_are_compared() {
    let Some(legacy) = Legacy::up("base", &[("LEGACY_TASK_ROUTES", ROUTED)]).await else {
        return;
    };
    let beside = Beside::start(&legacy).await;
    beside.go("shadow").await;
    legacy.worker(&[]).await;
    legacy.begin_capture().await;
    legacy.daily_webhook().await;
    legacy.until_idle(&[]).await;

    let store = beside.store().await;
    let run = ended(&store).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    assert_eq!((run.phase.as_str(), run.epoch), ("shadow", None));
    let report = until("the two are compared", async || {
        store.newest_comparison(&run.id).await.expect("a read")
    })
    .await;
    assert_eq!(report.verdict, "within_noise", "{}", report.report);

    let capture = legacy.capture().await;
    let except = Except {
        // Which list a task waited on, and who read an object, is not for users to see.
        files: &["celery/.*", "s3_requests.txt"],
        keys: &["shadow/"],
    };
    let compared = capture.compare(&recorded("base"), &except).await;
    assert_eq!(compared.differences, [""; 0]);
}

/// In cutover the same recording never reaches Celery's workers, and users get what they got.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_cutover_the_candidate_serves_and_users_get_what_the_legacy_gave() {
    let Some(legacy) = Legacy::up("base", &[("LEGACY_TASK_ROUTES", ROUTED)]).await else {
        return;
    };
    let mut beside = Beside::start(&legacy).await;
    beside.go("cutover").await;
    legacy.worker(&[]).await;
    // Definitions are registered, and workers answer, a moment after they are started.
    until("`check` finds nothing wrong", async || {
        let checked = beside.program(&["check"]).ended().await;
        (checked.code == Some(0)).then_some(())
    })
    .await;
    legacy.begin_capture().await;
    legacy.daily_webhook().await;

    let store = beside.store().await;
    let run = ended(&store).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    assert_eq!((run.phase.as_str(), run.epoch), ("cutover", Some(1)));

    // It comes again, as Daily's webhooks do: nothing more happens.
    legacy.daily_webhook().await;
    let routes = until("the second is routed", async || {
        let seen = beside.json(&["routes"]).await;
        legacy.queue("switchyard").await.is_empty().then_some(seen)
    })
    .await;
    assert_eq!(routes.as_array().map(Vec::len), Some(1), "{routes}");
    assert_eq!(routes[0]["owner"], "candidate");

    let row = legacy.transcript().await;
    assert_eq!(row["status"], "ended");
    let expected: Value = {
        let text = std::fs::read(recorded("base").join("db_after.json")).expect("it is recorded");
        serde_json::from_slice(&text).expect("JSON")
    };
    let expected = &expected["transcript"][0];
    for column in [
        "title",
        "short_summary",
        "long_summary",
        "webvtt",
        "participants",
        "zulip_message_id",
        "audio_location",
        "audio_deleted",
        "share_mode",
    ] {
        assert_eq!(row[column], expected[column], "{column}");
    }
    assert_eq!(legacy.requests_to("zulip").await.len(), 1);
    assert_eq!(legacy.requests_to("webhook").await.len(), 1);
    assert_eq!(
        legacy.requests_to("transcription").await.len(),
        0,
        "the legacy ran nothing"
    );
    let keys: Vec<_> = legacy
        .objects()
        .await
        .iter()
        .map(|object| object["key"].clone())
        .collect();
    let id = row["id"].as_str().expect("an id");
    assert!(keys.contains(&json!(format!("{id}/audio.mp3"))), "{keys:?}");
    assert!(
        !keys
            .iter()
            .any(|key| key.as_str().is_some_and(|key| key.starts_with("runs/"))),
        "{keys:?}"
    );

    processed_again(&legacy, &store, id).await;
    let said = beside.up.take().expect("it runs").kill().await;
    tells_nobodys_business(&said.stderr, &row, &legacy.rows().await["room"][0]);
}

/// Somebody asks Reflector to process it again: a new generation, with every audio track.
async fn processed_again(legacy: &Legacy, store: &Store, id: &str) {
    assert_eq!(legacy.process(id).await, 200);
    let again = until("the second generation ends", async || {
        let runs = store.recent_runs(1).await.expect("a read");
        runs.into_iter()
            .find(|run| run.generation == 2 && run.state.is_final())
    })
    .await;
    assert_eq!(again.state, RunState::Completed, "{:?}", again.failure);
    assert_eq!(again.epoch, Some(2));
    assert_eq!(
        again.subject.track_keys.len(),
        4,
        "unfiltered, as the endpoint gives them"
    );
    let posts = legacy.requests_to("zulip").await;
    let methods: Vec<_> = posts.iter().map(|post| post["method"].clone()).collect();
    assert_eq!(methods, ["POST", "PATCH"]);
    assert_eq!(
        legacy.requests_to("webhook").await.len(),
        2,
        "one for each generation"
    );
    assert_eq!(
        legacy.requests_to("transcription").await.len(),
        0,
        "the legacy ran nothing"
    );
    assert_eq!(legacy.queue("celery").await, [""; 0]);
}

/// Promise 6: of all this, nothing that is nobody's business was logged, not even at `trace`.
fn tells_nobodys_business(log: &str, row: &Value, room: &Value) {
    let texts = [
        &row["title"],
        &row["short_summary"],
        &row["topics"][0]["title"],
        &row["topics"][0]["words"][0]["text"],
        &row["participants"][0]["name"],
        &room["webhook_secret"],
        &room["webhook_url"],
    ];
    let texts = texts.map(|text| text.as_str().expect("a text"));
    let keys = SECRETS[1..].iter().map(|(_, key)| *key);
    for secret in keys.chain(texts.into_iter().filter(|text| text.len() > 6)) {
        assert!(!log.contains(secret), "`{secret}` was logged");
    }
    assert!(log.contains("switchyard"), "it logged something");
}

/// Where not even a route may be added: producers go on publishing to `celery`, the workers take from
/// another queue, and everything passes through the tap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_front_of_workers_on_another_queue_the_tap_changes_nothing_either() {
    let Some(legacy) = Legacy::up("base", &[]).await else {
        return;
    };
    let mut beside = Beside::start(&legacy).await;
    let from_to = [
        "from = \"switchyard\"\n            legacy = \"celery\"",
        "from = \"celery\"\n            legacy = \"legacy\"",
    ];
    let change = |site: &Site| site.change(from_to[0], from_to[1]);
    beside.again(change).await;
    beside.go("shadow").await;
    legacy.worker(&["-Q", "legacy"]).await;
    legacy.begin_capture().await;
    legacy.daily_webhook().await;
    legacy.until_idle(&[]).await;

    let store = beside.store().await;
    let run = ended(&store).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let capture = legacy.capture().await;
    let except = Except {
        files: &["celery/.*", "s3_requests.txt"],
        keys: &["shadow/"],
    };
    let compared = capture.compare(&recorded("base"), &except).await;
    assert_eq!(compared.differences, [""; 0]);
}

/// What has to work on the day is tried before it, on a recording nobody waits for: the candidate
/// serves, Celery takes over midway and ends it, the candidate serves again. Nothing is left of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cutover_fallback_and_recovery_are_rehearsed_and_nobody_notices() {
    let Some(legacy) = Legacy::up("base", &[("LEGACY_TASK_ROUTES", ROUTED)]).await else {
        return;
    };
    let beside = Beside::start(&legacy).await;
    legacy.worker(&[]).await;
    legacy.daily_webhook().await;
    legacy.until_idle(&[]).await;
    let before = (legacy.rows().await, legacy.objects().await);
    let told = async || {
        let posts = legacy.requests_to("zulip").await.len();
        (posts, legacy.requests_to("webhook").await.len())
    };
    let told_before = told().await;

    let id = before.0["transcript"][0]["id"].as_str().expect("an id");
    let rehearsal = beside
        .json(&["rehearse", "--transcript", id, "--by", "ops"])
        .await;
    assert_eq!(rehearsal["passed"], true, "{rehearsal:#}");
    let steps = rehearsal["steps"].as_array().expect("steps");
    let went: Vec<_> = steps
        .iter()
        .map(|step| (step["step"].as_str(), step["ok"].as_bool()))
        .collect();
    let expected = ["cutover", "fallback", "recovery", "removal"];
    assert_eq!(went, expected.map(|step| (Some(step), Some(true))));

    assert_eq!(told().await, told_before, "nobody was told anything");
    assert_eq!(legacy.rows().await, before.0);
    assert_eq!(legacy.objects().await, before.1);
    let plan = ["phase", "plan", "cutover", "--percent", "1", "--json"];
    let plan = beside.program(&plan).ended().await.stdout;
    let plan: Value = serde_json::from_str(&plan).expect("a plan");
    let conditions = plan["preconditions"].as_array().expect("conditions");
    let rehearsed = conditions
        .iter()
        .find(|condition| condition["check"] == "rehearsal")
        .expect("it is asked for");
    assert_eq!(rehearsed["state"], "met", "{rehearsed}");
    let listed = beside.run(&["rehearse"]).await;
    assert!(listed.contains("passed"), "{listed}");
}
