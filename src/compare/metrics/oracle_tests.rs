//! Every metric against the values of published programs (jiwer, meeteval, segeval, sacrebleu,
//! rouge-score, numpy, scipy); the case file says which and how they were called.

use std::collections::BTreeSet;

use serde_json::Value;

use super::alignment::{ErrorCounts, align};
use super::rouge::{Tokens, rouge_l, rouge_n, tokens};
use super::{characters, chrf, drift, facts, matching, normaliser, segmentation, series, speakers};

const NOT_MEASURED_YET: &[&str] = &[
    "der",
    "wilson",
    "noise_subtraction_newcombe",
    "eprocess_bernoulli",
    "eprocess_betting",
    "sprt",
    "latency_paired",
    "embedding_minilm",
    // Made, not measured: other modules' work.
    "bucketing",
    "webhook_signature",
    "python_json_bytes",
    "canonical_json_sha256",
    "zulip_time_format",
    "clean_title",
    "deterministic_event_id",
    "webvtt_timestamp",
];

/// Of the meetings' expectations, the ones nothing here measures yet.
const EXPECTATIONS_NOT_MEASURED_YET: &[&str] = &["meeteval_on_norm_v1", "der_collar0"];

type Check = fn(&Value) -> Result<(), String>;

const SUITES: &[(&str, Check)] = &[
    ("normaliser_norm_v1", check_normaliser),
    ("segmentation", check_segmentation),
    ("topic_matching", check_matching),
    ("rouge", check_rouge),
    ("chrf", check_chrf),
    ("fact_retention", check_facts),
    ("waveform", check_waveform),
    ("word_time_drift", check_drift),
];

fn case_file() -> Value {
    let bundled = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/metric_cases.json"
    );
    let path = std::env::var("SWITCHYARD_METRIC_CASES").unwrap_or_else(|_| bundled.to_owned());
    let text =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("parsing {path}: {error}"))
}

fn cases(suite: &Value) -> &[Value] {
    let cases = if suite.is_array() {
        suite
    } else {
        &suite["cases"]
    };
    cases
        .as_array()
        .map(Vec::as_slice)
        .expect("a suite is a list or has `cases`")
}

fn id_of(case: &Value, at: usize) -> String {
    let named = ["id", "description"]
        .iter()
        .find_map(|key| case[*key].as_str());
    named.map_or_else(|| at.to_string(), str::to_owned)
}

