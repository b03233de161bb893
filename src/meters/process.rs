//! What this process counts of itself: requests it answers, calls it makes, attempts it ends.

use std::{sync::LazyLock, time::Duration};

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::{
    Family,
    catalogue::{
        ATTEMPT_SECONDS, ATTEMPTS, BUILD, CALL_SECONDS, CALLS, HTTP_REQUESTS, HTTP_SECONDS, TRACES,
    },
};

/// Bounds of durations in seconds: of answers that people wait for …
const SHORT: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// … and of work that takes minutes.
const LONG: [f64; 10] = [0.1, 0.5, 2.0, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 1800.0];

/// Somebody this process sends requests to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The workflow engine.
    Conductor,
    /// Daily's REST API.
    Daily,
    /// The transcription service.
    Transcription,
    /// The language model.
    Llm,
    /// The model that says what texts mean.
    Embeddings,
    /// Zulip's REST API.
    Zulip,
    /// A customer's receiver.
    Webhook,
    /// Where people are told what happens to a migration.
    Notices,
    /// The object store.
    Objects,
    /// Where traces go.
    Collector,
    /// The provider people sign in at.
    SignIn,
}

impl Service {
    /// The value of its label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conductor => "conductor",
            Self::Daily => "daily",
            Self::Transcription => "transcription",
            Self::Llm => "llm",
            Self::Embeddings => "embeddings",
            Self::Zulip => "zulip",
            Self::Webhook => "webhook",
            Self::Notices => "notices",
            Self::Objects => "objects",
            Self::Collector => "collector",
            Self::SignIn => "sign_in",
        }
    }
}

/// How one request to somebody else ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Ok,
    /// No whole answer in time.
    Timeout,
    /// The connection did not come about, or was lost.
    Connection,
    /// Too busy: 408, 425 or 429.
    Busy,
    /// It failed on its side: 5xx.
    Failed,
    /// There is no such thing: 404.
    NotFound,
    /// It said no, or the request could not be made.
    Refused,
    /// An answer that cannot be used.
    BadAnswer,
}

impl Outcome {
    /// What a status comes to.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=399 => Self::Ok,
            404 => Self::NotFound,
            408 | 425 | 429 => Self::Busy,
            500..=599 => Self::Failed,
            _ => Self::Refused,
        }
    }

    /// The value of its label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::BadAnswer => "bad_answer",
        }
    }
}

struct Meters {
    registry: Registry,
    http_requests: IntCounterVec,
    http_seconds: HistogramVec,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    attempts: IntCounterVec,
    attempt_seconds: HistogramVec,
    traces: IntCounterVec,
}

static METERS: LazyLock<Option<Meters>> = LazyLock::new(|| {
    // A name of the catalogue that Prometheus does not take; a test holds that there is none.
    Meters::new().ok()
});

impl Meters {
    fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |family: &Family| -> prometheus::Result<IntCounterVec> {
            let made = IntCounterVec::new(Opts::new(family.name, family.help), family.labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok(made)
        };
        let histogram = |family: &Family, bounds: &[f64]| -> prometheus::Result<HistogramVec> {
            let opts = HistogramOpts::new(family.name, family.help).buckets(bounds.to_vec());
            let made = HistogramVec::new(opts, family.labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok(made)
        };
        let build = prometheus::IntGaugeVec::new(Opts::new(BUILD.name, BUILD.help), BUILD.labels)?;
        registry.register(Box::new(build.clone()))?;
        build
            .get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?
            .set(1);
        Ok(Self {
            http_requests: counter(&HTTP_REQUESTS)?,
            http_seconds: histogram(&HTTP_SECONDS, &SHORT)?,
            calls: counter(&CALLS)?,
            call_seconds: histogram(&CALL_SECONDS, &LONG)?,
            attempts: counter(&ATTEMPTS)?,
            attempt_seconds: histogram(&ATTEMPT_SECONDS, &LONG)?,
            traces: counter(&TRACES)?,
            registry,
        })
    }
}

fn add(counter: &IntCounterVec, labels: &[&str], count: u64) {
    if let Ok(counter) = counter.get_metric_with_label_values(labels) {
        counter.inc_by(count);
    }
}

fn observe(histogram: &HistogramVec, labels: &[&str], took: Duration) {
    if let Ok(histogram) = histogram.get_metric_with_label_values(labels) {
        histogram.observe(took.as_secs_f64());
    }
}

/// Counts a request that was answered; `route` is the template, and `method` one of a few.
pub fn request(method: &str, route: &str, status: u16, took: Duration) {
    if let Some(meters) = &*METERS {
        let labels = [method, route, &status.to_string()];
        add(&meters.http_requests, &labels, 1);
        observe(&meters.http_seconds, &[route], took);
    }
}

/// Counts a request that was sent to somebody else.
pub fn call(service: Service, outcome: Outcome, took: Duration) {
    if let Some(meters) = &*METERS {
        add(&meters.calls, &[service.as_str(), outcome.as_str()], 1);
        observe(&meters.call_seconds, &[service.as_str()], took);
    }
}

/// Counts an attempt at a step that has ended: `completed`, `failed` or `failed_terminally`.
pub fn attempt(task: crate::model::TaskName, outcome: &'static str, took: Duration) {
    if let Some(meters) = &*METERS {
        add(&meters.attempts, &[task.as_str(), outcome], 1);
        observe(&meters.attempt_seconds, &[task.as_str()], took);
    }
}

/// Counts traces: `sent`, `not_sampled`, `refused`, or `failed` for now.
pub fn traces(outcome: &'static str, count: usize) {
    if let Some(meters) = &*METERS {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        add(&meters.traces, &[outcome], count);
    }
}

/// Everything this process counted of itself, in Prometheus' text format.
pub fn of_this_process() -> anyhow::Result<String> {
    match &*METERS {
        Some(meters) => Ok(TextEncoder::new().encode_to_string(&meters.registry.gather())?),
        None => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meters::catalogue::ALL;

    #[test]
    fn prometheus_takes_every_family() {
        assert!(Meters::new().is_ok());
        for family in ALL {
            let is_plain = |name: &str| {
                name.chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_')
            };
            assert!(is_plain(family.name), "{}", family.name);
            assert!(family.labels.iter().all(|label| is_plain(label)));
            assert!(!family.help.ends_with('.'), "{}", family.name);
            let ends = family.name.ends_with("_total");
            assert_eq!(
                ends,
                family.kind == super::super::Kind::Counter,
                "{}: counters, and nothing else, end in `_total`",
                family.name
            );
        }
    }

    #[test]
    fn what_a_process_did_is_in_its_text() {
        request("GET", "/a/{id}", 200, Duration::from_millis(3));
        call(Service::Llm, Outcome::Busy, Duration::from_secs(1));
        attempt(
            crate::model::TaskName::Finalize,
            "completed",
            Duration::from_secs(40),
        );
        let text = of_this_process().expect("it can be written");
        for line in [
            "switchyard_http_requests_total{method=\"GET\",route=\"/a/{id}\",status=\"200\"} 1",
            "switchyard_calls_total{outcome=\"busy\",service=\"llm\"} 1",
            "switchyard_step_attempts_total{outcome=\"completed\",task=\"finalize\"} 1",
            "switchyard_step_attempt_duration_seconds_bucket{task=\"finalize\",le=\"60\"} 1",
            concat!(
                "switchyard_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
