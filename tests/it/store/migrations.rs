//! Migrations apply one by one to databases that hold rows.
//!
//! Every migration has a file of its number in `tests/fixtures/migrations/` with sample rows, at
//! least one for each table it makes. They are put in as soon as the migration was applied, so
//! that every later one meets a database in use.

use std::path::Path;

use sqlx::AssertSqlSafe;
use switchyard::{
    model::RunId,
    store::{MIGRATOR, Store},
};

use crate::database::{Database, Kind};

/// The sample rows of one migration.
fn sample(version: i64) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/fixtures/migrations/{version:04}.sql"));
    std::fs::read_to_string(&path).unwrap_or_else(|_| {
        panic!(
            "write sample rows for migration {version} to `{}`: one for each table it makes",
            path.display()
        )
    })
}

async fn apply_step_by_step(database: &Database) {
    for migration in MIGRATOR.iter() {
        let version = migration.version;
        let mut connection = database.connect().await;
        MIGRATOR
            .run_to(version, &mut connection)
            .await
            .unwrap_or_else(|error| panic!("migration {version} does not apply: {error}"));
        sqlx::raw_sql(AssertSqlSafe(sample(version)))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| {
                panic!("the samples of migration {version} do not fit: {error}")
            });
        for table in database.tables().await {
            let rows = database.rows(&table).await;
            assert!(
                !rows.is_empty(),
                "migration {version} has no sample for `{table}`"
            );
        }
    }
}

async fn check(kind: Kind) {
    let Some(database) = Database::fresh(kind).await else {
        return;
    };
    apply_step_by_step(&database).await;
    let store = Store::open(&database.url).await.expect("it opens");
    let run = store
        .run(&RunId::new("run_sample"))
        .await
        .expect("the sample can be read");
    assert_eq!(
        run.expect("it is there").transcript_id.as_str(),
        "transcript"
    );
    let compared = store.newest_comparison(&RunId::new("run_sample")).await;
    assert_eq!(
        compared
            .expect("it is read")
            .expect("it is there")
            .fields
            .len(),
        1
    );
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn migrations_apply_to_sqlite_files_in_use() {
    check(Kind::Sqlite).await;
}

#[tokio::test]
async fn migrations_apply_to_postgresql_databases_in_use() {
    check(Kind::Postgres).await;
}
