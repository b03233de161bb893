//! Speech given to somebody else: what the errors with paired speakers have more than the errors
//! with each turn wherever it costs least.

use super::cp::SpeakerErrors;
use super::orc::Combination;

/// Share of the reference's words. A word that went to another speaker is one deletion there and
/// one insertion here, so it counts half of each. None where the reference is empty.
pub fn speaker_attribution_error(paired: &SpeakerErrors, combined: &Combination) -> Option<f64> {
    let moved = paired.errors.saturating_sub(combined.errors);
    (paired.length > 0).then(|| moved as f64 / (2 * paired.length) as f64)
}

#[cfg(test)]
mod tests {
    use super::super::cp::cp;
    use super::super::orc::orc;
    use super::super::transcript::{Pair, Segment};
    use super::*;

    #[test]
    fn a_moved_turn_counts_its_words_once() {
        let said = |speaker: &str, at: f64, text: &str| Segment {
            speaker: speaker.to_owned(),
            start: at,
            end: at + 1.0,
            words: text.split(' ').map(str::to_owned).collect(),
        };
        let reference = [
            said("0", 0.0, "we ship on friday"),
            said("1", 1.0, "good"),
            said("0", 2.0, "and tell them so"),
        ];
        let mut hypothesis = reference.clone();
        hypothesis[1].speaker = "0".to_owned();
        let pair = Pair::new(&reference, &hypothesis);
        let error = speaker_attribution_error(&cp(&pair), &orc(&pair));
        assert_eq!(error, Some(1.0 / 9.0));
    }
}
