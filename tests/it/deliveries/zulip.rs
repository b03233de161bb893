//! Messages on Zulip.

use std::time::Duration;

use switchyard::{
    contract::zulip::{Address, edit, post},
    model::HttpRequest,
    providers::{Error, Fate, Retry, Sent, Zulip},
    sandbox::{Fault, FaultKind, Sandbox, Service},
};

use super::{LONG, assert_headers, legacy, live, nobody, ours, relays, status, timeout};
use crate::standup::sandbox;

const REALM: &str = "zulip.example.test";
const BASE: &str = "https://zulip.example.test";
const BOT: &str = "reflector-bot@zulip.example.test";
const KEY: &str = "fake-zulip-key";
const LINK: &str = "https://r.example/transcripts/t1";
const NOTES: Address<'_> = Address {
    stream: "meetings",
    topic: "notes",
};

fn zulip(sandbox: &Sandbox) -> Zulip {
    bot(sandbox, BOT, LONG)
}

fn zulip_within(timeout: Duration, sandbox: &Sandbox) -> Zulip {
    bot(sandbox, BOT, timeout)
}

fn bot(sandbox: &Sandbox, email: &str, timeout: Duration) -> Zulip {
    let relays = relays(REALM, sandbox.url(Service::Zulip));
    let retry = Retry {
        attempts: 3,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        patience: Duration::from_secs(5),
        budget: Duration::from_hours(1),
    };
    let zulip = Zulip::new(REALM, email, KEY, timeout, &relays);
    zulip.expect("settings are right").with_retry(retry)
}

fn message(link: &str) -> String {
    format!("# Hush\n\n**Link**: [r.example]({link})\n\n-----\n")
}

/// Posts a message and gives its id.
async fn posted(zulip: &Zulip, address: Address<'_>, link: &str) -> i64 {
    let request = post(BASE, address, &message(link));
    let sent = zulip.send(&live(1), &request).await;
    let Sent::Posted(id) = sent.expect("it is posted") else {
        panic!("a post was asked for");
    };
    id
}

fn methods(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests_to(Service::Zulip).into_iter();
    requests.map(|request| request.method).collect()
}

