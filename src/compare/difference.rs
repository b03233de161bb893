//! Differences as people and programs read them: typed, with a JSON pointer; and texts with what
//! was taken out and put in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// JSON pointer into the outcome, or into the request for Zulip and webhook.
    pub path: String,
    /// What sort of difference.
    pub kind: DifferenceKind,
    /// The control's value, where it has one.
    pub control: Option<Value>,
    /// The candidate's value, where it has one.
    pub candidate: Option<Value>,
}

/// Sorts of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Another value.
    Changed,
    /// The candidate lacks it.
    OnlyControl,
    /// The control lacks it.
    OnlyCandidate,
    /// The same things in a forbidden order.
    Reordered,
    /// A number in a text.
    NumberChanged,
    /// A participant's name in a text.
    NameChanged,
    /// A sentence says the opposite.
    NegationChanged,
    /// Headings of a text.
    StructureChanged,
    /// Another speaker for the same word.
    SpeakerChanged,
    /// Another time for the same word.
    TimeChanged,
    /// The same value in other bytes.
    BytesChanged,
    /// Another value that a field of its own judges.
    JudgedElsewhere,
}

impl DifferenceKind {
    /// What people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::OnlyControl => "only in control",
            Self::OnlyCandidate => "only in candidate",
            Self::Reordered => "order changed",
            Self::NumberChanged => "number changed",
            Self::NameChanged => "name changed",
            Self::NegationChanged => "negation changed",
            Self::StructureChanged => "structure changed",
            Self::SpeakerChanged => "speaker changed",
            Self::TimeChanged => "time changed",
            Self::BytesChanged => "bytes changed",
            Self::JudgedElsewhere => "judged elsewhere",
        }
    }
}

impl Difference {
    /// A difference of two values; an absent one makes it one-sided.
    pub fn between(
        path: impl Into<String>,
        control: Option<Value>,
        candidate: Option<Value>,
    ) -> Self {
        let kind = match (&control, &candidate) {
            (Some(_), None) => DifferenceKind::OnlyControl,
            (None, Some(_)) => DifferenceKind::OnlyCandidate,
            (Some(_), Some(_)) | (None, None) => DifferenceKind::Changed,
        };
        Self {
            path: path.into(),
            kind,
            control,
            candidate,
        }
    }

    /// The same difference as another sort.
    #[must_use]
    pub fn of_kind(mut self, kind: DifferenceKind) -> Self {
        self.kind = kind;
        self
    }
}

/// A text on both sides, readable in one go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextDifference {
    /// JSON pointer into the outcome.
    pub path: String,
    /// What was kept, taken out, put in.
    pub changes: Vec<TextChange>,
}

/// A run of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextChange {
    /// Where it stands.
    pub kind: TextChangeKind,
    /// The text; of a long kept run only its ends.
    pub text: String,
}

/// Where a run of text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextChangeKind {
    /// On both sides.
    Kept,
    /// Only in the control.
    Deleted,
    /// Only in the candidate.
    Inserted,
}

impl TextDifference {
    /// Word by word, for prose.
    pub fn by_word(path: impl Into<String>, control: &str, candidate: &str) -> Self {
        let diff = TextDiff::from_words(control, candidate);
        Self::new(
            path.into(),
            diff.iter_all_changes()
                .map(|change| (change.tag(), change.value())),
        )
    }

    /// Line by line, for Markdown.
    pub fn by_line(path: impl Into<String>, control: &str, candidate: &str) -> Self {
        let diff = TextDiff::from_lines(control, candidate);
        Self::new(
            path.into(),
            diff.iter_all_changes()
                .map(|change| (change.tag(), change.value())),
        )
    }

    fn new<'a>(path: String, changes: impl Iterator<Item = (ChangeTag, &'a str)>) -> Self {
        let mut runs: Vec<TextChange> = Vec::new();
        for (tag, text) in changes {
            let kind = match tag {
                ChangeTag::Equal => TextChangeKind::Kept,
                ChangeTag::Delete => TextChangeKind::Deleted,
                ChangeTag::Insert => TextChangeKind::Inserted,
            };
            match runs.last_mut() {
                Some(run) if run.kind == kind => run.text.push_str(text),
                Some(_) | None => runs.push(TextChange {
                    kind,
                    text: text.to_owned(),
                }),
            }
        }
        for run in runs
            .iter_mut()
            .filter(|run| run.kind == TextChangeKind::Kept)
        {
            run.text = shortened(&run.text);
        }
        Self {
            path,
            changes: runs,
        }
    }
}

/// A kept run longer than this is told by its ends.
const KEPT_AT_MOST: usize = 400;
const KEPT_ENDS: usize = 120;

fn shortened(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= KEPT_AT_MOST {
        return text.to_owned();
    }
    let head: String = letters[..KEPT_ENDS].iter().collect();
    let tail: String = letters[letters.len() - KEPT_ENDS..].iter().collect();
    format!("{head} […] {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_is_taken_out_and_put_in() {
        let diff = TextDifference::by_word("/title", "launch on Monday", "launch on Friday");
        let told: Vec<_> = diff
            .changes
            .iter()
            .map(|run| (run.kind, run.text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (TextChangeKind::Kept, "launch on "),
                (TextChangeKind::Deleted, "Monday"),
                (TextChangeKind::Inserted, "Friday"),
            ]
        );
    }

    #[test]
    fn a_long_kept_run_is_told_by_its_ends() {
        let long = "same ".repeat(1000);
        let diff = TextDifference::by_word("/words", &long, &format!("{long}new"));
        assert!(diff.changes[0].text.len() < 300);
    }
}
