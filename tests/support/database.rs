//! Databases for tests: a SQLite file of its own, or a PostgreSQL database of its own.

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, PgConnection, Row, ValueRef};
use switchyard::store::Store;
use tempfile::TempDir;
use url::Url;

/// Names a PostgreSQL server whose user may create databases.
const POSTGRES: &str = "SWITCHYARD_TEST_POSTGRES";

/// Where rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// An empty database nobody else uses.
pub struct Database {
    pub url: String,
    place: Place,
}

enum Place {
    /// The folder lives as long as the database.
    Folder {
        _folder: TempDir,
    },
    Server {
        admin: String,
        name: String,
    },
}

impl Database {
    /// A fresh database. None where there is no such server; the test is then skipped, aloud.
    pub async fn fresh(kind: Kind) -> Option<Self> {
        sqlx::any::install_default_drivers();
        match kind {
            Kind::Sqlite => Some(Self::sqlite()),
            Kind::Postgres => {
                let Ok(admin) = std::env::var(POSTGRES) else {
                    eprintln!("skipped: {POSTGRES} names no server");
                    return None;
                };
                Some(Self::postgres(admin).await)
            }
        }
    }

    fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("switchyard.db");
        Self {
            url: format!("sqlite:{}", path.display()),
            place: Place::Folder { _folder: folder },
        }
    }

    async fn postgres(admin: String) -> Self {
        let name = format!("switchyard_{}", uuid::Uuid::new_v4().simple());
        let mut server = PgConnection::connect(&admin).await.expect("the server");
        // Where the server can, with an order of texts unlike SQLite's: nobody may rely on either.
        let unlike = format!(
            "create database {name} template template0 encoding 'UTF8'
             locale_provider icu icu_locale 'en-US'"
        );
        if server.execute(AssertSqlSafe(unlike)).await.is_err() {
            let plain = format!("create database {name}");
            let created = server.execute(AssertSqlSafe(plain)).await;
            created.expect("a database is created");
        }
        let mut url = Url::parse(&admin).expect("it is a URL");
        url.set_path(&name);
        Self {
            url: url.into(),
            place: Place::Server { admin, name },
        }
    }

    /// The store on this database, all migrations applied.
    pub async fn store(&self) -> Store {
        Store::open(&self.url).await.expect("the store opens")
    }

    /// A connection beside the store's own.
    pub async fn connect(&self) -> AnyConnection {
        let connected = match &self.place {
            Place::Folder { .. } => AnyConnection::connect(&format!("{}?mode=rwc", self.url)).await,
            Place::Server { .. } => AnyConnection::connect(&self.url).await,
        };
        connected.expect("a connection")
    }

    /// The names of all tables but the migrations' own.
    pub async fn tables(&self) -> Vec<String> {
        let sql = match self.place {
            Place::Folder { .. } => "select name from sqlite_master where type = 'table'",
            Place::Server { .. } => {
                "select table_name::text as name from information_schema.tables
                 where table_schema = 'public'"
            }
        };
        let mut connection = self.connect().await;
        let rows = connection
            .fetch_all(sql)
            .await
            .expect("tables can be listed");
        let mut names: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
        names.retain(|name| name != "_sqlx_migrations");
        names.sort();
        names
    }

    /// Every row of a table as text, columns in order, in an order that depends on nothing else.
    pub async fn rows(&self, table: &str) -> Vec<String> {
        let sql = format!("select * from {table}");
        let mut connection = self.connect().await;
        let rows = connection.fetch_all(AssertSqlSafe(sql)).await;
        let mut rows: Vec<String> = rows.expect("rows can be read").iter().map(line).collect();
        rows.sort();
        rows
    }

    /// Removes the database from its server. A test that fails leaves it there to be looked at.
    pub async fn remove(self) {
        if let Place::Server { admin, name } = self.place {
            let mut server = PgConnection::connect(&admin).await.expect("the server");
            let drop = format!("drop database {name} with (force)");
            let dropped = server.execute(AssertSqlSafe(drop)).await;
            dropped.expect("the database is dropped");
        }
    }
}

fn line(row: &sqlx::any::AnyRow) -> String {
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        let name = sqlx::Column::name(column);
        if row.try_get_raw(index).expect("a value").is_null() {
            return format!("{name}: null");
        }
        if let Ok(text) = row.try_get::<String, _>(index) {
            return format!("{name}: {text:?}");
        }
        if let Ok(whole) = row.try_get::<i64, _>(index) {
            return format!("{name}: {whole}");
        }
        let real: f64 = row
            .try_get(index)
            .expect("text, bigint or double precision");
        format!("{name}: {real:?}")
    });
    values.collect::<Vec<_>>().join(", ")
}