#[test]
fn every_metric_equals_its_oracle() {
    let file = case_file();
    let mut failures = Vec::new();
    let mut run = 0;
    for (name, suite) in file["suites"].as_object().expect("suites") {
        let checks: Vec<(String, Result<(), String>)> =
            if let Some((_, check)) = SUITES.iter().find(|(suite, _)| suite == name) {
                let each = cases(suite).iter().enumerate();
                each.map(|(at, case)| (id_of(case, at), check(case)))
                    .collect()
            } else if name == "corpus_pooling" {
                vec![(name.clone(), check_pooling(suite))]
            } else if name == "topic_projection" {
                let each = cases(suite).iter().enumerate();
                each.map(|(at, case)| (id_of(case, at), check_projection(suite, case)))
                    .collect()
            } else {
                let known = NOT_MEASURED_YET.contains(&name.as_str());
                assert!(
                    known,
                    "suite `{name}` is neither measured nor listed as not measured yet"
                );
                continue;
            };
        assert!(!checks.is_empty(), "suite `{name}` has no cases");
        for (id, result) in checks {
            run += 1;
            failures.extend(result.err().map(|why| format!("{name} / {id}: {why}")));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {run} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    let measured: BTreeSet<&str> = SUITES.iter().map(|suite| suite.0).collect();
    assert!(
        measured
            .iter()
            .all(|name| file["suites"][*name] != Value::Null),
        "a measured suite is gone"
    );
}

#[test]
fn every_meeting_equals_its_oracle() {
    let file = case_file();
    let mut failures = Vec::new();
    for (at, case) in file["cases"].as_array().expect("cases").iter().enumerate() {
        for (key, expected) in case["expected"].as_object().expect("expected") {
            let result = match key.as_str() {
                "text_raw" => check_text(&text(case, "ref"), &text(case, "hyp"), expected),
                "text_norm_v1" => {
                    let normal = |side| normaliser::norm_v1(&text(case, side));
                    check_text(&normal("ref"), &normal("hyp"), expected)
                }
                "norm_v1" => ["ref", "hyp"].into_iter().try_for_each(|side| {
                    equal(
                        side,
                        normaliser::norm_v1(&text(case, side)),
                        string(&expected[side]),
                    )
                }),
                "identity_speaker" => check_speakers(case, expected),
                other => {
                    let known = EXPECTATIONS_NOT_MEASURED_YET.contains(&other);
                    assert!(
                        known,
                        "expectation `{other}` is neither measured nor listed"
                    );
                    continue;
                }
            };
            failures.extend(
                result
                    .err()
                    .map(|why| format!("{} / {key}: {why}", id_of(case, at))),
            );
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check_normaliser(case: &Value) -> Result<(), String> {
    equal(
        "text",
        normaliser::norm_v1(&string(&case["input"])),
        string(&case["expected"]),
    )
}

fn check_text(reference: &str, hypothesis: &str, expected: &Value) -> Result<(), String> {
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (left, right) = (words(reference), words(hypothesis));
    let counts = ErrorCounts::of(&align(&left, &right));
    equal("ref_words", left.len(), count(&expected["ref_words"]))?;
    equal("hyp_words", right.len(), count(&expected["hyp_words"]))?;
    equal(
        "edit_distance",
        counts.errors(),
        count(&expected["edit_distance"]),
    )?;
    if expected["decomposition_unique"] == true {
        equal("hits", counts.hits, count(&expected["hits"]))?;
        equal(
            "substitutions",
            counts.substitutions,
            count(&expected["substitutions"]),
        )?;
        equal(
            "insertions",
            counts.insertions,
            count(&expected["insertions"]),
        )?;
        equal("deletions", counts.deletions, count(&expected["deletions"]))?;
    }
    // jiwer answers a count where the reference is empty; a rate is what we owe.
    if left.is_empty() && !right.is_empty() {
        equal("rate", counts.rate(), None)?;
    } else {
        close("wer", counts.rate(), &expected["wer"])?;
    }
    // Characters are counted with their blanks, outer ones apart.
    let (left, right) = (reference.trim(), hypothesis.trim());
    let errors = characters::distance(left, right);
    equal(
        "char_edit_distance",
        errors,
        count(&expected["char_edit_distance"]),
    )?;
    if left.is_empty() && !right.is_empty() {
        return equal("cer", characters::error_rate(left, right), None);
    }
    close("cer", characters::error_rate(left, right), &expected["cer"])
}

fn check_speakers(case: &Value, expected: &Value) -> Result<(), String> {
    let words = |side: &str| -> Vec<(String, String)> {
        sorted_segments(case, side)
            .into_iter()
            .flat_map(|segment| {
                let words = normaliser::norm_v1(&string(&segment["text"]));
                let speaker = string(&segment["speaker"]);
                let pairs = words
                    .split_whitespace()
                    .map(|word| (speaker.clone(), word.to_owned()));
                pairs.collect::<Vec<_>>()
            })
            .collect()
    };
    let pooled = speakers::pooled(&speakers::identity_errors(&words("ref"), &words("hyp")));
    equal("errors", pooled.errors(), count(&expected["errors"]))?;
    equal("length", pooled.reference(), count(&expected["length"]))?;
    if pooled.reference() == 0 {
        return Ok(());
    }
    close("error_rate", pooled.rate(), &expected["error_rate"])
}

fn check_pooling(suite: &Value) -> Result<(), String> {
    let mut pooled = ErrorCounts::default();
    for pair in suite["pairs"].as_array().expect("pairs") {
        let words = |text: &Value| {
            string(text)
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        pooled.add(ErrorCounts::of(&align(&words(&pair[0]), &words(&pair[1]))));
    }
    equal("hits", pooled.hits, count(&suite["expected"]["hits"]))?;
    equal(
        "insertions",
        pooled.insertions,
        count(&suite["expected"]["insertions"]),
    )?;
    close("wer", pooled.rate(), &suite["expected"]["wer"])
}

fn check_segmentation(case: &Value) -> Result<(), String> {
    let masses = |key: &str| counts(&case[key]);
    let (hypothesis, reference) = (masses("hyp_masses"), masses("ref_masses"));
    let expected = &case["expected"];
    equal(
        "window",
        segmentation::window(&reference),
        count(&expected["window_size"]),
    )?;
    close(
        "pk",
        segmentation::pk(&hypothesis, &reference),
        &expected["pk_corrected"],
    )?;
    close(
        "window_diff",
        segmentation::window_diff(&hypothesis, &reference),
        &expected["window_diff_corrected"],
    )?;
    let measured = segmentation::boundary_similarity(&hypothesis, &reference);
    if expected["boundary_similarity"].is_object() {
        return equal("boundary_similarity", measured, None);
    }
    close(
        "boundary_similarity",
        measured,
        &expected["boundary_similarity"],
    )
}

fn check_projection(suite: &Value, case: &Value) -> Result<(), String> {
    let masses = segmentation::project(
        &floats(&suite["word_starts"]),
        &floats(&case["topic_timestamps"]),
    );
    equal("masses", masses, counts(&case["expected_masses"]))
}

fn check_matching(case: &Value) -> Result<(), String> {
    let rows: Vec<Vec<f64>> = case["sim"]
        .as_array()
        .expect("sim")
        .iter()
        .map(floats)
        .collect();
    let matching = matching::best(&rows);
    let expected = &case["expected"];
    let pairs: Vec<Vec<usize>> = matching
        .pairs
        .iter()
        .map(|pair| vec![pair.0, pair.1])
        .collect();
    let wanted: Vec<Vec<usize>> = expected["pairs"]
        .as_array()
        .expect("pairs")
        .iter()
        .map(counts)
        .collect();
    equal("pairs", pairs, wanted)?;
    close("total", Some(matching.total), &expected["total"])?;
    equal(
        "matched",
        matching.matched_at(0.5),
        count(&expected["matched_at_0.5"]),
    )?;
    let (precision, recall, f1) = matching.precision_recall_f1(0.5);
    close("precision", Some(precision), &expected["precision"])?;
    close("recall", Some(recall), &expected["recall"])?;
    close("f1", Some(f1), &expected["f1"])
}

fn check_rouge(case: &Value) -> Result<(), String> {
    for (name, kind) in [("default", Tokens::Ascii), ("unicode", Tokens::Unicode)] {
        let reference = tokens(&string(&case["ref"]), kind);
        let hypothesis = tokens(&string(&case["hyp"]), kind);
        for (measure, score) in [
            ("rouge1", rouge_n(&reference, &hypothesis, 1)),
            ("rouge2", rouge_n(&reference, &hypothesis, 2)),
            ("rougeL", rouge_l(&reference, &hypothesis)),
        ] {
            let expected = &case["expected"][name][measure];
            close(measure, Some(score.precision), &expected["p"])?;
            close(measure, Some(score.recall), &expected["r"])?;
            close(measure, Some(score.f), &expected["f"])?;
        }
    }
    Ok(())
}

fn check_chrf(case: &Value) -> Result<(), String> {
    let score = chrf::chrf(&string(&case["ref"]), &string(&case["hyp"]));
    close("chrf", Some(score), &case["expected"])
}

fn check_facts(case: &Value) -> Result<(), String> {
    let expected = &case["expected"];
    let (left_text, right_text) = (string(&case["ref_summary"]), string(&case["hyp_summary"]));
    let (left, right) = (facts::numbers(&left_text), facts::numbers(&right_text));
    equal("ref_numbers", &left, &strings(&expected["ref_numbers"]))?;
    equal("hyp_numbers", &right, &strings(&expected["hyp_numbers"]))?;
    let share = |of: usize| (of > 0).then(|| facts::shared(&left, &right) as f64 / of as f64);
    close(
        "number_recall",
        share(left.len()),
        &expected["number_recall"],
    )?;
    close(
        "number_precision",
        share(right.len()),
        &expected["number_precision"],
    )?;
    let source = facts::numbers(&string(&case["source_transcript"]));
    let unsupported: Vec<String> = right
        .iter()
        .filter(|number| !source.contains(number))
        .cloned()
        .collect();
    equal(
        "unsupported_numbers",
        unsupported,
        strings(&expected["unsupported_numbers"]),
    )?;
    let names = strings(&case["names"]);
    let (in_reference, in_hypothesis) = (
        facts::mentioned(&left_text, &names),
        facts::mentioned(&right_text, &names),
    );
    equal(
        "names_ref",
        &in_reference,
        &strings(&expected["names_ref"])
            .iter()
            .map(String::as_str)
            .collect(),
    )?;
    equal(
        "names_hyp",
        &in_hypothesis,
        &strings(&expected["names_hyp"])
            .iter()
            .map(String::as_str)
            .collect(),
    )?;
    let found = in_reference
        .iter()
        .filter(|name| in_hypothesis.contains(name))
        .count();
    let recall = (!in_reference.is_empty()).then(|| found as f64 / in_reference.len() as f64);
    close("name_recall", recall, &expected["name_recall"])
}

fn check_waveform(case: &Value) -> Result<(), String> {
    let (reference, hypothesis) = (floats(&case["ref"]), floats(&case["hyp"]));
    let expected = &case["expected"];
    let Some(measured) = series::distance(&reference, &hypothesis) else {
        return equal("lengths differ", expected.get("max_abs"), None);
    };
    close("max_abs", Some(measured.max_abs), &expected["max_abs"])?;
    close("rmse", Some(measured.rmse), &expected["rmse"])?;
    close("pearson", measured.pearson, &expected["pearson"])
}

fn check_drift(case: &Value) -> Result<(), String> {
    let starts = floats(&case["ref_starts"])
        .into_iter()
        .zip(floats(&case["hyp_starts"]));
    let measured = drift::drift(&starts.collect::<Vec<_>>());
    let expected = &case["expected"];
    close(
        "median_abs",
        measured.map(|drift| drift.median_abs),
        &expected["median_abs"],
    )?;
    close(
        "p95_abs",
        measured.map(|drift| drift.p95_abs),
        &expected["p95_abs"],
    )?;
    close(
        "max_abs",
        measured.map(|drift| drift.max_abs),
        &expected["max_abs"],
    )?;
    close(
        "median_signed",
        measured.map(|drift| drift.median_signed),
        &expected["median_signed"],
    )
}

fn sorted_segments<'a>(case: &'a Value, side: &str) -> Vec<&'a Value> {
    let mut segments: Vec<&Value> = case[side]["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .collect();
    let time = |segment: &Value, key: &str| segment[key].as_f64().unwrap_or(0.0);
    segments.sort_by(|left, right| {
        let start = time(left, "start").total_cmp(&time(right, "start"));
        start.then(time(left, "end").total_cmp(&time(right, "end")))
    });
    segments
}

fn text(case: &Value, side: &str) -> String {
    string(&case[side]["text"])
}

fn string(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(string)
        .collect()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("a small count")
}

fn counts(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(count)
        .collect()
}

fn floats(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list").iter();
    list.map(|number| number.as_f64().expect("a number"))
        .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better at fifty calls")]
fn equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    measured: T,
    expected: T,
) -> Result<(), String> {
    if measured == expected {
        return Ok(());
    }
    Err(format!(
        "{what} is {measured:?}, the oracle says {expected:?}"
    ))
}

/// Absolute 1e-9, as the case file says.
fn close(what: &str, measured: Option<f64>, expected: &Value) -> Result<(), String> {
    match (measured, expected.as_f64()) {
        (Some(left), Some(right)) if (left - right).abs() <= 1e-9 => Ok(()),
        (None, None) => Ok(()),
        (left, right) => Err(format!("{what} is {left:?}, the oracle says {right:?}")),
    }
}
