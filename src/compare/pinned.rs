//! Which step does a difference come from? Each step is also run on what the control had made before
//! it, its input *pinned*: what then differs is the step's own doing, and what does not came to it
//! from the steps before.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Comparison, Field, FieldVerdict};
use crate::model::TaskName;

/// A step, what is seen of it, and what goes into it.
struct Step {
    task: TaskName,
    /// The fields it alone makes, given its input.
    fields: &'static [Field],
    /// The steps whose results it works on; none where it works on what both pipelines were given.
    after: &'static [TaskName],
    /// Its pinned input, for people.
    given: &'static str,
}

/// All steps that make something that is compared, each after those it works on. Padding shows in what
/// is heard and in the mix alone, so it is told with them.
const STEPS: [Step; 10] = [
    Step {
        task: TaskName::GetParticipants,
        fields: &[Field::Participants],
        after: &[],
        given: "the same recording",
    },
    Step {
        task: TaskName::MixdownTracks,
        fields: &[Field::Audio, Field::Duration],
        after: &[],
        given: "the same tracks",
    },
    Step {
        task: TaskName::GenerateWaveform,
        fields: &[Field::Waveform],
        after: &[TaskName::MixdownTracks],
        given: "an equal mix",
    },
    Step {
        task: TaskName::TranscribeTrack,
        fields: &[Field::Words, Field::Speakers, Field::WordTimes],
        after: &[],
        given: "the same tracks",
    },
    Step {
        task: TaskName::MergeTranscripts,
        fields: &[Field::Words, Field::Speakers, Field::WordTimes],
        after: &[TaskName::TranscribeTrack],
        given: "the control's words of each track",
    },
    Step {
        task: TaskName::DetectTopics,
        fields: &[
            Field::TopicsCount,
            Field::TopicsBoundaries,
            Field::TopicsTitles,
            Field::TopicsSummaries,
            Field::Webvtt,
        ],
        after: &[TaskName::MergeTranscripts],
        given: "the control's words",
    },
    Step {
        task: TaskName::GenerateTitle,
        fields: &[Field::Title],
        after: &[TaskName::DetectTopics],
        given: "the control's topics",
    },
    Step {
        task: TaskName::GenerateSummary,
        fields: &[Field::ShortSummary, Field::LongSummary],
        after: &[TaskName::DetectTopics, TaskName::GetParticipants],
        given: "the control's topics and participants",
    },
    Step {
        task: TaskName::PostZulip,
        fields: &[Field::Zulip],
        after: &[
            TaskName::GenerateTitle,
            TaskName::GenerateSummary,
            TaskName::DetectTopics,
            TaskName::MixdownTracks,
        ],
        given: "the control's transcript",
    },
    Step {
        task: TaskName::SendWebhook,
        fields: &[Field::Webhook],
        after: &[
            TaskName::GenerateTitle,
            TaskName::GenerateSummary,
            TaskName::DetectTopics,
            TaskName::MixdownTracks,
            TaskName::GetParticipants,
        ],
        given: "the control's transcript",
    },
];

/// Steps that are run on the control's own; of the others what is known follows from their input.
pub const PINNED: [TaskName; 6] = [
    TaskName::MergeTranscripts,
    TaskName::DetectTopics,
    TaskName::GenerateTitle,
    TaskName::GenerateSummary,
    TaskName::PostZulip,
    TaskName::SendWebhook,
];

/// What is known of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepFinding {
    /// The step.
    pub step: TaskName,
    /// What became of it.
    pub finding: Finding,
    /// Its fields as both pipelines made them, and as they came out of the pinned input; none where the
    /// step was not run on it.
    pub fields: Vec<(Field, FieldVerdict, Option<FieldVerdict>)>,
    /// Why it was not run on the control's own.
    pub not_run: Option<String>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Both pipelines made the same.
    Same,
    /// What differs, differs within its tolerance, the input being equal.
    WithinNoise,
    /// It differs though its input was equal.
    Diverges,
    /// It does not differ where its input is equal; the difference came from these steps.
    Inherits(Vec<TaskName>),
    /// It differs or cannot be compared, and it was not run on the control's input, which differed because
    /// of these steps.
    Unknown(Vec<TaskName>),
}

