//! How alike two texts are, as one number. A number alone never passes a text: see `facts`.

use super::chrf::chrf;
use super::rouge::{Tokens, rouge_n, tokens};

/// The greater of chrF and ROUGE-1 (letters of any script), between 0 and 1. chrF forgives word
/// forms, ROUGE-1 forgives word order. Two empty texts are alike.
pub fn similarity(reference: &str, hypothesis: &str) -> f64 {
    if reference == hypothesis {
        return 1.0;
    }
    let left = tokens(reference, Tokens::Unicode);
    let right = tokens(hypothesis, Tokens::Unicode);
    (chrf(reference, hypothesis) / 100.0).max(rouge_n(&left, &right, 1).f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_decision_still_looks_alike_which_is_why_it_never_passes_alone() {
        assert!(
            similarity(
                "The team approved the budget.",
                "The team rejected the budget."
            ) > 0.7
        );
    }
}
