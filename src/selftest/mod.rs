//! Is the comparison worth believing? Known defects are put into what the legacy pipeline really
//! made, and the result is compared with the original: each has to be caught.
//!
//! A defect is applied as the fault it stands for would show: a lost word is lost in topics and
//! captions too, a wrong number stands in row, event and webhook alike. What needs something the
//! control does not have, such as a number, is not applied and not counted.

mod defect;
mod derive;
mod dice;
mod effects;
mod prose;
mod topics;
mod words;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use defect::Defect;

use crate::compare::{Comparison, FieldVerdict, Policy, Severity, Verdict, compare};
use crate::model::{Outcome, OutcomeStatus};
use dice::Dice;

/// The least share of each S0 and S1 defect that has to be caught. Below it the gate is void.
pub const NEEDED: f64 = 0.95;

/// How often one defect was caught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// [`Defect::as_str`].
    pub defect: String,
    /// How bad it would be.
    pub severity: Severity,
    /// In how many controls it was caught.
    pub caught: u64,
    /// In how many it could be put.
    pub of: u64,
}

impl Score {
    /// The share that was caught, 0 to 1; none where it could not be put anywhere.
    pub fn rate(&self) -> Option<f64> {
        (self.of > 0).then(|| self.caught as f64 / self.of as f64)
    }

    /// Whether it voids the gate: it matters, it was tried, and too little of it was caught.
    pub fn fails(&self) -> bool {
        self.severity.blocks() && self.rate().is_some_and(|rate| rate < NEEDED)
    }
}

/// What testing the comparison came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// How many controls were used.
    pub controls: u64,
    /// One score a defect, in the order of [`Defect::ALL`].
    pub scores: Vec<Score>,
}

impl Default for Tested {
    fn default() -> Self {
        let none = |defect: &Defect| Score {
            defect: defect.as_str().to_owned(),
            severity: defect.severity(),
            caught: 0,
            of: 0,
        };
        Self {
            controls: 0,
            scores: Defect::ALL.iter().map(none).collect(),
        }
    }
}

impl Tested {
    /// Puts every defect into one more control. Controls that did not end are passed over: there is
    /// nothing in them to break.
    pub fn add(&mut self, control: &Outcome, policy: &Policy) {
        if control.status != OutcomeStatus::Ended {
            return;
        }
        self.controls += 1;
        for (score, defect) in self.scores.iter_mut().zip(Defect::ALL) {
            if let Some(caught) = try_one(*defect, control, policy) {
                score.of += 1;
                score.caught += u64::from(caught);
            }
        }
    }

    /// Defects of which too little was caught.
    pub fn failing(&self) -> Vec<&Score> {
        self.scores.iter().filter(|score| score.fails()).collect()
    }

    /// Whether the comparison may be believed. Where nothing could be tried, it may not.
    pub fn passes(&self) -> bool {
        self.failing().is_empty()
            && self
                .scores
                .iter()
                .any(|score| score.severity.blocks() && score.of > 0)
    }
}

/// Whether the defect is caught in this control; none where it cannot be put in, or the policy does
/// not judge what it changes.
pub fn try_one(defect: Defect, control: &Outcome, policy: &Policy) -> Option<bool> {
    compared(defect, control, policy).map(|(caught, _)| caught)
}

/// The same with the comparison of the control with itself and the defect.
pub fn compared(defect: Defect, control: &Outcome, policy: &Policy) -> Option<(bool, Comparison)> {
    let shows_in: Vec<_> = defect
        .shows_in()
        .iter()
        .filter(|field| policy.field(**field).is_some())
        .collect();
    if shows_in.is_empty() {
        return None;
    }
    let candidate = with_defect(defect, control)?;
    let comparison = compare(control, &candidate, policy);
    if defect == Defect::Nothing {
        return Some((comparison.verdict == Verdict::Match, comparison));
    }
    // A defect that only upsets something else was not recognised.
    let shown = shows_in.iter().any(|field| {
        comparison
            .field(**field)
            .is_some_and(|result| result.verdict == FieldVerdict::Differs)
    });
    let counts = matches!(
        comparison.verdict,
        Verdict::Differs | Verdict::CandidateFailed
    );
    Some((shown && counts, comparison))
}

/// The control with the defect in it; none where there is nothing to put it in. The same control
/// always gets the same.
pub fn with_defect(defect: Defect, control: &Outcome) -> Option<Outcome> {
    let mut candidate = control.clone();
    let mut dice = Dice::of(defect, control);
    let applied = match defect {
        Defect::Nothing => Some(()),
        Defect::DropWords => words::drop_some(&mut candidate, &mut dice),
        Defect::SwapSpeakers => words::swap_speakers(&mut candidate),
        Defect::DropEnd => words::drop_end(&mut candidate),
        Defect::RepeatPhrase => words::repeat_phrase(&mut candidate, &mut dice),
        Defect::ShiftTrack => words::shift_track(&mut candidate, &mut dice),
        Defect::DropTopic => topics::drop_one(&mut candidate, &mut dice),
        Defect::MoveBoundary => topics::move_boundary(&mut candidate, &mut dice),
        Defect::ChangeNumber => prose::change_number(&mut candidate, &mut dice),
        Defect::SwapName => prose::swap_name(&mut candidate, &mut dice),
        Defect::ExchangeNames => prose::exchange_names(&mut candidate, &mut dice),
        Defect::Negate => prose::negate(&mut candidate, &mut dice),
        Defect::DropSection => prose::drop_section(&mut candidate, &mut dice),
        Defect::AlterWebhook => effects::alter_webhook(&mut candidate, &mut dice),
        Defect::LoseWebhook => candidate.webhook.take().map(drop),
        Defect::LoseZulip => candidate.zulip.take().map(drop),
        Defect::WrongRecipient => effects::wrong_recipient(&mut candidate),
        Defect::LoseObject => effects::lose_object(&mut candidate, &mut dice),
        Defect::KeepDeleted => effects::keep_deleted(&mut candidate, &mut dice),
        Defect::DeleteKept => effects::delete_kept(&mut candidate),
        Defect::LoseEvent => effects::lose_event(&mut candidate, &mut dice),
        Defect::Fail => {
            candidate.status = OutcomeStatus::Error;
            Some(())
        }
    };
    applied.map(|()| candidate)
}
