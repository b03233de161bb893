//! Connections that may write to Reflector's database, and transactions of their own.

use std::{str::FromStr, time::Duration};

use sqlx::{
    Any, AnyPool, ConnectOptions, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use url::Url;

use super::{RowWrite, WriteError, Written, apply, bound, location::without_driver};
use crate::model::TranscriptId;
use crate::rollout::Live;

/// Reflector's database, for writing. Clones share its few connections.
#[derive(Clone, Debug)]
pub struct RowWriter {
    pool: AnyPool,
}

/// How long a connection may take, waiting for one of ours to be free included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one attempt may take as seen from here.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reflector needs its connections more than we do.
const CONNECTIONS: u32 = 4;

/// How often one write is tried.
const ATTEMPTS: u32 = 5;

/// Before the second attempt; three times as long before each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// A database may have another default; see the module's first lines.
const BEGIN: &str = "begin transaction isolation level read committed, read write";

impl RowWriter {
    /// Takes the URL as Reflector's `DATABASE_URL` has it, a `+driver` in its scheme included. Does
    /// not connect yet; has to be called inside a Tokio runtime.
    pub fn open(url: &str) -> Result<Self, WriteError> {
        sqlx::any::install_default_drivers();
        let url = without_driver(url).ok_or(WriteError::Url)?;
        let mut url = Url::parse(&url).map_err(|_| WriteError::Url)?;
        url.query_pairs_mut()
            .append_pair("application_name", "switchyard");
        let options = AnyConnectOptions::from_str(url.as_str())
            .map_err(|_| WriteError::Url)?
            .disable_statement_logging();
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .idle_timeout(Duration::from_mins(1))
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// As [`apply`], in a transaction of its own. Where somebody is in the way or the connection is
    /// lost, it is tried five times in all, for two minutes at the very most; a commit nobody
    /// confirmed is harmless, since a step that was written changes nothing the second time.
    pub async fn apply(
        &self,
        live: &Live,
        transcript: &TranscriptId,
        write: &RowWrite,
    ) -> Result<Written, WriteError> {
        const DOING: &str = "writing a transcript's row";
        again(|| async {
            let mut transaction = self.begin(DOING).await?;
            let written = apply(&mut transaction, live, transcript, write).await?;
            commit(DOING, transaction).await?;
            Ok(written)
        })
        .await
    }

    /// Begins a transaction that keeps nobody waiting for long.
    pub(super) async fn begin(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Any>, WriteError> {
        let pool = self.pool.clone();
        // It goes on though nobody waits for it any more: the driver would take a connection back
        // with the transaction open, and whatever is written on that one later is lost.
        let beginning = tokio::spawn(async move { pool.begin_with(BEGIN).await });
        let begun = match beginning.await {
            Ok(begun) => begun,
            Err(ended) => Err(sqlx::Error::Io(std::io::Error::other(ended))),
        };
        let mut transaction = begun.map_err(|error| WriteError::from_driver(doing, &error))?;
        bound(&mut transaction).await?;
        Ok(transaction)
    }
}

pub(super) async fn commit(
    doing: &'static str,
    transaction: Transaction<'static, Any>,
) -> Result<(), WriteError> {
    let committed = transaction.commit().await;
    committed.map_err(|error| WriteError::from_driver(doing, &error))
}

/// Tries the work, again where that helps. Each attempt is one transaction.
pub(super) async fn again<T, F>(attempt: impl Fn() -> F) -> Result<T, WriteError>
where
    F: Future<Output = Result<T, WriteError>>,
{
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match in_time(attempt()).await {
            Err(error) if error.is_transient() => tracing::info!(%error, "will try again"),
            result => return result,
        }
        tokio::time::sleep(pause).await;
        pause *= 3;
    }
    in_time(attempt()).await
}

async fn in_time<T>(attempt: impl Future<Output = Result<T, WriteError>>) -> Result<T, WriteError> {
    match tokio::time::timeout(PATIENCE, attempt).await {
        Ok(result) => result,
        Err(_) => Err(WriteError::Unreachable {
            doing: "waiting for an answer",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_is_taken_as_reflector_has_it() {
        for url in [
            "postgres://u:p@localhost/reflector",
            "postgresql+asyncpg://u:p@localhost:5432/reflector?application_name=own",
        ] {
            assert!(RowWriter::open(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn another_url_is_refused_without_being_quoted() {
        for url in ["", "reflector", "sqlite:hush", "mysql://u:hush@localhost/x"] {
            let error = RowWriter::open(url).unwrap_err();
            assert!(matches!(error, WriteError::Url), "{url}");
            assert!(!error.to_string().contains("hush"));
        }
    }
}
