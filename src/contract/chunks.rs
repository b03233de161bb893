//! Cutting the merged words into topics: slices of words are gathered until their text is long
//! enough, and what is left at the end is a topic however short it is.

use std::num::NonZeroUsize;

use crate::model::Word;

/// When a topic is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Words added at a time.
    pub slice_words: NonZeroUsize,
    /// A topic is cut when its text has more code points than this (`MIN_TRANSCRIPT_LENGTH`).
    pub longer_than: usize,
}

impl Rule {
    /// The legacy's own: slices of 300 words, more than 750 code points.
    pub const LEGACY: Self = Self {
        slice_words: NonZeroUsize::new(300).expect("300 is not zero"),
        longer_than: 750,
    };
}

impl Default for Rule {
    fn default() -> Self {
        Self::LEGACY
    }
}

/// The words of each topic, in order; every word is in exactly one of them.
pub fn chunks(words: &[Word], rule: Rule) -> Vec<&[Word]> {
    let mut topics = Vec::new();
    let (mut from, mut to, mut length) = (0, 0, 0);
    for slice in words.chunks(rule.slice_words.get()) {
        to += slice.len();
        length += slice
            .iter()
            .map(|word| word.text.chars().count())
            .sum::<usize>();
        if length > rule.longer_than {
            topics.push(&words[from..to]);
            (from, length) = (to, 0);
        }
    }
    if from < to {
        topics.push(&words[from..to]);
    }
    topics
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(count: usize, text: &str) -> Vec<Word> {
        let word = Word {
            text: text.to_owned(),
            start: 0.0,
            end: 0.0,
            speaker: 0,
        };
        vec![word; count]
    }

    fn sizes(count: usize, text: &str) -> Vec<usize> {
        chunks(&words(count, text), Rule::LEGACY)
            .into_iter()
            .map(<[Word]>::len)
            .collect()
    }

    #[test]
    fn topics_have_the_sizes_the_legacy_was_seen_to_cut() {
        assert_eq!(sizes(0, " a"), [0; 0]);
        assert_eq!(sizes(10, " a"), [10]);
        assert_eq!(sizes(300, " a"), [300]);
        assert_eq!(sizes(700, " a"), [600, 100]);
        assert_eq!(sizes(300, " ab"), [300]);
        assert_eq!(sizes(299, " abc"), [299]);
        assert_eq!(sizes(301, " abc"), [300, 1]);
        assert_eq!(sizes(600, " abc"), [300, 300]);
    }

    #[test]
    fn code_points_are_counted_not_bytes() {
        assert_eq!(sizes(600, " é"), [600]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_doubled(count in 0_usize..2000, slice in 1_usize..400, longer in 0_usize..1000) {
            let all = words(count, " ab");
            let rule = Rule { slice_words: NonZeroUsize::new(slice).unwrap(), longer_than: longer };
            let cut = chunks(&all, rule);
            prop_assert_eq!(cut.concat(), all.clone());
            prop_assert!(cut.iter().all(|topic| !topic.is_empty()));
        }
    }
}
