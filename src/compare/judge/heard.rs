//! What both sides say, worked out once for all fields that look at it.

use std::sync::OnceLock;

use super::spoken::{Spoken, normalised_names, spoken};
use crate::compare::metrics::Map;
use crate::compare::metrics::alignment::{Step, align_numbers, numbered};
use crate::compare::metrics::cp::{SpeakerErrors, cp};
use crate::compare::metrics::facts;
use crate::compare::metrics::ties;
use crate::compare::metrics::transcript::{Pair, TimedWord};
use crate::model::{Outcome, text_of};

/// Both sides' words. Nothing is worked out before a field asks for it.
pub(in crate::compare) struct Heard<'a> {
    control: &'a Outcome,
    candidate: &'a Outcome,
    words: OnceLock<Words>,
    by_speaker: OnceLock<(Pair, SpeakerErrors)>,
    numbers_said: OnceLock<Vec<String>>,
}

/// Words, and which are which.
pub(super) struct Words {
    /// The control's running text.
    pub(super) left_text: String,
    /// The candidate's.
    pub(super) right_text: String,
    /// The control's words.
    pub(super) left: Vec<Spoken>,
    /// The candidate's.
    pub(super) right: Vec<Spoken>,
    /// The control's words, numbered; the same number is the same word.
    pub(super) left_numbers: Vec<u32>,
    /// The candidate's.
    pub(super) right_numbers: Vec<u32>,
    /// The alignment.
    pub(super) steps: Vec<Step>,
}

impl<'a> Heard<'a> {
    pub(in crate::compare) const fn new(control: &'a Outcome, candidate: &'a Outcome) -> Self {
        Self {
            control,
            candidate,
            words: OnceLock::new(),
            by_speaker: OnceLock::new(),
            numbers_said: OnceLock::new(),
        }
    }

    pub(super) fn words(&self) -> &Words {
        self.words.get_or_init(|| {
            let (left, right) = (spoken(&self.control.words), spoken(&self.candidate.words));
            let (left_numbers, right_numbers) = numbers(&left, &right);
            let names = normalised_names(self.control);
            let steps = align_numbers(&left_numbers, &right_numbers);
            let is_fact = |at: usize| left[at].is_fact(&names);
            Words {
                left_text: text_of(&self.control.words),
                right_text: text_of(&self.candidate.words),
                steps: ties::keep(steps, &left_numbers, &right_numbers, &is_fact),
                left,
                right,
                left_numbers,
                right_numbers,
            }
        })
    }

    /// The words by speaker, and who is who.
    pub(super) fn by_speaker(&self) -> &(Pair, SpeakerErrors) {
        self.by_speaker.get_or_init(|| {
            let pair = self.words().pair();
            let paired = cp(&pair);
            (pair, paired)
        })
    }

    /// Whether both sides say the same, to the letter.
    pub(super) fn is_same_text(&self) -> bool {
        self.words().left_text == self.words().right_text
    }

    /// The numbers in what the candidate heard.
    pub(super) fn numbers_said(&self) -> &[String] {
        self.numbers_said
            .get_or_init(|| facts::numbers(&self.words().right_text))
    }
}

impl Words {
    /// Words that are equal, as positions.
    pub(super) fn matched(&self) -> Vec<(usize, usize)> {
        matched(&self.steps)
    }

    /// The same for what is measured by speaker.
    fn pair(&self) -> Pair {
        let timed = |words: &[Spoken], numbers: &[u32]| -> Vec<TimedWord> {
            let timed = |(word, &number): (&Spoken, &u32)| TimedWord {
                speaker: word.speaker,
                word: number,
                span: (word.start, word.end),
            };
            words.iter().zip(numbers).map(timed).collect()
        };
        Pair::of_words(
            &timed(&self.left, &self.left_numbers),
            &timed(&self.right, &self.right_numbers),
        )
    }
}

/// Both sides' words as numbers.
pub(super) fn numbers(left: &[Spoken], right: &[Spoken]) -> (Vec<u32>, Vec<u32>) {
    let mut numbers = Map::default();
    let left = numbered(&mut numbers, left.iter().map(|word| word.text.as_str()));
    (
        left,
        numbered(&mut numbers, right.iter().map(|word| word.text.as_str())),
    )
}

/// Words that an alignment finds equal, as positions.
pub(super) fn matched(steps: &[Step]) -> Vec<(usize, usize)> {
    let equal = |step: &Step| match step {
        Step::Equal(left, right) => Some((*left, *right)),
        Step::Substituted(..) | Step::Deleted(_) | Step::Inserted(_) => None,
    };
    steps.iter().filter_map(equal).collect()
}
