//! From the task's publication to the end of the run and its post tasks.

use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Mirrors, Withdrawal};
use crate::{
    legacy::{
        celery::TaskResult,
        reflector::{Stage, TranscriptStatus},
    },
    store::{Mirror, MirrorOutcome, MirrorState},
};

/// What the run's task and those it led to have stored.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The tasks whose results are there, in order.
    pub ended: Vec<String>,
    /// The next, which has not ended.
    pub open: Option<String>,
}

impl Mirrors<'_> {
    /// Waits until the run is over, giving it the original's participants meanwhile.
    pub(super) async fn wait(
        &self,
        mirror: &mut Mirror,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let since = mirror.dispatched_at.unwrap_or(mirror.changed_at);
        let deadline = since + TimeDelta::from_std(self.limits.run).context("a limit")?;
        let mut was_reset = false;
        loop {
            let stage = match self.reflector.stage(&mirror.transcript).await {
                Ok(Some(stage)) => Some(stage),
                Ok(None) => {
                    let reason = "somebody removed its row while it ran".to_owned();
                    return self.give_up(mirror, MirrorOutcome::Failed, reason).await;
                }
                Err(error) => {
                    warn!(mirror.id = %mirror.transcript, recording.id = %mirror.recording_id, "cannot see how far a mirror is, trying again: {error:#}");
                    None
                }
            };
            let mut is_over = false;
            if let Some(stage) = &stage {
                let (percent, label) = told(stage);
                self.tell(percent, &label);
                is_over = stage.status.is_over();
                let may_be_given = takes_participants(stage);
                // At two looks in a row: between status and reset the row looks the same.
                if may_be_given && was_reset {
                    self.give_participants(mirror).await;
                }
                was_reset = may_be_given;
            }
            let patience = if is_over {
                self.limits.post
            } else {
                self.limits.poll
            };
            let result = tokio::select! {
                () = stop.cancelled() => anyhow::bail!("stopped"),
                result = self.result(mirror, &mirror.task_id, patience) => result?,
            };
            if result.is_some() || is_over {
                return self.over(mirror, result).await;
            }
            if self.now() >= deadline {
                return self.time_out(mirror).await;
            }
        }
    }

    /// A failure here costs a mirror, and is found when the participants are compared.
    async fn give_participants(&self, mirror: &Mirror) {
        let (original, transcript) = (&mirror.original, &mirror.transcript);
        if let Err(error) = self.rows.give_participants(original, transcript).await {
            warn!(mirror.id = %mirror.transcript, recording.id = %mirror.recording_id, "cannot give a mirror its participants, trying again: {error}");
        }
    }

    /// A task's result, waited for at most so long, the mirror held meanwhile. Results that cannot be
    /// read are none: the row tells the end as well.
    async fn result(
        &self,
        mirror: &Mirror,
        task_id: &str,
        patience: Duration,
    ) -> anyhow::Result<Option<TaskResult>> {
        let mut left = patience;
        while !left.is_zero() {
            self.hold(mirror).await?;
            let look = left.min(self.limits.poll);
            match self.results.wait(task_id, look).await {
                Ok(None) => {}
                Ok(ended) => return Ok(ended),
                Err(error) => {
                    warn!(mirror.id = %mirror.transcript, recording.id = %mirror.recording_id, "cannot read the result of a mirror's task, trying again: {error}");
                    tokio::time::sleep(look).await;
                }
            }
            left -= look;
        }
        Ok(None)
    }

    async fn over(&self, mirror: &mut Mirror, result: Option<TaskResult>) -> anyhow::Result<()> {
        let status = self.reflector.status(&mirror.transcript).await?;
        let exception = result.as_ref().and_then(TaskResult::failure);
        let exception = exception.map_or_else(String::new, |class| format!(" ({class})"));
        let reason = match status {
            Some(TranscriptStatus::Ended) => {
                self.tell(90, "waiting for the post tasks");
                self.chain(mirror, true).await?;
                return self.save(mirror, MirrorState::Ended).await;
            }
            Some(TranscriptStatus::Error) => format!("the legacy run ended in `error`{exception}"),
            _ => format!("the legacy task ended{exception} and left its transcript unfinished"),
        };
        self.give_up(mirror, MirrorOutcome::Failed, reason).await
    }

    async fn time_out(&self, mirror: &mut Mirror) -> anyhow::Result<()> {
        let minutes = self.limits.run.as_secs() / 60;
        let withdrawn = self.broker.withdraw(&self.queue, &mirror.task_id).await?;
        let reason = match withdrawn {
            Withdrawal::Withdrawn | Withdrawal::NeverPublished => format!(
                "no legacy worker took the task within {minutes} min; see whether workers listen on queue `{}`",
                self.queue
            ),
            Withdrawal::Taken => {
                format!("the legacy worker that took the task did not end it within {minutes} min")
            }
        };
        self.give_up(mirror, MirrorOutcome::TimedOut, reason).await
    }

    /// The results of the run's task and of those that followed, each waited for if asked.
    pub(super) async fn chain(&self, mirror: &Mirror, wait: bool) -> anyhow::Result<Chain> {
        let mut chain = Chain::default();
        let mut next = Some(mirror.task_id.clone());
        while let Some(task) = next {
            let result = if wait {
                self.result(mirror, &task, self.limits.post).await?
            } else {
                let result = self.results.result(&task).await?;
                result.filter(|result| result.status.is_final())
            };
            let Some(result) = result else {
                chain.open = Some(task);
                break;
            };
            next = result.children.first().cloned();
            chain.ended.push(task);
        }
        Ok(chain)
    }
}

