//! The closed set of ways to compare a field, and the numbers each of them yields.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::Field;

/// A way to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Equal or not.
    Equality,
    /// Word and character error rate of the whole text.
    WordErrorRate,
    /// Word error rate where speakers must agree.
    SpeakerErrorRate,
    /// Word error rates under the pairing of speakers that has the fewest errors.
    PairedErrorRate,
    /// Distance in time of words both sides have.
    WordTimeDrift,
    /// How many topics more or fewer.
    TopicCount,
    /// Pk, `WindowDiff` and boundary similarity.
    TopicBoundaries,
    /// Short texts paired with their counterparts, alike in words and equal in facts.
    PairedTexts,
    /// One text, alike in words and equal in facts.
    TextSimilarity,
    /// Markdown, alike in words and equal in facts and structure.
    MarkdownSimilarity,
    /// Captions: text, speakers and times of cues.
    Captions,
    /// Distance of two numbers.
    Difference,
    /// Distance and correlation of the peaks.
    WaveformDistance,
    /// Correlation, level and length of two mixes.
    AudioEnvelope,
    /// The same events in an order that concurrent steps allow, with the same data.
    EventSequence,
    /// A request: JSON pointers that differ, and the byte form.
    Request,
    /// Keys and content types.
    ObjectSet,
}

/// A number a measure yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Its name in `comparisons/` and reports.
    pub name: &'static str,
    /// `s`, `ms`, `dB`, `%` …; empty for rates and counts.
    pub unit: &'static str,
    /// Which way it must not go.
    pub good: Good,
}

/// Which end of a number is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Good {
    /// Needs `at_most`.
    Low,
    /// Needs `at_least`.
    High,
    /// Needs both.
    Between,
    /// For people to read; a policy cannot bound it.
    Unjudged,
}

const fn low(name: &'static str, unit: &'static str) -> Number {
    Number {
        name,
        unit,
        good: Good::Low,
    }
}

const fn high(name: &'static str) -> Number {
    Number {
        name,
        unit: "",
        good: Good::High,
    }
}

const fn info(name: &'static str, unit: &'static str) -> Number {
    Number {
        name,
        unit,
        good: Good::Unjudged,
    }
}

const DIFFERENCES: &[Number] = &[info("differences", "")];
const WORDS: &[Number] = &[
    low("wer", ""),
    low("facts_changed", ""),
    low("passage", ""),
    info("cer", ""),
    info("errors", ""),
];
const SPEAKERS: &[Number] = &[
    low("speaker_wer", ""),
    low("misattributed", ""),
    low("attribution_error", ""),
    low("label_permutation", ""),
];
const PAIRED: &[Number] = &[
    low("cp_wer", ""),
    low("tcp_wer", ""),
    info("der", ""),
    info("der_collar", ""),
];
const TIMES: &[Number] = &[
    low("p95_s", "s"),
    low("p95_end_s", "s"),
    low("offset_s", "s"),
    low("disordered", ""),
    info("median_s", "s"),
    info("max_s", "s"),
];
const TOPIC_COUNT: &[Number] = &[low("count_difference", "")];
const BOUNDARIES: &[Number] = &[
    low("pk", ""),
    low("window_diff", ""),
    info("boundary_similarity", ""),
];
const PAIRS: &[Number] = &[
    high("f1"),
    high("mean_similarity"),
    low("inversions", ""),
    info("facts_changed", ""),
];
const TEXT: &[Number] = &[
    high("similarity"),
    info("facts_changed", ""),
    info("chrf", ""),
    info("rouge1", ""),
    info("rouge2", ""),
    info("rouge_l", ""),
    info("unsupported_numbers", ""),
    info("cosine", ""),
];
const MARKDOWN: &[Number] = &[
    high("similarity"),
    Number {
        name: "length_ratio",
        unit: "",
        good: Good::Between,
    },
    low("sections_difference", ""),
    info("facts_changed", ""),
    info("chrf", ""),
    info("rouge1", ""),
    info("rouge2", ""),
    info("rouge_l", ""),
    info("unsupported_numbers", ""),
    info("cosine", ""),
];
const CAPTIONS: &[Number] = &[
    low("wer", ""),
    low("p95_s", "s"),
    info("cues_difference", ""),
];
const DIFFERENCE: &[Number] = &[low("difference_ms", "ms")];
const WAVEFORM: &[Number] = &[
    low("max_abs", ""),
    low("mean_abs", ""),
    high("pearson"),
    low("length_difference", ""),
];
const ENVELOPE: &[Number] = &[
    high("correlation"),
    low("gain_db", "dB"),
    low("duration_difference_ms", "ms"),
];

