//! A live run stands in for the legacy pipeline: what it leaves and tells is what the legacy left
//! and told, apart from what is listed here.

use std::collections::BTreeMap;

use serde_json::Value;
use switchyard::{
    contract::webhook,
    controller::Again,
    model::{Published, RunState},
    sandbox::{Recorded, Service},
    store::Effects,
};

use crate::{
    reflector::{Side, Tables},
    world::{Setup, World, fixtures, short_tracks},
};

/// Why a place may differ from what was recorded.
struct Mask {
    path: &'static str,
    why: &'static str,
}

const fn mask(path: &'static str, why: &'static str) -> Mask {
    Mask { path, why }
}

/// Tracks begin 7 ms later than in the legacy, where the Opus specification has them.
const LATER_MS: f64 = 7.0;

/// Places of the transcript's row. `*` stands for any index.
const ROW: [Mask; 6] = [
    mask("topics.*.id", "each run gives its topics new ids"),
    mask("events.*.data.id", "the same ids again"),
    mask(
        "duration",
        "a time; it is later by `LATER_MS`, which is asserted",
    ),
    mask(
        "events.*.data.duration",
        "the same time; a topic's own is always 0",
    ),
    mask(
        "events.*.data.waveform",
        "peaks in chunks that begin `LATER_MS` later; the bound is in comparisons/",
    ),
    mask(
        "search_vector_en",
        "PostgreSQL makes it of the other columns",
    ),
];

/// Places of a message on the transcript's channel or its owner's.
const MESSAGE: [Mask; 2] = [
    mask(
        "data.id",
        "a topic's new id; on the owner's channel it is the transcript's, and checked",
    ),
    mask(
        "data.duration",
        "a time; it is later by `LATER_MS`, which is asserted",
    ),
];

/// Places of the webhook's body.
const WEBHOOK: [Mask; 3] = [
    mask("event_id", "random in the legacy"),
    mask("timestamp", "the moment"),
    mask(
        "transcript.duration",
        "a time; it is later by `LATER_MS`, which is asserted",
    ),
];

fn recorded(case: &str, file: &str) -> String {
    let path = fixtures().join("standup/expected").join(case).join(file);
    std::fs::read_to_string(path).expect("it is recorded")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

/// Every value by its path.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        let below = |key: &str| {
            if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            }
        };
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                open.extend(fields.iter().map(|(key, value)| (below(key), value)));
            }
            Value::Array(items) if !items.is_empty() => {
                let items = items.iter().enumerate();
                open.extend(items.map(|(index, value)| (below(&index.to_string()), value)));
            }
            other => drop(found.insert(path, other.clone())),
        }
    }
    found
}

fn is_masked(path: &str, masks: &[Mask]) -> bool {
    masks.iter().any(|mask| {
        let (parts, wanted): (Vec<_>, Vec<_>) =
            (path.split('.').collect(), mask.path.split('.').collect());
        assert!(!mask.why.is_empty());
        parts.len() >= wanted.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(wanted, part)| *wanted == "*" || wanted == part)
    })
}

