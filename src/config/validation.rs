//! What the types cannot say: values that make no sense, each named by its key, with what to write.

use super::{Config, Environment, Error};
use crate::model::is_loopback_name;

impl Config {
    /// Whether all of it makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: key.to_owned(),
                message: message.to_owned(),
            })
        };
        if self.environments.is_empty() {
            return invalid(
                "environments",
                "there is none; add a section `[environments.NAME]`",
            );
        }
        match &self.access {
            Some(access) => access.validate(&self.environments)?,
            None if self.server.listen.ip().is_loopback() => {}
            None => {
                return invalid(
                    "server.listen",
                    "where nobody has to sign in the server binds to loopback only; add a section `access`, or write `127.0.0.1:8480`",
                );
            }
        }
        if self.worker.concurrency == 0 || self.worker.audio_concurrency == 0 {
            return invalid(
                "worker.concurrency",
                "a worker that runs nothing at once does nothing; write 1 or more (the same for `worker.audio_concurrency`)",
            );
        }
        if !(1..=5000).contains(&self.worker.poll_ms) {
            return invalid("worker.poll_ms", "Conductor accepts 1 to 5000 milliseconds");
        }
        if let Some(schema) = &self.database.schema {
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            if schema.is_empty() || !schema.chars().all(is_plain) {
                return invalid(
                    "database.schema",
                    "it is one word of small letters and `_`, e.g. `switchyard`",
                );
            }
            if self.database.url.expose().starts_with("sqlite:") {
                return invalid(
                    "database.schema",
                    "SQLite knows no schemas; leave it out, or write a `postgres://` URL",
                );
            }
        }
        self.telemetry.validate()?;
        for (name, environment) in &self.environments {
            environment.validate(&format!("environments.{name}"))?;
            environment.validate_caps(&format!("environments.{name}"))?;
            if environment.rollout.after.as_ref() == Some(name) {
                return invalid(
                    &format!("environments.{name}.rollout.after"),
                    "an environment cannot come after itself; name the one that goes first, or leave it out",
                );
            }
        }
        Ok(())
    }
}

impl Environment {
    /// How requests are answered, and what moves ask for.
    fn validate_moving(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        if !(10..=60_000).contains(&self.routing.answer_ms) {
            return invalid(
                "routing.answer_ms",
                "write 10 to 60000; users wait that long at most before Celery serves them"
                    .to_owned(),
            );
        }
        let rollout = &self.rollout;
        for (key, least) in [
            ("rollout.healthy_min", rollout.healthy_min),
            ("rollout.parallel_runs", rollout.parallel_runs),
            ("rollout.shadow_pairs", rollout.shadow_pairs),
            ("rollout.rehearsal_days", rollout.rehearsal_days),
            ("rollout.dwell_hours", rollout.dwell_hours),
            ("rollout.step_runs", rollout.step_runs),
            ("rollout.soak_days", rollout.soak_days),
            ("rollout.quiet_days", rollout.quiet_days),
            ("rollout.legacy_quiet_days", rollout.legacy_quiet_days),
        ] {
            if !(0..=100_000).contains(&least) {
                return invalid(key, "write a number from 0 to 100000".to_owned());
            }
        }
        Ok(())
    }