/// Where the differences of one recording come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pinned {
    /// All steps that make something that was compared, each after those it works on.
    pub steps: Vec<StepFinding>,
    /// The first that differs though its input was equal.
    pub first: Option<TaskName>,
}

/// Steps worth being run on the control's own: what they make was compared and is not the same.
pub fn worth_pinning(plain: &Comparison) -> Vec<TaskName> {
    let differs = |field: &Field| {
        plain
            .field(*field)
            .is_some_and(|result| result.verdict != FieldVerdict::Match)
    };
    let steps = STEPS.iter().filter(|step| PINNED.contains(&step.task));
    steps
        .filter(|step| step.fields.iter().any(differs))
        .map(|step| step.task)
        .collect()
}

/// A pinned step's result, compared with the control's; or why there is none.
pub type PinnedRun = Result<Comparison, String>;

/// Finds where differences come from. `plain` is the comparison of the whole pipelines; `runs` those
/// of the control with what it would be if one step of its own were the candidate's.
pub fn first_divergence(plain: &Comparison, runs: &BTreeMap<TaskName, PinnedRun>) -> Pinned {
    let mut steps: Vec<StepFinding> = Vec::new();
    for step in &STEPS {
        let run = runs.get(&step.task);
        let again = run.and_then(|run| run.as_ref().ok());
        let verdict = |comparison: &Comparison, field| Some(comparison.field(field)?.verdict);
        let fields: Vec<_> = step
            .fields
            .iter()
            .filter_map(|field| {
                let pinned = again.and_then(|again| verdict(again, *field));
                Some((*field, verdict(plain, *field)?, pinned))
            })
            .collect();
        if fields.is_empty() {
            continue;
        }
        let culprits: Vec<TaskName> = steps
            .iter()
            .filter(|before| step.after.contains(&before.step) && before.finding != Finding::Same)
            .map(|before| before.step)
            .collect();
        let finding = finding(&fields, again.is_some(), culprits);
        let not_run = run.and_then(|run| run.as_ref().err().cloned());
        steps.push(StepFinding {
            step: step.task,
            finding,
            fields,
            not_run,
        });
    }
    // Both are seen in the same words: a merge that is at fault says nothing about what was heard.
    let merge_diverges = steps.iter().any(|found| {
        found.step == TaskName::MergeTranscripts && found.finding == Finding::Diverges
    });
    if merge_diverges {
        steps.retain(|found| found.step != TaskName::TranscribeTrack);
    }
    let first = steps
        .iter()
        .find(|found| found.finding == Finding::Diverges)
        .map(|found| found.step);
    Pinned { steps, first }
}

fn finding(
    fields: &[(Field, FieldVerdict, Option<FieldVerdict>)],
    was_run: bool,
    culprits: Vec<TaskName>,
) -> Finding {
    let plain = worst(fields.iter().map(|(_, plain, _)| *plain));
    let own = if was_run {
        // A field that both pipelines made alike is nobody's difference, however a further draw of the
        // model turned out.
        worst(fields.iter().map(|(_, plain, pinned)| match plain {
            FieldVerdict::Match => FieldVerdict::Match,
            _ => pinned.unwrap_or(*plain),
        }))
    } else if culprits.is_empty() {
        plain
    } else if plain == FieldVerdict::Match {
        FieldVerdict::Match
    } else {
        return Finding::Unknown(culprits);
    };
    match (own, plain) {
        (_, FieldVerdict::Match) => Finding::Same,
        (FieldVerdict::Differs, _) => Finding::Diverges,
        (FieldVerdict::NotComparable, _) => Finding::Unknown(culprits),
        (FieldVerdict::WithinNoise, FieldVerdict::WithinNoise) => Finding::WithinNoise,
        (FieldVerdict::Match | FieldVerdict::WithinNoise, _) if culprits.is_empty() => {
            Finding::WithinNoise
        }
        (FieldVerdict::Match | FieldVerdict::WithinNoise, _) => Finding::Inherits(culprits),
    }
}

