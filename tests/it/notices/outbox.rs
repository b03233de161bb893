//! A notice arrives once at each target, however receivers answer and whoever dies; what cannot be told is
//! tried again later and later, told in one where it is too much, and given up in the end.

use std::time::Duration;

use chrono::TimeDelta;
use switchyard::{
    controller::{MayBeThere, NOTICES_LEASE},
    model::NoticeKind,
    notices::Told,
    sandbox::{Fault, FaultKind, Service},
    store::{DeliveryState, NewHold},
};

use super::world::{Answers, TARGETS, World};

#[tokio::test]
async fn a_notice_is_told_once_at_each_target() {
    let world = World::quiet().await;
    world.flip().await;
    assert_eq!(world.tick().await, 3);
    assert_eq!(world.receiver.got().len(), 2);
    assert_eq!(world.posted(), 1);
    world.pass(TimeDelta::hours(1));
    assert_eq!(world.tick().await, 0);
    assert!(world.receiver.got().is_empty());
    assert_eq!(world.posted(), 1);
}

#[tokio::test]
async fn of_two_controllers_at_once_one_tells() {
    let world = World::quiet().await;
    for number in 0..5 {
        world
            .tell(NoticeKind::Hold, &format!("hold {number}"))
            .await;
    }
    let (one, other) = (world.another(), world.another());
    let (one, other) = tokio::join!(one.tick(), other.tick());
    let told = one.expect("an answer") + other.expect("an answer");
    assert_eq!(told, 15);
    assert_eq!(world.receiver.got().len(), 10);
    assert_eq!(world.posted(), 5);
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_later_and_later_under_the_same_id() {
    let world = World::with_a_webhook().await;
    world.flip().await;
    let mut ids = Vec::new();
    for (answer, wait) in [
        (Answers::Status(500), 2),
        (Answers::Never, 4),
        (Answers::Status(302), 8),
        (Answers::Status(404), 16),
    ] {
        world.receiver.once(answer);
        assert_eq!(world.tick().await, 0);
        ids.extend(
            world
                .receiver
                .got()
                .into_iter()
                .map(|got| got.body["id"].clone()),
        );
        world.pass(TimeDelta::seconds(wait) - TimeDelta::milliseconds(1));
        assert_eq!(world.tick().await, 0);
        assert!(
            world.receiver.got().is_empty(),
            "it is not due before {wait} s"
        );
        world.pass(TimeDelta::milliseconds(1));
    }
    assert_eq!(world.tick().await, 1);
    ids.extend(
        world
            .receiver
            .got()
            .into_iter()
            .map(|got| got.body["id"].clone()),
    );
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn a_target_that_asks_to_be_left_alone_is_left_alone_for_everything() {
    let world = World::with_a_webhook().await;
    world.tell(NoticeKind::Hold, "one").await;
    world.tell(NoticeKind::Hold, "two").await;
    world.receiver.once(Answers::Busy(120));
    assert_eq!(world.tick().await, 0);
    assert_eq!(world.receiver.got().len(), 1, "the second is not tried");
    world.pass(TimeDelta::seconds(119));
    assert_eq!(world.tick().await, 0);
    world.pass(TimeDelta::seconds(1));
    assert_eq!(world.tick().await, 2);
}

#[tokio::test]
async fn one_target_that_is_down_holds_up_no_other() {
    let world = World::quiet().await;
    world.receiver.answer(Answers::Never);
    world.tell(NoticeKind::Hold, "one").await;
    assert_eq!(world.tick().await, 1, "Zulip has it");
    assert_eq!(world.state("chat").await, DeliveryState::Sent);
    assert_eq!(world.state("hook").await, DeliveryState::Waiting);
    let trouble = world.newest("hook").await.why.expect("it says why");
    assert!(trouble.contains("no answer within 1 s"), "{trouble}");
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_taken_from_a_webhook_and_looked_into_at_zulip() {
    let world = World::quiet().await;
    world.receiver.answer(Answers::Garbage);
    let garbage = Fault::always(Service::Zulip, FaultKind::Garbage).times(1);
    world.zulip.fault(garbage);
    world.tell(NoticeKind::Hold, "one").await;
    assert_eq!(world.tick().await, 2, "status 200 is all a webhook says");
    assert_eq!(world.state("chat").await, DeliveryState::Waiting);
    world.pass(TimeDelta::seconds(2));
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.state("chat").await, DeliveryState::Sent);
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_looked_for_on_zulip_and_not_posted_again() {
    let world = World::quiet().await;
    let cut = Fault::always(Service::Zulip, FaultKind::Cut { after_bytes: 0 }).times(1);
    world.zulip.fault(cut);
    world.tell(NoticeKind::Hold, "one").await;
    world.tick().await;
    assert_eq!(
        (world.posted(), world.state("chat").await),
        (1, DeliveryState::Waiting)
    );
    world.pass(TimeDelta::seconds(2));
    assert_eq!(world.tick().await, 1);
    assert_eq!(
        (world.posted(), world.state("chat").await),
        (1, DeliveryState::Sent)
    );
}

#[tokio::test]
async fn what_a_killed_process_may_have_sent_is_sent_by_another_once_its_time_is_over() {
    let world = World::with_a_webhook().await;
    world.tell(NoticeKind::Hold, "one").await;
    let dying = world.another();
    world.receiver.once(Answers::Never);
    let seen = async {
        while world.receiver.got().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = dying.tick() => panic!("it dies before"),
        () = seen => {}
    }
    assert_eq!(world.tick().await, 0, "it may be at it still");
    assert_eq!(world.state("hook").await, DeliveryState::Sending);
    world.pass(NOTICES_LEASE + TimeDelta::milliseconds(1));
    assert_eq!(world.tick().await, 1, "nobody knows whether it arrived");
    assert_eq!(world.state("hook").await, DeliveryState::Sent);
}

#[tokio::test]
async fn what_a_killed_process_posted_on_zulip_is_found_there() {
    let zulip = TARGETS.split("[[environments").nth(3).expect("the third");
    let world = World::with(&format!("[[environments{zulip}")).await;
    let (store, about) = (&world.app.store, &world.notices.about);
    let document = serde_json::json!({});
    let told = (NoticeKind::Hold, "one", &document);
    let noted = store.tell_target(about, "chat", told, world.now()).await;
    noted.expect("it is noted");
    let until = world.now() + NOTICES_LEASE;
    let claimed = store.claim_delivery(
        &about.environment,
        ("chat", None),
        ("dying", until),
        world.now(),
    );
    let notice = claimed.await.expect("an answer").expect("it is due").notice;
    let told = Told {
        id: notice.id,
        environment: notice.environment.to_string(),
        flag: notice.flag.to_string(),
        kind: notice.kind,
        gravity: notice.kind.gravity(),
        text: notice.text,
        document: notice.document,
        at: notice.created_at,
        link: String::new(),
    };
    let sent = (world.notices.targets[0].deliver)(told, MayBeThere::No).await;
    sent.expect("it is there, and the process dies");
    assert_eq!(world.tick().await, 0, "it may be at it still");
    world.pass(NOTICES_LEASE + TimeDelta::milliseconds(1));
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.state("chat").await, DeliveryState::Sent);
    assert_eq!(world.posted(), 1, "it is not posted again");
}

#[tokio::test]
async fn a_storm_is_told_in_one() {
    let world = World::with_a_webhook().await;
    for number in 0..40 {
        world
            .tell(NoticeKind::Release, &format!("release {number}"))
            .await;
    }
    world.tell(NoticeKind::Breaker, "Conductor is gone").await;
    assert_eq!(world.tick().await, 1);
    let got = world.receiver.got();
    assert_eq!(got.len(), 1);
    let told = &got[0].body;
    assert_eq!(
        (&told["kind"], &told["gravity"]),
        (&"summary".into(), &"critical".into())
    );
    let text = told["text"].as_str().expect("a text");
    assert!(text.starts_with("41 notices from "), "{text}");
    assert!(text.contains("40 release, 1 breaker"), "{text}");
    assert!(text.contains("Conductor is gone"), "{text}");
    assert_eq!(
        told["document"]["notices"].as_array().map(Vec::len),
        Some(41)
    );
    let list = world.notices.list(50).await.expect("a list");
    let summed = list.notices.iter().flat_map(|notice| &notice.deliveries);
    let summed = summed
        .filter(|one| one.state == DeliveryState::Summed)
        .count();
    assert_eq!(summed, 41);
    world.pass(TimeDelta::hours(1));
    assert_eq!(world.tick().await, 0, "none of them comes again");
}

#[tokio::test]
async fn no_more_than_so_many_messages_a_minute_are_sent() {
    let slow = TARGETS.replace("timeout_s = 1\n", "timeout_s = 1\n per_minute = 3\n");
    let slow = slow.split("[[environments").nth(1).expect("the first");
    let world = World::with(&format!("[[environments{slow}")).await;
    for number in 0..3 {
        world.tell(NoticeKind::Hold, &format!("{number}")).await;
    }
    assert_eq!(world.tick().await, 3);
    world.pass(TimeDelta::seconds(30));
    world.tell(NoticeKind::Hold, "3").await;
    assert_eq!(world.tick().await, 0, "the minute is not over");
    world.pass(TimeDelta::seconds(30));
    assert_eq!(world.tick().await, 1);
}

#[tokio::test]
async fn what_nobody_takes_for_a_day_is_given_up_and_shown_to_be() {
    let world = World::with_a_webhook().await;
    world.receiver.answer(Answers::Status(503));
    world.tell(NoticeKind::Hold, "one").await;
    for _ in 0..4 {
        world.tick().await;
        world.pass(TimeDelta::minutes(11));
    }
    let stands = world.notices.stands().await.expect("it is read");
    assert_eq!((stands[0].late, stands[0].given_up), (1, 0));
    world.pass(TimeDelta::hours(24));
    world.tick().await;
    assert_eq!(world.state("hook").await, DeliveryState::GivenUp);
    let stands = world.notices.stands().await.expect("it is read");
    assert_eq!((stands[0].late, stands[0].given_up), (0, 1));
    let trouble = stands[0].trouble().expect("there is some");
    assert!(
        trouble.contains("given up") && trouble.contains("503"),
        "{trouble}"
    );
    let readings = world.app.store.readings(&world.notices.about, world.now());
    let readings = readings.await.expect("it is read");
    let given_up = readings
        .iter()
        .find(|one| one.family.name == "switchyard_notices_given_up_total");
    let given_up = given_up.expect("it is counted");
    assert_eq!((given_up.labels[2].as_str(), given_up.value), ("hook", 1.0));
    world.receiver.answer(Answers::Status(200));
    world.pass(TimeDelta::hours(1));
    let _ = world.receiver.got();
    world.tick().await;
    assert!(world.receiver.got().is_empty(), "it is not tried any more");
}

#[tokio::test]
async fn a_target_that_left_the_settings_is_given_up_an_hour_later() {
    let world = World::quiet().await;
    world.receiver.answer(Answers::Status(500));
    world.tell(NoticeKind::Hold, "one").await;
    world.tick().await;
    let mut without = world.another();
    without.targets.retain(|target| target.name != "slack");
    without.tick().await.expect("an answer");
    assert_eq!(world.state("slack").await, DeliveryState::Waiting);
    world.pass(TimeDelta::hours(1) + TimeDelta::seconds(1));
    without.tick().await.expect("an answer");
    assert_eq!(world.state("slack").await, DeliveryState::GivenUp);
    let stands = without.stands().await.expect("it is read");
    let gone = stands.iter().find(|target| target.name == "slack");
    assert!(gone.is_some_and(|target| !target.is_set && target.given_up == 1));
}

#[tokio::test]
async fn a_test_arrives_at_its_target_alone_and_says_what_became_of_it() {
    let world = World::quiet().await;
    let sent = world.notices.test("slack", "ana").await.expect("an answer");
    assert_eq!(sent.expect("it is set").state, DeliveryState::Sent);
    let got = world.receiver.got();
    assert!(got.len() == 1 && got[0].to == "slack" && got[0].text.contains("a test by ana"));
    world.receiver.answer(Answers::Status(403));
    let failed = world.notices.test("hook", "ana").await.expect("an answer");
    let failed = failed.expect("it is set");
    assert_eq!(failed.state, DeliveryState::Waiting);
    assert!(failed.why.is_some_and(|why| why.contains("403")));
    let unknown = world.notices.test("pager", "ana").await.expect("an answer");
    let unknown = unknown.expect_err("there is none").to_string();
    assert!(
        unknown.contains("`pager`") && unknown.contains("hook, slack, chat"),
        "{unknown}"
    );
}

#[tokio::test]
async fn holds_over_their_time_are_told() {
    let world = World::with_a_webhook().await;
    let hold = NewHold {
        owner: "bo".to_owned(),
        reason: "audit week".to_owned(),
        expires_at: world.now() + TimeDelta::minutes(1),
    };
    let placed = world
        .app
        .store
        .place_hold(&world.notices.about, &hold, world.now());
    placed.await.expect("it is placed");
    assert_eq!(world.tick().await, 1, "the hold");
    world.pass(TimeDelta::minutes(1));
    assert_eq!(world.tick().await, 1, "its expiry");
    world.pass(TimeDelta::minutes(1));
    assert_eq!(world.tick().await, 0);
}

#[tokio::test]
async fn delivering_ends_when_told_to() {
    let world = World::with_a_webhook().await;
    world.flip().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(world.another().run(stop.clone()));
    tokio::time::timeout(Duration::from_secs(30), async {
        while world.receiver.got().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is told");
    stop.cancel();
    running.await.expect("it ends");
    world.tell(NoticeKind::Hold, "one").await;
    assert_eq!(world.tick().await, 1);
    drop(world.folder);
}
