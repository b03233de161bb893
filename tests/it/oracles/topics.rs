//! Topics: where they are cut, and which is which.

use serde_json::Value;
use switchyard::compare::metrics::{matching, segmentation};

use super::values::{close, count, counts, equal, floats};

pub(super) fn check_segmentation(case: &Value) -> Result<(), String> {
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

pub(super) fn check_projection(suite: &Value, case: &Value) -> Result<(), String> {
    let masses = segmentation::project(
        &floats(&suite["word_starts"]),
        &floats(&case["topic_timestamps"]),
    );
    equal("masses", masses, counts(&case["expected_masses"]))
}

pub(super) fn check_matching(case: &Value) -> Result<(), String> {
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
