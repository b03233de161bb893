//! Texts a model wrote: alike in words, equal in numbers, names and negations.

use serde_json::json;

use super::Finding;
use super::heard::Heard;
use super::spoken::names;
use crate::compare::difference::{Difference, DifferenceKind, TextDifference};
use crate::compare::measure::Measure;
use crate::compare::metrics::chrf::chrf;
use crate::compare::metrics::rouge::{Tokens, rouge_l, rouge_n, tokens};
use crate::compare::metrics::similarity::similarity;
use crate::compare::metrics::{facts, normaliser};
use crate::compare::policy::FieldPolicy;
use crate::model::Outcome;

/// A text that either side may lack. The cosine of the two texts' embeddings, where somebody asked
/// for it, is told and decides nothing.
pub(super) fn text(
    policy: &FieldPolicy,
    control: &Outcome,
    candidate: &Outcome,
    heard: &Heard<'_>,
    cosine: Option<f64>,
    of: fn(&Outcome) -> Option<&str>,
) -> Finding {
    let path = format!("/{}", policy.field);
    let (left, right) = match (of(control), of(candidate)) {
        (None, None) => return Finding::equal(),
        (Some(left), Some(right)) => (left, right),
        (left, right) => {
            let difference = Difference::between(
                path,
                left.map(|text| json!(text)),
                right.map(|text| json!(text)),
            );
            return Finding::one_sided(difference, &policy.field.label().to_lowercase());
        }
    };
    if left == right {
        return Finding {
            numbers: vec![("similarity", Some(1.0))],
            ..Finding::equal()
        };
    }
    let differences = changed_facts(&path, left, right, &names(control));
    let said = heard.numbers_said();
    let unsupported = facts::numbers(right)
        .iter()
        .filter(|number| !said.contains(number))
        .count();
    let (words, others) = (
        tokens(left, Tokens::Unicode),
        tokens(right, Tokens::Unicode),
    );
    let mut finding = Finding {
        broken: broken(&differences),
        numbers: vec![
            ("similarity", Some(similarity(left, right))),
            ("facts_changed", Some(differences.len() as f64)),
            ("chrf", Some(chrf(left, right) / 100.0)),
            ("rouge1", Some(rouge_n(&words, &others, 1).f)),
            ("rouge2", Some(rouge_n(&words, &others, 2).f)),
            ("rouge_l", Some(rouge_l(&words, &others).f)),
            ("unsupported_numbers", Some(unsupported as f64)),
        ],
        differences,
        ..Finding::default()
    };
    if cosine.is_some() {
        finding.numbers.push(("cosine", cosine));
    }
    if policy.measure == Measure::MarkdownSimilarity {
        finding
            .texts
            .push(TextDifference::by_line(path.clone(), left, right));
        structure(&mut finding, &path, left, right);
    } else {
        finding
            .texts
            .push(TextDifference::by_word(path, left, right));
    }
    finding
}

/// Numbers, names and negations that are not the same on both sides.
pub(super) fn changed_facts(
    path: &str,
    control: &str,
    candidate: &str,
    names: &[String],
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut lists = |left: Vec<String>, right: Vec<String>, kind| {
        let only = |these: &[String], others: &[String]| -> Vec<String> {
            facts::missing(these, others)
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        let (lost, new) = (only(&left, &right), only(&right, &left));
        for at in 0..lost.len().max(new.len()) {
            let side = |list: &[String]| list.get(at).map(|fact| json!(fact));
            found.push(Difference::between(path, side(&lost), side(&new)).of_kind(kind));
        }
    };
    lists(
        facts::numbers(control),
        facts::numbers(candidate),
        DifferenceKind::NumberChanged,
    );
    let mentioned = |text: &str| {
        facts::mentioned(text, names)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    lists(
        mentioned(control),
        mentioned(candidate),
        DifferenceKind::NameChanged,
    );
    let parts: Vec<String> = names
        .iter()
        .flat_map(|name| tokens(name, Tokens::Unicode))
        .collect();
    let is_name = |word: &str| parts.iter().any(|part| part == word);
    let is_number = |word: &str| word.contains(char::is_numeric);
    for (kind, is_fact) in [
        (
            DifferenceKind::NumberChanged,
            &is_number as &dyn Fn(&str) -> bool,
        ),
        (DifferenceKind::NameChanged, &is_name),
    ] {
        // As many on both sides, of others.
        if found.iter().any(|difference| difference.kind == kind) {
            continue;
        }
        for (left, right) in facts::exchanged(control, candidate, is_fact) {
            let between = Difference::between(path, Some(json!(left)), Some(json!(right)));
            found.push(between.of_kind(kind));
        }
    }
    for (left, right) in facts::negation_flips(control, candidate) {
        let side = |text: String| (!text.is_empty()).then(|| json!(text));
        found.push(
            Difference::between(path, side(left), side(right))
                .of_kind(DifferenceKind::NegationChanged),
        );
    }
    found
}

/// Changed facts counted by kind, without quoting them.
pub(super) fn broken(differences: &[Difference]) -> Vec<String> {
    [
        (DifferenceKind::NumberChanged, "number"),
        (DifferenceKind::NameChanged, "name"),
        (DifferenceKind::NegationChanged, "negation"),
    ]
    .into_iter()
    .filter_map(|(kind, name)| {
        let count = differences
            .iter()
            .filter(|difference| difference.kind == kind)
            .count();
        (count > 0).then(|| {
            format!(
                "{count} {name}{} changed",
                if count == 1 { "" } else { "s" }
            )
        })
    })
    .collect()
}

/// Headings must be the same; sections below them (a bold line each) may be some more or fewer.
fn structure(finding: &mut Finding, path: &str, control: &str, candidate: &str) {
    let headings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('#'))
            .map(normaliser::collapse)
            .collect()
    };
    let sections = |text: &str| {
        let bold = |line: &&str| {
            line.len() > 4 && line.starts_with("**") && line.trim_end().ends_with("**")
        };
        text.lines().filter(bold).count()
    };
    let (left, right) = (headings(control), headings(candidate));
    if left != right {
        finding.broken.push("headings changed".to_owned());
        let difference = Difference::between(path, Some(json!(left)), Some(json!(right)));
        finding
            .differences
            .push(difference.of_kind(DifferenceKind::StructureChanged));
    }
    let length = |text: &str| text.chars().count().max(1) as f64;
    finding
        .numbers
        .push(("length_ratio", Some(length(candidate) / length(control))));
    let difference = sections(control).abs_diff(sections(candidate));
    finding
        .numbers
        .push(("sections_difference", Some(difference as f64)));
}
