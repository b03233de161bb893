//! What sort of difference a difference is, in the words reviewers use, and how bad that is.
//!
//! Whether the field kept its tolerance decides how bad a word or a second is; it never excuses a
//! fact, a speaker or an effect.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::{Difference, DifferenceKind};
use super::field::Field;
use super::metrics::facts;
use super::severity::Severity;

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// A sort of difference.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Class { $($(#[$doc])* $variant),* }

        impl Class {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in SQL and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

classes! {
    /// No difference.
    Identical = "identical";
    /// Nobody sees it, or another field answers for it.
    Cosmetic = "cosmetic";
    /// A word heard otherwise.
    AsrVariation = "asr_variation";
    /// Said in other words, facts kept.
    Paraphrase = "paraphrase";
    /// The same in another order.
    Reorder = "reorder";
    /// A topic begins elsewhere.
    BoundaryShift = "boundary_shift";
    /// The candidate lacks something.
    Omission = "omission";
    /// The candidate has something more.
    Addition = "addition";
    /// A number or a name.
    FactChanged = "fact_changed";
    /// A sentence says the opposite.
    PolarityChanged = "polarity_changed";
    /// Somebody else said it.
    SpeakerAttribution = "speaker_attribution";
    /// It was said at another time.
    Timing = "timing";
    /// Keys, headings, layout or bytes.
    StructureSchema = "structure_schema";
    /// What others see or keep: posts, messages, objects, deletions.
    SideEffect = "side_effect";
    /// The run ended otherwise.
    Failed = "failed";
}

impl Class {
    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|class| class.as_str() == name)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// So many words lost or put in one after the other are a passage, not a matter of hearing.
pub(super) const PASSAGE: usize = 20;

/// A word off by more is not where a player jumps to. Seconds.
const FAR_OFF: f64 = 1.0;

/// What a difference stands in.
pub(super) struct Context<'a> {
    pub(super) field: Field,
    /// Whether the field kept its tolerance.
    pub(super) tolerated: bool,
    /// How many words were lost, or put in, one after the other, this one among them.
    pub(super) run: usize,
    /// What participants are called, normalised as words are.
    pub(super) names: &'a [String],
}

/// The class of one difference, and how bad it is.
pub(super) fn classify(found: &Difference, around: &Context<'_>) -> (Class, Severity) {
    use Severity::{S1, S2, S3};
    let tolerated = around.tolerated;
    let or = |kept: Severity, broken: Severity| if tolerated { kept } else { broken };
    match found.kind {
        DifferenceKind::JudgedElsewhere => (Class::Cosmetic, S3),
        DifferenceKind::NumberChanged | DifferenceKind::NameChanged => (Class::FactChanged, S1),
        DifferenceKind::NegationChanged => (Class::PolarityChanged, S1),
        DifferenceKind::StructureChanged => (Class::StructureSchema, S1),
        DifferenceKind::SpeakerChanged => (Class::SpeakerAttribution, or(S2, S1)),
        DifferenceKind::TimeChanged => {
            (Class::Timing, or(S3, if far_off(found) { S1 } else { S2 }))
        }
        DifferenceKind::Reordered => (Class::Reorder, S2),
        DifferenceKind::BytesChanged => (Class::StructureSchema, S2),
        DifferenceKind::Changed | DifferenceKind::OnlyControl | DifferenceKind::OnlyCandidate => {
            by_field(found, around)
        }
    }
}

fn by_field(found: &Difference, around: &Context<'_>) -> (Class, Severity) {
    use DifferenceKind::{OnlyCandidate, OnlyControl};
    use Severity::{S0, S1, S2, S3};
    let or = |kept: Severity, broken: Severity| if around.tolerated { kept } else { broken };
    let lost = found.kind == OnlyControl;
    let one_sided = matches!(found.kind, OnlyControl | OnlyCandidate);
    match around.field {
        Field::Status => (Class::Failed, S1),
        Field::Words => of_words(found, around),
        Field::WordsBySpeaker => (Class::AsrVariation, or(S3, S2)),
        Field::Speakers => (Class::SpeakerAttribution, or(S2, S1)),
        Field::WordTimes | Field::Duration if !one_sided => (Class::Timing, or(S3, S2)),
        Field::TopicsCount if around.tolerated => (Class::BoundaryShift, S3),
        Field::TopicsCount if is_fewer(found) => (Class::Omission, S1),
        Field::TopicsCount => (Class::Addition, S2),
        Field::TopicsBoundaries => (Class::BoundaryShift, or(S3, S2)),
        Field::TopicsTitles | Field::TopicsSummaries if lost => (Class::Omission, or(S2, S1)),
        Field::TopicsTitles | Field::TopicsSummaries => (Class::Addition, or(S3, S2)),
        Field::Waveform | Field::Audio if !one_sided && around.tolerated => (Class::Cosmetic, S3),
        Field::Waveform | Field::Audio if !one_sided => (Class::StructureSchema, S2),
        Field::Title
        | Field::ShortSummary
        | Field::LongSummary
        | Field::Webvtt
        | Field::WordTimes
        | Field::Duration
        | Field::Waveform
        | Field::Audio => {
            if lost {
                (Class::Omission, S1)
            } else {
                (Class::Addition, S2)
            }
        }
        Field::Participants if found.path.ends_with("/name") => (Class::FactChanged, S1),
        Field::Participants => (Class::SpeakerAttribution, S1),
        // A whole event of one side has no place below a label.
        Field::Events | Field::Messages if found.path.is_empty() => (Class::SideEffect, S1),
        Field::Events | Field::Messages => (Class::StructureSchema, S1),
        Field::Objects if lost => (Class::SideEffect, S0),
        Field::Objects if one_sided => (Class::SideEffect, S1),
        Field::Objects => (Class::StructureSchema, S2),
        Field::Deletions | Field::AudioDeleted => (Class::SideEffect, S0),
        Field::Zulip | Field::Webhook => of_request(found, around.field, one_sided),
    }
}

