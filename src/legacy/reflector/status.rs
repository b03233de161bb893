//! How far the legacy pipeline is with a transcript, as its row says.

use super::{Reflector, ReflectorError, tables::Table};
use crate::legacy::field::{Field, FieldError};
use crate::model::TranscriptId;

/// `transcript.status`. The pipeline goes from `idle` over `processing` to `ended` or `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptStatus {
    /// Nothing has begun.
    Idle,
    /// A file was uploaded.
    Uploaded,
    /// A live recording is under way.
    Recording,
    /// A run has begun. A worker that was killed leaves this for good.
    Processing,
    /// The last run failed.
    Error,
    /// The last run is done, but for its post tasks.
    Ended,
}

impl TranscriptStatus {
    /// Whether the last run is over, but for its post tasks.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Error | Self::Ended)
    }

    pub(super) fn read(field: &Field<'_>) -> Result<Self, FieldError> {
        Ok(match field.text()? {
            "idle" => Self::Idle,
            "uploaded" => Self::Uploaded,
            "recording" => Self::Recording,
            "processing" => Self::Processing,
            "error" => Self::Error,
            "ended" => Self::Ended,
            _ => return Err(field.should_be("a status of Reflector's")),
        })
    }
}

const STATUS: Table = Table {
    name: "transcript",
    columns: &["id", "status"],
};

impl Reflector {
    /// The transcript's status; none where there is no such transcript.
    pub async fn status(
        &self,
        id: &TranscriptId,
    ) -> Result<Option<TranscriptStatus>, ReflectorError> {
        self.read("asking for a status", async |reading| {
            let Some(row) = reading.row(&STATUS, id.as_str()).await? else {
                return Ok(None);
            };
            let status = Field::root(STATUS.name, &row).at("status");
            Ok(Some(TranscriptStatus::read(&status)?))
        })
        .await
    }
}
