//! Whether Reflector's database has what we read, and lets us.

use std::{collections::BTreeSet, fmt};

use super::{Reflector, ReflectorError, database::Reading, tables};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which of Reflector's schemas this is.
    pub schema: Schema,
    /// What is missing; nothing when all is well.
    pub faults: Vec<Fault>,
    /// Whether the role could write to tables we only read. We never do, but a role that cannot is
    /// the better one.
    pub may_write: bool,
}

/// Which of Reflector's schemas a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The revision in `alembic_version`, where that can be read.
    pub revision: Option<String>,
    /// Whether there is `recording.workflow_id`.
    pub has_workflow_id: bool,
    /// Whether there is `transcript.workflow_run_id`.
    pub has_workflow_run_id: bool,
}

/// Something we need and do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No such table on the role's search path.
    NoTable(&'static str),
    /// The table has no such column.
    NoColumn(&'static str, &'static str),
    /// The role may not read the column.
    MayNotRead(&'static str, &'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable(table) => write!(
                f,
                "there is no table `{table}`: check the database's name, and that the role's \
                 search path has Reflector's schema and may use it"
            ),
            Self::NoColumn(table, column) => write!(
                f,
                "table `{table}` has no column `{column}`: this is not a Reflector we know"
            ),
            Self::MayNotRead(table, column) => write!(
                f,
                "the role may not read `{table}.{column}`: grant it select on `{table}`"
            ),
        }
    }
}

impl Reflector {
    /// Tests the connection, and that every table and column we read is there and can be read.
    pub async fn check(&self) -> Result<Check, ReflectorError> {
        self.read("checking its tables", async |reading| {
            Ok(Check {
                schema: schema(reading).await?,
                faults: faults(reading).await?,
                may_write: may_write(reading).await?,
            })
        })
        .await
    }

    /// Which of Reflector's schemas this is.
    pub async fn schema(&self) -> Result<Schema, ReflectorError> {
        self.read("asking for its schema", async |reading| {
            schema(reading).await
        })
        .await
    }
}

async fn schema(reading: &mut Reading) -> Result<Schema, ReflectorError> {
    // The catalogue, since `information_schema` hides what the role may not use.
    let has = "-- has_column
        select exists (
            select from pg_attribute
            where attrelid = to_regclass($1) and attname = $2 and not attisdropped
        )";
    let mut found = Vec::new();
    for (table, column) in [
        ("recording", "workflow_id"),
        ("transcript", "workflow_run_id"),
    ] {
        let query = sqlx::query_scalar(has).bind(table).bind(column);
        found.extend(reading.fetch::<bool>(query).await?);
    }
    let readable = sqlx::query_scalar(
        "-- knows_revision
        select coalesce(has_table_privilege(to_regclass('alembic_version'), 'select'), false)",
    );
    let mut revision = None;
    if reading.fetch::<bool>(readable).await? == [true] {
        let sql = "-- revision
            select version_num::text from alembic_version order by version_num limit 1";
        revision = reading.fetch(sqlx::query_scalar(sql)).await?.pop();
    }
    Ok(Schema {
        revision,
        has_workflow_id: found[0],
        has_workflow_run_id: found[1],
    })
}

async fn faults(reading: &mut Reading) -> Result<Vec<Fault>, ReflectorError> {
    let sql = "-- faults
        select case
            when to_regclass($1) is null then 'no table'
            when attnum is null then 'no column'
            when not has_column_privilege(to_regclass($1), attnum, 'select') then 'may not read'
            else 'fine'
        end
        from (select 1) as one left join pg_attribute
            on attrelid = to_regclass($1) and attname = $2 and attnum > 0 and not attisdropped";
    let mut needed = BTreeSet::new();
    for table in tables::ALL {
        needed.extend(table.columns.iter().map(|column| (table.name, *column)));
    }
    let mut faults = BTreeSet::new();
    for (table, column) in needed {
        let query = sqlx::query_scalar(sql).bind(table).bind(column);
        let found: Vec<String> = reading.fetch(query).await?;
        faults.extend(found.iter().filter_map(|found| match found.as_str() {
            "fine" => None,
            "no table" => Some(Fault::NoTable(table)),
            "no column" => Some(Fault::NoColumn(table, column)),
            _ => Some(Fault::MayNotRead(table, column)),
        }));
    }
    Ok(faults.into_iter().collect())
}

async fn may_write(reading: &mut Reading) -> Result<bool, ReflectorError> {
    let sql = "-- may_write
        select coalesce(has_table_privilege(to_regclass($1), 'insert, update, delete'), false)";
    for table in tables::ALL {
        let query = sqlx::query_scalar(sql).bind(table.name);
        if reading.fetch::<bool>(query).await? == [true] {
            return Ok(true);
        }
    }
    Ok(false)
}
