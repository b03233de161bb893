//! What others are told of how Switchyard is: metrics, their rules and board, and traces.

mod metrics;
mod rules;
mod scrape;
mod traces;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{app::App, config::Config};
use tempfile::TempDir;

use crate::intake::world::noon;

/// An app with telemetry and a clock of its own.
pub struct Site {
    pub app: App,
    clock: Arc<Mutex<DateTime<Utc>>>,
    _folder: TempDir,
}

impl Site {
    /// `telemetry` is what the settings say of it.
    pub async fn new(telemetry: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), "hush").expect("it is written");
        let path = folder.path().display();
        let key = format!("{{ file = \"{path}/key\" }}");
        let telemetry = telemetry.replace("KEY", &key);
        let settings = format!(
            r#"
            database.url = "sqlite:{path}/switchyard.db"
            {telemetry}
            [environments.staging]
            conductor.url = "http://127.0.0.1:1/api"
            daily.api_key = {key}
            transcription.url = "http://127.0.0.1:1"
            llm = {{ url = "http://127.0.0.1:1", api_key = {key}, model = "m" }}
            reflector.ui_base_url = "http://127.0.0.1:1"
            objects = {{ access_key = {key}, secret_key = {key}, bucket = "b" }}
            shadow = {{ max_usd = 20.0 }}
            "#
        );
        let config = Config::parse(&settings).expect("it is valid");
        let mut app = App::open(config, None).await.expect("it opens");
        let clock = Arc::new(Mutex::new(noon()));
        let time = Arc::clone(&clock);
        app.clock = Arc::new(move || *time.lock().expect("nobody died"));
        Self {
            app,
            clock,
            _folder: folder,
        }
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.clock.lock().expect("nobody died") += time;
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.clock.lock().expect("nobody died")
    }
}
