//! Intents: what a run shows to others, and a shadow run would have shown.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{Store, millis, plain};
use crate::model::RunId;

/// What kind of visible thing an intent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// An entry of `transcript.events`.
    Event,
    /// A message on a Redis channel.
    Message,
    /// A post or an edit on Zulip.
    Zulip,
    /// A call of the customer's webhook.
    Webhook,
    /// An object written.
    PutObject,
    /// An object deleted.
    DeleteObject,
    /// A column of the transcript's row; of the recording's where it begins with `recording.`.
    Column,
    /// Events, topics and participants of earlier runs, removed.
    Reset,
    /// A file in Reflector's data folder.
    PutFile,
    /// A file there, deleted.
    DeleteFile,
}

impl IntentKind {
    const ALL: [Self; 10] = [
        Self::Event,
        Self::Message,
        Self::Zulip,
        Self::Webhook,
        Self::PutObject,
        Self::DeleteObject,
        Self::Column,
        Self::Reset,
        Self::PutFile,
        Self::DeleteFile,
    ];

    /// The name in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Message => "message",
            Self::Zulip => "zulip",
            Self::Webhook => "webhook",
            Self::PutObject => "put_object",
            Self::DeleteObject => "delete_object",
            Self::Column => "column",
            Self::Reset => "reset",
            Self::PutFile => "put_file",
            Self::DeleteFile => "delete_file",
        }
    }
}

/// A row of `intents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What it is.
    pub kind: IntentKind,
    /// The event's name, the channel, the URL, `bucket/key`, the column or the file's path.
    pub target: String,
    /// JSON, or the exact text.
    pub content: String,
}

impl Intent {
    pub(super) fn read(row: &AnyRow) -> anyhow::Result<Self> {
        let kind: String = row.try_get("kind")?;
        Ok(Self {
            kind: IntentKind::ALL
                .into_iter()
                .find(|known| known.as_str() == kind)
                .with_context(|| format!("`{kind}` is no kind of intent"))?,
            target: row.try_get("target")?,
            content: row.try_get("content")?,
        })
    }
}

impl Store {
    pub(super) async fn replace_intents(
        tx: &mut Transaction<'_, Any>,
        run: &RunId,
        task_ref: &str,
        intents: &[Intent],
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        sqlx::query("-- replace_intents\n delete from intents where run_id = $1 and task_ref = $2")
            .bind(run.as_str())
            .bind(task_ref)
            .execute(&mut **tx)
            .await
            .context("replacing intents")?;
        let sql = "-- replace_intents
            insert into intents (run_id, task_ref, position, kind, target, content, created_at)
            values ($1, $2, $3, $4, $5, $6, $7)";
        for (position, intent) in (0_i64..).zip(intents) {
            sqlx::query(sql)
                .bind(run.as_str())
                .bind(task_ref)
                .bind(position)
                .bind(intent.kind.as_str())
                .bind(intent.target.as_str())
                .bind(plain(&intent.content).as_ref())
                .bind(millis(now))
                .execute(&mut **tx)
                .await
                .context("writing an intent")?;
        }
        Ok(())
    }

    /// A run's intents in the order they would have happened.
    pub async fn intents(&self, run: &RunId) -> anyhow::Result<Vec<Intent>> {
        let sql = "-- intents
            select kind, target, content from intents where run_id = $1
            order by created_at, task_ref, position";
        sqlx::query(sql)
            .bind(run.as_str())
            .fetch_all(&self.pool)
            .await
            .context("reading intents")?
            .iter()
            .map(Intent::read)
            .collect()
    }
}