fn assert_discreet(error: &Error) {
    let told = format!("{error} {error:?}");
    for secret in [KEY, "Hush", "notes", "meetings", "transcripts"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test]
async fn zulip_gets_what_the_legacy_sent() {
    for (case, expected) in [
        ("base", Sent::Posted(4242)),
        ("reprocess_zulip_patch", Sent::Edited),
    ] {
        let sandbox = sandbox().await;
        let legacy = legacy(case, "zulip", BASE);
        let sent = zulip(&sandbox).send(&live(1), &ours(&legacy)).await;
        assert_eq!(sent.expect("it is sent"), expected, "{case}");
        let sent = &sandbox.requests()[0];
        assert_eq!(sent.method, legacy.method);
        assert_eq!(format!("{BASE}{}", sent.path), legacy.url);
        assert_eq!(sent.body, legacy.body.as_bytes(), "{case}");
        assert_headers(
            sent,
            &legacy,
            &["accept-encoding", "connection", "user-agent"],
        );
    }
}

#[tokio::test]
async fn a_post_is_sent_once_and_says_what_may_have_come_of_it() {
    for (kind, fate) in [
        (status(400), Fate::Refused),
        (status(401), Fate::Refused),
        (status(302), Fate::Refused),
        (status(429), Fate::NotDone),
        (status(500), Fate::Unknown),
        (status(503), Fate::Unknown),
        (FaultKind::Hang, Fate::Unknown),
        (FaultKind::Garbage, Fate::Unknown),
        (FaultKind::BrokenJson, Fate::Unknown),
        (FaultKind::Cut { after_bytes: 0 }, Fate::Unknown),
        (FaultKind::Cut { after_bytes: 40 }, Fate::Unknown),
    ] {
        let sandbox = sandbox().await;
        sandbox.fault(Fault::always(Service::Zulip, kind.clone()));
        let request = post(BASE, NOTES, &message(LINK));
        let zulip = zulip_within(timeout(&kind), &sandbox);
        let error = zulip.send(&live(1), &request).await;
        let error = error.expect_err("it ends badly");
        assert_eq!(error.fate(), fate, "{kind:?}: {error}");
        assert_eq!(methods(&sandbox), ["POST"], "{kind:?}");
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn a_realm_that_is_not_there_has_not_been_posted_to() {
    let relays = relays(REALM, nobody().await);
    let zulip = Zulip::new(REALM, BOT, KEY, LONG, &relays).expect("settings are right");
    let request = post(BASE, NOTES, &message(LINK));
    let error = zulip.send(&live(1), &request).await;
    let error = error.expect_err("nobody is there");
    assert_eq!(
        (error.fate(), error.attempts),
        (Fate::NotDone, 1),
        "{error}"
    );
    assert!(error.retryable());
    assert_discreet(&error);
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_found() {
    let sandbox = sandbox().await;
    let zulip = zulip(&sandbox);
    assert_eq!(zulip.find(NOTES, LINK, None).await.unwrap(), None);
    for kind in [FaultKind::Cut { after_bytes: 0 }, FaultKind::Garbage] {
        let known = zulip.find(NOTES, LINK, None).await.unwrap();
        sandbox.fault(Fault::always(Service::Zulip, kind).times(1));
        let request = post(BASE, NOTES, &message(LINK));
        let error = zulip.send(&live(1), &request).await;
        assert_eq!(error.expect_err("no answer").fate(), Fate::Unknown);
        let found = zulip.find(NOTES, LINK, known).await.unwrap();
        assert_eq!(found, Some(known.map_or(4242, |id| id + 1)));
    }
}

#[tokio::test]
async fn an_edit_zulip_refuses_is_told_apart_from_one_that_may_be_tried_again() {
    let request = edit(BASE, 4242, NOTES, &message(LINK));
    let sandbox = sandbox().await;
    sandbox
        .vary(Service::Zulip, Some("patch_invalid"))
        .expect("it is in the data");
    let sent = zulip(&sandbox).send(&live(1), &request).await;
    assert_eq!(sent.expect("an answer"), Sent::EditRefused { status: 400 });
    assert_eq!(methods(&sandbox), ["PATCH"], "a refusal is final");

    for (kind, requests) in [
        (status(429), 3),
        (status(500), 3),
        (FaultKind::Hang, 3),
        (FaultKind::Cut { after_bytes: 0 }, 3),
        // An answer nobody can read is asked for once more.
        (FaultKind::Garbage, 2),
        (FaultKind::BrokenJson, 2),
    ] {
        let sandbox = crate::standup::sandbox().await;
        sandbox.fault(Fault::always(Service::Zulip, kind.clone()));
        let zulip = zulip_within(timeout(&kind), &sandbox);
        let error = zulip.send(&live(1), &request).await;
        let error = error.expect_err("it ends badly");
        assert!(error.retryable(), "{error}");
        assert_eq!(methods(&sandbox), vec!["PATCH"; requests], "{kind:?}");
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn one_failure_of_an_edit_or_a_search_goes_unnoticed() {
    for kind in [
        status(503),
        status(429),
        FaultKind::Cut { after_bytes: 0 },
        FaultKind::Garbage,
    ] {
        let sandbox = sandbox().await;
        let zulip = zulip(&sandbox);
        let id = posted(&zulip, NOTES, "https://r.example/transcripts/other").await;
        sandbox.fault(Fault::always(Service::Zulip, kind.clone()).times(1));
        let request = edit(BASE, id, NOTES, &message(LINK));
        let sent = zulip.send(&live(1), &request).await;
        assert_eq!(sent.expect("it is edited"), Sent::Edited);
        sandbox.fault(Fault::always(Service::Zulip, kind).times(1));
        assert_eq!(zulip.find(NOTES, LINK, None).await.unwrap(), Some(id));
        assert_eq!(methods(&sandbox), ["POST", "PATCH", "PATCH", "GET", "GET"]);
    }
}

#[tokio::test]
async fn a_search_that_fails_is_not_taken_for_no_message() {
    for kind in [
        status(401),
        status(429),
        status(500),
        FaultKind::Hang,
        FaultKind::Garbage,
    ] {
        let sandbox = sandbox().await;
        let zulip = zulip(&sandbox);
        posted(&zulip, NOTES, LINK).await;
        let impatient = zulip_within(timeout(&kind), &sandbox);
        sandbox.fault(Fault::always(Service::Zulip, kind));
        let error = impatient.find(NOTES, LINK, None).await;
        assert_discreet(&error.expect_err("nobody knows"));
    }
}

#[tokio::test]
async fn only_our_own_message_with_that_link_in_that_place_is_found() {
    let sandbox = sandbox().await;
    let ours = zulip(&sandbox);
    let elsewhere = Address {
        topic: "other notes",
        ..NOTES
    };
    posted(
        &bot(&sandbox, "other-bot@zulip.example.test", LONG),
        NOTES,
        LINK,
    )
    .await;
    posted(&ours, elsewhere, LINK).await;
    posted(&ours, NOTES, &format!("{LINK}2")).await;
    assert_eq!(ours.find(NOTES, LINK, None).await.unwrap(), None);
    let first = posted(&ours, NOTES, LINK).await;
    assert_eq!(ours.find(NOTES, LINK, None).await.unwrap(), Some(first));
    // An earlier run's message is not this run's.
    assert_eq!(ours.find(NOTES, LINK, Some(first)).await.unwrap(), None);
    let second = posted(&ours, NOTES, LINK).await;
    let found = ours.find(NOTES, LINK, Some(first)).await.unwrap();
    assert_eq!(found, Some(second));
}

#[tokio::test]
async fn a_message_in_a_topic_that_zulip_renames_is_found() {
    let long = "a topic that is longer than the sixty characters which Zulip keeps of one";
    for topic in ["", " notes ", long] {
        let sandbox = sandbox().await;
        let address = Address { topic, ..NOTES };
        let zulip = zulip(&sandbox);
        let id = posted(&zulip, address, LINK).await;
        let found = zulip.find(address, LINK, None).await.unwrap();
        assert_eq!(found, Some(id), "`{topic}`");
    }
}

#[tokio::test]
async fn an_older_message_is_found_on_a_later_page() {
    let sandbox = sandbox().await;
    let zulip = zulip(&sandbox);
    let wanted = posted(&zulip, NOTES, LINK).await;
    let mut newest = wanted;
    for _ in 0..250 {
        newest = posted(&zulip, NOTES, "https://r.example/transcripts/other").await;
    }
    let searches = || {
        let methods = methods(&sandbox);
        methods.iter().filter(|method| *method == "GET").count()
    };
    assert_eq!(zulip.find(NOTES, LINK, None).await.unwrap(), Some(wanted));
    assert_eq!(searches(), 3);
    // What is older than the run is not read at all.
    assert_eq!(
        zulip.find(NOTES, LINK, Some(newest - 50)).await.unwrap(),
        None
    );
    assert_eq!(searches(), 4);
}

#[tokio::test]
async fn nobody_but_the_realm_gets_the_bots_key() {
    let sandbox = sandbox().await;
    let sound = post(BASE, NOTES, &message(LINK));
    for url in [
        sandbox.url(Service::Zulip).to_string(),
        "https://zulip.example.test.evil.example/api/v1/messages".to_owned(),
        "https://zulip.example.test:8443/api/v1/messages".to_owned(),
        "http://zulip.example.test/api/v1/messages".to_owned(),
    ] {
        let request = HttpRequest {
            url,
            ..sound.clone()
        };
        let error = zulip(&sandbox).send(&live(1), &request).await;
        assert_eq!(error.expect_err("another host").fate(), Fate::Refused);
    }
    assert!(sandbox.requests().is_empty());
}
