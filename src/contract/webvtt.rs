//! Captions as Reflector derives them. Milliseconds are cut, not rounded, in double arithmetic:
//! 3.8 s is `00:00:03.799`.

use std::fmt::Write;

use super::{python_text, segments::segments};
use crate::model::{Topic, Word};

/// A word starts before the one ahead of it. The legacy fails the whole run on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("captions need words in order of time: word {index} starts before the word ahead of it")]
pub struct OutOfOrder {
    /// Index of the word that comes too late in the list.
    pub index: usize,
}

/// The captions of a transcript: all topics' words, one after the other.
pub fn of_topics(topics: &[Topic]) -> Result<String, OutOfOrder> {
    let words: Vec<Word> = topics
        .iter()
        .flat_map(|topic| topic.words.iter().cloned())
        .collect();
    of_words(&words)
}

/// The captions of one topic as the webhook carries them: empty when it has no words.
pub fn of_topic(topic: &Topic) -> Result<String, OutOfOrder> {
    if topic.words.is_empty() {
        return Ok(String::new());
    }
    of_words(&topic.words)
}

/// The captions of words; without words only the header.
pub fn of_words(words: &[Word]) -> Result<String, OutOfOrder> {
    if let Some(at) = words
        .windows(2)
        .position(|pair| pair[0].start > pair[1].start)
    {
        return Err(OutOfOrder { index: at + 1 });
    }
    let mut captions = String::from("WEBVTT\n");
    for segment in segments(words) {
        let (start, end) = (timestamp(segment.start), timestamp(segment.end));
        let speaker = segment.speaker;
        let text = python_text::lines(python_text::strip(&segment.text)).join("\n");
        writeln!(captions, "\n{start} --> {end}\n<v Speaker{speaker}>{text}")
            .expect("a string takes any text");
    }
    Ok(captions)
}

/// `HH:MM:SS.mmm` of non-negative seconds. Each part is a whole number before it is printed, so
/// printing without decimals does not round.
fn timestamp(seconds: f64) -> String {
    let hours = (seconds / 3600.0).floor();
    let minutes = (seconds % 3600.0 / 60.0).floor();
    let whole = (seconds % 60.0).floor();
    let millis = (seconds % 1.0 * 1000.0).floor();
    format!("{hours:02.0}:{minutes:02.0}:{whole:02.0}.{millis:03.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: f64, end: f64, speaker: i64) -> Word {
        Word {
            text: text.to_owned(),
            start,
            end,
            speaker,
        }
    }

    #[test]
    fn the_published_example_is_printed_to_the_byte() {
        let words = [
            word(" Hi", 0.1, 0.29, 0),
            word(" there --> <b>x</b>.", 3661.999, 3662.0, 0),
            word("  ", 3663.0, 3663.0, 1),
        ];
        assert_eq!(
            of_words(&words).unwrap(),
            "WEBVTT\n\n00:00:00.100 --> 01:01:02.000\n<v Speaker0>Hi there --> <b>x</b>.\n\n\
             01:01:03.000 --> 01:01:03.000\n<v Speaker1>\n"
        );
    }

    #[test]
    fn milliseconds_are_cut_in_double_arithmetic() {
        for (seconds, text) in [
            (0.0, "00:00:00.000"),
            (3.8, "00:00:03.799"),
            (1.4, "00:00:01.399"),
            (12.1, "00:00:12.099"),
            (8.18, "00:00:08.179"),
            (59.9999, "00:00:59.999"),
            (3600.0, "01:00:00.000"),
            (360_000.0, "100:00:00.000"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn no_words_leave_the_header() {
        assert_eq!(of_words(&[]).unwrap(), "WEBVTT\n");
        assert_eq!(of_topics(&[]).unwrap(), "WEBVTT\n");
    }

    #[test]
    fn words_out_of_order_are_an_error() {
        let words = [word("a", 2.0, 2.1, 0), word("b", 1.0, 1.1, 0)];
        assert_eq!(of_words(&words), Err(OutOfOrder { index: 1 }));
        let equal = [word("a", 1.0, 2.1, 0), word("b", 1.0, 1.1, 0)];
        assert!(of_words(&equal).is_ok());
    }

    #[test]
    fn line_breaks_inside_a_word_break_the_cue() {
        let words = [word(" a\r\nb\u{2028}c ", 0.0, 1.0, 2)];
        assert_eq!(
            of_words(&words).unwrap(),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v Speaker2>a\nb\nc\n"
        );
    }
}
