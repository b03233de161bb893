//! One field at a time: from two outcomes to numbers and differences, and from those to a verdict.

mod captions;
mod document;
mod events;
mod heard;
mod payload;
mod plain;
mod prose;
mod requests;
mod sound;
mod speech;
mod spoken;
mod topics;

use super::comparison::{DIFFERENCES_KEPT, FieldResult, Measured};
use super::difference::{Difference, TextDifference};
use super::field::Field;
use super::found::Judged;
use super::policy::{Bound, FieldPolicy};
use super::verdict::{FieldVerdict, Meanings};
use crate::model::Outcome;

use document::Documents;
pub(super) use heard::Heard;

/// What measuring a field found.
#[derive(Default)]
pub(super) struct Finding {
    /// Whether the two sides are the same.
    equal: bool,
    /// Why they cannot be compared.
    not_comparable: Option<&'static str>,
    /// What no tolerance excuses, without quoting anything.
    broken: Vec<String>,
    numbers: Vec<(&'static str, Option<f64>)>,
    differences: Vec<Difference>,
    texts: Vec<TextDifference>,
}

impl Finding {
    fn equal() -> Self {
        Self {
            equal: true,
            ..Self::default()
        }
    }

    fn not_comparable(why: &'static str) -> Self {
        Self {
            not_comparable: Some(why),
            ..Self::default()
        }
    }

    fn one_sided(difference: Difference, what: &str) -> Self {
        let lacking = if difference.candidate.is_none() {
            "candidate"
        } else {
            "control"
        };
        Self {
            broken: vec![format!("the {lacking} has no {what}")],
            differences: vec![difference],
            ..Self::default()
        }
    }
}

/// What a field's measuring came to.
pub(super) enum Measuring {
    /// All there is to find.
    Done(Finding),
    /// Differences of documents, for some of which other fields answer.
    Documents(Documents),
}

impl From<Finding> for Measuring {
    fn from(finding: Finding) -> Self {
        Self::Done(finding)
    }
}

/// Measures one field. `heard` is what both sides say.
pub(super) fn measure(
    policy: &FieldPolicy,
    control: &Outcome,
    candidate: &Outcome,
    heard: &Heard<'_>,
    meanings: &Meanings,
) -> Measuring {
    let cosine = meanings.get(&policy.field).copied();
    let text = |of| prose::text(policy, control, candidate, heard, cosine, of);
    let finding = match policy.field {
        Field::Events => return events::events(policy, control, candidate),
        Field::Messages => return events::messages(policy, control, candidate),
        Field::Zulip => return requests::zulip(policy, control, candidate),
        Field::Webhook => return requests::webhook(policy, control, candidate),
        Field::Status => plain::status(control, candidate),
        Field::Words => speech::words(control, heard),
        Field::Speakers => speech::speakers(heard),
        Field::WordsBySpeaker => speech::words_by_speaker(heard),
        Field::WordTimes => speech::word_times(control, candidate, heard),
        Field::TopicsCount => topics::count(control, candidate, heard),
        Field::TopicsBoundaries => topics::boundaries(control, candidate, heard),
        Field::TopicsTitles => topics::titles(control, candidate),
        Field::TopicsSummaries => topics::summaries(control, candidate),
        Field::Title => text(|outcome| outcome.title.as_deref()),
        Field::ShortSummary => text(|outcome| outcome.short_summary.as_deref()),
        Field::LongSummary => text(|outcome| outcome.long_summary.as_deref()),
        Field::Webvtt => captions::captions(control, candidate, heard),
        Field::Duration => sound::duration(control, candidate),
        Field::Waveform => sound::waveform(control, candidate),
        Field::Audio => sound::audio(control, candidate),
        Field::Participants => plain::participants(control, candidate),
        Field::Objects => plain::objects(control, candidate),
        Field::Deletions => plain::deletions(control, candidate),
        Field::AudioDeleted => plain::audio_deleted(control, candidate),
    };
    finding.into()
}

/// A field's result. `earlier` are the results of fields before it.
pub(super) fn conclude(
    policy: &FieldPolicy,
    measuring: Measuring,
    control: &Outcome,
    earlier: &[FieldResult],
) -> FieldResult {
    let finding = match measuring {
        Measuring::Done(finding) => finding,
        Measuring::Documents(documents) => documents.settled(policy, earlier),
    };
    let measured: Vec<Measured> = policy
        .measure
        .numbers()
        .iter()
        .filter_map(|number| {
            let (_, value) = finding
                .numbers
                .iter()
                .find(|(name, _)| *name == number.name)?;
            let bound = policy.bounds.get(number.name).copied();
            let holds = bound.is_none_or(|bound| value.is_some_and(|value| bound.holds(value)));
            Some(Measured {
                name: number.name.to_owned(),
                unit: number.unit.to_owned(),
                value: *value,
                bound,
                holds,
            })
        })
        .collect();
    let (verdict, reason) = verdict_and_reason(&finding, &measured);
    let judged = Judged {
        field: policy.field,
        verdict,
        measured: &measured,
        differences: &finding.differences,
        reworded: !finding.texts.is_empty() && policy.field.is_prose(),
        names: &spoken::normalised_names(control),
    };
    let mut classes = judged.classes();
    let found = judged.found(&classes);
    let mut differences = finding.differences;
    classes.truncate(DIFFERENCES_KEPT);
    let differences_left_out = differences.len().saturating_sub(DIFFERENCES_KEPT);
    differences.truncate(DIFFERENCES_KEPT);
    FieldResult {
        field: policy.field,
        measure: policy.measure,
        strictness: policy.strictness,
        verdict,
        measured,
        reason,
        broken: finding.broken,
        why: policy.why.clone(),
        differences,
        differences_left_out,
        texts: finding.texts,
        classes,
        found,
    }
}

fn verdict_and_reason(finding: &Finding, measured: &[Measured]) -> (FieldVerdict, String) {
    if let Some(why) = finding.not_comparable {
        return (FieldVerdict::NotComparable, why.to_owned());
    }
    if finding.equal {
        return (FieldVerdict::Match, "the same".to_owned());
    }
    let outside = measured.iter().filter(|number| !number.holds).map(told);
    let mut against: Vec<String> = finding.broken.iter().cloned().chain(outside).collect();
    if against.is_empty() {
        let inside = measured
            .iter()
            .find(|number| number.bound.is_some())
            .map_or_else(
                || "only what other fields judge or what varies by nature".to_owned(),
                told,
            );
        return (FieldVerdict::WithinNoise, inside);
    }
    against.truncate(3);
    (FieldVerdict::Differs, against.join("; "))
}

/// `wer 0.031 must be at most 0.02`
fn told(number: &Measured) -> String {
    let name = number
        .name
        .strip_suffix(&format!("_{}", number.unit.to_lowercase()));
    let name = name.unwrap_or(&number.name).replace('_', " ");
    let unit = if number.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", number.unit)
    };
    let limit = |bound: Bound| match (bound.at_least, bound.at_most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "anything".to_owned(),
    };
    match (number.value, number.bound) {
        (None, _) => format!("{name} could not be measured"),
        (Some(value), None) => format!("{name} {}{unit}", rounded(value)),
        (Some(value), Some(bound)) => {
            let verb = if number.holds { "is" } else { "must be" };
            format!(
                "{name} {}{unit} {verb} {}{unit}",
                rounded(value),
                limit(bound)
            )
        }
    }
}

/// Four decimals at most, so that a bound is never rounded onto its value.
fn rounded(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}