fn of_words(found: &Difference, around: &Context<'_>) -> (Class, Severity) {
    let words = [&found.control, &found.candidate];
    let any = |is: &dyn Fn(&str) -> bool| {
        words
            .iter()
            .any(|word| word.as_ref().and_then(|word| word.as_str()).is_some_and(is))
    };
    let kept = if around.tolerated {
        Severity::S3
    } else {
        Severity::S2
    };
    if any(&|word| facts::is_negation(word)) {
        return (Class::PolarityChanged, Severity::S1);
    }
    let is_name = |word: &str| around.names.iter().any(|name| name == word);
    if any(&|word| word.contains(char::is_numeric) || is_name(word)) {
        return (Class::FactChanged, Severity::S1);
    }
    match found.kind {
        DifferenceKind::OnlyControl if around.run >= PASSAGE => (Class::Omission, Severity::S1),
        DifferenceKind::OnlyCandidate if around.run >= PASSAGE => (Class::Addition, Severity::S1),
        DifferenceKind::OnlyControl if !around.tolerated => (Class::Omission, kept),
        DifferenceKind::OnlyCandidate if !around.tolerated => (Class::Addition, kept),
        _ => (Class::AsrVariation, kept),
    }
}

fn of_request(found: &Difference, field: Field, one_sided: bool) -> (Class, Severity) {
    // Who gets it, and whether it is a new post or an edit of one.
    const RECIPIENT: [&str; 5] = ["/method", "/url", "/form/to", "/form/topic", "/form/type"];
    let is_whole = found.path.trim_start_matches('/') == field.as_str();
    if is_whole || RECIPIENT.contains(&found.path.as_str()) {
        (Class::SideEffect, Severity::S0)
    } else if one_sided || found.path.starts_with("/headers") {
        (Class::StructureSchema, Severity::S1)
    } else {
        (Class::SideEffect, Severity::S1)
    }
}

/// Of a field that came to something without a single difference to show: only numbers tell.
pub(super) fn of_number(field: Field, number: Option<&str>, tolerated: bool) -> (Class, Severity) {
    let severity = if tolerated {
        Severity::S3
    } else {
        Severity::S2
    };
    let is_time = number.is_some_and(|name| name.ends_with("_s") || name.ends_with("_ms"));
    let class = match field {
        _ if is_time => Class::Timing,
        Field::Words | Field::WordsBySpeaker | Field::Webvtt => Class::AsrVariation,
        Field::Speakers if !tolerated => return (Class::SpeakerAttribution, Severity::S1),
        Field::Speakers => Class::SpeakerAttribution,
        Field::WordTimes | Field::Duration => Class::Timing,
        Field::TopicsCount | Field::TopicsBoundaries => Class::BoundaryShift,
        Field::TopicsTitles
        | Field::TopicsSummaries
        | Field::Title
        | Field::ShortSummary
        | Field::LongSummary => match number {
            Some("inversions") => Class::Reorder,
            Some("length_ratio" | "sections_difference") => Class::StructureSchema,
            Some(_) | None => Class::Paraphrase,
        },
        // Loudness that does not follow the control's is a track that is not in the mix.
        Field::Waveform | Field::Audio if !tolerated => return (Class::Omission, Severity::S1),
        Field::Events | Field::Messages => Class::Reorder,
        Field::Waveform
        | Field::Audio
        | Field::Status
        | Field::Participants
        | Field::Objects
        | Field::Deletions
        | Field::AudioDeleted
        | Field::Zulip
        | Field::Webhook => Class::Cosmetic,
    };
    (class, severity)
}

fn is_fewer(found: &Difference) -> bool {
    let count =
        |side: &Option<serde_json::Value>| side.as_ref().and_then(serde_json::Value::as_u64);
    count(&found.candidate) < count(&found.control)
}

fn far_off(found: &Difference) -> bool {
    let seconds =
        |side: &Option<serde_json::Value>| side.as_ref().and_then(serde_json::Value::as_f64);
    match (seconds(&found.control), seconds(&found.candidate)) {
        (Some(left), Some(right)) => (left - right).abs() > FAR_OFF,
        _ => true,
    }
}
