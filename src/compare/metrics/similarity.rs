//! How alike two texts are, as one number. A number alone never passes a text: see `facts`.

use super::chrf;
use super::rouge::{Score, Tokens, tokens};

/// The greater of chrF and ROUGE-1 (letters of any script), between 0 and 1. chrF forgives word
/// forms, ROUGE-1 forgives word order. Two empty texts are alike.
pub fn similarity(reference: &str, hypothesis: &str) -> f64 {
    table(&[reference], &[hypothesis])[0][0]
}

/// The same of every reference with every hypothesis, for rows of hundreds of texts.
pub fn table(references: &[&str], hypotheses: &[&str]) -> Vec<Vec<f64>> {
    let words = |texts: &[&str]| -> Vec<Vec<String>> {
        let each = texts.iter();
        each.map(|text| tokens(text, Tokens::Unicode)).collect()
    };
    let (left, right) = (words(references), words(hypotheses));
    let shared = chrf::shared(&left, &right, 1);
    let mut table = chrf::table(references, hypotheses);
    for (row, cells) in table.iter_mut().enumerate() {
        for (column, cell) in cells.iter_mut().enumerate() {
            let (words, others) = (left[row].len(), right[column].len());
            let rouge = Score::of(shared[row][column], words, others).f;
            *cell = if references[row] == hypotheses[column] {
                1.0
            } else {
                (*cell / 100.0).max(rouge)
            };
        }
    }
    table
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
