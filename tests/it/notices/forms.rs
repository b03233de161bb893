//! Each target gets a notice in its own form, with the way to act on it, and nothing that is secret.

use std::process::{Command, Stdio};

use switchyard::{
    contract::webhook::signature, model::NoticeKind, notices::SIGNATURE, sandbox::Service,
};

use super::world::{TARGETS, World};

const LINK: &str = "http://127.0.0.1:8480/phases/staging/daily_diarization_pipeline";

#[tokio::test]
async fn a_webhook_gets_it_signed_with_its_id_and_the_way_to_act() {
    let world = World::with_a_webhook().await;
    world.flip().await;
    assert_eq!(world.tick().await, 1);
    let got = world.receiver.got().remove(0);
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(
        got.headers["idempotency-key"],
        got.body["id"].as_str().expect("a text")
    );
    assert_eq!(got.body["kind"], "flip");
    assert_eq!(got.body["gravity"], "warning");
    assert_eq!(got.body["environment"], "staging");
    assert_eq!(got.body["document"]["after"], "parallel");
    assert_eq!(got.body["link"], LINK);
    assert_eq!(
        got.body["text"],
        "staging went from infrastructure to parallel, moved by ana"
    );
    let signed = got.headers[SIGNATURE].to_str().expect("a text");
    let at = world.now().timestamp();
    assert_eq!(signed, signature("hush", at, &got.text));
}

/// The example of the page, as readers would run it.
fn python_says(signed: &str, body: &str, secret: &str, now: i64) -> Option<String> {
    let page = include_str!("../../../docs/notices.md");
    let example = page.split("```python\n").nth(1).expect("there is one");
    let example = example.split("```").next().expect("it ends");
    let script = format!(
        "{example}\nimport sys\nprint(is_genuine(sys.stdin.buffer.read(), sys.argv[1], [sys.argv[2]], now=int(sys.argv[3])))"
    );
    let mut python = Command::new("python3")
        .args(["-c", &script, signed, secret, &now.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let stdin = python.stdin.take();
    std::io::Write::write_all(&mut stdin.expect("it is piped"), body.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    Some(
        String::from_utf8(output.stdout)
            .expect("a text")
            .trim()
            .to_owned(),
    )
}

#[tokio::test]
async fn while_secrets_change_both_sign_and_the_documented_example_accepts_either() {
    let both = TARGETS.replace(
        "secret = KEY\n",
        "secret = KEY\n other_secret = { file = \"FOLDER/next\" }\n",
    );
    let world = World::with(&both).await;
    world.flip().await;
    world.tick().await;
    let mut got = world.receiver.got();
    let at = got
        .iter()
        .position(|got| got.to == "hook")
        .expect("it came");
    let got = got.swap_remove(at);
    let signed = got.headers[SIGNATURE].to_str().expect("a text");
    let now = world.now().timestamp();
    for secret in ["hush", "hush-2"] {
        let alone = signature(secret, now, &got.text);
        let (_, hex) = alone.split_once(",v1=").expect("it is signed");
        assert!(signed.contains(hex), "{signed}");
        let Some(said) = python_says(signed, &got.text, secret, now) else {
            eprintln!("skipped: there is no python3");
            return;
        };
        assert_eq!(said, "True", "{secret}");
    }
    let says = |signed: &str, body: &str, secret: &str, now| {
        python_says(signed, body, secret, now).expect("there is python3")
    };
    assert_eq!(says(signed, &got.text, "another", now), "False");
    assert_eq!(
        says(signed, &format!("{} ", got.text), "hush", now),
        "False"
    );
    assert_eq!(
        says(signed, &got.text, "hush", now + 301),
        "False",
        "it is old"
    );
    assert_eq!(says("garbage", &got.text, "hush", now), "False");
}

#[tokio::test]
async fn slack_gets_blocks_and_the_same_as_text() {
    let world = World::quiet().await;
    world
        .tell(NoticeKind::Hold, "ana <!channel> holds it")
        .await;
    world.tick().await;
    let got = world.receiver.got();
    let got = got.iter().find(|got| got.to == "slack").expect("it came");
    let text = got.body["text"].as_str().expect("a text");
    assert!(text.contains("&lt;!channel&gt;"), "{text}");
    assert!(text.contains(&format!("<{LINK}|Open the page>")), "{text}");
    assert_eq!(got.body["blocks"].as_array().map(Vec::len), Some(3));
    assert!(!got.headers.contains_key(SIGNATURE));
}

#[tokio::test]
async fn zulip_gets_it_in_the_topic_of_its_kind_with_the_bots_key() {
    let world = World::quiet().await;
    world.tell(NoticeKind::Review, "to be looked at").await;
    world.tick().await;
    let posts = world.zulip.requests_to(Service::Zulip);
    let [post] = posts.as_slice() else {
        panic!("{posts:?}");
    };
    let body = String::from_utf8_lossy(&post.body);
    for part in ["operations", "staging+review", "reviews"] {
        assert!(body.contains(part), "{part}: {body}");
    }
}

#[tokio::test]
async fn each_target_is_told_what_it_asked_for_alone() {
    let some = TARGETS
        .replace(
            "name = \"hook\"",
            "name = \"hook\"\n at_least = \"critical\"",
        )
        .replace("name = \"slack\"", "name = \"slack\"\n kinds = [\"hold\"]");
    let world = World::with(&some).await;
    world.tell(NoticeKind::Release, "released").await;
    world.tell(NoticeKind::Hold, "held").await;
    world.tell(NoticeKind::Override, "overridden").await;
    world.tick().await;
    let got = world.receiver.got();
    let told = |to: &str| -> Vec<String> {
        let mut texts: Vec<String> = got
            .iter()
            .filter(|got| got.to == to)
            .map(|got| got.body["text"].to_string())
            .collect();
        texts.sort_unstable();
        texts
    };
    assert_eq!(told("hook"), ["\"overridden\""]);
    assert!(told("slack").len() == 1 && told("slack")[0].contains("held"));
    assert_eq!(world.posted(), 3);
}

#[tokio::test]
async fn no_address_or_secret_is_shown_wherever_something_is_shown() {
    let world = World::quiet().await;
    world.receiver.answer(super::world::Answers::Status(500));
    world.flip().await;
    world.tick().await;
    let list = world.notices.list(10).await.expect("a list");
    let shown = [
        serde_json::to_string(&list).expect("it is JSON"),
        world.app.config.shown().to_string(),
        format!("{:?}", world.app.config),
        format!("{:?}", world.app.config.shown_lines()),
    ];
    for text in shown {
        assert!(!text.contains("hush/"), "{text}");
        assert!(!text.contains("\"hush\""), "{text}");
    }
    assert!(
        world
            .newest("hook")
            .await
            .why
            .is_some_and(|why| why.contains("500"))
    );
}
