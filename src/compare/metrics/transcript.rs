//! Who said what and when, on both sides, with words and speakers numbered: what the word error
//! rates of several speakers are measured on.

use std::collections::HashMap;

/// Something one speaker said in one go. Words are normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Who.
    pub speaker: String,
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// What.
    pub words: Vec<String>,
}

/// Both sides. The same number is the same word.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// The control.
    pub reference: Side,
    /// The candidate.
    pub hypothesis: Side,
}

/// One side.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Their labels, in the order in which they first speak.
    pub speakers: Vec<String>,
    /// By start time; what starts at the same time stays as it was.
    pub turns: Vec<Turn>,
    /// When each speaker's words are said, in the order of their turns.
    pub spans: Vec<Vec<Span>>,
}

/// From when to when, in seconds.
pub type Span = (f64, f64);

/// A word whose own time is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimedWord {
    /// Who says it.
    pub speaker: i64,
    /// Its number.
    pub word: u32,
    /// When.
    pub span: Span,
}

/// A segment, numbered.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Index into the side's speakers.
    pub speaker: usize,
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// Numbers of the words.
    pub words: Vec<u32>,
}

impl Pair {
    /// Numbers two transcripts.
    pub fn new(reference: &[Segment], hypothesis: &[Segment]) -> Self {
        let mut numbers = HashMap::new();
        Self {
            reference: Side::new(reference, &mut numbers),
            hypothesis: Side::new(hypothesis, &mut numbers),
        }
    }

    /// Two transcripts whose words have times and numbers already. What one speaker says until
    /// another does is one turn.
    pub fn of_words(reference: &[TimedWord], hypothesis: &[TimedWord]) -> Self {
        Self {
            reference: Side::of_words(reference),
            hypothesis: Side::of_words(hypothesis),
        }
    }
}

impl Side {
    /// Words get their times from their segment by the number of characters.
    fn new<'a>(segments: &'a [Segment], numbers: &mut HashMap<&'a str, u32>) -> Self {
        let mut order: Vec<&Segment> = segments.iter().collect();
        order.sort_by(|one, other| one.start.total_cmp(&other.start));
        let mut labels: HashMap<&str, usize> = HashMap::new();
        let mut side = Self::default();
        for segment in order {
            let next = labels.len();
            let speaker = *labels.entry(&segment.speaker).or_insert(next);
            if speaker == next {
                side.speakers.push(segment.speaker.clone());
                side.spans.push(Vec::new());
            }
            let number = |word: &'a String| {
                let next = u32::try_from(numbers.len()).expect("fewer words than that");
                *numbers.entry(word).or_insert(next)
            };
            side.spans[speaker].extend(by_characters(segment));
            side.turns.push(Turn {
                speaker,
                start: segment.start,
                end: segment.end,
                words: segment.words.iter().map(number).collect(),
            });
        }
        side
    }

    fn of_words(words: &[TimedWord]) -> Self {
        let mut order: Vec<&TimedWord> = words.iter().collect();
        order.sort_by(|one, other| one.span.0.total_cmp(&other.span.0));
        let mut labels: HashMap<i64, usize> = HashMap::new();
        let mut side = Self::default();
        for turn in order.chunk_by(|one, other| one.speaker == other.speaker) {
            let next = labels.len();
            let speaker = *labels.entry(turn[0].speaker).or_insert(next);
            if speaker == next {
                side.speakers.push(turn[0].speaker.to_string());
                side.spans.push(Vec::new());
            }
            side.spans[speaker].extend(turn.iter().map(|word| word.span));
            side.turns.push(Turn {
                speaker,
                start: turn[0].span.0,
                end: turn.iter().map(|word| word.span.1).fold(f64::MIN, f64::max),
                words: turn.iter().map(|word| word.word).collect(),
            });
        }
        side
    }

    /// Each speaker's words, one turn after the other.
    pub fn streams(&self) -> Vec<Vec<u32>> {
        let mut streams = vec![Vec::new(); self.speakers.len()];
        for turn in &self.turns {
            streams[turn.speaker].extend_from_slice(&turn.words);
        }
        streams
    }

    /// All words.
    pub fn length(&self) -> usize {
        self.turns.iter().map(|turn| turn.words.len()).sum()
    }
}

/// A segment's time among its words, in the order of the calculation of `MeetEval`.
fn by_characters(segment: &Segment) -> Vec<Span> {
    if segment.words.len() == 1 {
        return vec![(segment.start, segment.end)];
    }
    let lengths = || segment.words.iter().map(|word| word.chars().count());
    let each = (segment.end - segment.start) / lengths().sum::<usize>() as f64;
    let mut before = 0;
    lengths()
        .map(|length| {
            let from = before;
            before += length;
            let at = |characters: usize| segment.start + each * characters as f64;
            (at(from), at(before))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_number_on_both_sides_and_speakers_stand_as_they_speak() {
        let segment = |speaker: &str, start: f64, words: &[&str]| Segment {
            speaker: speaker.to_owned(),
            start,
            end: start + 1.0,
            words: words.iter().map(|&word| word.to_owned()).collect(),
        };
        let reference = [
            segment("b", 1.0, &["yes"]),
            segment("a", 0.0, &["no", "yes"]),
        ];
        let pair = Pair::new(&reference, &[segment("a", 0.0, &["yes"])]);
        assert_eq!(pair.reference.speakers, ["a", "b"]);
        assert_eq!(pair.reference.streams(), [vec![0, 1], vec![1]]);
        assert_eq!(pair.hypothesis.streams(), [vec![1]]);
        assert_eq!(pair.reference.length(), 3);
        assert_eq!(pair.reference.spans[0], [(0.0, 0.4), (0.4, 1.0)]);
    }
}
