//! Writes of Reflector's rows.
//!
//! Where our tables lie in Reflector's database, the write, the check of the epoch and the ledger's
//! confirmation are one transaction: a run that was taken over can write nothing. Elsewhere the
//! effect is claimed first and confirmed after; what dies in between writes again, which
//! changes nothing, and a takeover waits until no lease is left.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Delivery, GatewayError};
use crate::{
    legacy::reflector::{Column, RowWrite, WriteError, write},
    model::Event,
    store::{Claim, Effect, EffectState, IntentKind, Store},
};

/// How often a write that met another is tried at once.
const TRIES: u32 = 5;

/// How long a write may take, all its tries together; less than a lease lasts.
const WRITE: Duration = Duration::from_secs(30);

impl Delivery<'_> {
    /// Writes one step of the row, unless it is written.
    pub(super) async fn write_row(&self, row: &[&Effect]) -> Result<(), GatewayError> {
        if row
            .iter()
            .all(|effect| effect.state == EffectState::Confirmed)
        {
            return Ok(());
        }
        let wanted = row_write(row)?;
        if self.outside.shares_database {
            return self.write_together(row, &wanted).await;
        }
        let mut claimed = Vec::new();
        for effect in row {
            if self.claim(effect).await? {
                claimed.push(*effect);
            }
        }
        if claimed.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.write_row_apart(&wanted).await {
            for effect in claimed {
                // Writing again changes nothing.
                drop(self.settle(effect, EffectState::Reserved, None).await);
            }
            return Err(error);
        }
        for effect in claimed {
            self.settle(effect, EffectState::Confirmed, None).await?;
        }
        Ok(())
    }

    /// Writes in a transaction of its own, and gives up before the lease ends.
    pub(super) async fn write_row_apart(&self, write: &RowWrite) -> Result<(), GatewayError> {
        let (rows, transcript) = (&self.outside.rows, &self.run.transcript_id);
        let written = tokio::time::timeout(WRITE, rows.apply(self.live, transcript, write)).await;
        match written {
            Ok(result) => result.map(drop).map_err(read),
            Err(_) => Err(GatewayError::retry(
                "writing a transcript's row: Reflector's database took too long",
            )),
        }
    }

    async fn write_together(&self, row: &[&Effect], wanted: &RowWrite) -> Result<(), GatewayError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write_once(row, wanted).await {
                Err(Problem::Held(until)) => self.wait_until(until).await,
                Err(Problem::Write(error)) if error.is_transient() && tries < TRIES => {
                    tokio::time::sleep(Duration::from_millis(50) * tries).await;
                }
                Err(Problem::Write(error)) => return Err(read(error)),
                Err(Problem::Other(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn write_once(&self, row: &[&Effect], wanted: &RowWrite) -> Result<(), Problem> {
        let store = &self.outside.store;
        let other = |error: anyhow::Error| Problem::Other(error.into());
        let mut tx = store.begin().await.map_err(|error| other(error.into()))?;
        let mut granted = Vec::new();
        for effect in row {
            let claim = Store::claim(&mut tx, self.live, effect, self.lease(), self.now()).await;
            match claim.map_err(other)? {
                Claim::Granted => granted.push(*effect),
                Claim::Done => {}
                Claim::Held(until) => return Err(Problem::Held(until)),
                Claim::Fenced => return Err(Problem::Other(GatewayError::Fenced)),
            }
        }
        if granted.is_empty() {
            return Ok(());
        }
        write::apply(&mut tx, self.live, &self.run.transcript_id, wanted)
            .await
            .map_err(Problem::Write)?;
        for effect in granted {
            let confirmed = (EffectState::Confirmed, None);
            Store::settle(
                &mut tx,
                self.live,
                effect,
                &self.holder,
                confirmed,
                self.now(),
            )
            .await
            .map_err(other)?;
        }
        tx.commit().await.map_err(|error| other(error.into()))
    }
}

enum Problem {
    Held(DateTime<Utc>),
    Write(WriteError),
    Other(GatewayError),
}

fn read(error: WriteError) -> GatewayError {
    if error.is_transient() {
        GatewayError::Retry(error.into())
    } else {
        GatewayError::Refused(error.into())
    }
}

/// One write out of the intents it is made of.
fn row_write(row: &[&Effect]) -> Result<RowWrite, GatewayError> {
    let mut write = RowWrite::default();
    for effect in row {
        let intent = &effect.intent;
        match intent.kind {
            IntentKind::Column => {
                let column = Column::parse(&intent.target).ok_or_else(|| {
                    GatewayError::refused(format!("`{}` is no column a run writes", intent.target))
                })?;
                write.columns.push((column, content(effect)?));
            }
            IntentKind::Event => {
                write.event = Some(Event {
                    event: intent.target.clone(),
                    data: content(effect)?,
                });
            }
            IntentKind::Reset => write.reset = true,
            IntentKind::Message
            | IntentKind::Zulip
            | IntentKind::Webhook
            | IntentKind::PutObject
            | IntentKind::DeleteObject
            | IntentKind::PutFile
            | IntentKind::DeleteFile => {}
        }
    }
    Ok(write)
}

fn content(effect: &Effect) -> Result<serde_json::Value, GatewayError> {
    serde_json::from_str(&effect.intent.content).map_err(|_| {
        let (task, position) = (&effect.task_ref, effect.position);
        GatewayError::refused(format!(
            "effect {position} of `{task}` in the ledger is no JSON"
        ))
    })
}
