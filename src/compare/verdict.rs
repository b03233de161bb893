//! Do the two outcomes agree? Per field, and for the recording as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::{Comparison, FieldResult};
use super::field::Field;
use super::judge;
use super::policy::{FieldPolicy, Policy, Strictness};
use crate::model::{Outcome, OutcomeStatus};

/// What a field comes to, from best to worst.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FieldVerdict {
    /// The same.
    Match,
    /// Not the same, but inside the declared tolerance and no fact changed.
    WithinNoise,
    /// One side lacks what it takes to compare.
    NotComparable,
    /// Not the same.
    Differs,
}

/// What a recording comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All fields are the same.
    Match,
    /// All fields are inside their tolerance.
    WithinNoise,
    /// A field is not.
    Differs,
    /// The control ended, the candidate did not.
    CandidateFailed,
    /// The candidate ended, the control did not.
    ControlFailed,
    /// Neither ended.
    BothFailed,
    /// A field that must not differ could not be compared, or consent was denied while a side was
    /// under way.
    NotComparable,
    /// A side still runs. The controller's, never a comparison's.
    Pending,
    /// A side did not end in time. The controller's, never a comparison's.
    TimedOut,
}

impl FieldVerdict {
    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::WithinNoise => "within_noise",
            Self::NotComparable => "not_comparable",
            Self::Differs => "differs",
        }
    }
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Match,
        Self::WithinNoise,
        Self::Differs,
        Self::CandidateFailed,
        Self::ControlFailed,
        Self::BothFailed,
        Self::NotComparable,
        Self::Pending,
        Self::TimedOut,
    ];

    /// The name in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::WithinNoise => "within_noise",
            Self::Differs => "differs",
            Self::CandidateFailed => "candidate_failed",
            Self::ControlFailed => "control_failed",
            Self::BothFailed => "both_failed",
            Self::NotComparable => "not_comparable",
            Self::Pending => "pending",
            Self::TimedOut => "timed_out",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == name)
    }

    /// Whether it says something about the candidate. A control that failed leaves nothing to
    /// compare with; a candidate that failed or did not end always counts against it.
    pub const fn counts(self) -> bool {
        match self {
            Self::Match
            | Self::WithinNoise
            | Self::Differs
            | Self::CandidateFailed
            | Self::TimedOut => true,
            Self::ControlFailed | Self::BothFailed | Self::NotComparable | Self::Pending => false,
        }
    }

    /// Whether it speaks for the candidate.
    pub const fn is_clean(self) -> bool {
        match self {
            Self::Match | Self::WithinNoise => true,
            Self::Differs
            | Self::CandidateFailed
            | Self::ControlFailed
            | Self::BothFailed
            | Self::NotComparable
            | Self::Pending
            | Self::TimedOut => false,
        }
    }
}

impl fmt::Display for FieldVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Cosines of embeddings, as a model elsewhere sees the two texts of a field. For people to read:
/// "approved" and "rejected" lie closer together than a true paraphrase.
pub type Meanings = BTreeMap<Field, f64>;

/// The texts whose meanings a model may be asked for: written by a model, there on both sides, and
/// not the same.
pub fn texts_apart(control: &Outcome, candidate: &Outcome) -> Vec<(Field, (String, String))> {
    let written = |outcome: &Outcome| {
        [
            (Field::Title, outcome.title.clone()),
            (Field::ShortSummary, outcome.short_summary.clone()),
            (Field::LongSummary, outcome.long_summary.clone()),
        ]
    };
    let both = written(control).into_iter().zip(written(candidate));
    both.filter_map(|((field, one), (_, other))| Some((field, (one?, other?))))
        .filter(|(_, (one, other))| one != other)
        .collect()
}

/// Compares what the two pipelines made of one recording.
pub fn compare(control: &Outcome, candidate: &Outcome, policy: &Policy) -> Comparison {
    compare_with(control, candidate, policy, &Meanings::new())
}

