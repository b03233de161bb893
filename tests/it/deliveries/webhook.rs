//! Customers' webhooks.

use std::time::Duration;

use switchyard::{
    model::HttpRequest,
    providers::{Fate, Webhook},
    sandbox::{Fault, FaultKind, Sandbox, Service},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LONG, assert_headers, legacy, live, nobody, ours, relays, status, timeout};
use crate::standup::{loopback, sandbox};

const HOST: &str = "hooks.example.test";

fn webhook(sandbox: &Sandbox) -> Webhook {
    webhook_within(LONG, sandbox)
}

fn webhook_within(timeout: Duration, sandbox: &Sandbox) -> Webhook {
    let relays = relays(HOST, sandbox.url(Service::Webhook));
    Webhook::within(timeout, &relays).expect("settings are right")
}

fn request() -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        url: format!("https://{HOST}/hush?token=hush"),
        headers: vec![(
            "X-Webhook-Event".to_owned(),
            "transcript.completed".to_owned(),
        )],
        body: r#"{"hush":"hush"}"#.to_owned(),
    }
}

#[tokio::test]
async fn a_customer_gets_what_the_legacy_sent() {
    let sandbox = sandbox().await;
    let legacy = legacy("base", "webhook", &format!("https://{HOST}"));
    let answered = webhook(&sandbox).send(&live(1), &ours(&legacy)).await;
    assert_eq!(answered.expect("it is answered"), 200);
    let sent = &sandbox.requests()[0];
    assert_eq!(
        (&*sent.method, &*sent.path),
        ("POST", "/reflector?customer=42")
    );
    assert_eq!(sent.body, legacy.body.as_bytes());
    assert_headers(sent, &legacy, &["accept-encoding", "connection"]);
}

#[tokio::test]
async fn header_names_are_spelt_as_the_legacy_spelt_them() {
    let listener = loopback().await;
    let address = listener.local_addr().expect("it is bound");
    let receiver = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a customer");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a byte"));
        }
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        stream.write_all(answer).await.expect("it is there");
        String::from_utf8(head).expect("a head is text")
    });
    let relays = relays(HOST, format!("http://{address}").parse().expect("a URL"));
    let webhook = Webhook::within(LONG, &relays).expect("settings are right");
    let answered = webhook.send(&live(1), &request()).await;
    assert_eq!(answered.expect("it is answered"), 204);
    let head = receiver.await.expect("it ends");
    assert!(
        head.starts_with("POST /hush?token=hush HTTP/1.1\r\n"),
        "{head}"
    );
    for header in [
        "X-Webhook-Event: transcript.completed",
        "Host: hooks.example.test",
    ] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn every_status_is_the_customers_answer_and_redirects_are_not_followed() {
    for code in [201, 302, 308, 400, 410, 429, 500, 503] {
        let sandbox = sandbox().await;
        sandbox.fault(Fault::always(Service::Webhook, status(code)));
        let answered = webhook(&sandbox).send(&live(1), &request()).await;
        assert_eq!(answered.expect("it is answered"), code);
        assert_eq!(sandbox.requests().len(), 1);
    }
}

#[tokio::test]
async fn what_the_answer_says_beside_its_status_does_not_matter() {
    for kind in [FaultKind::Garbage, FaultKind::BrokenJson] {
        let sandbox = sandbox().await;
        sandbox.fault(Fault::always(Service::Webhook, kind));
        let answered = webhook(&sandbox).send(&live(1), &request()).await;
        assert_eq!(answered.expect("it is answered"), 200);
    }
}

#[tokio::test]
async fn a_customer_who_may_have_been_told_is_told_apart_from_one_who_was_not() {
    for kind in [FaultKind::Hang, FaultKind::Cut { after_bytes: 0 }] {
        let sandbox = sandbox().await;
        let webhook = webhook_within(timeout(&kind), &sandbox);
        sandbox.fault(Fault::always(Service::Webhook, kind));
        let error = webhook.send(&live(1), &request()).await;
        let error = error.expect_err("no answer");
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        assert_eq!(sandbox.requests().len(), 1, "it is sent once");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
    let webhook = Webhook::new(&relays(HOST, nobody().await)).expect("settings are right");
    let error = webhook.send(&live(1), &request()).await;
    let error = error.expect_err("nobody is there");
    assert_eq!(error.fate(), Fate::NotDone, "{error}");
    let told = error.to_string();
    assert!(told.starts_with("webhook: delivering to `hooks.example.test`: connection failed"));
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_refused_without_being_told() {
    let sandbox = sandbox().await;
    let unusable = HttpRequest {
        url: "hush".to_owned(),
        ..request()
    };
    let error = webhook(&sandbox).send(&live(1), &unusable).await;
    let error = error.expect_err("there is no host");
    assert_eq!(error.fate(), Fate::Refused);
    assert!(!error.to_string().contains("hush"), "{error}");
    assert!(sandbox.requests().is_empty());
}
