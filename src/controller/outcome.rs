//! The candidate's outcome: what a run's checkpoints, intents and trail say it made.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    model::{
        Event, HttpRequest, Object, Outcome, OutcomeStatus, Published, RunState, StepTiming,
        TaskName, Topic,
    },
    store::{Attempt, Intent, IntentKind, Output, Run, Store},
};

/// Reads the outcome of a run that has ended.
pub async fn candidate_outcome(store: &Store, run: &Run) -> anyhow::Result<Outcome> {
    if let Some(at) = run.texts_deleted_at {
        anyhow::bail!(
            "what run `{}` made was deleted on {}",
            run.id,
            at.format("%Y-%m-%d")
        );
    }
    let outputs = Outputs(store.outputs(&run.id).await?);
    let mut outcome = Outcome {
        status: status(run.state, run.withdrawn_at.is_some()),
        failure: run.failure.clone(),
        participants: outputs
            .document(TaskName::GetParticipants)?
            .unwrap_or_default(),
        words: outputs
            .document(TaskName::MergeTranscripts)?
            .unwrap_or_default(),
        waveform: outputs
            .document(TaskName::GenerateWaveform)?
            .unwrap_or_default(),
        steps: steps(&store.attempts(&run.id).await?),
        usage: store
            .usages(&run.id)
            .await?
            .into_iter()
            .map(|metered| metered.usage)
            .collect(),
        ..Outcome::default()
    };
    if let Some(topics) = outputs.raw(TaskName::DetectTopics) {
        outcome.topics = part::<Vec<Topic>>(topics, "topics")?.unwrap_or_default();
        outcome.webvtt = part(topics, "webvtt")?;
    }
    if let Some(title) = outputs.raw(TaskName::GenerateTitle) {
        outcome.title = part(title, "title")?;
    }
    if let Some(summaries) = outputs.raw(TaskName::GenerateSummary) {
        outcome.short_summary = part(summaries, "short_summary")?;
        outcome.long_summary = part(summaries, "long_summary")?;
    }
    if let Some(mix) = outputs.raw(TaskName::MixdownTracks) {
        outcome.audio = part(mix, "facts")?;
        outcome.duration_ms = outputs
            .find(TaskName::MixdownTracks)
            .and_then(|output| output.output.get("duration_ms"))
            .and_then(Value::as_f64);
    }
    apply_intents(&mut outcome, store.intents(&run.id).await?, run)?;
    Ok(outcome)
}

/// A run that found its source gone and ended well all the same did not need it.
const fn status(state: RunState, is_withdrawn: bool) -> OutcomeStatus {
    match (state, is_withdrawn) {
        (RunState::Completed, _) => OutcomeStatus::Ended,
        (RunState::Failed | RunState::Terminated, true) => OutcomeStatus::Withdrawn,
        (RunState::Failed | RunState::Terminated, false)
        | (RunState::Starting | RunState::Running, _) => OutcomeStatus::Error,
    }
}

struct Outputs(Vec<Output>);

impl Outputs {
    fn find(&self, task: TaskName) -> Option<&Output> {
        self.0
            .iter()
            .find(|output| output.task_ref == task.as_str())
    }

    fn raw(&self, task: TaskName) -> Option<&Value> {
        self.find(task).and_then(|output| output.document.as_ref())
    }

    fn document<T: DeserializeOwned>(&self, task: TaskName) -> anyhow::Result<Option<T>> {
        self.raw(task)
            .map(|document| serde_json::from_value(document.clone()))
            .transpose()
            .with_context(|| format!("reading the result of `{task}`"))
    }
}

fn part<T: DeserializeOwned>(document: &Value, key: &str) -> anyhow::Result<Option<T>> {
    document
        .get(key)
        .map(|value| serde_json::from_value(value.clone()))
        .transpose()
        .with_context(|| format!("reading `{key}` of a task's result"))
}

/// Plays the intents back in order: what would be kept, sent and left in the end.
fn apply_intents(outcome: &mut Outcome, intents: Vec<Intent>, run: &Run) -> anyhow::Result<()> {
    let recording = &run.subject.recording;
    let mut objects: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut deleted = BTreeSet::new();
    for intent in intents {
        match intent.kind {
            IntentKind::Event => outcome.events.push(Event {
                event: intent.target,
                data: serde_json::from_str(&intent.content).context("reading an event")?,
            }),
            IntentKind::Message => outcome.published.push(Published {
                channel: intent.target,
                payload: intent.content,
            }),
            IntentKind::Zulip => outcome.zulip = Some(request(&intent.content)?),
            IntentKind::Webhook => outcome.webhook = Some(request(&intent.content)?),
            IntentKind::PutObject => {
                let size = intent.content.parse().unwrap_or_default();
                objects.insert(place(&intent.target), size);
            }
            IntentKind::DeleteObject => {
                let (bucket, key) = place(&intent.target);
                let is_the_recordings = bucket == recording.bucket_name
                    && (recording.track_keys.contains(&key) || recording.object_key == key);
                if is_the_recordings {
                    deleted.insert(key);
                } else {
                    objects.remove(&(bucket, key));
                }
            }
            // Outcomes are told from what is left in the end, not from what was there before.
            IntentKind::Reset | IntentKind::PutFile | IntentKind::DeleteFile => {}
            IntentKind::Column => {
                if intent.target == "audio_deleted" {
                    outcome.audio_deleted = intent.content == "true";
                }
            }
        }
    }
    outcome.deleted = deleted.into_iter().collect();
    outcome.objects = objects
        .into_iter()
        .map(|((bucket, key), size)| Object {
            bucket,
            key,
            // What a store reports for an object that was put without a type.
            content_type: "binary/octet-stream".to_owned(),
            size,
        })
        .collect();
    Ok(())
}

fn request(content: &str) -> anyhow::Result<HttpRequest> {
    serde_json::from_str(content).context("reading a request")
}

/// `bucket/key`; bucket names have no slash.
fn place(target: &str) -> (String, String) {
    let (bucket, key) = target.split_once('/').unwrap_or((target, ""));
    (bucket.to_owned(), key.to_owned())
}

/// Wall time by task kind, in the order a run meets them; the members of a fork, and all attempts,
/// added up.
fn steps(attempts: &[Attempt]) -> Vec<StepTiming> {
    TaskName::ALL
        .into_iter()
        .filter_map(|task| {
            let mut of_task = attempts
                .iter()
                .filter(|attempt| attempt.task_name == task.as_str())
                .peekable();
            of_task.peek()?;
            let wall_ms = of_task
                .filter_map(|attempt| Some(attempt.finished_at? - attempt.started_at))
                .map(|took| took.num_milliseconds() as f64)
                .sum();
            Some(StepTiming {
                step: task.to_string(),
                wall_ms,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_that_did_not_end_well_is_withdrawn() {
        for (state, plain, withdrawn) in [
            (
                RunState::Starting,
                OutcomeStatus::Error,
                OutcomeStatus::Error,
            ),
            (
                RunState::Running,
                OutcomeStatus::Error,
                OutcomeStatus::Error,
            ),
            (
                RunState::Completed,
                OutcomeStatus::Ended,
                OutcomeStatus::Ended,
            ),
            (
                RunState::Failed,
                OutcomeStatus::Error,
                OutcomeStatus::Withdrawn,
            ),
            (
                RunState::Terminated,
                OutcomeStatus::Error,
                OutcomeStatus::Withdrawn,
            ),
        ] {
            assert_eq!(status(state, false), plain, "{state:?}");
            assert_eq!(status(state, true), withdrawn, "{state:?}");
        }
    }
}
