//! Faults of what was heard, by whom and when.

use super::derive::{placed, respeak};
use super::dice::Dice;
use crate::model::{Outcome, Word};

/// Fewer words are no passage, and nobody could tell that they are lost.
const ENOUGH: usize = 20;

pub(super) fn drop_some(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let mut words = placed(outcome);
    let lost = words.len() / 20;
    if lost == 0 {
        return None;
    }
    for _ in 0..lost {
        words.remove(dice.below(words.len()));
    }
    respeak(outcome, words);
    Some(())
}

/// The two who say most.
pub(super) fn swap_speakers(outcome: &mut Outcome) -> Option<()> {
    let speakers = by_words(&outcome.words);
    let (&(one, _), &(other, _)) = (speakers.first()?, speakers.get(1)?);
    let mut words = placed(outcome);
    for (_, word) in &mut words {
        if word.speaker == one {
            word.speaker = other;
        } else if word.speaker == other {
            word.speaker = one;
        }
    }
    respeak(outcome, words);
    Some(())
}

pub(super) fn drop_end(outcome: &mut Outcome) -> Option<()> {
    let mut words = placed(outcome);
    let end = words.iter().map(|(_, word)| word.end).fold(0.0, f64::max);
    let before = words.len();
    words.retain(|(_, word)| word.start <= end - 60.0);
    if words.is_empty() || before - words.len() < ENOUGH {
        return None;
    }
    respeak(outcome, words);
    Some(())
}

pub(super) fn repeat_phrase(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    const PHRASE: usize = 4;
    const TIMES: usize = 20;
    let mut words = placed(outcome);
    if words.len() < PHRASE {
        return None;
    }
    let end = PHRASE + dice.below(words.len() - PHRASE + 1);
    let phrase = &words[end - PHRASE..end];
    let (topic, last) = phrase.last()?.clone();
    // Said on top of each other, so that times stay in order.
    let again = |(_, word): &(usize, Word)| {
        let word = Word {
            start: last.start,
            end: last.end,
            speaker: last.speaker,
            ..word.clone()
        };
        (topic, word)
    };
    let said: Vec<_> = phrase.iter().map(again).collect();
    let said = std::iter::repeat_n(said, TIMES).flatten();
    words.splice(end..end, said.collect::<Vec<_>>());
    respeak(outcome, words);
    Some(())
}

pub(super) fn shift_track(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let mut speakers = by_words(&outcome.words);
    speakers.retain(|(_, words)| *words >= ENOUGH);
    let &(speaker, _) = dice.pick(&speakers)?;
    let words = placed(outcome);
    let (places, mut words): (Vec<usize>, Vec<Word>) = words.into_iter().unzip();
    for word in words.iter_mut().filter(|word| word.speaker == speaker) {
        word.start += 20.0;
        word.end += 20.0;
    }
    words.sort_by(|one, other| one.start.total_cmp(&other.start));
    respeak(outcome, places.into_iter().zip(words).collect());
    Some(())
}

/// Who spoke, with how many words, the most first.
fn by_words(words: &[Word]) -> Vec<(i64, usize)> {
    let mut speakers: Vec<(i64, usize)> = Vec::new();
    for word in words {
        match speakers
            .iter_mut()
            .find(|(speaker, _)| *speaker == word.speaker)
        {
            Some((_, count)) => *count += 1,
            None => speakers.push((word.speaker, 1)),
        }
    }
    speakers.sort_by_key(|&(speaker, count)| (std::cmp::Reverse(count), speaker));
    speakers
}
