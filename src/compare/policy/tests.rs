use serde_json::{Value, json};

use super::*;

fn shipped() -> Value {
    serde_json::from_str(SHIPPED).expect("JSON")
}

/// The error of the shipped policy after one change to the entry of a field.
fn error_after(field: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut file = shipped();
    let entries = file["fields"].as_array_mut().expect("entries");
    change(
        entries
            .iter_mut()
            .find(|entry| entry["field"] == field)
            .expect("the entry"),
    );
    let error = Policy::parse("mine.json", &file.to_string()).expect_err("it must not load");
    error.to_string()
}

#[test]
fn the_shipped_policy_loads_and_names_every_field() {
    let policy = Policy::shipped();
    let fields: Vec<Field> = policy.fields.iter().map(|entry| entry.field).collect();
    assert_eq!(fields, Field::ALL);
    assert_eq!(policy.digest.len(), 64);
}

#[test]
fn another_text_has_another_digest() {
    let changed = SHIPPED.replace("0.02", "0.021");
    let policy = Policy::parse("mine.json", &changed).expect("it loads");
    assert_ne!(policy.digest, Policy::shipped().digest);
}

#[test]
fn an_error_names_file_entry_and_remedy() {
    let told = error_after("title", |entry| entry["measure"] = json!("word_error_rate"));
    assert_eq!(
        told,
        "reading mine.json, entry 10 (title): measure `word_error_rate` cannot compare this field; \
         use text_similarity or markdown_similarity"
    );
}

#[test]
fn unknown_names_are_refused() {
    let told = error_after("title", |entry| entry["measure"] = json!("vibes"));
    assert!(
        told.contains("there is no measure `vibes`; use one of equality, "),
        "{told}"
    );
    let told = error_after("title", |entry| entry["field"] = json!("titel"));
    assert!(
        told.contains("there is no field `titel`; use one of status, words"),
        "{told}"
    );
    let told = error_after("title", |entry| {
        entry["at_least"] = json!({"likeness": 0.5});
    });
    assert!(
        told.contains("there is no number `likeness`; use one of similarity"),
        "{told}"
    );
    let told = error_after("title", |entry| entry["tolerance"] = json!(1));
    assert!(told.contains("unknown field `tolerance`"), "{told}");
    let told = error_after("status", |entry| {
        entry["at_most"] = json!({"differences": 3});
    });
    assert!(told.contains("it is exact"), "{told}");
}

#[test]
fn strictness_without_a_reason_is_refused() {
    let told = error_after("title", |entry| {
        entry.as_object_mut().expect("an entry").remove("why");
    });
    assert!(
        told.contains("entry 10 (title)") && told.contains("missing field `why`"),
        "{told}"
    );
    let told = error_after("title", |entry| entry["why"] = json!(" "));
    assert!(told.contains("empty `why`"), "{told}");
    let told = error_after("audio", |entry| entry["declared"][0]["why"] = json!(""));
    assert!(told.contains("`declared` has an empty `why`"), "{told}");
    let told = error_after("webhook", |entry| entry["masks"][0]["why"] = json!(""));
    assert!(
        told.contains("mask `/body/event_id` has an empty `why`"),
        "{told}"
    );
}

#[test]
fn a_bound_that_judges_nothing_is_refused() {
    for (at_least, at_most, needed) in [
        (
            json!({}),
            json!({}),
            "give it an `at_least` and no `at_most`",
        ),
        (
            json!({"similarity": 0.5}),
            json!({"similarity": 0.9}),
            "give it an `at_least` and no `at_most`",
        ),
        (
            json!({"similarity": -1}),
            json!({}),
            "give it a bound of 0 or more",
        ),
    ] {
        let told = error_after("title", |entry| {
            entry["at_least"] = at_least;
            entry["at_most"] = at_most;
        });
        assert!(told.contains(needed), "{told}");
    }
    let told = error_after("long_summary", |entry| {
        entry["at_least"]["length_ratio"] = json!(3);
    });
    assert!(told.contains("an `at_least` below `at_most`"), "{told}");
}

#[test]
fn every_field_has_exactly_one_entry() {
    let mut file = shipped();
    let entries = file["fields"].as_array_mut().expect("entries");
    let last = entries.pop().expect("an entry");
    let told = Policy::parse("mine.json", &file.to_string())
        .expect_err("incomplete")
        .to_string();
    assert!(told.contains("`webhook` has no entry"), "{told}");
    let entries = file["fields"].as_array_mut().expect("entries");
    entries.extend([last.clone(), last]);
    let told = Policy::parse("mine.json", &file.to_string())
        .expect_err("twice")
        .to_string();
    assert!(told.contains("has an entry already"), "{told}");
}

#[test]
fn a_value_is_judged_only_by_a_field_compared_before_it() {
    let told = error_after("events", |entry| {
        entry["judged_by"][0]["fields"] = json!(["webhook"]);
    });
    assert!(told.contains("compared later"), "{told}");
    let told = error_after("webhook", |entry| {
        entry["masks"][0]["path"] = json!("event_id");
    });
    assert!(told.contains("`event_id` is no path"), "{told}");
}
