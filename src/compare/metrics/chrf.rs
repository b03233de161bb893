//! chrF (Popović 2015): F-score of character n-grams. Works for scripts without blanks, where
//! words cannot be counted.

use std::collections::HashMap;

const ORDER: usize = 6;
/// Recall counts twice as much as precision.
const BETA_SQUARED: f64 = 4.0;

/// Between 0 and 100, blanks ignored; equal to sacrebleu's `sentence_chrf` with its defaults.
pub fn chrf(reference: &str, hypothesis: &str) -> f64 {
    let letters =
        |text: &str| -> Vec<char> { text.chars().filter(|c| !c.is_whitespace()).collect() };
    let (reference, hypothesis) = (letters(reference), letters(hypothesis));
    let orders: Vec<(f64, f64)> = (1..=ORDER)
        .filter(|&order| order <= reference.len() && order <= hypothesis.len())
        .map(|order| {
            let matches = shared(&reference, &hypothesis, order) as f64;
            let grams = |len: usize| (len - order + 1) as f64;
            (
                matches / grams(hypothesis.len()),
                matches / grams(reference.len()),
            )
        })
        .collect();
    let count = orders.len().max(1) as f64;
    let precision = orders.iter().map(|order| order.0).sum::<f64>() / count;
    let recall = orders.iter().map(|order| order.1).sum::<f64>() / count;
    if precision + recall > 0.0 {
        100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
    } else {
        0.0
    }
}

fn shared(reference: &[char], hypothesis: &[char], order: usize) -> usize {
    let mut grams: HashMap<&[char], usize> = HashMap::new();
    for gram in reference.windows(order) {
        *grams.entry(gram).or_default() += 1;
    }
    hypothesis
        .windows(order)
        .filter(|gram| match grams.get_mut(gram) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            Some(_) | None => false,
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identical_text_scores_a_hundred_in_any_script() {
        assert!((chrf("会議は金曜日", "会議は金曜日") - 100.0).abs() < 1e-9);
        assert!(chrf("", "").abs() < 1e-9);
    }
}