impl Measure {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Equality,
        Self::WordErrorRate,
        Self::SpeakerErrorRate,
        Self::PairedErrorRate,
        Self::WordTimeDrift,
        Self::TopicCount,
        Self::TopicBoundaries,
        Self::PairedTexts,
        Self::TextSimilarity,
        Self::MarkdownSimilarity,
        Self::Captions,
        Self::Difference,
        Self::WaveformDistance,
        Self::AudioEnvelope,
        Self::EventSequence,
        Self::Request,
        Self::ObjectSet,
    ];

    /// The name in `comparisons/`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equality => "equality",
            Self::WordErrorRate => "word_error_rate",
            Self::SpeakerErrorRate => "speaker_error_rate",
            Self::PairedErrorRate => "paired_error_rate",
            Self::WordTimeDrift => "word_time_drift",
            Self::TopicCount => "topic_count",
            Self::TopicBoundaries => "topic_boundaries",
            Self::PairedTexts => "paired_texts",
            Self::TextSimilarity => "text_similarity",
            Self::MarkdownSimilarity => "markdown_similarity",
            Self::Captions => "captions",
            Self::Difference => "difference",
            Self::WaveformDistance => "waveform_distance",
            Self::AudioEnvelope => "audio_envelope",
            Self::EventSequence => "event_sequence",
            Self::Request => "request",
            Self::ObjectSet => "object_set",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|measure| measure.as_str() == name)
    }

    /// The numbers it yields, the telling one first.
    pub const fn numbers(self) -> &'static [Number] {
        match self {
            Self::Equality | Self::EventSequence | Self::Request | Self::ObjectSet => DIFFERENCES,
            Self::WordErrorRate => WORDS,
            Self::SpeakerErrorRate => SPEAKERS,
            Self::PairedErrorRate => PAIRED,
            Self::WordTimeDrift => TIMES,
            Self::TopicCount => TOPIC_COUNT,
            Self::TopicBoundaries => BOUNDARIES,
            Self::PairedTexts => PAIRS,
            Self::TextSimilarity => TEXT,
            Self::MarkdownSimilarity => MARKDOWN,
            Self::Captions => CAPTIONS,
            Self::Difference => DIFFERENCE,
            Self::WaveformDistance => WAVEFORM,
            Self::AudioEnvelope => ENVELOPE,
        }
    }

    /// Whether it can compare this field.
    pub const fn fits(self, field: Field) -> bool {
        match field {
            Field::Status | Field::Participants | Field::Deletions | Field::AudioDeleted => {
                matches!(self, Self::Equality)
            }
            Field::Words => matches!(self, Self::WordErrorRate),
            Field::Speakers => matches!(self, Self::SpeakerErrorRate),
            Field::WordsBySpeaker => matches!(self, Self::PairedErrorRate),
            Field::WordTimes => matches!(self, Self::WordTimeDrift),
            Field::TopicsCount => matches!(self, Self::TopicCount),
            Field::TopicsBoundaries => matches!(self, Self::TopicBoundaries),
            Field::TopicsTitles | Field::TopicsSummaries => matches!(self, Self::PairedTexts),
            Field::Title | Field::ShortSummary | Field::LongSummary => {
                matches!(self, Self::TextSimilarity | Self::MarkdownSimilarity)
            }
            Field::Webvtt => matches!(self, Self::Captions),
            Field::Duration => matches!(self, Self::Difference),
            Field::Waveform => matches!(self, Self::WaveformDistance),
            Field::Audio => matches!(self, Self::AudioEnvelope),
            Field::Events | Field::Messages => matches!(self, Self::EventSequence),
            Field::Objects => matches!(self, Self::ObjectSet),
            Field::Zulip | Field::Webhook => matches!(self, Self::Request),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
