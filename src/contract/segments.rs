//! Words to segments: runs of one speaker, cut after punctuation once they are long. Captions,
//! webhook and the summary's text are all made of these.

use crate::model::Word;

/// A segment is cut after punctuation when it has more code points than this.
const LONG: usize = 120;

/// Consecutive words of one speaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The words' texts, joined without a separator and not trimmed.
    pub text: String,
    /// Seconds: the first word's start.
    pub start: f64,
    /// Seconds: the last word's end.
    pub end: f64,
    /// Index of the track.
    pub speaker: i64,
}

impl Segment {
    fn opened_by(word: &Word) -> Self {
        Self {
            text: word.text.clone(),
            start: word.start,
            end: word.end,
            speaker: word.speaker,
        }
    }
}

/// Cuts words into segments. The word that opens a segment never closes it, whatever its
/// punctuation: the legacy looks at punctuation only when it appends.
pub fn segments(words: &[Word]) -> Vec<Segment> {
    let mut done = Vec::new();
    let mut current: Option<Segment> = None;
    for word in words {
        let Some(segment) = current
            .as_mut()
            .filter(|segment| segment.speaker == word.speaker)
        else {
            done.extend(current.replace(Segment::opened_by(word)));
            continue;
        };
        segment.text.push_str(&word.text);
        segment.end = word.end;
        if ends_a_sentence(&word.text) && segment.text.chars().count() > LONG {
            done.extend(current.take());
        }
    }
    done.extend(current);
    done
}

fn ends_a_sentence(text: &str) -> bool {
    text.contains(['.', ';', ':', '?', '!', '…'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: f64, speaker: i64) -> Word {
        Word {
            text: text.to_owned(),
            start,
            end: start + 0.5,
            speaker,
        }
    }

    #[test]
    fn no_words_make_no_segments() {
        assert!(segments(&[]).is_empty());
    }

    #[test]
    fn a_change_of_speaker_opens_a_segment() {
        let made = segments(&[word(" a", 0.0, 0), word(" b", 1.0, 1), word(" c", 2.0, 0)]);
        let texts: Vec<_> = made.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(texts, [" a", " b", " c"]);
    }

    #[test]
    fn punctuation_cuts_only_what_is_longer_than_120_code_points() {
        let exactly = "é".repeat(119);
        let made = segments(&[
            word(&exactly, 0.0, 0),
            word(".", 1.0, 0),
            word(" x", 2.0, 0),
        ]);
        assert_eq!(made.len(), 1);

        let longer = "é".repeat(120);
        let made = segments(&[word(&longer, 0.0, 0), word(".", 1.0, 0), word(" x", 2.0, 0)]);
        assert_eq!(made.len(), 2);
        assert!((made[0].end - 1.5).abs() < 1e-9);
        assert!((made[1].start - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_opening_word_does_not_close_its_segment() {
        let long = format!("{}.", "x".repeat(200));
        let made = segments(&[word(&long, 0.0, 0), word(" y", 1.0, 0)]);
        assert_eq!(made.len(), 1);
    }

    #[test]
    fn punctuation_inside_a_word_counts() {
        let made = segments(&[
            word(&"x".repeat(121), 0.0, 0),
            word(" 3.5", 1.0, 0),
            word(" y", 2.0, 0),
        ]);
        assert_eq!(made.len(), 2);
    }
}
