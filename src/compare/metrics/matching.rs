//! Which topic of the candidate is which topic of the control: the pairing with the greatest
//! total similarity (Hungarian method).

/// A pairing of rows with columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// `(row, column)`, by row.
    pub pairs: Vec<(usize, usize)>,
    /// Sum of the pairs' similarities.
    pub total: f64,
    rows: usize,
    columns: usize,
    similarities: Vec<f64>,
}

impl Matching {
    /// Pairs that are at least so similar.
    pub fn matched_at(&self, threshold: f64) -> usize {
        self.similarities
            .iter()
            .filter(|&&similarity| similarity >= threshold)
            .count()
    }

    /// Matched pairs over columns, over rows, and their harmonic mean.
    pub fn precision_recall_f1(&self, threshold: f64) -> (f64, f64, f64) {
        let share = |matched: usize, of: usize| {
            if of == 0 {
                0.0
            } else {
                matched as f64 / of as f64
            }
        };
        let matched = self.matched_at(threshold);
        let (precision, recall) = (share(matched, self.columns), share(matched, self.rows));
        let f1 = share(2 * matched, self.rows + self.columns);
        (precision, recall, f1)
    }

    /// Pairs of pairs whose order is the other way round.
    pub fn inversions(&self) -> usize {
        let columns = self.pairs.iter().map(|pair| pair.1);
        columns
            .clone()
            .enumerate()
            .map(|(at, column)| {
                columns
                    .clone()
                    .skip(at + 1)
                    .filter(|&later| later < column)
                    .count()
            })
            .sum()
    }
}

/// Pairs rows with columns of a similarity table (rows of equal length).
pub fn best(similarity: &[Vec<f64>]) -> Matching {
    let rows = similarity.len();
    let columns = similarity.first().map_or(0, Vec::len);
    let mut pairs = if rows <= columns {
        assign(rows, columns, |row, column| -similarity[row][column])
    } else {
        assign(columns, rows, |column, row| -similarity[row][column])
            .into_iter()
            .map(|(column, row)| (row, column))
            .collect()
    };
    pairs.sort_unstable();
    let similarities: Vec<f64> = pairs
        .iter()
        .map(|&(row, column)| similarity[row][column])
        .collect();
    Matching {
        total: similarities.iter().sum(),
        pairs,
        rows,
        columns,
        similarities,
    }
}

/// Kuhn and Munkres with potentials, O(n²m); needs no more workers than jobs. Index 0 is a
/// stand-in for "none yet".
fn assign(workers: usize, jobs: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let mut worker_price = vec![0.0; workers + 1];
    let mut job_price = vec![0.0; jobs + 1];
    let mut worker_of = vec![0; jobs + 1];
    let mut previous = vec![0; jobs + 1];
    for worker in 1..=workers {
        worker_of[0] = worker;
        let mut job = 0;
        let mut slack = vec![f64::INFINITY; jobs + 1];
        let mut seen = vec![false; jobs + 1];
        while worker_of[job] != 0 {
            seen[job] = true;
            let current = worker_of[job];
            let (mut least, mut next) = (f64::INFINITY, 0);
            for other in (1..=jobs).filter(|&other| !seen[other]) {
                let reduced =
                    cost(current - 1, other - 1) - worker_price[current] - job_price[other];
                if reduced < slack[other] {
                    slack[other] = reduced;
                    previous[other] = job;
                }
                if slack[other] < least {
                    least = slack[other];
                    next = other;
                }
            }
            for other in 0..=jobs {
                if seen[other] {
                    worker_price[worker_of[other]] += least;
                    job_price[other] -= least;
                } else {
                    slack[other] -= least;
                }
            }
            job = next;
        }
        while job != 0 {
            worker_of[job] = worker_of[previous[job]];
            job = previous[job];
        }
    }
    (1..=jobs)
        .filter(|&job| worker_of[job] != 0)
        .map(|job| (worker_of[job] - 1, job - 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_topics_are_paired_and_counted_as_an_inversion() {
        let matching = best(&[vec![0.1, 0.9], vec![0.8, 0.2]]);
        assert_eq!(matching.pairs, [(0, 1), (1, 0)]);
        assert_eq!(matching.inversions(), 1);
    }

    #[test]
    fn nothing_matches_nothing() {
        assert_eq!(best(&[]).pairs, []);
        assert_eq!(
            best(&[vec![], vec![]]).precision_recall_f1(0.5),
            (0.0, 0.0, 0.0)
        );
    }
}
