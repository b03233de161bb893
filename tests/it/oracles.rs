//! Every metric against the values of published programs (jiwer, `MeetEval`, segeval, sacrebleu,
//! rouge-score, pyannote, numpy, scipy); the case file says which and how they were called.

mod agreement;
mod embeddings;
mod made;
mod made_up;
mod meetings;
mod prose;
mod series;
mod topics;
mod values;

use serde_json::Value;

/// The gate's, which has its own tests of them beside its code.
const THE_GATES: &[&str] = &[
    "wilson",
    "noise_subtraction_newcombe",
    "eprocess_bernoulli",
    "eprocess_betting",
    "sprt",
    "latency_paired",
];

/// A suite and one of its cases; what differs, if something does.
type Check = fn(&Value, &Value) -> Result<(), String>;

const SUITES: &[(&str, Check)] = &[
    ("normaliser_norm_v1", |_, case| {
        prose::check_normaliser(case)
    }),
    ("corpus_pooling", |suite, _| series::check_pooling(suite)),
    ("der", |_, case| meetings::check_diarization(case)),
    ("segmentation", |_, case| topics::check_segmentation(case)),
    ("topic_projection", topics::check_projection),
    ("topic_matching", |_, case| topics::check_matching(case)),
    ("rouge", |_, case| prose::check_rouge(case)),
    ("chrf", |_, case| prose::check_chrf(case)),
    ("fact_retention", |_, case| prose::check_facts(case)),
    ("waveform", |_, case| series::check_waveform(case)),
    ("word_time_drift", |_, case| series::check_drift(case)),
    ("bucketing", |_, case| made::check_bucket(case)),
    ("webhook_signature", |_, case| made::check_signature(case)),
    ("python_json_bytes", |_, case| made::check_python_json(case)),
    ("canonical_json_sha256", |_, case| {
        made::check_canonical(case)
    }),
    ("zulip_time_format", |_, case| made::check_clock(case)),
    ("clean_title", |_, case| made::check_title(case)),
    ("deterministic_event_id", |_, case| {
        made::check_event_id(case)
    }),
    ("webvtt_timestamp", |_, case| made::check_timestamp(case)),
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

/// A suite is a list, has `cases`, or is one case itself.
fn cases(suite: &Value) -> Vec<&Value> {
    let listed = suite.as_array().or(suite["cases"].as_array());
    listed.map_or_else(|| vec![suite], |cases| cases.iter().collect())
}

fn id_of(case: &Value, at: usize) -> String {
    let named = ["id", "description"]
        .iter()
        .find_map(|key| case[*key].as_str());
    named.map_or_else(|| at.to_string(), str::to_owned)
}

/// Runs one check after the other, and fails with all that failed.
struct Report {
    run: usize,
    failures: Vec<String>,
}

impl Report {
    const fn new() -> Self {
        Self {
            run: 0,
            failures: Vec::new(),
        }
    }

    /// A check that panics, because the case says something else than it should, is one that fails.
    fn take(&mut self, suite: &str, id: &str, check: impl FnOnce() -> Result<(), String>) {
        self.run += 1;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
        let result = result.unwrap_or_else(|_| Err("the case is not read, see above".to_owned()));
        let failure = result.err().map(|why| format!("{suite} / {id}: {why}"));
        self.failures.extend(failure);
    }

    fn finish(self) {
        assert!(self.run > 0, "there are no cases");
        assert!(
            self.failures.is_empty(),
            "{} of {} cases fail:\n{}",
            self.failures.len(),
            self.run,
            self.failures.join("\n")
        );
    }
}

#[test]
fn every_metric_equals_its_oracle() {
    let file = case_file();
    let mut report = Report::new();
    for (name, suite) in file["suites"].as_object().expect("suites") {
        if THE_GATES.contains(&name.as_str()) {
            continue;
        }
        if name == "embedding_minilm" {
            // Asks a model, so it is a test of its own, where there is one to ask.
            continue;
        }
        let check = SUITES.iter().find(|(suite, _)| suite == name);
        let Some((_, check)) = check else {
            report.take(name, "all", || Err("nothing here measures this".to_owned()));
            continue;
        };
        for (at, case) in cases(suite).into_iter().enumerate() {
            report.take(name, &id_of(case, at), || check(suite, case));
        }
    }
    report.finish();
}

#[test]
fn every_meeting_equals_its_oracle() {
    let file = case_file();
    let mut report = Report::new();
    for (at, case) in file["cases"].as_array().expect("cases").iter().enumerate() {
        let id = id_of(case, at);
        for (key, expected) in case["expected"].as_object().expect("expected") {
            report.take(key, &id, || {
                let unknown = || Err("nothing here measures this".to_owned());
                meetings::check(key, case, expected).unwrap_or_else(unknown)
            });
        }
    }
    report.finish();
}

#[test]
fn the_bundled_file_has_every_suite_that_is_measured() {
    let bundled = include_str!("../fixtures/metric_cases.json");
    let file: Value = serde_json::from_str(bundled).expect("JSON");
    let lacking = |name: &&str| file["suites"][*name].is_null();
    // The reference promises this one; the bundled file leaves it out.
    let promised = "webvtt_timestamp";
    let gone: Vec<&str> = SUITES.iter().map(|suite| suite.0).filter(lacking).collect();
    assert_eq!(gone, [promised]);
}
