//! Words of a transcript as they are compared: normalised, with speaker and time.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::compare::metrics::facts;
use crate::compare::metrics::normaliser::norm_v1;
use crate::model::{Outcome, Word};

/// One normalised word.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spoken {
    pub(super) text: String,
    pub(super) speaker: i64,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Spoken {
    /// Whether it is a number, a negation or one of these names.
    pub(super) fn is_fact(&self, names: &[String]) -> bool {
        self.text.contains(char::is_numeric)
            || facts::is_negation(&self.text)
            || names.contains(&self.text)
    }
}

/// Splits the words' running text at blanks. A service may cut a word in pieces without a blank
/// between; the pieces are one word here, with the first one's speaker and start.
pub(super) fn spoken(words: &[Word]) -> Vec<Spoken> {
    let mut all = Vec::with_capacity(words.len());
    let mut open: Option<Spoken> = None;
    for word in words {
        for (at, piece) in word.text.split(char::is_whitespace).enumerate() {
            if at > 0 {
                close(&mut all, open.take());
            }
            if piece.is_empty() {
                continue;
            }
            let begun = open.get_or_insert_with(|| Spoken {
                text: String::new(),
                speaker: word.speaker,
                start: word.start,
                end: word.end,
            });
            begun.text.push_str(piece);
            begun.end = word.end;
        }
    }
    close(&mut all, open);
    all
}

/// Normalising may make several words of one (`a-b`) or none (`…`).
fn close(all: &mut Vec<Spoken>, word: Option<Spoken>) {
    let Some(word) = word else { return };
    let normalised = norm_v1(&word.text);
    if !normalised.is_empty() && !normalised.contains(' ') {
        all.push(Spoken {
            text: normalised,
            ..word
        });
        return;
    }
    for text in normalised.split(' ').filter(|text| !text.is_empty()) {
        all.push(Spoken {
            text: text.to_owned(),
            ..word.clone()
        });
    }
}

/// What participants are called: each part of a name, and the same without accents, which neither
/// speech recognition nor models keep reliably.
pub(super) fn names(outcome: &Outcome) -> Vec<String> {
    let mut names = Vec::new();
    for participant in &outcome.participants {
        // A participant without a name is called `Speaker 2`, which is no name.
        if participant
            .speaker
            .is_some_and(|at| participant.name == format!("Speaker {at}"))
        {
            continue;
        }
        for part in participant
            .name
            .split_whitespace()
            .filter(|part| part.chars().count() > 1)
        {
            let plain: String = part
                .nfd()
                .filter(|letter| !is_combining_mark(*letter))
                .collect();
            for name in [part.to_owned(), plain] {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
    }
    names
}

/// The same as the words of a transcript are compared.
pub(super) fn normalised_names(outcome: &Outcome) -> Vec<String> {
    names(outcome).iter().map(|name| norm_v1(name)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::model::text_of;

    proptest! {
        #[test]
        fn words_with_blanks_between_are_the_normalised_text(
            pieces in vec("[ ]?[a-zA-Z0-9é\u{301}\u{3a3}\u{ff21}\u{1c}\u{ad}…%.,:'\u{2019}\u{a8}-]{0,6}[ ]?", 0..12),
        ) {
            let words: Vec<Word> = pieces
                .into_iter()
                .map(|text| Word { text, start: 0.0, end: 0.1, speaker: 0 })
                .collect();
            let texts: Vec<String> = spoken(&words).into_iter().map(|word| word.text).collect();
            prop_assert_eq!(texts.join(" "), norm_v1(&text_of(&words)));
        }
    }

    #[test]
    fn pieces_without_a_blank_are_one_word() {
        let word = |text: &str, start: f64| Word {
            text: text.to_owned(),
            start,
            end: start + 0.1,
            speaker: 0,
        };
        let all = spoken(&[word(" it", 0.0), word("'s", 0.1), word(" well-known", 0.2)]);
        let texts: Vec<_> = all
            .iter()
            .map(|spoken| (spoken.text.as_str(), spoken.start))
            .collect();
        assert_eq!(texts, [("it's", 0.0), ("well", 0.2), ("known", 0.2)]);
    }
}