/// The same where a model was asked what the texts mean.
pub fn compare_with(
    control: &Outcome,
    candidate: &Outcome,
    policy: &Policy,
    meanings: &Meanings,
) -> Comparison {
    let both_ended =
        control.status == OutcomeStatus::Ended && candidate.status == OutcomeStatus::Ended;
    let entries: Vec<&FieldPolicy> = policy
        .fields
        .iter()
        .filter(|entry| both_ended || entry.field == Field::Status)
        .collect();
    let heard = judge::Heard::new(control, candidate);
    let measured = side_by_side(&entries, is_long(control, candidate), |entry| {
        judge::measure(entry, control, candidate, &heard, meanings)
    });
    let mut fields: Vec<FieldResult> = Vec::with_capacity(entries.len());
    for (entry, measuring) in entries.into_iter().zip(measured) {
        fields.push(judge::conclude(entry, measuring, control, &fields));
    }
    let verdicts: Vec<_> = fields
        .iter()
        .map(|result| (result.strictness, result.verdict))
        .collect();
    Comparison {
        verdict: verdict(control.status, candidate.status, &verdicts),
        control: control.status,
        candidate: candidate.status,
        fields,
        policy: policy.digest.clone(),
    }
}

/// From so many words on, starting threads takes less than it saves.
const LONG: usize = 2000;

fn is_long(control: &Outcome, candidate: &Outcome) -> bool {
    control.words.len().max(candidate.words.len()) >= LONG
}

/// Measures every field, in the order of the entries; of a long meeting on as many threads as serve it,
/// what takes longest first. What comes out is the same.
fn side_by_side<'a, T: Send>(
    entries: &[&'a FieldPolicy],
    is_long: bool,
    measure: impl Fn(&'a FieldPolicy) -> T + Sync,
) -> Vec<T> {
    if !is_long {
        return entries.iter().map(|entry| measure(entry)).collect();
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let place = |at: &usize| {
        LONGEST
            .iter()
            .position(|field| *field == entries[*at].field)
    };
    order.sort_by_key(|at| place(at).unwrap_or(LONGEST.len()));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((at, measure(entries[at])));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS));
    let mut all: Vec<(usize, T)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, measured)| measured).collect()
}

/// More have nothing to do.
const THREADS: usize = 4;

/// Fields that take long in a long meeting, the longest first; what waits for the alignment of the words
/// comes late.
const LONGEST: [Field; 10] = [
    Field::Words,
    Field::Messages,
    Field::TopicsSummaries,
    Field::TopicsTitles,
    Field::Webhook,
    Field::Speakers,
    Field::WordsBySpeaker,
    Field::Webvtt,
    Field::Events,
    Field::WordTimes,
];

/// The recording's verdict from how the sides ended and what the fields came to.
pub fn verdict(
    control: OutcomeStatus,
    candidate: OutcomeStatus,
    fields: &[(Strictness, FieldVerdict)],
) -> Verdict {
    match (control, candidate) {
        (OutcomeStatus::Ended, OutcomeStatus::Ended) => of_fields(fields),
        (OutcomeStatus::Ended, OutcomeStatus::Error) => Verdict::CandidateFailed,
        (OutcomeStatus::Error, OutcomeStatus::Ended) => Verdict::ControlFailed,
        (OutcomeStatus::Error, OutcomeStatus::Error) => Verdict::BothFailed,
        (
            OutcomeStatus::Withdrawn,
            OutcomeStatus::Ended | OutcomeStatus::Error | OutcomeStatus::Withdrawn,
        )
        | (OutcomeStatus::Ended | OutcomeStatus::Error, OutcomeStatus::Withdrawn) => {
            Verdict::NotComparable
        }
    }
}