/// Every place at which two values differ and none is masked.
fn differences(made: &Value, expected: &Value, masks: &[Mask]) -> Vec<String> {
    let same = |one: &Value, other: &Value| {
        one == other || (one.as_f64().is_some() && one.as_f64() == other.as_f64())
    };
    let (made, expected) = (flat(made), flat(expected));
    let paths = made.keys().chain(expected.keys());
    let mut found: Vec<_> = paths
        .filter(|path| !is_masked(path, masks))
        .filter_map(|path| match (made.get(path), expected.get(path)) {
            (Some(one), Some(other)) if same(one, other) => None,
            (one, other) => Some(format!("{path}: {one:?} instead of {other:?}")),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// What was published of a recorded run, Celery's own messages left out.
fn recorded_messages(case: &str) -> Vec<Published> {
    recorded(case, "pubsub.jsonl")
        .lines()
        .map(json)
        .map(|line| Published {
            channel: line["channel"].as_str().expect("a channel").to_owned(),
            payload: line["data"].as_str().expect("a message").to_owned(),
        })
        .filter(|message| {
            ["ts:", "user:"]
                .iter()
                .any(|ours| message.channel.starts_with(ours))
        })
        .collect()
}

/// The title may come anywhere among the summaries, as in the legacy, where both are made at once.
fn sorted(mut messages: Vec<Published>) -> Vec<Published> {
    let is_final = |message: &Published| message.payload.contains("FINAL_");
    if let (Some(first), Some(last)) = (
        messages.iter().position(is_final),
        messages.iter().rposition(is_final),
    ) {
        messages[first..=last].sort_by_key(|message| {
            let title = message.payload.contains("FINAL_TITLE");
            (
                !title,
                message.channel.starts_with("user:"),
                message.payload.contains("LONG"),
            )
        });
    }
    messages
}

async fn live(case: &'static str, tables: Tables) -> Option<(World, Side)> {
    let side = Side::arrived(case).await?;
    let mut setup = Setup {
        case,
        ..Setup::default()
    };
    if tables == Tables::Inside {
        setup.database = Some(side.database.url.clone());
        setup.schema = Some("switchyard");
    }
    let world = World::start_with(setup, Some(&side)).await;
    Some((world, side))
}

async fn stands_in_for_the_legacy(tables: Tables) {
    let Some((world, mut side)) = live("base", tables).await else {
        return;
    };
    let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
    let run = world.ended(dispatched.run()).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);

    let expected = json(&recorded("base", "db_after.json"));
    let row = side.row("transcript").await;
    assert_eq!(differences(&row, &expected["transcript"][0], &ROW), [""; 0]);
    let mut recording = expected["recording"][0].clone();
    recording["workflow_id"] = run.workflow_id.as_ref().map(ToString::to_string).into();
    assert_eq!(
        differences(&side.row("recording").await, &recording, &[]),
        [""; 0]
    );

    let later = |value: &Value, other: &Value| {
        let (one, other) = (
            value.as_f64().expect("a time"),
            other.as_f64().expect("a time"),
        );
        assert!(
            (one - other - LATER_MS).abs() < 0.001,
            "{one} instead of {other}"
        );
    };
    later(&row["duration"], &expected["transcript"][0]["duration"]);

    let (heard, told) = (sorted(side.heard()), sorted(recorded_messages("base")));
    assert_eq!(heard.len(), told.len(), "{heard:?}");
    for (heard, told) in heard.iter().zip(&told) {
        assert_eq!(heard.channel, told.channel);
        let (one, other) = (json(&heard.payload), json(&told.payload));
        assert_eq!(differences(&one, &other, &MESSAGE), [""; 0]);
        match other["event"].as_str().expect("a name") {
            "TOPIC" => {}
            "DURATION" | "TRANSCRIPT_DURATION" => {
                later(&one["data"]["duration"], &other["data"]["duration"]);
                assert_eq!(one["data"]["id"], other["data"]["id"]);
            }
            _ => assert_eq!(heard.payload, told.payload, "to the byte"),
        }
    }

    let text = |call: &Recorded| String::from_utf8(call.body.clone()).expect("it is text");
    let posts = world.sandbox.requests_to(Service::Zulip);
    assert_eq!(posts.len(), 1);
    assert_eq!(text(&posts[0]), recorded("base", "zulip_1.body.txt"));
    let calls = world.sandbox.requests_to(Service::Webhook);
    assert_eq!(calls.len(), 1);
    let (body, golden) = (
        text(&calls[0]),
        json(&recorded("base", "webhook_1.body.json")),
    );
    assert_eq!(differences(&json(&body), &golden, &WEBHOOK), [""; 0]);
    later(
        &json(&body)["transcript"]["duration"],
        &golden["transcript"]["duration"],
    );
    let signed = calls[0]
        .header("x-webhook-signature")
        .expect("it is signed");
    let at = signed
        .split([',', '='])
        .nth(1)
        .and_then(|at| at.parse().ok());
    let secret = world
        .subject
        .room
        .as_ref()
        .and_then(|room| room.webhook_secret.clone());
    let secret = secret.expect("the room has a secret");
    assert_eq!(
        signed,
        webhook::signature(&secret, at.expect("a moment"), &body)
    );
    assert_eq!(calls[0].header("x-webhook-retry"), Some("0"));

    let objects: Vec<_> = world
        .all_objects()
        .await
        .into_iter()
        .map(|object| object.key)
        .collect();
    let mut expected = world.subject.recording.track_keys.clone();
    expected.push(format!("{}/audio.mp3", run.transcript_id));
    for key in &objects {
        assert!(expected.contains(key), "{key} is left over");
    }
    assert!(objects.contains(&expected[expected.len() - 1]));
    let ledger = world.store.ledger(&run.id).await.expect("a read");
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    assert_eq!(ledger[0].0, "confirmed");
    assert!(side.waveform(run.transcript_id.as_str()).is_some());
    world.end().await;
    side.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_leaves_and_tells_what_the_legacy_did() {
    stands_in_for_the_legacy(Tables::Apart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_with_its_tables_inside_reflectors_database_does_the_same() {
    stands_in_for_the_legacy(Tables::Inside).await;
}

/// Steps go forward, each is told once, with exactly the fields that were asked for; and a shadow
/// run tells nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_of_a_live_run_is_told_step_by_step_and_never_goes_back() {
    let Some(side) = Side::arrived("base").await else {
        return;
    };
    let setup = Setup {
        tracks: Some(short_tracks()),
        ..Setup::default()
    };
    let world = World::start_with(setup, Some(&side)).await;
    let shadow = world.completed(Again::Resume).await;
    assert_eq!(side.progress().len(), 0, "{:?}", shadow.id);

    let dispatched = world.dispatch_as(Effects::Live, Again::Anew).await;
    let run = world.ended(dispatched.run()).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let told = side.progress();
    let mut steps = Vec::new();
    for message in &told {
        assert_eq!(message.channel, format!("progress:{}", run.transcript_id));
        let event = json(&message.payload);
        assert_eq!(event["event"], "PIPELINE_PROGRESS");
        let fields = event["data"].as_object().expect("an object");
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        let mut asked_for = [
            "workflow_id",
            "current_step",
            "step_index",
            "total_steps",
            "step_status",
        ];
        asked_for.sort_unstable();
        let mut names = names.clone();
        names.sort_unstable();
        assert_eq!(names, asked_for);
        assert_eq!(fields["total_steps"], 13);
        assert_eq!(
            fields["workflow_id"],
            run.workflow_id.as_ref().expect("it has one").as_str()
        );
        let index = fields["step_index"].as_u64().expect("a number");
        steps.push((index, fields["step_status"] == "completed"));
    }
    let expected: Vec<_> = (1..=13)
        .flat_map(|step| [(step, false), (step, true)])
        .collect();
    assert_eq!(steps, expected);
    world.end().await;
    side.remove().await;
}