/// After the reset, which empties the events, and before topics.
fn takes_participants(stage: &Stage) -> bool {
    stage.status == TranscriptStatus::Processing
        && match stage.last_event.as_deref() {
            None => true,
            Some(event) => matches!(event, "DURATION" | "WAVEFORM" | "TRANSCRIPT"),
        }
}

/// By the shares of a run that its steps take; the model's answers take most.
fn told(stage: &Stage) -> (u8, String) {
    let (percent, label) = match (stage.status, stage.last_event.as_deref()) {
        (TranscriptStatus::Ended | TranscriptStatus::Error, _) => (90, "the run is over"),
        (TranscriptStatus::Processing, None | Some("STATUS")) => (10, "padding and mixing tracks"),
        (TranscriptStatus::Processing, Some("DURATION" | "WAVEFORM")) => {
            (30, "transcribing tracks")
        }
        (TranscriptStatus::Processing, Some("TRANSCRIPT")) => (50, "finding topics"),
        (TranscriptStatus::Processing, Some("TOPIC")) => {
            // Three events come before the first.
            let topics = stage.events.saturating_sub(3);
            return (60, format!("{topics} topics found"));
        }
        (TranscriptStatus::Processing, Some(_)) => (80, "writing title and summaries"),
        _ => (5, "waiting for a legacy worker"),
    };
    (percent, label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(status: TranscriptStatus, last_event: Option<&str>) -> Stage {
        Stage {
            status,
            last_event: last_event.map(str::to_owned),
            events: 5,
        }
    }

    #[test]
    fn participants_are_given_between_reset_and_topics() {
        let processing = TranscriptStatus::Processing;
        for (event, expected) in [
            (Some("STATUS"), false),
            (None, true),
            (Some("DURATION"), true),
            (Some("TRANSCRIPT"), true),
            (Some("TOPIC"), false),
            (Some("FINAL_TITLE"), false),
        ] {
            assert_eq!(
                takes_participants(&stage(processing, event)),
                expected,
                "{event:?}"
            );
        }
        assert!(!takes_participants(&stage(TranscriptStatus::Idle, None)));
    }

    #[test]
    fn progress_never_goes_back() {
        use TranscriptStatus::{Ended, Idle, Processing};
        let run = [
            (Idle, None),
            (Processing, Some("STATUS")),
            (Processing, None),
            (Processing, Some("DURATION")),
            (Processing, Some("TRANSCRIPT")),
            (Processing, Some("TOPIC")),
            (Processing, Some("FINAL_TITLE")),
            (Ended, Some("STATUS")),
        ];
        let percents: Vec<_> = run
            .map(|(status, event)| told(&stage(status, event)).0)
            .into();
        assert!(percents.is_sorted(), "{percents:?}");
    }
}
