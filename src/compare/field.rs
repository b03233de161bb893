//! What is compared of a recording.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $label:literal;)*) => {
        /// A part of an outcome that gets a verdict of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[$doc])* $variant),* }

        impl Field {
            /// All of them. A field comes after those that judge parts of it.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in `comparisons/`, SQL and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What people read.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }
    };
}

fields! {
    /// How the run ended.
    Status = "status", "Status";
    /// What was said.
    Words = "words", "Words";
    /// Who said it.
    Speakers = "speakers", "Speakers";
    /// What was said by each, whatever the speakers are called.
    WordsBySpeaker = "words_by_speaker", "Words by speaker";
    /// When it was said.
    WordTimes = "word_times", "Word times";
    /// How many topics there are.
    TopicsCount = "topics_count", "Number of topics";
    /// Where topics begin.
    TopicsBoundaries = "topics_boundaries", "Topic boundaries";
    /// What topics are called.
    TopicsTitles = "topics_titles", "Topic titles";
    /// What topics are about.
    TopicsSummaries = "topics_summaries", "Topic summaries";
    /// The meeting's title.
    Title = "title", "Title";
    /// The recap.
    ShortSummary = "short_summary", "Short summary";
    /// The Markdown summary.
    LongSummary = "long_summary", "Long summary";
    /// Captions.
    Webvtt = "webvtt", "Captions";
    /// The transcript's duration.
    Duration = "duration", "Duration";
    /// The peaks a browser draws.
    Waveform = "waveform", "Waveform";
    /// The mix itself.
    Audio = "audio", "Audio";
    /// Who took part.
    Participants = "participants", "Participants";
    /// Events kept in the row.
    Events = "events", "Stored events";
    /// Messages to browsers.
    Messages = "messages", "Live messages";
    /// Objects left in the store.
    Objects = "objects", "Objects";
    /// Keys deleted for consent.
    Deletions = "deletions", "Consent deletions";
    /// The transcript's own mark that its audio is gone.
    AudioDeleted = "audio_deleted", "Audio deleted";
    /// The Zulip post.
    Zulip = "zulip", "Zulip post";
    /// The customer's webhook.
    Webhook = "webhook", "Webhook";
}

impl Field {
    /// Whether a model wrote it.
    pub const fn is_prose(self) -> bool {
        matches!(
            self,
            Self::TopicsTitles
                | Self::TopicsSummaries
                | Self::Title
                | Self::ShortSummary
                | Self::LongSummary
        )
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.as_str() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
