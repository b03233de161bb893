//! chrF (Popović 2015): F-score of character n-grams. Works for scripts without blanks, where
//! words cannot be counted.

use std::hash::Hash;

use super::Map;

const ORDER: usize = 6;
/// Recall counts twice as much as precision.
const BETA_SQUARED: f64 = 4.0;

/// Between 0 and 100, blanks ignored; equal to sacrebleu's `sentence_chrf` with its defaults.
pub fn chrf(reference: &str, hypothesis: &str) -> f64 {
    table(&[reference], &[hypothesis])[0][0]
}

/// The same of every reference with every hypothesis. Each run of characters is looked up once,
/// and meets only the texts it occurs in.
pub fn table(references: &[&str], hypotheses: &[&str]) -> Vec<Vec<f64>> {
    let letters =
        |text: &&str| -> Vec<char> { text.chars().filter(|c| !c.is_whitespace()).collect() };
    let references: Vec<Vec<char>> = references.iter().map(letters).collect();
    let hypotheses: Vec<Vec<char>> = hypotheses.iter().map(letters).collect();
    let shared: Vec<Vec<Vec<usize>>> = (1..=ORDER)
        .map(|order| shared(&references, &hypotheses, order))
        .collect();
    let row = |(row, reference): (usize, &Vec<char>)| {
        let cell = |(column, hypothesis): (usize, &Vec<char>)| {
            let orders = (1..=ORDER)
                .filter(|&order| order <= reference.len() && order <= hypothesis.len())
                .map(|order| {
                    let matches = shared[order - 1][row][column] as f64;
                    let grams = |len: usize| (len - order + 1) as f64;
                    (
                        matches / grams(hypothesis.len()),
                        matches / grams(reference.len()),
                    )
                });
            score(&orders.collect::<Vec<_>>())
        };
        hypotheses.iter().enumerate().map(cell).collect()
    };
    references.iter().enumerate().map(row).collect()
}

/// From precision and recall of each order.
fn score(orders: &[(f64, f64)]) -> f64 {
    let count = orders.len().max(1) as f64;
    let precision = orders.iter().map(|order| order.0).sum::<f64>() / count;
    let recall = orders.iter().map(|order| order.1).sum::<f64>() / count;
    if precision + recall > 0.0 {
        100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
    } else {
        0.0
    }
}

/// How many runs of so many items each row of one side shares with each of the other, a run
/// counted as often as it occurs in both.
pub(super) fn shared<T: Eq + Hash>(
    left: &[Vec<T>],
    right: &[Vec<T>],
    order: usize,
) -> Vec<Vec<usize>> {
    fn counted<T: Eq + Hash>(row: &[T], order: usize) -> Map<&[T], usize> {
        let mut runs = Map::default();
        for run in row.windows(order) {
            *runs.entry(run).or_default() += 1;
        }
        runs
    }
    let mut places: Map<&[T], Vec<(usize, usize)>> = Map::default();
    for (column, row) in right.iter().enumerate() {
        for (run, count) in counted(row, order) {
            places.entry(run).or_default().push((column, count));
        }
    }
    let row = |row: &Vec<T>| {
        let mut shared = vec![0; right.len()];
        for (run, count) in counted(row, order) {
            for &(column, other) in places.get(run).into_iter().flatten() {
                shared[column] += count.min(other);
            }
        }
        shared
    };
    left.iter().map(row).collect()
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
