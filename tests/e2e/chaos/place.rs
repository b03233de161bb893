//! Everything there is: servers, stand-ins, settings, roles.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use switchyard::{
    conductor::{Client, ClientConfig, definitions::contract, install_crypto, wire::RetryLogic},
    controller,
    model::{EnvironmentName, TaskName},
    objects::{self, Addressing, Objects},
    rollout::BreakerState,
    sandbox::{Answers, Sandbox, Service},
    store::Store,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::RwLock};

use super::{
    roles::{ROLES, Roles},
    servers::{Postgres, Redis},
};
use crate::{
    program::{SECRETS, own_port, until, way_to},
    reflector::Tables,
    world::fixtures,
};

/// The bucket of what the pipeline makes.
pub const RESULTS: &str = "reflector-transcripts";

pub struct Place {
    pub postgres: Postgres,
    pub redis: Redis,
    /// Held by whoever publishes: a publisher that does not know whether it has published would
    /// publish again, and nobody could count.
    pub redis_is_up: RwLock<()>,
    /// Held by whoever breaks it.
    pub postgres_is_up: RwLock<()>,
    pub sandbox: Sandbox,
    pub roles: Roles,
    pub tables: Tables,
    engine_port: u16,
    objects_port: u16,
    folder: TempDir,
}

impl Place {
    /// None where a server is not installed.
    pub async fn start(tables: Tables) -> Option<Self> {
        install_crypto();
        let (postgres, redis) = (Postgres::start().await?, Redis::start().await?);
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let answers = Answers::load(&short_meeting(&folder)).expect("the answers are there");
        let sandbox = Sandbox::start(answers, listener).expect("a sandbox");
        let any = sandbox.vary(Service::Daily, Some("any_recording"));
        any.expect("there is such an answer");

        let mut owner = postgres.database("reflector").await;
        for script in [
            include_str!("../../legacy/schema.sql"),
            include_str!("../../legacy/workflow_columns.sql"),
        ] {
            owner.execute(script).await.expect("the script runs");
        }
        if tables == Tables::Apart {
            postgres.database("switchyard").await;
        }
        let variables = vec![
            ("SITE_LEGACY_DATABASE", postgres.url("reflector")),
            ("SITE_REDIS", redis.url()),
        ];
        let place = Self {
            roles: Roles::new(folder.path(), variables),
            postgres,
            redis,
            redis_is_up: RwLock::default(),
            postgres_is_up: RwLock::default(),
            sandbox,
            tables,
            engine_port: own_port(),
            objects_port: own_port(),
            folder,
        };
        let server_port = own_port();
        for (role, _) in ROLES {
            let path = place.folder.path().join(format!("{role}.toml"));
            std::fs::write(path, place.settings(role, server_port)).expect("it is written");
        }
        place.set_up().await;
        Some(place)
    }

    fn settings(&self, role: &str, server_port: u16) -> String {
        let Self {
            engine_port,
            objects_port,
            ..
        } = self;
        let folder = self.folder.path().display();
        let database = match self.tables {
            Tables::Inside => {
                let url = self.postgres.url("reflector");
                format!("database = {{ url = \"{url}\", schema = \"switchyard\" }}")
            }
            Tables::Apart => format!("database.url = \"{}\"", self.postgres.url("switchyard")),
        };
        let root = self.sandbox.root();
        let mut text = format!(
            r#"
            {database}
            server.listen = "127.0.0.1:{server_port}"
            engine.listen = "127.0.0.1:{engine_port}"
            worker = {{ id = "{role}", poll_ms = 500, drain_s = 5 }}

            [environments.test]
            conductor = {{ url = "http://127.0.0.1:{engine_port}/api", timeout_s = 5 }}
            # Hasty, so that recordings go back to Celery and others are trusted to Conductor soon after.
            health = {{ every_s = 1, canary_s = 5, confirm_s = 4, cool_down_s = 1, good_looks = 2, steady_s = 2, drain_s = 15 }}

            [environments.test.objects]
            endpoint = "http://127.0.0.1:{objects_port}"
            local_dir = "{folder}/objects"
            access_key = {{ env = "SITE_ACCESS_KEY" }}
            secret_key = {{ env = "SITE_SECRET_KEY" }}
            bucket = "{RESULTS}"

            [environments.test.reflector]
            ui_base_url = "https://reflector.example.test"
            zulip_realm = "zulip.example.test"
            data_dir = "{folder}/data"

            [environments.test.legacy]
            database_url = {{ env = "SITE_LEGACY_DATABASE" }}
            broker_url = {{ env = "SITE_REDIS" }}
            redis_url = {{ env = "SITE_REDIS" }}

            [environments.test.legacy.tap]
            from = "switchyard"
            legacy = "celery"

            [environments.test.zulip]
            email = "reflector-bot@zulip.example.test"
            api_key = {{ env = "SITE_LLM_KEY" }}
            timeout_s = 3

            [environments.test.relays]
            "zulip.example.test" = "{root}zulip"
            "hooks.example.test" = "{root}webhook"
            "#
        );
        for (section, path, key, more) in [
            ("daily", "daily/v1", "SITE_DAILY_KEY", ""),
            ("transcription", "transcription", "SITE_GPU_KEY", ""),
            ("llm", "llm/v1", "SITE_LLM_KEY", "model = \"golden-model\""),
        ] {
            write!(
                text,
                r#"
            [environments.test.{section}]
            url = "{root}{path}"
            api_key = {{ env = "{key}" }}
            timeout_s = 3
            {more}
            "#
            )
            .expect("it is written");
        }
        text
    }

