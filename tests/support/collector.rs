//! A collector of traces that keeps what it is sent, over real HTTP.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use tokio::net::TcpListener;

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    All,
    /// With this status nothing.
    Nothing(u16),
    /// It never answers.
    Forever,
    /// All but so many spans, as it says.
    AllBut(i64),
}

/// The collector.
#[derive(Clone)]
pub struct Collector {
    takes: Arc<Mutex<Takes>>,
    got: Arc<Mutex<Vec<Request>>>,
    pub url: String,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    pub fn read(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.clone()).expect("it is OTLP")
    }

    /// All spans, in their order.
    pub fn spans(&self) -> Vec<Span> {
        let resources = self.read().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

impl Collector {
    pub async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let collector = Self {
            takes: Arc::new(Mutex::new(Takes::All)),
            got: Arc::default(),
            url: format!("http://{address}/v1/traces"),
        };
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        collector
    }

    pub fn takes(&self, takes: Takes) {
        *self.takes.lock().expect("nobody died") = takes;
    }

    /// What came since it was asked last.
    pub fn got(&self) -> Vec<Request> {
        std::mem::take(&mut self.got.lock().expect("nobody died"))
    }
}

async fn take(
    State(collector): State<Collector>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    let got = collector.got.lock();
    got.expect("nobody died").push(Request { headers, body });
    let takes = *collector.takes.lock().expect("nobody died");
    let answer = |rejected_spans, error_message: &str| {
        ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans,
                error_message: error_message.to_owned(),
            }),
        }
        .encode_to_vec()
    };
    match takes {
        Takes::All => (StatusCode::OK, answer(0, "")),
        Takes::AllBut(rejected) => (StatusCode::OK, answer(rejected, "too old")),
        Takes::Nothing(status) => (StatusCode::from_u16(status).expect("a status"), Vec::new()),
        Takes::Forever => std::future::pending().await,
    }
}

/// Attributes as text, by name.
pub fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.clone().and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => panic!("{other:?}"),
    };
    all.iter()
        .map(|attribute| (attribute.key.clone(), text(attribute)))
        .collect()
}

/// Spans as `name < parent`, each with what it came to where that was judged.
pub fn tree(spans: &[Span]) -> Vec<String> {
    let parent_of = |span: &Span| {
        let parent = spans
            .iter()
            .find(|other| other.span_id == span.parent_span_id);
        match parent {
            Some(parent) => parent.name.clone(),
            None if span.parent_span_id.is_empty() => "-".to_owned(),
            None => "?".to_owned(),
        }
    };
    spans
        .iter()
        .map(|span| {
            let status = match span.status.as_ref().map(|status| status.code) {
                Some(1) => " ok",
                Some(2) => " failed",
                _ => "",
            };
            format!("{} < {}{status}", span.name, parent_of(span))
        })
        .collect()
}