fn worst(verdicts: impl Iterator<Item = FieldVerdict>) -> FieldVerdict {
    verdicts.max().unwrap_or(FieldVerdict::Match)
}

impl Pinned {
    /// One line for people.
    pub fn sentence(&self) -> String {
        match self.first {
            Some(step) => {
                let given = given(step);
                format!("first step that diverges: {step} (given {given})")
            }
            None if self
                .steps
                .iter()
                .all(|found| found.finding == Finding::Same) =>
            {
                "no step differs".to_owned()
            }
            None => "no step is known to diverge by itself".to_owned(),
        }
    }
}

impl Pinned {
    /// The steps there is something to say of.
    pub fn told(&self) -> impl Iterator<Item = &StepFinding> {
        self.steps
            .iter()
            .filter(|found| found.finding != Finding::Same || found.not_run.is_some())
    }
}

impl StepFinding {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let (step, given) = (self.step, given(self.step));
        let names = |steps: &[TaskName]| {
            let names: Vec<_> = steps.iter().map(ToString::to_string).collect();
            names.join(", ")
        };
        let told = match &self.finding {
            Finding::Same => "equal".to_owned(),
            Finding::WithinNoise => format!("within tolerance given {given}"),
            Finding::Diverges => format!("differs given {given}"),
            Finding::Inherits(from) => {
                format!(
                    "agrees given {given}; the difference comes from {}",
                    names(from)
                )
            }
            Finding::Unknown(from) if from.is_empty() => {
                "not known: it cannot be compared".to_owned()
            }
            Finding::Unknown(from) => {
                format!("not known: its input differs, from {}", names(from))
            }
        };
        match &self.not_run {
            Some(why) => format!("{step}: {told} ({why})"),
            None => format!("{step}: {told}"),
        }
    }
}

