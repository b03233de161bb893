//! What is made and not measured, to the byte.

use serde_json::Value;
use switchyard::{
    compare::metrics::canonical,
    contract::{clean_title::clean_title, python_json, webhook, webvtt, zulip},
    model::Word,
    rollout,
};

use super::values::{equal, string};

pub(super) fn check_bucket(case: &Value) -> Result<(), String> {
    let bucket = rollout::bucket(&string(&case["salt"]), &string(&case["key"]));
    equal("bucket", Some(u64::from(bucket)), case["expected"].as_u64())
}

pub(super) fn check_signature(case: &Value) -> Result<(), String> {
    let seconds = string(&case["timestamp"]).parse().expect("seconds");
    let signed = webhook::signature(&string(&case["secret"]), seconds, &string(&case["payload"]));
    equal("signature", signed, string(&case["expected"]))
}

pub(super) fn check_python_json(case: &Value) -> Result<(), String> {
    let text = python_json::to_string_compact(&case["obj"]).expect("JSON");
    equal("text", text, string(&case["expected"]))
}

pub(super) fn check_canonical(case: &Value) -> Result<(), String> {
    let object = &case["obj"];
    if let Some(expected) = case["canonical"].as_str() {
        equal("text", canonical::text(object).as_str(), expected)?;
    }
    equal(
        "digest",
        canonical::digest(object),
        string(&case["expected"]),
    )
}

pub(super) fn check_clock(case: &Value) -> Result<(), String> {
    let seconds = case["seconds"].as_f64();
    let seconds = seconds.or(case["ms"].as_f64().map(|ms| ms / 1000.0));
    equal(
        "time",
        zulip::clock(seconds.expect("a time")),
        string(&case["expected"]),
    )
}

pub(super) fn check_title(case: &Value) -> Result<(), String> {
    equal(
        "title",
        clean_title(&string(&case["input"])),
        string(&case["expected"]),
    )
}

pub(super) fn check_event_id(case: &Value) -> Result<(), String> {
    let id = webhook::effect_id(&string(&case["kind"]), &string(&case["recording_id"]));
    equal("id", id.to_string(), string(&case["expected"]))
}

pub(super) fn check_timestamp(case: &Value) -> Result<(), String> {
    let word = Word {
        text: " so".to_owned(),
        start: case["seconds"].as_f64().expect("seconds"),
        end: case["seconds"].as_f64().expect("seconds"),
        speaker: 0,
    };
    let captions = webvtt::of_words(&[word]).map_err(|error| error.to_string())?;
    let stamp = captions.lines().find_map(|line| line.split_once(" --> "));
    equal(
        "timestamp",
        stamp.map(|stamp| stamp.0.to_owned()),
        Some(string(&case["expected"])),
    )
}
