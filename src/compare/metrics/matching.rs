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

/// The pairing of rows with columns that costs least, by row; every row gets a column, or every
/// column a row.
pub fn cheapest(
    rows: usize,
    columns: usize,
    cost: impl Fn(usize, usize) -> f64,
) -> Vec<(usize, usize)> {
    if rows <= columns {
        return assign(rows, columns, cost);
    }
    let mut pairs: Vec<(usize, usize)> = assign(columns, rows, |column, row| cost(row, column))
        .into_iter()
        .map(|(column, row)| (row, column))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// Pairs rows with columns of a similarity table (rows of equal length).
pub fn best(similarity: &[Vec<f64>]) -> Matching {
    let rows = similarity.len();
    let columns = similarity.first().map_or(0, Vec::len);
    let pairs = cheapest(rows, columns, |row, column| -similarity[row][column]);
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

/// Shortest augmenting paths (Crouse 2016), with ties falling as scipy's `linear_sum_assignment`
/// has them fall: a free column is taken before a taken one, later columns before earlier. Needs
/// no more rows than columns.
fn assign(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let (mut row_price, mut column_price) = (vec![0.0; rows], vec![0.0; columns]);
    let mut column_of: Vec<Option<usize>> = vec![None; rows];
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    let mut came_from = vec![0; columns];
    for start in 0..rows {
        let mut remaining: Vec<usize> = (0..columns).rev().collect();
        let mut shortest = vec![f64::INFINITY; columns];
        let (mut rows_seen, mut columns_seen) = (vec![start], Vec::new());
        let (mut row, mut length) = (start, 0.0);
        let sink = loop {
            let (mut lowest, mut nearest) = (f64::INFINITY, 0);
            for (at, &column) in remaining.iter().enumerate() {
                let through = length + cost(row, column) - row_price[row] - column_price[column];
                if through < shortest[column] {
                    came_from[column] = row;
                    shortest[column] = through;
                }
                let is_tie = shortest[column].total_cmp(&lowest).is_eq();
                if shortest[column] < lowest || (is_tie && row_of[column].is_none()) {
                    (lowest, nearest) = (shortest[column], at);
                }
            }
            length = lowest;
            let column = remaining.swap_remove(nearest);
            columns_seen.push(column);
            match row_of[column] {
                None => break column,
                Some(taken) => {
                    row = taken;
                    rows_seen.push(row);
                }
            }
        };
        row_price[start] += length;
        for &row in &rows_seen[1..] {
            row_price[row] += length - column_of[row].map_or(0.0, |column| shortest[column]);
        }
        for &column in &columns_seen {
            column_price[column] -= length - shortest[column];
        }
        let mut column = sink;
        loop {
            let row = came_from[column];
            row_of[column] = Some(row);
            let before = column_of[row].replace(column);
            match before {
                Some(before) if row != start => column = before,
                Some(_) | None => break,
            }
        }
    }
    let pairs = column_of.into_iter().enumerate();
    pairs
        .filter_map(|(row, column)| column.map(|column| (row, column)))
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
