//! What was found in a field, by class and pattern: the leaves that clusters are made of.
//!
//! A pattern holds places and shapes, never what was said: it goes into signatures, logs and
//! lists that people may send on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::class::{Class, Context, classify, of_number};
use super::comparison::Measured;
use super::difference::{Difference, DifferenceKind};
use super::field::Field;
use super::severity::Severity;
use super::verdict::FieldVerdict;

/// Differences of one field that are of one class and one pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// What sort.
    pub class: Class,
    /// The worst of them.
    pub severity: Severity,
    /// Place and shapes, e.g. `/words/*: word > number`.
    pub pattern: String,
    /// Digest of field, class and pattern: the same in every recording.
    pub signature: String,
    /// How many.
    pub count: usize,
    /// JSON pointers of the first few, at most [`POINTERS_KEPT`].
    pub pointers: Vec<String>,
}

/// Pointers kept of one pattern.
pub const POINTERS_KEPT: usize = 20;

/// What a field came to, before its list of differences is cut.
pub(super) struct Judged<'a> {
    pub(super) field: Field,
    pub(super) verdict: FieldVerdict,
    pub(super) measured: &'a [Measured],
    pub(super) differences: &'a [Difference],
    /// Whether a text was reworded.
    pub(super) reworded: bool,
    pub(super) names: &'a [String],
}

impl Judged<'_> {
    /// Class and severity of each difference, in their order.
    pub(super) fn classes(&self) -> Vec<(Class, Severity)> {
        let runs = runs(self.field, self.differences);
        let classes = self.differences.iter().zip(runs).map(|(difference, run)| {
            let around = Context {
                field: self.field,
                tolerated: self.verdict != FieldVerdict::Differs,
                run,
                names: self.names,
            };
            classify(difference, &around)
        });
        classes.collect()
    }

    /// Everything found, worst first; nothing of a field that matches or could not be compared.
    pub(super) fn found(&self, classes: &[(Class, Severity)]) -> Vec<Found> {
        let tolerated = match self.verdict {
            FieldVerdict::Match | FieldVerdict::NotComparable => return Vec::new(),
            FieldVerdict::WithinNoise => true,
            FieldVerdict::Differs => false,
        };
        let mut all: Vec<Found> = Vec::new();
        for (difference, &(class, severity)) in self.differences.iter().zip(classes) {
            let pattern = pattern(difference);
            match all
                .iter_mut()
                .find(|found| found.class == class && found.pattern == pattern)
            {
                Some(found) => {
                    found.count += 1;
                    found.severity = found.severity.min(severity);
                    if found.pointers.len() < POINTERS_KEPT {
                        found.pointers.push(difference.path.clone());
                    }
                }
                None => all.push(Found {
                    signature: signature(self.field, class, &pattern),
                    class,
                    severity,
                    pattern,
                    count: 1,
                    pointers: vec![difference.path.clone()],
                }),
            }
        }
        if all.is_empty() || self.reworded {
            all.extend(self.by_numbers(tolerated));
        }
        all.sort_by(|one, other| {
            (one.severity, other.count, &one.pattern).cmp(&(
                other.severity,
                one.count,
                &other.pattern,
            ))
        });
        all
    }

    /// What only numbers tell: one for each that is out of its bounds, or one if all are inside.
    fn by_numbers(&self, tolerated: bool) -> Vec<Found> {
        let new = |number: Option<&str>| {
            let (class, severity) = of_number(self.field, number, tolerated || number.is_none());
            let pattern = match number {
                Some(name) => format!("{name} beyond its bound"),
                None => "within its bounds".to_owned(),
            };
            Found {
                signature: signature(self.field, class, &pattern),
                class,
                severity,
                pattern,
                count: 1,
                pointers: Vec::new(),
            }
        };
        let beyond = self
            .measured
            .iter()
            .filter(|number| !number.holds && number.name != "facts_changed");
        let beyond: Vec<Found> = beyond.map(|number| new(Some(&number.name))).collect();
        if beyond.is_empty() {
            vec![new(None)]
        } else {
            beyond
        }
    }
}

/// For each difference, how many of its kind stand one after the other; 1 outside of words.
fn runs(field: Field, differences: &[Difference]) -> Vec<usize> {
    let mut runs = vec![1; differences.len()];
    if field != Field::Words {
        return runs;
    }
    let at = |difference: &Difference| -> Option<usize> {
        difference.path.rsplit('/').next()?.parse().ok()
    };
    let mut begin = 0;
    for end in 1..=differences.len() {
        let goes_on = differences.get(end).is_some_and(|next| {
            let before = &differences[end - 1];
            next.kind == before.kind
                && next.kind != DifferenceKind::Changed
                && at(before).is_some_and(|place| at(next) == Some(place + 1))
        });
        if !goes_on {
            runs[begin..end].fill(end - begin);
            begin = end;
        }
    }
    runs
}

/// SHA-256 of field, class and pattern, 16 hex digits.
pub fn signature(field: Field, class: Class, pattern: &str) -> String {
    let all = format!("{field}\0{class}\0{pattern}");
    hex::encode(&Sha256::digest(all)[..8])
}

/// Place and shapes of a difference. Whole events are told by their step, which is the program's.
pub fn pattern(difference: &Difference) -> String {
    let side = |value: &Option<Value>| value.as_ref().map_or("", shape);
    let step = [&difference.control, &difference.candidate]
        .into_iter()
        .flatten()
        .find_map(Value::as_str)
        .filter(|step| difference.path.is_empty() && is_of_program(step));
    let place = match step {
        Some(step) => step.to_owned(),
        None => place(&difference.path),
    };
    let (left, right) = (side(&difference.control), side(&difference.candidate));
    let shapes = format!("{left} > {right}");
    match difference.kind {
        DifferenceKind::Changed | DifferenceKind::OnlyControl | DifferenceKind::OnlyCandidate => {
            format!("{place}: {shapes}")
        }
        kind => format!("{place}: {}", kind.label()),
    }
}

/// A pointer without what varies by recording: numbers, ids and keys become `*`.
fn place(path: &str) -> String {
    let segment = |part: &str| {
        if is_of_program(part) {
            part.to_owned()
        } else {
            "*".to_owned()
        }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Whether a word is a name of ours: short, ASCII, without digits.
fn is_of_program(word: &str) -> bool {
    word.len() <= 40
        && word
            .chars()
            .all(|letter| letter.is_ascii_alphabetic() || "_-/:".contains(letter))
}

/// What a value looks like.
fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
        Value::String(text) => {
            let text = text.trim();
            if text.is_empty() {
                "empty"
            } else if text.starts_with(|letter: char| letter.is_ascii_digit())
                && !text.contains(char::is_alphabetic)
            {
                "number"
            } else if text.starts_with("http://") || text.starts_with("https://") {
                "url"
            } else if text.contains(char::is_whitespace) {
                "text"
            } else {
                "word"
            }
        }
    }
}
