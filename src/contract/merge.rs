//! From what transcription heard on each track to one list of words.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Word;

/// A word as the transcription service answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeardWord {
    /// The word with its blank and punctuation.
    pub word: String,
    /// Seconds on the padded track, which is the meeting's clock.
    pub start: f64,
    /// Seconds on the padded track.
    pub end: f64,
}

/// A word lies before the recording began. The legacy fails the whole run on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transcription of track {track} has a negative time at word {index}")]
pub struct NegativeTime {
    /// Index of the track.
    pub track: i64,
    /// Index of the word in the answer.
    pub index: usize,
}

/// One track's words: in order of their start, each marked with the track as its speaker.
pub fn track_words(heard: Vec<HeardWord>, track: i64) -> Result<Vec<Word>, NegativeTime> {
    if let Some(index) = heard
        .iter()
        .position(|word| word.start < 0.0 || word.end < 0.0)
    {
        return Err(NegativeTime { track, index });
    }
    let mut words: Vec<Word> = heard
        .into_iter()
        .map(|heard| Word {
            text: heard.word,
            start: heard.start,
            end: heard.end,
            speaker: track,
        })
        .collect();
    words.sort_by(by_start);
    Ok(words)
}

/// All tracks' words by start time. Words that start together keep the order of their tracks.
pub fn merge(tracks: Vec<Vec<Word>>) -> Vec<Word> {
    let mut words: Vec<Word> = tracks.into_iter().flatten().collect();
    words.sort_by(by_start);
    words
}

/// JSON has no NaN, so every pair of times compares.
fn by_start(one: &Word, other: &Word) -> Ordering {
    one.start
        .partial_cmp(&other.start)
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(word: &str, start: f64) -> HeardWord {
        HeardWord {
            word: word.to_owned(),
            start,
            end: start + 0.1,
        }
    }

    #[test]
    fn a_track_is_sorted_and_carries_its_index() {
        let words = track_words(vec![heard("b", 2.0), heard("a", 1.0)], 7).unwrap();
        assert_eq!(crate::model::text_of(&words), "ab");
        assert!(words.iter().all(|word| word.speaker == 7));
    }

    #[test]
    fn words_that_start_together_keep_the_order_of_tracks() {
        let first = track_words(vec![heard("a", 1.0), heard("d", 3.0)], 0).unwrap();
        let second = track_words(vec![heard("b", 1.0), heard("c", 2.0)], 1).unwrap();
        let merged = merge(vec![first, second]);
        assert_eq!(crate::model::text_of(&merged), "abcd");
    }

    #[test]
    fn a_negative_time_is_an_error() {
        let mut ends_early = heard("a", 0.0);
        ends_early.end = -0.1;
        assert_eq!(
            track_words(vec![heard("x", 0.0), ends_early], 2),
            Err(NegativeTime { track: 2, index: 1 })
        );
    }

    #[test]
    fn tracks_without_words_merge_to_nothing() {
        assert!(merge(vec![vec![], vec![]]).is_empty());
    }
}
