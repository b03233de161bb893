//! The defects: what each is called, how bad it would be, and where it has to be seen.

use std::fmt;

use crate::compare::{Field, Severity};

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $severity:ident, $label:literal, [$($field:ident),*];)*) => {
        /// A known fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Defect { $($(#[$doc])* $variant),* }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in SQL and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// How bad it would be.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// What people read.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }

            /// The fields of which one has to differ, or it was not recognised.
            pub const fn shows_in(self) -> &'static [Field] {
                match self { $(Self::$variant => &[$(Field::$field),*]),* }
            }
        }
    };
}

defects! {
    /// None: the control has to match itself.
    Nothing = "nothing", S1, "nothing is changed, and it matches", [Words];
    /// One word in twenty is not there.
    DropWords = "drop_words", S1, "5 % of words lost", [Words];
    /// Two people are taken for each other.
    SwapSpeakers = "swap_speakers", S1, "two speakers swapped", [Speakers];
    /// The last minute is not there.
    DropEnd = "drop_end", S1, "last 60 s lost", [Words];
    /// A recogniser stuck on a phrase.
    RepeatPhrase = "repeat_phrase", S1, "a phrase said 20 times over", [Words];
    /// A track was padded wrongly.
    ShiftTrack = "shift_track", S1, "a track 20 s late", [Words, WordTimes, Speakers];
    /// A topic is not there.
    DropTopic = "drop_topic", S1, "a topic lost", [TopicsCount, TopicsTitles, TopicsBoundaries];
    /// A topic begins elsewhere.
    MoveBoundary = "move_boundary", S2, "a topic's beginning moved by 150 words", [TopicsBoundaries];
    /// A digit of a title or summary.
    ChangeNumber = "change_number", S1, "one number changed",
        [Title, ShortSummary, LongSummary, TopicsTitles, TopicsSummaries];
    /// One participant's name for another's in a title or summary.
    SwapName = "swap_name", S1, "a name swapped",
        [Title, ShortSummary, LongSummary, TopicsTitles, TopicsSummaries];
    /// Two participants of a title or summary for each other: who did what is wrong, and nobody is missing.
    ExchangeNames = "exchange_names", S1, "two names exchanged",
        [Title, ShortSummary, LongSummary, TopicsTitles, TopicsSummaries];
    /// A sentence of a summary says the opposite.
    Negate = "negate", S1, "a sentence negated", [ShortSummary, LongSummary, TopicsSummaries];
    /// A headed section of the long summary is not there.
    DropSection = "drop_section", S1, "a section of the summary lost", [LongSummary];
    /// One value of the customer's webhook.
    AlterWebhook = "alter_webhook", S1, "a field of the webhook altered", [Webhook];
    /// No webhook was sent.
    LoseWebhook = "lose_webhook", S0, "the webhook lost", [Webhook];
    /// Nothing was posted.
    LoseZulip = "lose_zulip", S0, "the Zulip post lost", [Zulip];
    /// The post went elsewhere.
    WrongRecipient = "wrong_recipient", S0, "the Zulip post in another place", [Zulip];
    /// A file is not there.
    LoseObject = "lose_object", S0, "an object lost", [Objects];
    /// Consent was denied, and sound is still there.
    KeepDeleted = "keep_deleted", S0, "a deletion not done", [Deletions];
    /// Sound was deleted though nobody asked for it.
    DeleteKept = "delete_kept", S0, "audio deleted without a denial", [AudioDeleted];
    /// An event is not kept.
    LoseEvent = "lose_event", S1, "an event lost", [Events];
    /// The run did not end well.
    Fail = "fail", S1, "the run failed", [Status];
}

impl Defect {
    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|defect| defect.as_str() == name)
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
