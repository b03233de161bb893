//! An OpenTelemetry collector: takes traces as protobuf over HTTP (OTLP 1.x).

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span, status},
};
use prost::Message as _;
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use url::Url;

use super::{Cause, Error, Service, http::cause};
use crate::{
    meters,
    traces::{self, Trace, TraceId, Value},
};

/// Takes traces.
#[derive(Clone)]
pub struct Collector {
    client: Client,
    url: Url,
    environment: String,
    timeout: Duration,
}

/// What became of traces that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Spans the collector did not take, and will not.
    pub rejected: i64,
    /// What it says of that, cut.
    pub message: String,
}

impl Collector {
    /// Sends to that URL, each request with these headers.
    pub fn new<'a>(
        url: Url,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        environment: &str,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        // The whole process shares one; a second installation only says that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::try_from(value).ok().map(|mut value| {
                value.set_sensitive(true);
                value
            });
            let header = HeaderName::try_from(name).ok().zip(value);
            let (name, value) = header.with_context(|| {
                format!("`telemetry.traces.headers.{name}` is nothing that HTTP can carry")
            })?;
            all.insert(name, value);
        }
        let client = Client::builder()
            .default_headers(all)
            .redirect(Policy::none())
            .connect_timeout(timeout / 2)
            .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("traces: setting up their HTTP client")?;
        Ok(Self {
            client,
            url,
            environment: environment.to_owned(),
            timeout,
        })
    }

    /// Sends them, once. A collector knows spans again by their ids.
    pub async fn send(&self, traces: &[Trace]) -> Result<Taken, Error> {
        let started = Instant::now();
        let answered = self.once(traces).await;
        let spent = started.elapsed();
        let outcome = answered
            .as_ref()
            .map_or_else(Cause::outcome, |_| meters::Outcome::Ok);
        meters::call(meters::Service::Collector, outcome, spent);
        answered.map_err(|cause| Error {
            service: Service::Collector,
            asked: format!(
                "telling `{}` of recordings",
                self.url.host_str().unwrap_or("a URL without a host")
            ),
            cause,
            attempts: 1,
            allowed: 1,
            spent,
        })
    }

    async fn once(&self, traces: &[Trace]) -> Result<Taken, Cause> {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(self.request(traces).encode_to_vec());
        let whole = async {
            let answer = request
                .send()
                .await
                .map_err(|error| cause(error, self.timeout))?;
            let status = answer.status();
            let body = answer
                .bytes()
                .await
                .map_err(|error| cause(error, self.timeout))?;
            Ok((status, body))
        };
        let answered = tokio::time::timeout(self.timeout, whole).await;
        let (status, body) = answered.unwrap_or(Err(Cause::Timeout {
            after: self.timeout,
        }))?;
        let code = status.as_u16();
        if status.is_success() {
            // Some answer with JSON or with nothing; the status is what counts.
            let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
            let partial = answer.partial_success.unwrap_or_default();
            return Ok(Taken {
                rejected: partial.rejected_spans,
                message: partial.error_message.chars().take(200).collect(),
            });
        }
        Err(match code {
            408 | 425 | 429 => Cause::Busy {
                status: code,
                retry_after: None,
            },
            500..=599 => Cause::Server {
                status: code,
                retry_after: None,
            },
            _ => Cause::Refused { status: code },
        })
    }

    fn request(&self, traces: &[Trace]) -> ExportTraceServiceRequest {
        let spans = traces
            .iter()
            .flat_map(|trace| trace.spans.iter().map(|span| on_the_wire(trace.id, span)));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let resource = [
            ("service.name", "switchyard".to_owned()),
            ("service.version", version.clone()),
            ("deployment.environment.name", self.environment.clone()),
        ];
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: resource
                        .map(|(name, value)| attribute(name, &Value::Text(value)))
                        .into(),
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "switchyard.recordings".to_owned(),
                        version,
                        ..InstrumentationScope::default()
                    }),
                    spans: spans.collect(),
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        }
    }
}

fn on_the_wire(trace: TraceId, told: &traces::Span) -> Span {
    let attributes = |attributes: &[(&'static str, Value)]| {
        let all = attributes.iter();
        all.map(|(name, value)| attribute(name, value)).collect()
    };
    let (code, message) = match &told.status {
        traces::Status::Unset => (status::StatusCode::Unset, String::new()),
        traces::Status::Ok => (status::StatusCode::Ok, String::new()),
        traces::Status::Failed(why) => (status::StatusCode::Error, why.clone()),
    };
    Span {
        trace_id: trace.0.to_vec(),
        span_id: told.id.0.to_vec(),
        parent_span_id: told
            .parent
            .map(|parent| parent.0.to_vec())
            .unwrap_or_default(),
        // That it is sampled.
        flags: 1,
        name: told.name.clone(),
        kind: span::SpanKind::Internal.into(),
        start_time_unix_nano: nanos(told.start),
        end_time_unix_nano: nanos(told.end),
        attributes: attributes(&told.attributes),
        events: told
            .events
            .iter()
            .map(|event| span::Event {
                time_unix_nano: nanos(event.at),
                name: event.name.to_owned(),
                attributes: attributes(&event.attributes),
                dropped_attributes_count: 0,
            })
            .collect(),
        status: Some(Status {
            message,
            code: code.into(),
        }),
        ..Span::default()
    }
}

fn attribute(name: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.clone()),
        Value::Whole(number) => any_value::Value::IntValue(*number),
        Value::Truth(truth) => any_value::Value::BoolValue(*truth),
    };
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn nanos(at: DateTime<Utc>) -> u64 {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    millis.saturating_mul(1_000_000)
}
