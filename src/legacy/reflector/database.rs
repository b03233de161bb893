//! Connections to Reflector's database, and the one way to read there.

use std::{str::FromStr, time::Duration};

use serde_json::Value;
use sqlx::{
    AssertSqlSafe, ConnectOptions, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{ReflectorError, tables::Table, write::without_driver};
use crate::legacy::field::parse;

/// Reflector's database, read only. Clones share its few connections.
#[derive(Clone, Debug)]
pub struct Reflector {
    pool: PgPool,
}

/// How long a connection may take, waiting for one of ours to be free included.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one read may take as seen from here: more than PostgreSQL gives each statement.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reflector needs its connections more than we do.
const CONNECTIONS: u32 = 4;

/// Kept by PostgreSQL, whatever we may send. Set with each connection.
const SESSION: [(&str, &str); 2] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "10000"),
];

/// The same once more for the transaction, since a pooler between us may ignore the session's
/// settings; and times as Python prints them.
const BEGIN: &str = "begin transaction isolation level repeatable read, read only;
    set local statement_timeout = '10s';
    set local lock_timeout = '2s';
    set local idle_in_transaction_session_timeout = '30s';
    set local timezone = 'UTC';
    set local datestyle = 'ISO'";

impl Reflector {
    /// Takes the URL as Reflector's `DATABASE_URL` has it, a `+driver` in its scheme included. Does
    /// not connect yet; has to be called inside a Tokio runtime.
    pub fn open(url: &str) -> Result<Self, ReflectorError> {
        let url = without_driver(url).ok_or(ReflectorError::Url)?;
        let options = PgConnectOptions::from_str(&url)
            .map_err(|_| ReflectorError::Url)?
            .application_name("switchyard")
            .options(SESSION)
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
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

    /// Reads in one transaction, so that all of it is of the same moment.
    pub(super) async fn read<T>(
        &self,
        doing: &'static str,
        work: impl AsyncFnOnce(&mut Reading) -> Result<T, ReflectorError>,
    ) -> Result<T, ReflectorError> {
        let read = async {
            let pool = self.pool.clone();
            // It goes on though nobody waits for it any more: the driver would take a connection
            // back with the transaction open.
            let beginning = tokio::spawn(async move { pool.begin_with(BEGIN).await });
            let begun = match beginning.await {
                Ok(begun) => begun,
                Err(ended) => Err(sqlx::Error::Io(std::io::Error::other(ended))),
            };
            let mut reading = Reading {
                doing,
                transaction: begun.map_err(|source| ReflectorError::from_driver(doing, source))?,
            };
            let result = work(&mut reading).await;
            // There is nothing to lose if the connection breaks only now.
            drop(reading.transaction.rollback().await);
            result
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(result) => result,
            Err(_) => Err(ReflectorError::Slow { doing }),
        }
    }
}

/// A read-only transaction.
pub(super) struct Reading {
    doing: &'static str,
    transaction: Transaction<'static, Postgres>,
}

impl Reading {
    /// The row of that id; in the shape PostgreSQL gives rows as JSON.
    pub(super) async fn row(
        &mut self,
        table: &Table,
        id: &str,
    ) -> Result<Option<Value>, ReflectorError> {
        let mut rows = self.rows(table, "id", id, "id").await?;
        Ok(rows.pop())
    }

    /// The rows whose `column` has the value.
    pub(super) async fn rows(
        &mut self,
        table: &Table,
        column: &'static str,
        value: &str,
        order: &'static str,
    ) -> Result<Vec<Value>, ReflectorError> {
        let Table { name, columns } = table;
        let columns = columns.join(", ");
        let sql = format!(
            "select row_to_json(found)::text
             from (select {columns} from {name} where {column} = $1 order by {order}) found"
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(value);
        let texts: Vec<String> = self.fetch(query).await?;
        let row = |text: &String| Ok(parse(name, text)?);
        texts.iter().map(row).collect()
    }

    /// All values of a query of one column.
    pub(super) async fn fetch<'q, T>(
        &mut self,
        query: sqlx::query::QueryScalar<'q, Postgres, T, sqlx::postgres::PgArguments>,
    ) -> Result<Vec<T>, ReflectorError>
    where
        (T,): for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
        T: Send + Unpin,
    {
        let found = query.fetch_all(&mut *self.transaction).await;
        found.map_err(|source| ReflectorError::from_driver(self.doing, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_is_taken_as_reflector_has_it() {
        for url in [
            "postgres://u:p@localhost/reflector",
            "postgresql+asyncpg://u:p@localhost:5432/reflector",
        ] {
            assert!(Reflector::open(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn another_url_is_refused_without_being_quoted() {
        for url in ["", "reflector", "sqlite:hush", "mysql://u:hush@localhost/x"] {
            let error = Reflector::open(url).unwrap_err();
            assert!(matches!(error, ReflectorError::Url), "{url}");
            assert!(!error.to_string().contains("hush"));
        }
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_an_error_and_no_hang() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = nobody.local_addr().unwrap().port();
        drop(nobody);
        let url = format!("postgres://u:hush@127.0.0.1:{port}/reflector");
        let reflector = Reflector::open(&url).unwrap();
        let error = reflector.status(&"t".into()).await.unwrap_err();
        assert!(matches!(error, ReflectorError::Unreachable { .. }));
        assert!(!format!("{error:?}").contains("hush"));
    }
}