fn given(task: TaskName) -> &'static str {
    STEPS
        .iter()
        .find(|step| step.task == task)
        .map_or("its input", |step| step.given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::{Policy, compare, fixture::standup},
        model::Outcome,
    };

    type Change = fn(&mut Outcome);

    /// What each pinned step would make, were the candidate faulty in the steps named alone.
    fn pinned(faults: &[(TaskName, Change)], plain: &[Change]) -> Pinned {
        let (control, policy) = (standup(), Policy::shipped());
        let with = |changes: &[Change]| {
            let mut outcome = control.clone();
            for change in changes {
                change(&mut outcome);
            }
            compare(&control, &outcome, &policy)
        };
        let runs = PINNED.into_iter().map(|task| {
            let own: Vec<Change> = faults
                .iter()
                .filter(|(faulty, _)| *faulty == task)
                .map(|(_, change)| *change)
                .collect();
            (task, Ok(with(&own)))
        });
        first_divergence(&with(plain), &runs.collect())
    }

    const OTHER_TOPIC: Change =
        |outcome| "Payroll for 40 people".clone_into(&mut outcome.topics[1].title);
    const OTHER_TITLE: Change = |outcome| outcome.title = Some("Payroll for 40 People".to_owned());
    const OTHER_SUMMARY: Change =
        |outcome| outcome.short_summary = Some("Nothing was said.".to_owned());
    const OTHER_ORDER: Change = |outcome| outcome.words[..200].reverse();
    const OTHER_WORDS: Change = |outcome| {
        for word in outcome.words.iter_mut().take(400) {
            " seventeen".clone_into(&mut word.text);
        }
    };
    const OTHER_LENGTH: Change = |outcome| outcome.duration_ms = Some(1000.0);
    const OTHER_WAVEFORM: Change =
        |outcome| outcome.waveform.iter_mut().for_each(|peak| *peak = 1.0);

    fn finding(pinned: &Pinned, task: TaskName) -> &Finding {
        let found = pinned.steps.iter().find(|found| found.step == task);
        &found.expect("it is told").finding
    }

    #[test]
    fn a_change_in_one_step_is_put_down_to_it_and_not_to_those_after_it() {
        use TaskName::{
            DetectTopics, GenerateSummary, GenerateTitle, MergeTranscripts, MixdownTracks,
            TranscribeTrack,
        };
        type Case<'a> = (&'a [(TaskName, Change)], &'a [Change], TaskName);
        let cases: [Case<'_>; 6] = [
            (
                &[(DetectTopics, OTHER_TOPIC)],
                &[OTHER_TOPIC, OTHER_TITLE, OTHER_SUMMARY],
                DetectTopics,
            ),
            (
                &[(GenerateTitle, OTHER_TITLE)],
                &[OTHER_TITLE],
                GenerateTitle,
            ),
            (
                &[(GenerateSummary, OTHER_SUMMARY)],
                &[OTHER_SUMMARY],
                GenerateSummary,
            ),
            (
                &[(MergeTranscripts, OTHER_ORDER)],
                &[OTHER_ORDER, OTHER_TOPIC, OTHER_TITLE],
                MergeTranscripts,
            ),
            (
                &[],
                &[OTHER_WORDS, OTHER_TOPIC, OTHER_TITLE],
                TranscribeTrack,
            ),
            (&[], &[OTHER_LENGTH, OTHER_WAVEFORM], MixdownTracks),
        ];
        for (faults, plain, expected) in cases {
            let pinned = pinned(faults, plain);
            assert_eq!(pinned.first, Some(expected), "{:#?}", pinned.steps);
            let diverging: Vec<_> = pinned
                .steps
                .iter()
                .filter(|found| found.finding == Finding::Diverges)
                .map(|found| found.step)
                .collect();
            assert_eq!(diverging, [expected]);
        }
    }

    #[test]
    fn what_comes_after_says_where_its_difference_comes_from() {
        use TaskName::{DetectTopics, GenerateTitle};
        let pinned = pinned(&[(DetectTopics, OTHER_TOPIC)], &[OTHER_TOPIC, OTHER_TITLE]);
        assert_eq!(
            finding(&pinned, GenerateTitle),
            &Finding::Inherits(vec![DetectTopics])
        );
        assert_eq!(
            pinned.sentence(),
            "first step that diverges: detect_topics (given the control's words)"
        );
        let title = pinned
            .steps
            .iter()
            .find(|found| found.step == GenerateTitle);
        assert_eq!(
            title.expect("it is told").sentence(),
            "generate_title: agrees given the control's topics; the difference comes from detect_topics"
        );
    }

    #[test]
    fn two_steps_at_fault_are_both_told_and_the_first_is_named() {
        use TaskName::{DetectTopics, GenerateTitle};
        let pinned = pinned(
            &[(DetectTopics, OTHER_TOPIC), (GenerateTitle, OTHER_TITLE)],
            &[OTHER_TOPIC, OTHER_TITLE],
        );
        assert_eq!(pinned.first, Some(DetectTopics));
        assert_eq!(finding(&pinned, GenerateTitle), &Finding::Diverges);
    }

    #[test]
    fn a_step_that_could_not_be_run_on_the_control_s_own_is_not_blamed_and_not_cleared() {
        let (control, policy) = (standup(), Policy::shipped());
        let mut candidate = control.clone();
        OTHER_TOPIC(&mut candidate);
        OTHER_TITLE(&mut candidate);
        let plain = compare(&control, &candidate, &policy);
        let failed = |task| (task, Err("the model does not answer".to_owned()));
        let found = first_divergence(&plain, &PINNED.into_iter().map(failed).collect());
        // The words are equal, so the topics' input was.
        assert_eq!(found.first, Some(TaskName::DetectTopics));
        assert_eq!(
            finding(&found, TaskName::GenerateTitle),
            &Finding::Unknown(vec![TaskName::DetectTopics])
        );
    }

    #[test]
    fn equal_outcomes_have_no_divergence() {
        let found = pinned(&[(TaskName::GenerateTitle, OTHER_TITLE)], &[]);
        assert_eq!(
            (found.first, found.sentence().as_str()),
            (None, "no step differs")
        );
    }
}
