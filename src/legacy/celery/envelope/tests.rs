use std::{fs, path::PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::legacy::celery::{PIPELINE_TASK, Queue};
use crate::model::TranscriptId;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Every task message of every recorded run, by its file.
fn recorded() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for case in fs::read_dir(fixtures().join("standup/expected")).unwrap() {
        for file in fs::read_dir(case.unwrap().path().join("celery")).unwrap() {
            let path = file.unwrap().path();
            let file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            if let Some(raw) = file["raw"].as_str() {
                found.push((path, raw.to_owned()));
            }
        }
    }
    assert!(found.len() > 50, "only {} messages", found.len());
    found
}

fn base() -> String {
    let message =
        fixtures().join("standup/expected/base/celery/02_task_pipeline_multitrack_process.json");
    let file: Value = serde_json::from_str(&fs::read_to_string(message).unwrap()).unwrap();
    file["raw"].as_str().unwrap().to_owned()
}

fn queue(name: &str) -> Queue {
    Queue::new(name).unwrap()
}

/// What a publisher chose freely when it published this message.
fn as_published(recorded: &Envelope) -> NewTask {
    let body = recorded.body().unwrap();
    let text = |pointer| recorded.text(pointer).unwrap().to_owned();
    NewTask {
        task: recorded.task().to_owned(),
        args: body.args,
        kwargs: body.kwargs,
        chain: body.embed["chain"].clone(),
        id: recorded.id().to_owned(),
        root_id: recorded.root_id().map(str::to_owned),
        parent_id: recorded.parent_id().map(str::to_owned),
        reply_to: text("/properties/reply_to"),
        origin: text("/headers/origin"),
        delivery_tag: text("/properties/delivery_tag"),
        priority: recorded.priority(),
    }
}

#[test]
fn a_message_is_built_to_the_byte_as_celery_built_it() {
    let mut built = 0;
    for (path, raw) in recorded() {
        let envelope = Envelope::parse(&*raw).unwrap();
        // Retries are for workers to publish.
        if envelope.retries() == 0 {
            let ours = as_published(&envelope).for_queue(&queue("celery")).unwrap();
            assert_eq!(ours.raw(), raw, "{}", path.display());
            built += 1;
        }
    }
    assert!(built > 50, "only {built} messages");
}

#[test]
fn the_pipeline_task_is_built_to_the_byte_from_its_arguments() {
    let raw = base();
    let recorded = Envelope::parse(&*raw).unwrap();
    let kwargs = recorded.body().unwrap().kwargs;
    let keys: Vec<String> = serde_json::from_value(kwargs["track_keys"].clone()).unwrap();
    let ours = NewTask {
        args: Vec::new(),
        ..as_published(&recorded)
    };
    let transcript = TranscriptId::new(kwargs["transcript_id"].as_str().unwrap());
    let task = NewTask::pipeline(&transcript, "daily-recordings", &keys, "gen23271@vm");
    assert_eq!(task.task, PIPELINE_TASK);
    let task = NewTask {
        task: task.task,
        args: task.args,
        kwargs: task.kwargs,
        origin: task.origin,
        chain: task.chain,
        priority: task.priority,
        ..ours
    };
    assert_eq!(task.for_queue(&queue("celery")).unwrap().raw(), raw);
}

#[test]
fn every_recorded_message_is_valid_and_keeps_its_text() {
    for (path, raw) in recorded() {
        let envelope = Envelope::parse(&*raw).unwrap();
        assert_eq!(envelope.raw(), raw);
        assert_eq!(envelope.validate(), Ok(()), "{}", path.display());
    }
}

#[test]
fn a_retry_tells_its_time_and_count() {
    let (_, raw) = recorded()
        .into_iter()
        .find(|(path, _)| path.ends_with("07_send_transcript_webhook_retry1.json"))
        .unwrap();
    let envelope = Envelope::parse(raw).unwrap();
    assert_eq!(envelope.retries(), 1);
    assert_eq!(envelope.eta(), Some("2026-11-23T07:36:27.009155+00:00"));
}