/// The worst field decides. A soft field that could not be compared is passed over; a hard one is
/// not, since what was not looked at cannot be called equal.
fn of_fields(fields: &[(Strictness, FieldVerdict)]) -> Verdict {
    let judged = fields
        .iter()
        .map(|&(strictness, verdict)| match (strictness, verdict) {
            (Strictness::Soft, FieldVerdict::NotComparable) => FieldVerdict::Match,
            (Strictness::Hard | Strictness::Soft, verdict) => verdict,
        });
    match judged.max() {
        None | Some(FieldVerdict::NotComparable) => Verdict::NotComparable,
        Some(FieldVerdict::Differs) => Verdict::Differs,
        Some(FieldVerdict::WithinNoise) => Verdict::WithinNoise,
        Some(FieldVerdict::Match) => Verdict::Match,
    }
}

#[cfg(test)]
mod tests {
    use super::FieldVerdict::{Differs, Match, NotComparable, WithinNoise};
    use super::OutcomeStatus::{Ended, Error, Withdrawn};
    use super::Strictness::{Hard, Soft};
    use super::*;

    type Row<'a> = (
        OutcomeStatus,
        OutcomeStatus,
        &'a [(Strictness, FieldVerdict)],
        Verdict,
    );

    #[test]
    fn the_verdict_follows_the_table() {
        let table: &[Row] = &[
            (Ended, Ended, &[], Verdict::NotComparable),
            (
                Ended,
                Ended,
                &[(Hard, Match), (Soft, Match)],
                Verdict::Match,
            ),
            (
                Ended,
                Ended,
                &[(Hard, Match), (Soft, WithinNoise)],
                Verdict::WithinNoise,
            ),
            (
                Ended,
                Ended,
                &[(Hard, WithinNoise), (Soft, Match)],
                Verdict::WithinNoise,
            ),
            (
                Ended,
                Ended,
                &[(Hard, Match), (Soft, Differs)],
                Verdict::Differs,
            ),
            (
                Ended,
                Ended,
                &[(Hard, Differs), (Soft, Match)],
                Verdict::Differs,
            ),
            (
                Ended,
                Ended,
                &[(Hard, NotComparable), (Soft, WithinNoise)],
                Verdict::NotComparable,
            ),
            (
                Ended,
                Ended,
                &[(Hard, NotComparable), (Soft, Differs)],
                Verdict::Differs,
            ),
            (
                Ended,
                Ended,
                &[(Hard, Match), (Soft, NotComparable)],
                Verdict::Match,
            ),
            (Ended, Error, &[(Hard, Differs)], Verdict::CandidateFailed),
            (Ended, Error, &[(Hard, Match)], Verdict::CandidateFailed),
            (Error, Ended, &[(Hard, Differs)], Verdict::ControlFailed),
            (Error, Error, &[(Hard, Match)], Verdict::BothFailed),
            (Ended, Withdrawn, &[(Hard, Differs)], Verdict::NotComparable),
            (Error, Withdrawn, &[(Hard, Differs)], Verdict::NotComparable),
            (Withdrawn, Ended, &[(Hard, Differs)], Verdict::NotComparable),
            (Withdrawn, Error, &[(Hard, Differs)], Verdict::NotComparable),
            (
                Withdrawn,
                Withdrawn,
                &[(Hard, Match)],
                Verdict::NotComparable,
            ),
        ];
        for (control, candidate, fields, expected) in table {
            assert_eq!(
                verdict(*control, *candidate, fields),
                *expected,
                "{control:?} {candidate:?} {fields:?}"
            );
        }
    }

    #[test]
    fn fields_measured_side_by_side_come_out_in_their_order() {
        let policy = Policy::shipped();
        let entries: Vec<&FieldPolicy> = policy.fields.iter().collect();
        let of = |is_long| side_by_side(&entries, is_long, |entry| entry.field);
        assert_eq!(of(true), of(false));
        assert_eq!(of(true).len(), entries.len());
    }

    #[test]
    fn a_verdict_reads_back_and_a_failed_candidate_counts() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::parse(verdict.as_str()), Some(verdict));
        }
        assert!(Verdict::CandidateFailed.counts() && !Verdict::CandidateFailed.is_clean());
        assert!(!Verdict::ControlFailed.counts() && !Verdict::NotComparable.counts());
    }
}
