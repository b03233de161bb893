//! Word error rate by speaker, where labels must agree: in a multitrack recording a speaker is a
//! track, so a permuted label is an error and not a matter of naming.

use std::collections::BTreeMap;

use super::alignment::{ErrorCounts, align};

/// Errors of one speaker, or of all of them added up.
pub type BySpeaker = BTreeMap<String, ErrorCounts>;

/// Aligns each speaker's words with the words of the same label on the other side. Words are
/// `(speaker, normalised word)` in order of time.
pub fn identity_errors(
    reference: &[(String, String)],
    hypothesis: &[(String, String)],
) -> BySpeaker {
    let (reference, hypothesis) = (grouped(reference), grouped(hypothesis));
    let mut labels: Vec<&str> = reference.keys().chain(hypothesis.keys()).copied().collect();
    labels.sort_unstable();
    labels.dedup();
    labels
        .into_iter()
        .map(|label| {
            let none = Vec::new();
            let words = reference.get(label).unwrap_or(&none);
            let others = hypothesis.get(label).unwrap_or(&none);
            (label.to_owned(), ErrorCounts::of(&align(words, others)))
        })
        .collect()
}

/// All speakers' errors added up.
pub fn pooled(by_speaker: &BySpeaker) -> ErrorCounts {
    let mut all = ErrorCounts::default();
    for counts in by_speaker.values() {
        all.add(*counts);
    }
    all
}

fn grouped(words: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (speaker, word) in words {
        groups.entry(speaker).or_default().push(word);
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
