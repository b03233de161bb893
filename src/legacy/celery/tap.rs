//! The tap: stands between a queue and the legacy workers, asks who is to run the one task that is
//! being migrated, and hands on everything else at once.
//!
//! Two places for it. *Routed queue*: `task_routes` sends the one task to a queue of ours (`from`),
//! and the tap hands it on to the workers' own (`legacy`). *Default queue*: nothing changes for
//! publishers; the workers are started with `-Q` on another queue (`legacy`), and everything
//! published on `celery` (`from`) passes through here.
//!
//! The same message may come more than once: after a retry, a redelivery, a restart. Knowing it
//! again by its task id, and answering as before, is for whoever decides; but what was settled of a
//! task once holds for its later messages, and of a transcript for its later tasks, whatever is
//! decided then.

use std::{collections::VecDeque, time::Duration};

use crate::rollout::MayDispatch;

use super::{
    Asked, Broker, BrokerError, Envelope, EnvelopeError, Forwarded, Held, Holder, PIPELINE_TASK,
    Queue, Settled,
};

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The legacy workers run it.
    Forward(MayDispatch),
    /// They must not. Only after what was decided is stored: the message ends here. If an earlier
    /// message of the task was handed on, this one is too, where that may still be.
    Withhold(Option<MayDispatch>),
    /// Neither: it goes back to its place on the queue when the step is done, and is asked about
    /// again.
    Leave,
}

/// Where a tap stands and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSettings {
    /// The queue it takes from.
    pub from: Queue,
    /// The queue legacy workers take from.
    pub legacy: Queue,
    /// The task that is asked about.
    pub task: String,
    /// How many messages are in hand at once, at most. They wait for each other's decisions.
    pub batch: usize,
}

impl TapSettings {
    /// For Reflector's pipeline task, sixteen messages at a time.
    pub fn new(from: Queue, legacy: Queue) -> Self {
        Self {
            from,
            legacy,
            task: PIPELINE_TASK.to_owned(),
            batch: 16,
        }
    }
}

/// Settings with which messages would go round in circles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tap takes from queue `{0}` and hands on to the same; start the legacy workers on another queue, or route the task to another"
)]
pub struct SameQueue(Queue);

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Our task, handed on.
    pub forwarded: usize,
    /// Our task, not handed on.
    pub withheld: usize,
    /// Our task, put back on the queue.
    pub left: usize,
    /// The ids of the tasks that were not handed on: nobody at Celery will run them.
    pub ended: Vec<String>,
    /// Other tasks, handed on.
    pub passed_on: usize,
    /// Messages that were put back by somebody before we were done with them; they will be taken
    /// again.
    pub not_held: usize,
    /// Messages handed on unread or unchanged, and why. Their retries may come back here.
    pub verbatim: Vec<EnvelopeError>,
}

impl Tick {
    /// Whether the queue was empty.
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }
}

/// A step under way. Dropping it loses nothing: the next step puts back what was in hand.
pub struct Batch {
    left: VecDeque<Held>,
    /// What is being decided about.
    asked: Option<(Held, Asked)>,
    tick: Tick,
}

impl Batch {
    /// What the step did so far.
    pub fn into_tick(self) -> Tick {
        self.tick
    }
}

/// One tap on one queue.
pub struct Tap {
    broker: Broker,
    settings: TapSettings,
    holder: Holder,
    /// Whether a step may have left messages in our hands.
    unsure: bool,
    /// How many messages the last step put back; they come first in the next, and must not keep
    /// those behind them from being seen.
    left: usize,
}

/// How many messages are in hand at once however many were put back.
const AT_MOST: usize = 1024;

impl Tap {
    /// A tap that holds messages under a name of its own. Several may stand on one queue; order is
    /// kept only by one alone.
    pub fn new(broker: Broker, settings: TapSettings) -> Result<Self, SameQueue> {
        if settings.from == settings.legacy {
            return Err(SameQueue(settings.from));
        }
        Ok(Self {
            broker,
            settings,
            holder: Holder::random(),
            unsure: false,
            left: 0,
        })
    }

    /// The queues and the task.
    pub fn settings(&self) -> &TapSettings {
        &self.settings
    }

    /// Takes what is there, at most a batch, and deals with it in order. `decide` is asked about
    /// each message of our task, and must answer in any case: doubts end on Celery
    /// as long as it is there.
    ///
    /// A step that fails, or is dropped midway, loses nothing: the next one begins by putting back
    /// what was in hand, and asks again.
    pub async fn tick(
        &mut self,
        mut decide: impl AsyncFnMut(&Envelope) -> Decision,
    ) -> Result<Tick, BrokerError> {
        let mut batch = self.take().await?;
        while let Some(envelope) = self.next(&mut batch).await? {
            let decision = decide(&envelope).await;
            self.settle(&mut batch, decision).await?;
        }
        Ok(batch.tick)
    }