    async fn set_up(&self) {
        std::fs::create_dir(self.folder.path().join("data")).expect("a folder");
        for role in ["objects", "engine"] {
            self.roles.start(role);
        }
        let client = self.client();
        until("the engine's definitions", async || {
            controller::register(&client).await.ok()
        })
        .await;
        let hastened: Vec<_> = TaskName::ALL
            .into_iter()
            .map(|task| {
                let mut definition = contract(task).definition.clone();
                definition.response_timeout_seconds = 6;
                // The chaos must not use attempts up.
                definition.retry_count = 90;
                definition.retry_logic = RetryLogic::Fixed;
                definition.retry_delay_seconds = 1;
                definition
            })
            .collect();
        let taken = client.put_task_defs(&hastened).await;
        taken.expect("they are taken");
        for words in way_to("cutover", "100") {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            self.roles.run(&words).await;
        }
        for role in ["serve", "tap", "worker-1", "worker-2"] {
            self.roles.start(role);
        }
        let store = self.store().await;
        until("the breaker is closed", async || {
            let row = store.breaker(&EnvironmentName::new("test")).await;
            let state = row.ok()??.breaker.state;
            (state == BreakerState::Closed).then_some(())
        })
        .await;
    }

    pub fn client(&self) -> Client {
        let url = format!("http://127.0.0.1:{}/api", self.engine_port);
        Client::new(ClientConfig::new(url.parse().expect("it is a URL"))).expect("a client")
    }

    pub fn objects(&self) -> Objects {
        let endpoint = format!("http://127.0.0.1:{}", self.objects_port);
        let settings = objects::Settings::new(
            Some(endpoint.parse().expect("it is a URL")),
            "us-east-1",
            SECRETS[0].1,
            SECRETS[1].1,
            Addressing::Path,
        );
        Objects::new(settings).expect("settings of a store")
    }

    /// Reflector's own tables.
    pub async fn theirs(&self) -> PgConnection {
        self.postgres.connect("reflector").await
    }

    /// Our tables.
    pub async fn ours(&self) -> PgConnection {
        match self.tables {
            Tables::Apart => self.postgres.connect("switchyard").await,
            Tables::Inside => {
                let mut connection = self.theirs().await;
                let path = "set search_path to switchyard";
                let set = connection.execute(AssertSqlSafe(path)).await;
                set.expect("it is set");
                connection
            }
        }
    }

    /// Our tables as the program sees them.
    pub async fn store(&self) -> Store {
        let (url, schema) = match self.tables {
            Tables::Apart => (self.postgres.url("switchyard"), None),
            Tables::Inside => (self.postgres.url("reflector"), Some("switchyard")),
        };
        until("our database", async || {
            Store::open_in(&url, schema).await.ok()
        })
        .await
    }

    /// Everything of the program ends.
    pub async fn end(&self) {
        for (role, _) in ROLES {
            self.roles.kill(role).await;
        }
    }
}

impl Drop for Place {
    /// Who fails leaves the logs behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("logs are in {}", self.folder.path().display());
        }
    }
}

/// Answers like the recorded ones, to a meeting with one speaker and few words.
fn short_meeting(folder: &TempDir) -> PathBuf {
    let (from, to) = (
        fixtures().join("standup/providers"),
        folder.path().join("answers"),
    );
    std::fs::create_dir(&to).expect("a folder");
    for file in from.read_dir().expect("the answers are there") {
        let file = file.expect("it can be read").path();
        let name = file.file_name().expect("it has one");
        std::fs::copy(&file, to.join(name)).expect("it is copied");
    }
    let path = to.join("transcription.json");
    let text = std::fs::read(&path).expect("it is there");
    let mut answers: Value = serde_json::from_slice(&text).expect("it is JSON");
    let answer = &mut answers["tracks"][0]["answer"];
    let words = answer["words"].as_array_mut().expect("a list");
    words.truncate(160);
    let text: String = words
        .iter()
        .filter_map(|word| word["word"].as_str())
        .collect();
    answer["text"] = text.into();
    std::fs::write(&path, answers.to_string()).expect("it is written");
    to
}
