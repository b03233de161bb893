//! Items: what there is to look at in one comparison.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::compare::{Class, Comparison, Field, FieldVerdict, Severity, Strictness, Verdict};
use crate::model::{Outcome, RecordingId, RunId, digest};

/// What an item asks of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// Is this difference acceptable?
    Difference,
    /// Is this recording's result acceptable, whatever the comparison says?
    Sample,
    /// Which title is better? Whose it is stays hidden.
    Title,
    /// Which summary is better? Whose it is stays hidden.
    Summary,
}

impl ItemKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Difference, Self::Sample, Self::Title, Self::Summary];

    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Sample => "sample",
            Self::Title => "title",
            Self::Summary => "summary",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the sides are shown without saying whose they are.
    pub const fn is_blind(self) -> bool {
        matches!(self, Self::Title | Self::Summary)
    }
}

/// What an item about a difference is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Judgement {
    /// The field.
    pub field: Field,
    /// What sort of difference.
    pub class: Class,
    /// How bad.
    pub severity: Severity,
    /// Whether the policy allows none.
    pub strictness: Strictness,
    /// The cluster it belongs to.
    pub signature: String,
    /// Place and shapes; nothing of the meeting.
    pub pattern: String,
    /// `/FIELD` and the place, which rules match.
    pub path: String,
    /// How many differences it stands for.
    pub differences: i64,
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Item {
    /// Its id, made of what it stands for.
    pub id: String,
    /// What it asks.
    pub kind: ItemKind,
    /// The candidate run.
    pub run: RunId,
    /// The comparison it was made from.
    #[serde(skip)]
    pub comparison: String,
    /// The recording.
    pub recording: RecordingId,
    /// The recording's verdict.
    pub verdict: Verdict,
    /// The sort of meeting: how many people, how long.
    pub stratum: String,
    /// A number drawn for the recording; the lowest are sampled.
    #[serde(skip)]
    pub draw: String,
    /// Of a difference, what it is.
    pub about: Option<Judgement>,
    /// Of a side-by-side, whether both sides say the same, so that nobody need be asked.
    pub same: bool,
    /// Of a side-by-side, whether the candidate stands on the left. Not for anybody's eyes.
    #[serde(skip)]
    pub candidate_left: bool,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

/// What items are made from.
pub struct Source<'a> {
    /// The candidate run.
    pub run: &'a RunId,
    /// The comparison.
    pub id: &'a str,
    /// The recording.
    pub recording: &'a RecordingId,
    /// The digest of versions.
    pub epoch: &'a str,
    /// What was found.
    pub comparison: &'a Comparison,
    /// What the control made.
    pub control: &'a Outcome,
    /// What the candidate made.
    pub candidate: &'a Outcome,
    /// Something nobody can guess: it decides who stands left.
    pub salt: &'a str,
    /// When.
    pub now: DateTime<Utc>,
}

impl Source<'_> {
    fn item(&self, kind: ItemKind, what: &str) -> Item {
        let name = [self.epoch, self.run.as_str(), kind.as_str(), what].join("\0");
        let side = digest::of_text(&format!("{}\0{name}", self.salt));
        Item {
            id: format!("itm_{}", &digest::of_text(&name)[..12]),
            kind,
            run: self.run.clone(),
            comparison: self.id.to_owned(),
            recording: self.recording.clone(),
            verdict: self.comparison.verdict,
            stratum: stratum(self.control),
            draw: digest::of_text(&format!("{}\0{}", self.epoch, self.run))[..16].to_owned(),
            about: None,
            same: false,
            candidate_left: side.as_bytes()[0].is_multiple_of(2),
            made_at: self.now,
        }
    }
}

/// Everything to look at in a comparison: one item for each sort of difference in each field, one
/// for the recording as a whole, one for each text that both sides have. What another field answers
/// for is no item of its own.
pub fn items_of(source: &Source<'_>) -> Vec<Item> {
    let mut items = vec![source.item(ItemKind::Sample, "")];
    for result in &source.comparison.fields {
        if matches!(
            result.verdict,
            FieldVerdict::Match | FieldVerdict::NotComparable
        ) {
            continue;
        }
        for found in &result.found {
            if found.class == Class::Cosmetic && !found.severity.blocks() {
                continue;
            }
            let mut item = source.item(
                ItemKind::Difference,
                &format!("{}\0{}", result.field, found.signature),
            );
            let place = found.pattern.split(':').next().unwrap_or_default();
            let place = place.strip_prefix('/').map_or("", |_| place);
            item.about = Some(Judgement {
                field: result.field,
                class: found.class,
                severity: found.severity,
                strictness: result.strictness,
                signature: found.signature.clone(),
                pattern: found.pattern.clone(),
                path: format!("/{}{place}", result.field),
                differences: i64::try_from(found.count).unwrap_or(i64::MAX),
            });
            items.push(item);
        }
    }
    for kind in [ItemKind::Title, ItemKind::Summary] {
        let (left, right) = (text(kind, source.control), text(kind, source.candidate));
        if let (Some(left), Some(right)) = (left, right) {
            let mut item = source.item(kind, "");
            item.same = left == right;
            items.push(item);
        }
    }
    items
}

/// The text a side-by-side shows.
fn text(kind: ItemKind, outcome: &Outcome) -> Option<&String> {
    match kind {
        ItemKind::Title => outcome.title.as_ref(),
        ItemKind::Summary => outcome.long_summary.as_ref(),
        ItemKind::Difference | ItemKind::Sample => None,
    }
}

/// How many people and how long, in coarse steps.
fn stratum(control: &Outcome) -> String {
    let people = match control.participants.len() {
        0 | 1 => "1 person",
        2 => "2 people",
        3 | 4 => "3-4 people",
        _ => "5 or more people",
    };
    let length = match control.duration_ms.unwrap_or_default() / 60_000.0 {
        minutes if minutes < 15.0 => "below 15 min",
        minutes if minutes < 60.0 => "15-60 min",
        _ => "an hour or more",
    };
    format!("{people}, {length}")
}
