//! A text with the facts marked that the other side's text does not have: numbers, names, and sentences
//! whose negation turned. As `compare` finds them, so that nothing is marked that is not judged.

use serde::Serialize;

use crate::compare::metrics::facts;

/// A run of letters with one meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// `plain`, `fact` or `turned`.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// What of a text the other does not have.
pub(super) struct Marks {
    numbers: Vec<String>,
    names: Vec<String>,
    turned: Vec<String>,
}

impl Marks {
    /// Of both texts: what the first has and the second has not, and the other way round.
    pub(super) fn between(left: &str, right: &str, names: &[String]) -> [Self; 2] {
        let flips = facts::negation_flips(left, right);
        let (in_left, in_right) = (facts::numbers(left), facts::numbers(right));
        let owned = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let (named_left, named_right) = (
            owned(facts::mentioned(left, names)),
            owned(facts::mentioned(right, names)),
        );
        let only = |one: &[String], other: &[String]| owned(facts::missing(one, other));
        let sentences = |all: Vec<String>| all.into_iter().filter(|one| !one.is_empty()).collect();
        let (turned_left, turned_right) = flips.into_iter().unzip();
        [
            Self {
                numbers: only(&in_left, &in_right),
                names: only(&named_left, &named_right),
                turned: sentences(turned_left),
            },
            Self {
                numbers: only(&in_right, &in_left),
                names: only(&named_right, &named_left),
                turned: sentences(turned_right),
            },
        ]
    }

    /// Whether there is nothing to mark.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.names.is_empty() && self.turned.is_empty()
    }

    /// The text in pieces. A number that occurs more often than the other side has it is marked where
    /// it occurs first.
    pub(super) fn on(&mut self, text: &str) -> Vec<Piece> {
        let mut kinds = vec!["plain"; text.len()];
        for sentence in &self.turned {
            for (at, _) in text.match_indices(sentence.as_str()) {
                kinds[at..at + sentence.len()].fill("turned");
            }
        }
        for name in &self.names {
            for (at, _) in text.match_indices(name.as_str()) {
                kinds[at..at + name.len()].fill("fact");
            }
        }
        let mut from = 0;
        for word in text.split_inclusive(char::is_whitespace) {
            for number in facts::numbers(word) {
                if let Some(at) = self.numbers.iter().position(|one| *one == number) {
                    self.numbers.remove(at);
                    let letters = word.trim_end().len();
                    kinds[from..from + letters].fill("fact");
                }
            }
            from += word.len();
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for (at, letter) in text.char_indices() {
            let kind = kinds[at];
            match pieces.last_mut() {
                Some(last) if last.kind == kind => last.text.push(letter),
                _ => pieces.push(Piece {
                    kind,
                    text: letter.to_string(),
                }),
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(left: &str, right: &str) -> [Vec<(&'static str, String)>; 2] {
        let names = ["Ana Torres".to_owned(), "Ben".to_owned()];
        let [mut one, mut other] = Marks::between(left, right, &names);
        [one.on(left), other.on(right)].map(|pieces| {
            pieces
                .into_iter()
                .filter(|piece| piece.kind != "plain")
                .map(|piece| (piece.kind, piece.text))
                .collect()
        })
    }

    #[test]
    fn a_changed_number_is_marked_on_both_sides() {
        let [left, right] = marked(
            "It took 17 minutes, 17 in all.",
            "It took 70 minutes, 17 in all.",
        );
        assert_eq!(left, [("fact", "17".to_owned())]);
        assert_eq!(right, [("fact", "70".to_owned())]);
    }

    #[test]
    fn a_name_only_one_side_has_is_marked() {
        let [left, right] = marked("Ana Torres agreed with Ben.", "Ben agreed.");
        assert_eq!(left, [("fact", "Ana Torres".to_owned())]);
        assert_eq!(right, []);
    }

    #[test]
    fn a_sentence_that_says_the_opposite_is_marked_whole() {
        let [left, right] = marked(
            "We met. The export was approved.",
            "We met. The export was not approved.",
        );
        assert_eq!(left, [("turned", "The export was approved.".to_owned())]);
        assert_eq!(
            right,
            [("turned", "The export was not approved.".to_owned())]
        );
    }

    #[test]
    fn the_same_facts_in_other_words_are_not_marked() {
        let [left, right] = marked(
            "Ben needs 1,000 euros — today.",
            "Today, 1000 euros are needed by Ben.",
        );
        assert_eq!((left, right), (vec![], vec![]));
        assert!(Marks::between("", "", &[]).iter().all(Marks::is_empty));
    }
}
