//! The transcript's row as it is, locked for the rest of the transaction.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{Column, WriteError};
use crate::model::TranscriptId;

/// Columns as PostgreSQL prints them; none for SQL's null.
#[derive(Debug, Default)]
pub(super) struct Row {
    columns: Vec<(Column, Option<String>)>,
    pub(super) events: Option<String>,
    pub(super) topics: Option<String>,
    pub(super) webvtt: Option<String>,
    pub(super) recording_id: Option<String>,
}

impl Row {
    /// The row as the last commit left it, waiting for whoever writes there; none where there is no
    /// such transcript.
    pub(super) async fn lock(
        connection: &mut AnyConnection,
        transcript: &TranscriptId,
    ) -> Result<Option<Self>, WriteError> {
        let columns = Column::IN_TRANSCRIPT.iter().map(|column| column.as_str());
        let texts: Vec<String> = columns
            .chain(["events", "topics", "webvtt", "recording_id"])
            .map(|column| format!("{column}::text as {column}"))
            .collect();
        let texts = texts.join(", ");
        let sql = format!("select {texts} from public.transcript where id = $1 for update");
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(transcript.as_str())
            .fetch_optional(connection)
            .await
            .and_then(|row| row.as_ref().map(Self::read).transpose());
        found.map_err(|error| WriteError::from_driver("locking a transcript's row", &error))
    }

    fn read(row: &AnyRow) -> sqlx::Result<Self> {
        let mut columns = Vec::with_capacity(Column::IN_TRANSCRIPT.len());
        for column in Column::IN_TRANSCRIPT {
            columns.push((column, row.try_get(column.as_str())?));
        }
        Ok(Self {
            columns,
            events: row.try_get("events")?,
            topics: row.try_get("topics")?,
            webvtt: row.try_get("webvtt")?,
            recording_id: row.try_get("recording_id")?,
        })
    }

    /// What that column holds; a JSON null is none as well.
    pub(super) fn held(&self, column: Column) -> Option<&str> {
        let found = self.columns.iter().find(|(known, _)| *known == column);
        let text = found.and_then(|(_, text)| text.as_deref());
        text.filter(|text| column != Column::Participants || *text != "null")
    }
}

#[cfg(test)]
impl Row {
    /// A row that holds these and nothing else.
    pub(super) fn of(columns: &[(Column, &str)]) -> Self {
        let some = |(column, text): &(Column, &str)| (*column, Some((*text).to_owned()));
        Self {
            columns: columns.iter().map(some).collect(),
            ..Self::default()
        }
    }
}