    /// What evidence has to show.
    fn validate_gate(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: format!("{section}.gate.{key}"),
                message: message.to_owned(),
            })
        };
        let gate = &self.gate;
        for (key, percent) in [
            ("failure_percent", gate.failure_percent),
            ("soak_failure_percent", gate.soak_failure_percent),
        ] {
            if !(0.5..=50.0).contains(&percent) {
                return invalid(
                    key,
                    "write 0.5 to 50: 10 for development, 5 for what users see, 2 for more than that",
                );
            }
        }
        for (key, number, most) in [
            ("days", gate.days, 365),
            ("weekdays", gate.weekdays, 7),
            ("per_stratum", gate.per_stratum, 1000),
        ] {
            if !(0..=most).contains(&number) {
                return invalid(key, &format!("write a number from 0 to {most}"));
            }
        }
        for (key, ratio) in [
            ("latency_ratio", gate.latency_ratio),
            ("cost_ratio", gate.cost_ratio),
        ] {
            if ratio != 0.0 && !(0.1..=100.0).contains(&ratio) {
                return invalid(
                    key,
                    "write how many times the control's it may be, e.g. 1.10; 0 does not ask",
                );
            }
        }
        Ok(())
    }

    /// How many mirrors the controller runs by itself, and on what.
    fn validate_mirrors(&self, section: &str) -> Result<(), Error> {
        let Some(mirrors) = &self.mirrors else {
            return Ok(());
        };
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: format!("{section}.mirrors.{key}"),
                message: message.to_owned(),
            })
        };
        for (key, percent) in [
            ("percent", mirrors.percent),
            ("reverse_percent", mirrors.reverse_percent),
        ] {
            if !(0.0..=100.0).contains(&percent) {
                return invalid(key, "write 0 to 100");
            }
        }
        if !(0..=1000).contains(&mirrors.per_day) {
            return invalid("per_day", "write a number from 0 to 1000");
        }
        if mirrors
            .max_usd
            .is_some_and(|usd| !(usd.is_finite() && usd >= 0.0))
        {
            return invalid("max_usd", "write US dollars, or leave it out for no bound");
        }
        for (key, hour) in [
            ("from_hour", mirrors.from_hour),
            ("until_hour", mirrors.until_hour),
        ] {
            if hour > 23 {
                return invalid(key, "write an hour from 0 to 23");
            }
        }
        if self
            .legacy
            .as_ref()
            .is_none_or(|legacy| legacy.broker_url.is_none())
        {
            return Err(Error::Invalid {
                key: format!("{section}.mirrors"),
                message: format!(
                    "mirrors are run by the legacy's own workers: write where their queue is as `{section}.legacy.broker_url`, or take the section away"
                ),
            });
        }
        Ok(())
    }

    fn validate_caps(&self, section: &str) -> Result<(), Error> {
        for (key, cap) in [
            ("max_gpu_seconds", self.shadow.max_gpu_seconds),
            ("max_tokens", self.shadow.max_tokens),
            ("max_usd", self.shadow.max_usd),
        ] {
            if cap.is_some_and(|cap| !cap.is_finite() || cap < 0.0) {
                return Err(Error::Invalid {
                    key: format!("{section}.shadow.{key}"),
                    message: "write the most that shadow runs may use in a day, 0 for nothing; leave it out where there is no bound".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// How other services are reached.
    fn validate_services(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        if let Some(ui) = &self.conductor.ui_url
            && (!ui.username().is_empty()
                || ui.password().is_some()
                || ui.query().is_some()
                || ui.fragment().is_some())
        {
            return invalid(
                "conductor.ui_url",
                "pages link to it, so it holds no name, password, query or fragment; write scheme, host and path"
                    .to_owned(),
            );
        }
        let embeddings = self.embeddings.as_ref();
        for (key, url) in [
            ("conductor.url", &self.conductor.url),
            ("daily.url", &self.daily.url),
            ("transcription.url", &self.transcription.url),
            ("llm.url", &self.llm.url),
            ("reflector.ui_base_url", &self.reflector.ui_base_url),
        ]
        .into_iter()
        .chain(embeddings.map(|embeddings| ("embeddings.url", &embeddings.url)))
        .chain(
            self.conductor
                .ui_url
                .iter()
                .map(|url| ("conductor.ui_url", url)),
        ) {
            if !matches!(url.scheme(), "http" | "https") {
                return invalid(
                    key,
                    format!(
                        "`{}:` is no scheme we speak; write http:// or https://",
                        url.scheme()
                    ),
                );
            }
        }
        for (key, seconds) in [
            ("conductor.timeout_s", self.conductor.timeout_s),
            ("daily.timeout_s", self.daily.timeout_s),
            ("transcription.timeout_s", self.transcription.timeout_s),
            ("llm.timeout_s", self.llm.timeout_s),
        ]
        .into_iter()
        .chain(embeddings.map(|embeddings| ("embeddings.timeout_s", embeddings.timeout_s)))
        {
            if seconds == 0 {
                return invalid(
                    key,
                    "a request cannot take 0 seconds; write 1 or more".to_owned(),
                );
            }
        }
        Ok(())
    }

    fn validate(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        self.validate_services(section)?;
        if let Some(channel) = &self.reflector.progress_channel
            && !channel.contains("{transcript_id}")
        {
            return invalid(
                "reflector.progress_channel",
                "all transcripts would share one channel; write `{transcript_id}` somewhere in it"
                    .to_owned(),
            );
        }
        if let Some(tap) = self.legacy.as_ref().and_then(|legacy| legacy.tap.as_ref())
            && tap.from == tap.legacy
        {
            return invalid(
                "legacy.tap.from",
                format!(
                    "the tap would take what it hands on to `{}`; name another queue",
                    tap.legacy
                ),
            );
        }
        if self.objects.bucket.is_empty() || self.objects.bucket.contains('/') {
            return invalid(
                "objects.bucket",
                "it is the bucket's bare name, without a key prefix".to_owned(),
            );
        }
        if self.objects.local_dir.is_some() && self.objects.endpoint.is_none() {
            return invalid(
                "objects.local_dir",
                "it is served on the port of `objects.endpoint`, which is missing".to_owned(),
            );
        }
        self.validate_moving(section)?;
        self.validate_gate(section)?;
        self.validate_mirrors(section)?;
        self.notices.validate(section)?;
        self.validate_retention(section)?;
        self.validate_health(section)?;
        self.validate_sharing(section)?;
        if self.llm.context_window < 4096 {
            return invalid(
                "llm.context_window",
                format!(
                    "{} tokens do not hold a question and its answer; write 4096 or more",
                    self.llm.context_window
                ),
            );
        }
        if ![64_000, 96_000, 128_000, 160_000, 192_000].contains(&self.reflector.mp3_bitrate) {
            return invalid(
                "reflector.mp3_bitrate",
                "the encoder knows 64000, 96000, 128000, 160000 and 192000".to_owned(),
            );
        }
        for (key, path) in [
            ("prompts", &self.prompts),
            ("comparisons", &self.comparisons),
        ] {
            if let Some(path) = path
                && !path.exists()
            {
                return invalid(key, format!("`{}` does not exist", path.display()));
            }
        }
        Ok(())
    }

    fn validate_retention(&self, section: &str) -> Result<(), Error> {
        let days = &self.retention;
        for (key, number, least) in [
            ("texts_days", days.texts_days, 1),
            ("numbers_days", days.numbers_days, days.texts_days.max(90)),
            ("notices_days", days.notices_days, 7),
        ] {
            if !(least..=36_500).contains(&number) {
                return Err(Error::Invalid {
                    key: format!("{section}.retention.{key}"),
                    message: format!("write days from {least} to 36500"),
                });
            }
        }
        Ok(())
    }

    fn validate_sharing(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: &str| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message: message.to_owned(),
            })
        };
        if self.comparison.pinned_percent > 100 {
            return invalid(
                "comparison.pinned_percent",
                "write a number from 0 (none) to 100 (all)",
            );
        }
        let Some(sharing) = &self.sharing else {
            return Ok(());
        };
        if !sharing.listen.ip().is_loopback() {
            return invalid(
                "sharing.listen",
                "without sign-in the proxy binds to loopback only; write `127.0.0.1:8484` and run one on each machine of the legacy's workers",
            );
        }
        if sharing.anew_percent > 100 {
            return invalid("sharing.anew_percent", "write a number from 0 to 100");
        }
        for (key, url) in [
            ("sharing.llm_url", &sharing.llm_url),
            ("sharing.transcription_url", &sharing.transcription_url),
        ] {
            if url
                .as_ref()
                .is_some_and(|url| !matches!(url.scheme(), "http" | "https"))
            {
                return invalid(key, "write http:// or https://");
            }
        }
        for (key, url) in [
            (
                "sharing.llm_url",
                sharing.llm_url.as_ref().unwrap_or(&self.llm.url),
            ),
            (
                "sharing.transcription_url",
                sharing
                    .transcription_url
                    .as_ref()
                    .unwrap_or(&self.transcription.url),
            ),
        ] {
            let is_loopback = url.host_str().is_some_and(is_loopback_name);
            if is_loopback && url.port_or_known_default() == Some(sharing.listen.port()) {
                return invalid(
                    key,
                    "the proxy would ask itself; write the address of the service",
                );
            }
        }
        if sharing.wait_s > 3600 {
            return invalid("sharing.wait_s", "write 0 to 3600 seconds");
        }
        if !(1..=168).contains(&sharing.keep_hours) {
            return invalid(
                "sharing.keep_hours",
                "what was said in meetings is kept no longer than it is needed; write 1 to 168",
            );
        }
        if !(1..=100_000).contains(&sharing.keep_mb) {
            return invalid("sharing.keep_mb", "write 1 to 100000");
        }
        Ok(())
    }

    fn validate_health(&self, section: &str) -> Result<(), Error> {
        let invalid = |key: &str, message: String| {
            Err(Error::Invalid {
                key: format!("{section}.{key}"),
                message,
            })
        };
        let health = &self.health;
        for (key, seconds) in [
            ("health.every_s", health.every_s),
            ("health.timeout_s", health.timeout_s),
            ("health.canary_s", health.canary_s),
            ("health.polled_s", health.polled_s),
            ("health.starting_s", health.starting_s),
            ("health.stalled_s", health.stalled_s),
            ("health.cool_down_s", health.cool_down_s),
            ("health.good_looks", health.good_looks.into()),
        ] {
            if !(1..=100_000).contains(&seconds) {
                return invalid(key, "write a number from 1 to 100000".to_owned());
            }
        }
        for (key, seconds) in [
            ("health.confirm_s", health.confirm_s),
            ("health.steady_s", health.steady_s),
            ("health.drain_s", health.drain_s),
        ] {
            if !(0..=100_000).contains(&seconds) {
                return invalid(key, "write a number from 0 to 100000".to_owned());
            }
        }
        if health.every_s + health.timeout_s.max(health.canary_s) > 20 {
            return invalid(
                "health.every_s",
                "routers rely on no look older than 30 s; write less, so that it and the longer of `timeout_s` and `canary_s` are 20 together at most"
                    .to_owned(),
            );
        }
        Ok(())
    }
}
