//! Runs of the legacy pipeline that are under way: which there are, and how far one is.

use chrono::{DateTime, Utc};

use super::{Reflector, ReflectorError, TranscriptStatus, tables::Table};
use crate::legacy::field::{Field, FieldError, parse};
use crate::model::TranscriptId;

/// A transcript that is being processed, or whose worker was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// Which.
    pub transcript: TranscriptId,
    /// When its row was made; a reprocessing began later.
    pub created_at: DateTime<Utc>,
}

/// How far a run is, as its row tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The row's status.
    pub status: TranscriptStatus,
    /// The newest event kept in the row; none between the run's reset and its first result.
    pub last_event: Option<String>,
    /// How many events are kept.
    pub events: u64,
}

const ACTIVE: Table = Table {
    name: "transcript",
    columns: &["id", "created_at"],
};

impl Reflector {
    /// All transcripts in `processing`, oldest first.
    pub async fn active(&self) -> Result<Vec<Active>, ReflectorError> {
        self.read("looking for runs under way", async |reading| {
            let order = "created_at, id";
            let rows = reading.rows(&ACTIVE, "status", "processing", order).await?;
            let active = |row| Ok(active(&Field::root(ACTIVE.name, row))?);
            rows.iter().map(active).collect()
        })
        .await
    }

    /// How far a transcript's run is; none where there is no such transcript. Does not read what
    /// was said, however often it is asked.
    pub async fn stage(&self, id: &TranscriptId) -> Result<Option<Stage>, ReflectorError> {
        const SQL: &str = "-- stage
            select row_to_json(found)::text from (
                select status,
                    case json_typeof(events) when 'array' then json_array_length(events) else 0 end
                        as events,
                    case json_typeof(events) when 'array' then events -> -1 ->> 'event' end
                        as last_event
                from transcript where id = $1
            ) found";
        self.read("asking how far a run is", async |reading| {
            let query = sqlx::query_scalar(SQL).bind(id.as_str());
            let found: Vec<String> = reading.fetch(query).await?;
            let Some(text) = found.first() else {
                return Ok(None);
            };
            let row = parse(ACTIVE.name, text)?;
            Ok(Some(stage(&Field::root(ACTIVE.name, &row))?))
        })
        .await
    }
}

fn active(row: &Field<'_>) -> Result<Active, FieldError> {
    let created_at = row.at("created_at");
    Ok(Active {
        transcript: row.at("id").text()?.into(),
        created_at: DateTime::parse_from_rfc3339(created_at.text()?)
            .map_err(|_| created_at.should_be("a time"))?
            .to_utc(),
    })
}

fn stage(row: &Field<'_>) -> Result<Stage, FieldError> {
    Ok(Stage {
        status: TranscriptStatus::read(&row.at("status"))?,
        last_event: row.at("last_event").text_if_any()?,
        events: row.at("events").count()?,
    })
}
