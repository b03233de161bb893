//! ROUGE (Lin 2004) without stemming: overlap of words, of word pairs, and of the longest common
//! subsequence.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

/// How a text becomes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// ASCII letters and digits only, as the original program; other scripts score 0.
    Ascii,
    /// Letters and digits of any script.
    Unicode,
}

/// Precision, recall and their harmonic mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Of the hypothesis, how much is in the reference.
    pub precision: f64,
    /// Of the reference, how much is in the hypothesis.
    pub recall: f64,
    /// The harmonic mean.
    pub f: f64,
}

impl Score {
    pub(super) fn of(shared: usize, reference: usize, hypothesis: usize) -> Self {
        let share = |of: usize| {
            if of == 0 {
                0.0
            } else {
                shared as f64 / of as f64
            }
        };
        let (precision, recall) = (share(hypothesis), share(reference));
        let f = if precision + recall > 0.0 {
            2.0 * precision * recall / (precision + recall)
        } else {
            0.0
        };
        Self {
            precision,
            recall,
            f,
        }
    }
}

/// Words of a text, lower case.
pub fn tokens(text: &str, kind: Tokens) -> Vec<String> {
    let (lower, is_word): (String, fn(char) -> bool) = match kind {
        Tokens::Ascii => (text.to_lowercase(), |letter| letter.is_ascii_alphanumeric()),
        Tokens::Unicode => (text.nfkc().collect::<String>().to_lowercase(), |letter| {
            letter.is_alphanumeric() || letter == '_'
        }),
    };
    lower
        .split(|letter| !is_word(letter))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// ROUGE-n: overlap of runs of `order` words.
pub fn rouge_n(reference: &[String], hypothesis: &[String], order: usize) -> Score {
    let mut grams: HashMap<&[String], usize> = HashMap::new();
    for gram in reference.windows(order) {
        *grams.entry(gram).or_default() += 1;
    }
    let mut shared = 0;
    for gram in hypothesis.windows(order) {
        if let Some(left) = grams.get_mut(gram).filter(|left| **left > 0) {
            *left -= 1;
            shared += 1;
        }
    }
    let count = |words: &[String]| (words.len() + 1).saturating_sub(order);
    Score::of(shared, count(reference), count(hypothesis))
}

/// ROUGE-L: the longest common subsequence.
pub fn rouge_l(reference: &[String], hypothesis: &[String]) -> Score {
    let mut row = vec![0_usize; hypothesis.len() + 1];
    for word in reference {
        let mut diagonal = 0;
        for (at, other) in hypothesis.iter().enumerate() {
            let longest = if word == other {
                diagonal + 1
            } else {
                row[at].max(row[at + 1])
            };
            diagonal = std::mem::replace(&mut row[at + 1], longest);
        }
    }
    let longest = row.last().copied().unwrap_or(0);
    Score::of(longest, reference.len(), hypothesis.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_scripts_count_only_with_unicode_tokens() {
        let score = |kind| {
            let words = tokens("Бюджет утверждён", kind);
            rouge_n(&words, &words, 1).f
        };
        assert!((score(Tokens::Unicode) - 1.0).abs() < 1e-12);
        assert!(score(Tokens::Ascii).abs() < 1e-12);
    }
}
