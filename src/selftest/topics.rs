//! Faults of how a meeting is cut.

use super::derive::{recaption, refill, retell_topics};
use super::dice::Dice;
use crate::model::Outcome;

/// How far a boundary moves, in words.
const FAR: usize = 150;

pub(super) fn drop_one(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    if outcome.topics.is_empty() {
        return None;
    }
    let at = dice.below(outcome.topics.len());
    outcome.topics.remove(at);
    let mut told = 0;
    outcome.events.retain(|event| {
        let is_it = event.event == "TOPIC" && told == at;
        told += usize::from(event.event == "TOPIC");
        !is_it
    });
    recaption(outcome);
    Some(())
}

pub(super) fn move_boundary(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let long = |at: &usize| outcome.topics[*at].words.len() > FAR;
    let count = outcome.topics.len();
    let later: Vec<usize> = (1..count).filter(long).collect();
    let earlier: Vec<usize> = (0..count.saturating_sub(1)).filter(long).collect();
    let take_from_later = !later.is_empty() && (earlier.is_empty() || dice.below(2) == 0);
    if take_from_later {
        let at = *dice.pick(&later)?;
        let moved: Vec<_> = outcome.topics[at].words.drain(..FAR).collect();
        outcome.topics[at - 1].words.extend(moved);
    } else {
        let at = *dice.pick(&earlier)?;
        let words = &mut outcome.topics[at].words;
        let moved = words.split_off(words.len() - FAR);
        outcome.topics[at + 1].words.splice(0..0, moved);
    }
    outcome.topics.iter_mut().for_each(refill);
    retell_topics(outcome);
    Some(())
}
