//! Rows of numbers, and counts that are pooled.

use serde_json::Value;
use switchyard::compare::metrics::{
    alignment::{ErrorCounts, align},
    drift, series,
};

use super::values::{close, count, equal, floats, string};

pub(super) fn check_waveform(case: &Value) -> Result<(), String> {
    let (reference, hypothesis) = (floats(&case["ref"]), floats(&case["hyp"]));
    let expected = &case["expected"];
    let Some(measured) = series::distance(&reference, &hypothesis) else {
        return equal("lengths differ", expected.get("max_abs"), None);
    };
    close("max_abs", Some(measured.max_abs), &expected["max_abs"])?;
    close("rmse", Some(measured.rmse), &expected["rmse"])?;
    close("pearson", measured.pearson, &expected["pearson"])
}

pub(super) fn check_drift(case: &Value) -> Result<(), String> {
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

pub(super) fn check_pooling(suite: &Value) -> Result<(), String> {
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