#[test]
fn another_queue_changes_the_routing_key_and_no_other_byte() {
    for (path, raw) in recorded() {
        let moved = with_routing_key(&raw, "legacy").unwrap();
        let expected = raw.replace(r#""routing_key": "celery""#, r#""routing_key": "legacy""#);
        assert_ne!(moved, raw);
        assert_eq!(moved, expected, "{}", path.display());
    }
}

#[test]
fn the_routing_key_is_found_by_its_place_and_not_by_its_name() {
    let raw = r#"{"headers": {"routing_key": "a", "x": "\"routing_key\": \"b\""},
        "properties":{"delivery_info":{"routing\u005fkey" :"old","exchange":"","routing_key": "last"}, "routing_key":"c"}}"#;
    let moved = with_routing_key(raw, "q\"\u{e9}").unwrap();
    assert_eq!(moved, raw.replace(r#""last""#, r#""q\"\u00e9""#));
}

#[test]
fn a_named_exchange_is_left_for_the_one_that_needs_no_binding() {
    let raw = r#"{"properties": {"delivery_info": {"routing_key": "k", "exchange": "topics"}}}"#;
    assert_eq!(
        with_routing_key(raw, "legacy").unwrap(),
        r#"{"properties": {"delivery_info": {"routing_key": "legacy", "exchange": ""}}}"#
    );
}

/// The recorded message with one value changed, or removed.
fn changed(pointer: &str, value: Option<Value>) -> String {
    let mut message: Value = serde_json::from_str(&base()).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = message
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    message.to_string()
}

fn refused_field(raw: String) -> String {
    let error = match Envelope::parse(raw) {
        Ok(envelope) => envelope.validate().unwrap_err(),
        Err(error) => error,
    };
    assert!(error.to_string().contains(&error.field()), "{error}");
    error.field()
}

#[test]
fn without_a_field_a_worker_needs_a_message_is_refused_and_the_field_named() {
    for field in [
        "/headers",
        "/headers/task",
        "/headers/id",
        "/headers/lang",
        "/body",
        "/content-type",
        "/content-encoding",
        "/properties/body_encoding",
        "/properties/delivery_tag",
        "/properties/delivery_info/exchange",
        "/properties/delivery_info/routing_key",
    ] {
        let named = field[1..].replace('/', ".");
        let refused = refused_field(changed(field, None));
        assert!(refused.starts_with(&named), "{field}: {refused}");
        let refused = refused_field(changed(field, Some(Value::Null)));
        assert!(refused.starts_with(&named), "{field} null: {refused}");
    }
    for field in ["/properties", "/properties/delivery_info"] {
        let named = field[1..].replace('/', ".");
        assert!(refused_field(changed(field, None)).starts_with(&named));
    }
}

#[test]
fn a_value_a_worker_chokes_on_is_refused_and_the_field_named() {
    for (field, value) in [
        ("/body", json!("not base64!")),
        ("/body", json!(BASE64.encode("[1, 2]"))),
        ("/body", json!(BASE64.encode([0xff, 0xfe]))),
        ("/body", json!(BASE64.encode("{}"))),
        ("/properties/body_encoding", json!("zip")),
        ("/properties/priority", json!(10)),
        ("/properties/delivery_tag", json!("")),
        ("/properties/delivery_info/routing_key", json!("")),
        ("/content-type", json!("application/x-python-serialize")),
        ("/headers/eta", json!("tomorrow")),
        ("/headers/expires", json!(60)),
        ("/headers/timelimit", json!([1])),
        ("/headers/retries", json!("twice")),
        ("/headers/compression", json!("application/x-gzip")),
    ] {
        let named = field[1..].replace('/', ".");
        assert_eq!(refused_field(changed(field, Some(value))), named);
    }
}

#[test]
fn a_refusal_never_quotes_the_message() {
    let error = Envelope::parse(changed("/headers/id", Some(json!(["hush"])))).unwrap_err();
    assert!(!error.to_string().contains("hush"));
    let debug = format!("{:?}", Envelope::parse(base()).unwrap());
    assert!(!debug.contains("example/standup"), "{debug}");
}

#[test]
fn a_body_may_be_plain_text() {
    let mut message: Value = serde_json::from_str(&base()).unwrap();
    message["body"] = json!(r#"[[1], {"a": "é"}, {}]"#);
    message["properties"]["body_encoding"] = json!("utf-8");
    let envelope = Envelope::parse(message.to_string()).unwrap();
    assert_eq!(envelope.validate(), Ok(()));
    assert_eq!(envelope.body().unwrap().kwargs["a"], "é");
}

#[test]
fn a_priority_is_read_as_kombu_reads_it() {
    for (value, priority) in [
        (json!(0), 0),
        (json!(7), 7),
        (json!(12), 9),
        (json!(-1), 0),
        (json!("3"), 3),
        (json!("high"), 0),
        (json!(null), 0),
    ] {
        let envelope = Envelope::parse(changed("/properties/priority", Some(value))).unwrap();
        assert_eq!(envelope.priority(), priority);
    }
}

#[test]
fn arguments_are_printed_for_people_as_celery_prints_them() {
    let cases = fs::read_to_string(fixtures().join("celery/saferepr.jsonl")).unwrap();
    for (number, line) in cases.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (args, kwargs) = (&case["args"], &case["kwargs"]);
        assert_eq!(
            python_repr::of_args(args.as_array().unwrap()),
            case["argsrepr"].as_str().unwrap(),
            "case {number}"
        );
        assert_eq!(
            python_repr::of_kwargs(kwargs.as_object().unwrap()),
            case["kwargsrepr"].as_str().unwrap(),
            "case {number}"
        );
    }
}

proptest! {
    #[test]
    fn any_message_survives_a_change_of_queue_but_for_its_routing_key(
        name in "[^\\p{Cc},]{1,20}",
        id in ".{1,10}",
        text in ".*",
        before in "[ \n\t]{0,3}",
    ) {
        let message = json!({
            "properties": {"a": text, "delivery_info": {"exchange": "", "routing_key": text, "z": 1}},
            "headers": {"task": "t", "id": id, "routing_key": text},
        });
        let raw = format!("{before}{message:#}");
        let moved = with_routing_key(&raw, &name).unwrap();
        let mut expected = message;
        expected["properties"]["delivery_info"]["routing_key"] = name.into();
        prop_assert_eq!(serde_json::from_str::<Value>(&moved).unwrap(), expected);
        prop_assert!(moved.starts_with(&before));
    }

    #[test]
    fn no_text_whatever_makes_reading_panic(text in ".*") {
        let _: Result<(), EnvelopeError> =
            Envelope::parse(text.clone()).and_then(|envelope| envelope.validate());
        drop(with_routing_key(&text, "legacy"));
    }
}
