//! Texts: normalised, alike in words, equal in facts.

use serde_json::Value;
use switchyard::compare::metrics::{
    chrf, facts, normaliser,
    rouge::{Tokens, rouge_l, rouge_n, tokens},
};

use super::values::{close, equal, string, strings};

pub(super) fn check_normaliser(case: &Value) -> Result<(), String> {
    equal(
        "text",
        normaliser::norm_v1(&string(&case["input"])),
        string(&case["expected"]),
    )
}

pub(super) fn check_rouge(case: &Value) -> Result<(), String> {
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

pub(super) fn check_chrf(case: &Value) -> Result<(), String> {
    let score = chrf::chrf(&string(&case["ref"]), &string(&case["hyp"]));
    close("chrf", Some(score), &case["expected"])
}

pub(super) fn check_facts(case: &Value) -> Result<(), String> {
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