    /// Begins a step: takes what is there, at most a batch. [`Tap::next`] then gives each message
    /// that is to be decided about, and [`Tap::settle`] is told the decision. What
    /// [`Tap::tick`] says of steps that fail or are dropped holds here too.
    pub async fn take(&mut self) -> Result<Batch, BrokerError> {
        if self.unsure {
            self.broker.recover(&self.holder).await?;
        }
        self.unsure = true;
        let from = &self.settings.from;
        let at_most = (self.settings.batch + self.left).min(AT_MOST);
        let taken = self.broker.take(from, &self.holder, at_most).await?;
        Ok(Batch {
            left: taken.into(),
            asked: None,
            tick: Tick::default(),
        })
    }

    /// The next message of our task, all before it having been handed on; none when the step is
    /// done.
    pub async fn next(&mut self, batch: &mut Batch) -> Result<Option<Envelope>, BrokerError> {
        let mut others = Vec::new();
        let mut found = None;
        while let Some(held) = batch.left.pop_front() {
            match self.ours(&held) {
                Ok(Some(envelope)) => {
                    batch.asked = Some((held, asked(&envelope)));
                    found = Some(envelope);
                    break;
                }
                Ok(None) => others.push(held),
                Err(reason) => {
                    batch.tick.verbatim.push(reason);
                    others.push(held);
                }
            }
        }
        self.pass_on(others, &mut batch.tick).await?;
        if found.is_none() {
            self.left = batch.tick.left;
            if self.left > 0 {
                self.broker.recover(&self.holder).await?;
            }
        }
        self.unsure = found.is_some();
        Ok(found)
    }

    /// Does with the message that was given last as was decided.
    pub async fn settle(
        &mut self,
        batch: &mut Batch,
        decision: Decision,
    ) -> Result<(), BrokerError> {
        let Some((held, asked)) = batch.asked.take() else {
            return Ok(());
        };
        let tick = &mut batch.tick;
        let to = &self.settings.legacy;
        match self.broker.settle(&held, &asked, decision, to).await? {
            Settled::Withheld => {
                tick.withheld += 1;
                tick.ended.push(asked.task_id);
            }
            Settled::Forwarded(Forwarded::Verbatim(reason)) => {
                tick.forwarded += 1;
                tick.verbatim.push(reason);
            }
            Settled::Forwarded(_) => tick.forwarded += 1,
            Settled::Left => tick.left += 1,
            Settled::NotHeld => tick.not_held += 1,
        }
        Ok(())
    }

    /// Waits until there is something to take, or the time is over.
    pub async fn wait(&self, at_most: Duration) -> Result<bool, BrokerError> {
        self.broker.wait(&self.settings.from, at_most).await
    }

    /// Puts back what taps that died were holding. `age` must exceed what a whole batch of
    /// decisions may take, or living ones are disturbed: they would decide twice. To be called at
    /// the start and now and then; tells how many messages that were.
    pub async fn recover(&self, age: Duration) -> Result<u64, BrokerError> {
        self.broker.recover_older(age).await
    }

    /// The message, if it is of our task. Unreadable ones are not.
    fn ours(&self, held: &Held) -> Result<Option<Envelope>, EnvelopeError> {
        let envelope = held.envelope()?;
        Ok((envelope.task() == self.settings.task).then_some(envelope))
    }

    /// Hands on the messages gathered so far, which are before ours in the queue.
    async fn pass_on(&self, others: Vec<Held>, tick: &mut Tick) -> Result<(), BrokerError> {
        let all = self
            .broker
            .forward_all(&others, &self.settings.legacy)
            .await?;
        for (held, forwarded) in others.into_iter().zip(all) {
            match forwarded {
                Forwarded::NotHeld => tick.not_held += 1,
                Forwarded::Rewritten => tick.passed_on += 1,
                Forwarded::Verbatim(reason) => {
                    tick.passed_on += 1;
                    // What could not be read is listed already.
                    if held.envelope().is_ok() {
                        tick.verbatim.push(reason);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reflector's reprocess endpoint and command line publish from outside a worker, so their messages
/// have no parent.
fn asked(envelope: &Envelope) -> Asked {
    let body = envelope.body().ok();
    let transcript = body.as_ref().and_then(|body| {
        let named = body.kwargs.get("transcript_id")?.as_str()?;
        Some(named.to_owned())
    });
    Asked {
        task_id: envelope.id().to_owned(),
        transcript,
        is_anew: envelope.parent_id().is_none(),
    }
}
