//! Who has a task, settled once in Redis itself: whatever our database was told, and whoever died
//! in between, a task is either handed on or withheld, and stays so.
//!
//! The same request may come as two tasks, and the answer to one of them may have been a doubt. So
//! what was settled of a transcript holds too, until somebody asks for it anew.

use std::sync::LazyLock;

use redis::Script;

use super::{Broker, BrokerError, Forwarded, HELD, Held, REMEMBERED};
use crate::legacy::celery::{Decision, Queue, envelope::with_routing_key};

static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("settle.lua")));
static FATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("fate.lua")));

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It ended here: nobody at Celery will run its task.
    Withheld,
    /// It was handed on.
    Forwarded(Forwarded),
    /// It stays in our hands until it is put back.
    Left,
    /// Neither: somebody has put it back meanwhile, so it will be taken again.
    NotHeld,
}

/// A task that is to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub task_id: String,
    /// The transcript it is about; none where it does not tell.
    pub transcript: Option<String>,
    /// Whether the transcript is wanted anew, so that what was settled of it before counts no more.
    pub is_anew: bool,
}

/// What is known of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A message of it was withheld; all later ones will be.
    Withheld,
    /// A message of it was handed on; all later ones will be.
    Forwarded,
    /// A message of it is on the queue, or in our hands.
    Waiting,
    /// None of these in the last seven days.
    Gone,
}

/// Whether a task whose messages are gone is settled as the legacy workers'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing is changed.
    Look,
    /// If it is gone, no message of it will be withheld any more.
    ForControl,
}

impl Broker {
    /// Does with a message as was decided about its task, unless another message of that task, or
    /// of that transcript, was settled otherwise in the last seven days: then this one goes the same
    /// way, unless nothing may be handed on any more.
    ///
    /// On an error it may have been settled: [`Broker::fate`] tells.
    pub async fn settle(
        &self,
        held: &Held,
        asked: &Asked,
        decision: Decision,
        to: &Queue,
    ) -> Result<Settled, BrokerError> {
        let (wish, may_forward) = match decision {
            Decision::Forward(_) => ("forward", true),
            Decision::Withhold(may) => ("withhold", may.is_some()),
            Decision::Leave => return Ok(Settled::Left),
        };
        let list = &to.lists()[held.step.min(to.lists().len() - 1)];
        let rewritten = held
            .text()
            .and_then(|text| with_routing_key(text, to.as_str()));
        let mut call = SETTLE.prepare_invoke();
        for key in self.places() {
            call.key(key);
        }
        let transcript = asked.transcript.as_deref().unwrap_or_default();
        call.key(self.withheld(&asked.task_id))
            .key(self.forwarded(&asked.task_id))
            .key(self.key(&format!("switchyard.settled:{transcript}")))
            .key(self.key(list))
            .arg(&held.receipt)
            .arg(wish)
            .arg(REMEMBERED.as_secs())
            .arg(match asked {
                Asked {
                    transcript: None, ..
                } => "nothing",
                Asked { is_anew: true, .. } => "anew",
                Asked { is_anew: false, .. } => "once",
            })
            .arg(if may_forward { "1" } else { "0" });
        let forwarded = match rewritten {
            Ok(text) => {
                call.arg(text);
                Forwarded::Rewritten
            }
            Err(reason) => {
                call.arg(&held.raw);
                Forwarded::Verbatim(reason)
            }
        };
        let settled: String = self
            .link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("settling who has a task", source))?;
        Ok(match settled.as_str() {
            "withheld" => Settled::Withheld,
            "forwarded" => Settled::Forwarded(forwarded),
            _ => Settled::NotHeld,
        })
    }

    /// What became of a task that is published on `from`.
    pub async fn fate(
        &self,
        task_id: &str,
        from: &Queue,
        claim: Claim,
    ) -> Result<Fate, BrokerError> {
        let mut call = FATE.prepare_invoke();
        for name in ["unacked", "switchyard.unreadable", HELD] {
            call.key(self.key(name));
        }
        call.key(self.withheld(task_id))
            .key(self.forwarded(task_id));
        for list in from.lists() {
            call.key(self.key(&list));
        }
        call.arg(task_id)
            .arg(REMEMBERED.as_secs())
            .arg(match claim {
                Claim::Look => "0",
                Claim::ForControl => "1",
            });
        let fate: String = self
            .link
            .run(async |connection| call.invoke_async(connection).await)
            .await
            .map_err(|source| BrokerError::from_redis("asking what became of a task", source))?;
        Ok(match fate.as_str() {
            "withheld" => Fate::Withheld,
            "forwarded" => Fate::Forwarded,
            "waiting" => Fate::Waiting,
            _ => Fate::Gone,
        })
    }

    fn withheld(&self, task_id: &str) -> String {
        self.key(&format!("switchyard.withheld:{task_id}"))
    }

    fn forwarded(&self, task_id: &str) -> String {
        self.key(&format!("switchyard.forwarded:{task_id}"))
    }
}
