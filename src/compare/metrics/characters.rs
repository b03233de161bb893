//! Character error rate.

use super::alignment;

/// Levenshtein distance in code points.
pub fn distance(reference: &str, hypothesis: &str) -> usize {
    if reference.is_ascii() && hypothesis.is_ascii() {
        return alignment::distance(reference.as_bytes(), hypothesis.as_bytes());
    }
    let letters = |text: &str| text.chars().collect::<Vec<_>>();
    alignment::distance(&letters(reference), &letters(hypothesis))
}

/// Errors per character of the reference; none when that is empty and the hypothesis is not.
pub fn error_rate(reference: &str, hypothesis: &str) -> Option<f64> {
    match (reference.chars().count(), distance(reference, hypothesis)) {
        (0, 0) => Some(0.0),
        (0, _) => None,
        (length, errors) => Some(errors as f64 / length as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kitten_and_sitting_are_three_apart() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn an_accent_is_one_character() {
        assert_eq!(distance("café", "cafe"), 1);
        assert_eq!(error_rate("", "thanks"), None);
    }
}
