//! Alerts and board speak of metrics that exist, and of labels they have.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use switchyard::meters::{Kind, catalogue::ALL};

use super::metrics::promtool;

const RULES: &str = include_str!("../../../ops/prometheus/switchyard.rules.yml");
const TESTS: &str = include_str!("../../../ops/prometheus/switchyard.test.yml");
const BOARD: &str = include_str!("../../../ops/grafana/switchyard.json");

/// Every metric a text names, as it is asked for.
fn named(text: &str) -> BTreeSet<String> {
    let is_of_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let starts = text.match_indices("switchyard_").map(|(at, _)| at);
    let names = starts.map(|at| {
        let name = text[at..].split(|letter| !is_of_name(letter)).next();
        name.unwrap_or_default().to_owned()
    });
    names.collect()
}

/// Everything that may be asked for: of histograms their parts.
fn exposed() -> BTreeSet<String> {
    let mut exposed = BTreeSet::new();
    for family in ALL {
        match family.kind {
            Kind::Gauge | Kind::Counter => {
                exposed.insert(family.name.to_owned());
            }
            Kind::Histogram => {
                for part in ["bucket", "sum", "count"] {
                    exposed.insert(format!("{}_{part}", family.name));
                }
            }
        }
    }
    exposed
}

#[track_caller]
fn exist(what: &str, text: &str) {
    let named = named(text);
    assert!(named.len() > 10, "{what} names too little: {named:?}");
    let exposed = exposed();
    let unknown: Vec<_> = named.difference(&exposed).collect();
    assert!(
        unknown.is_empty(),
        "{what} names metrics that are not there: {unknown:?}"
    );
}

#[test]
fn every_metric_of_the_rules_and_their_tests_exists() {
    exist("switchyard.rules.yml", RULES);
    exist("switchyard.test.yml", TESTS);
}

/// The queries of a board.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    ("expr" | "query", Value::String(query)) => found.push(query.clone()),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn every_metric_of_the_board_exists() {
    let board: Value = serde_json::from_str(BOARD).expect("it is JSON");
    let mut found = Vec::new();
    queries(&board, &mut found);
    exist("switchyard.json", &found.join("\n"));
    let panels = board["panels"].as_array().expect("a list");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        assert!(
            panel["targets"]
                .as_array()
                .is_some_and(|all| !all.is_empty()),
            "{panel}"
        );
    }
}

/// A label no metric of that name has selects nothing, for ever.
#[test]
fn every_label_that_is_selected_by_is_one_the_metric_has() {
    let board: Value = serde_json::from_str(BOARD).expect("it is JSON");
    let mut texts = Vec::new();
    queries(&board, &mut texts);
    texts.push(RULES.to_owned());
    let mut looked_at = 0;
    for text in &texts {
        for family in ALL {
            for (at, _) in text.match_indices(family.name) {
                let after = text[at + family.name.len()..]
                    .trim_start_matches("_bucket")
                    .trim_start_matches("_sum")
                    .trim_start_matches("_count");
                let Some(selected) = after.strip_prefix('{') else {
                    continue;
                };
                let selected = selected.split('}').next().unwrap_or_default();
                for part in selected.split(',') {
                    let label = part.trim().split(['=', '!']).next().unwrap_or_default();
                    assert!(
                        family.labels.contains(&label),
                        "`{}` has no label `{label}`: {text}",
                        family.name
                    );
                    looked_at += 1;
                }
            }
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}

#[test]
fn every_alert_says_what_to_do() {
    let alerts = RULES.matches("- alert: ").count();
    assert!(alerts > 15);
    for part in ["severity: ", "summary: ", "remedy: "] {
        assert_eq!(RULES.matches(part).count(), alerts, "{part}");
    }
}

#[test]
fn promtool_takes_the_rules_and_they_pass_their_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/prometheus");
    let path = |name: &str| folder.join(name).display().to_string();
    for arguments in [
        ["check", "rules", &path("switchyard.rules.yml")],
        ["test", "rules", &path("switchyard.test.yml")],
    ] {
        let Some((is_well, said)) = promtool(&arguments, "") else {
            return;
        };
        assert!(is_well, "{said}");
    }
}
