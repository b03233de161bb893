//! How alike two ways of cutting a text into topics are. A segmentation is a list of masses:
//! words per topic, counted in words of the reference.

/// Start times of topics as masses over the reference's words. A boundary lies before the first
/// word that starts at the topic's time, give or take 50 ms; boundaries at either end or twice at
/// one place vanish.
pub fn project(word_starts: &[f64], topic_starts: &[f64]) -> Vec<usize> {
    let mut boundaries: Vec<usize> = topic_starts
        .iter()
        .map(|topic| {
            word_starts
                .iter()
                .filter(|&&start| start < topic - 0.05)
                .count()
        })
        .filter(|&at| at > 0 && at < word_starts.len())
        .collect();
    boundaries.sort_unstable();
    boundaries.dedup();
    boundaries.push(word_starts.len());
    let mut masses = Vec::with_capacity(boundaries.len());
    let mut from = 0;
    for to in boundaries {
        masses.push(to - from);
        from = to;
    }
    masses.retain(|&mass| mass > 0);
    masses
}

/// Half the mean topic, rounded half to even, at least 2: what Pk and `WindowDiff` slide.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "half a mean mass is positive and far below 2^52"
)]
pub fn window(reference: &[usize]) -> usize {
    let words: usize = reference.iter().sum();
    let mean = words as f64 / reference.len().max(1) as f64;
    ((mean / 2.0).round_ties_even() as usize).max(2)
}

/// Pk (Beeferman 1999): how often the two disagree on whether words a window apart are in the
/// same topic. None when the text is no longer than the window.
pub fn pk(hypothesis: &[usize], reference: &[usize]) -> Option<f64> {
    let (left, right) = (topics(hypothesis), topics(reference));
    slide(&left, &right, reference, |left, right| {
        (left[0] == left[1]) != (right[0] == right[1])
    })
}

/// `WindowDiff` (Pevzner and Hearst 2002): how often the two count different numbers of
/// boundaries inside a window. None when the text is no longer than the window.
pub fn window_diff(hypothesis: &[usize], reference: &[usize]) -> Option<f64> {
    let (left, right) = (topics(hypothesis), topics(reference));
    slide(&left, &right, reference, |left, right| {
        left[1] - left[0] != right[1] - right[0]
    })
}

/// Boundary similarity (Fournier 2013) with boundaries one word apart counted as half an error.
/// None for a text of one word, which cannot be cut.
pub fn boundary_similarity(hypothesis: &[usize], reference: &[usize]) -> Option<f64> {
    if reference.iter().sum::<usize>() < 2 {
        return None;
    }
    let (left, right) = (boundaries(hypothesis), boundaries(reference));
    let matches = left.iter().filter(|at| right.contains(at)).count();
    let only_left: Vec<usize> = left
        .iter()
        .copied()
        .filter(|at| !right.contains(at))
        .collect();
    let mut only_right: Vec<usize> = right
        .iter()
        .copied()
        .filter(|at| !left.contains(at))
        .collect();

    let (mut near, mut lone) = (0, 0);
    for at in only_left {
        match only_right.iter().position(|other| at.abs_diff(*other) == 1) {
            Some(found) => {
                only_right.remove(found);
                near += 1;
            }
            None => lone += 1,
        }
    }
    lone += only_right.len();
    let all = matches + near + lone;
    if all == 0 {
        return Some(1.0);
    }
    Some(1.0 - (lone as f64 + near as f64 / 2.0) / all as f64)
}

/// The topic each word is in.
fn topics(masses: &[usize]) -> Vec<usize> {
    masses
        .iter()
        .enumerate()
        .flat_map(|(topic, &mass)| std::iter::repeat_n(topic, mass))
        .collect()
}

/// Positions between words where a topic ends.
fn boundaries(masses: &[usize]) -> Vec<usize> {
    let mut at = 0;
    masses
        .iter()
        .take(masses.len().saturating_sub(1))
        .map(|mass| {
            at += mass;
            at
        })
        .collect()
}

/// The share of windows, given by the topics at their two ends, that disagree.
fn slide(
    hypothesis: &[usize],
    reference: &[usize],
    masses: &[usize],
    disagree: impl Fn([usize; 2], [usize; 2]) -> bool,
) -> Option<f64> {
    let window = window(masses);
    let windows = reference.len().min(hypothesis.len()).checked_sub(window)?;
    if windows == 0 {
        return None;
    }
    let wrong = (0..windows)
        .filter(|&at| {
            disagree(
                [hypothesis[at], hypothesis[at + window]],
                [reference[at], reference[at + window]],
            )
        })
        .count();
    Some(wrong as f64 / windows as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_one_word_off_is_half_an_error() {
        // segeval 2.0.11: boundary_similarity((5, 6), (6, 5)) = 0.5, ((3, 3, 5), (4, 2, 5)) = 0.75
        assert_eq!(boundary_similarity(&[5, 6], &[6, 5]), Some(0.5));
        assert_eq!(boundary_similarity(&[3, 3, 5], &[4, 2, 5]), Some(0.75));
    }

    #[test]
    fn a_text_shorter_than_the_window_cannot_be_measured() {
        assert_eq!(pk(&[1], &[1]), None);
        assert_eq!(window_diff(&[1], &[1]), None);
    }
}
