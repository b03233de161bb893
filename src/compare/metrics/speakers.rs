//! Word error rate by speaker, where labels must agree: in a multitrack recording a speaker is a
//! track, so a permuted label is an error and not a matter of naming.

use std::collections::BTreeMap;
use std::hash::Hash;

use super::alignment::{ErrorCounts, align};

/// Errors of one speaker, or of all of them added up.
pub type BySpeaker<S> = BTreeMap<S, ErrorCounts>;

/// Aligns each speaker's words with the words of the same label on the other side. Words are
/// `(speaker, normalised word)` in order of time.
pub fn identity_errors<S: Clone + Ord, W: Clone + Eq + Hash>(
    reference: &[(S, W)],
    hypothesis: &[(S, W)],
) -> BySpeaker<S> {
    let (reference, hypothesis) = (grouped(reference), grouped(hypothesis));
    let mut labels: Vec<&S> = reference.keys().chain(hypothesis.keys()).copied().collect();
    labels.sort_unstable();
    labels.dedup();
    labels
        .into_iter()
        .map(|label| {
            let none = Vec::new();
            let words = reference.get(label).unwrap_or(&none);
            let others = hypothesis.get(label).unwrap_or(&none);
            (label.clone(), ErrorCounts::of(&align(words, others)))
        })
        .collect()
}

/// All speakers' errors added up.
pub fn pooled<S>(by_speaker: &BySpeaker<S>) -> ErrorCounts {
    let mut all = ErrorCounts::default();
    for counts in by_speaker.values() {
        all.add(*counts);
    }
    all
}

fn grouped<S: Ord, W: Clone>(words: &[(S, W)]) -> BTreeMap<&S, Vec<W>> {
    let mut groups: BTreeMap<&S, Vec<W>> = BTreeMap::new();
    for (speaker, word) in words {
        groups.entry(speaker).or_default().push(word.clone());
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_given_to_another_speaker_counts_twice() {
        let word = |speaker: &str, text: &str| (speaker.to_owned(), text.to_owned());
        let reference = [word("0", "yes"), word("1", "no")];
        let hypothesis = [word("0", "yes"), word("0", "no")];
        let all = pooled(&identity_errors(&reference, &hypothesis));
        assert_eq!((all.insertions, all.deletions), (1, 1));
    }
}
