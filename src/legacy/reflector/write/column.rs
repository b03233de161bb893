//! The columns a run writes besides `events`, `topics` and `webvtt`, which follow from its events.

use serde_json::Value;

use super::{WriteError, json};
use crate::contract::python_json;
use crate::legacy::{field::Field, reflector::TranscriptStatus};

/// A column a run gives a value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// `processing`, `ended` or `error`; another status of Reflector's is taken too.
    Status,
    /// Milliseconds.
    Duration,
    /// `local` or `storage`.
    AudioLocation,
    /// Written only where the row has none.
    Title,
    /// Text.
    ShortSummary,
    /// Text.
    LongSummary,
    /// A list of participants.
    Participants,
    /// True or false.
    AudioDeleted,
    /// Zulip's number of the message.
    ZulipMessageId,
    /// `recording.workflow_id` of the transcript's recording; nothing is written where there is
    /// no such column.
    WorkflowId,
}

impl Column {
    /// The columns of `transcript`.
    pub(super) const IN_TRANSCRIPT: [Self; 9] = [
        Self::Status,
        Self::Duration,
        Self::AudioLocation,
        Self::Title,
        Self::ShortSummary,
        Self::LongSummary,
        Self::Participants,
        Self::AudioDeleted,
        Self::ZulipMessageId,
    ];

    /// The name in SQL, and in a task's intents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Duration => "duration",
            Self::AudioLocation => "audio_location",
            Self::Title => "title",
            Self::ShortSummary => "short_summary",
            Self::LongSummary => "long_summary",
            Self::Participants => "participants",
            Self::AudioDeleted => "audio_deleted",
            Self::ZulipMessageId => "zulip_message_id",
            Self::WorkflowId => "workflow_id",
        }
    }

    /// Reads a name. None for the columns that follow from events (`topics`, `webvtt`, `events`)
    /// and for all a run does not write.
    pub fn parse(name: &str) -> Option<Self> {
        Self::IN_TRANSCRIPT
            .into_iter()
            .chain([Self::WorkflowId])
            .find(|column| column.as_str() == name)
    }

    /// Its type, for casts from text.
    pub(super) const fn sql_type(self) -> &'static str {
        match self {
            Self::Status
            | Self::AudioLocation
            | Self::Title
            | Self::ShortSummary
            | Self::LongSummary
            | Self::WorkflowId => "varchar",
            Self::Duration => "double precision",
            Self::Participants => "json",
            Self::AudioDeleted => "boolean",
            Self::ZulipMessageId => "integer",
        }
    }

    /// The value as text PostgreSQL casts to the column's type. Reflector cannot read a row with a
    /// status or place it does not know, so no other gets there.
    pub(super) fn print(self, value: &Value) -> Result<String, WriteError> {
        let field = Field::root("transcript", value);
        let refuse = |expected| WriteError::Value {
            column: self.as_str(),
            expected,
        };
        let text = || value.as_str().ok_or_else(|| refuse("a text"));
        Ok(match self {
            Self::Status => {
                TranscriptStatus::read(&field).map_err(|error| refuse(error.expected))?;
                text()?.to_owned()
            }
            Self::AudioLocation => match text()? {
                place @ ("local" | "storage") => place.to_owned(),
                _ => return Err(refuse("`local` or `storage`")),
            },
            Self::Title | Self::ShortSummary | Self::LongSummary | Self::WorkflowId => {
                json::plain_text(text()?).into_owned()
            }
            Self::Duration => {
                let milliseconds = value.as_f64().ok_or_else(|| refuse("milliseconds"))?;
                milliseconds.to_string()
            }
            Self::Participants => {
                if !value.is_array() {
                    return Err(refuse("a list of participants"));
                }
                python_json::to_string_spaced(&json::plain(value))
                    .map_err(|_| refuse("a list of participants"))?
            }
            Self::AudioDeleted => {
                let flag = value.as_bool().ok_or_else(|| refuse("true or false"))?;
                flag.to_string()
            }
            Self::ZulipMessageId => {
                let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                number
                    .ok_or_else(|| refuse("a whole number of 32 bits"))?
                    .to_string()
            }
        })
    }

    /// Whether what the row holds, as PostgreSQL prints it, is that value already.
    pub(super) fn is_same(self, held: Option<&str>, new: &str) -> bool {
        let Some(held) = held else { return false };
        match self {
            Self::Duration => held.parse::<f64>().ok() == new.parse::<f64>().ok(),
            Self::Participants => json::is_same_text(held, new),
            _ => held == new,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_columns_name_is_read_back_and_no_other() {
        for column in Column::IN_TRANSCRIPT {
            assert_eq!(Column::parse(column.as_str()), Some(column));
        }
        assert_eq!(Column::parse("workflow_id"), Some(Column::WorkflowId));
        for other in ["topics", "webvtt", "events", "search_vector_en", "id", ""] {
            assert_eq!(Column::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_value_reflector_could_not_read_is_refused_and_not_quoted() {
        for (column, value) in [
            (Column::Status, json!("hush")),
            (Column::Status, json!(null)),
            (Column::AudioLocation, json!("hush")),
            (Column::Duration, json!("hush")),
            (Column::Title, json!(["hush"])),
            (Column::Participants, json!({ "hush": 1 })),
            (Column::AudioDeleted, json!("hush")),
            (Column::ZulipMessageId, json!(2_147_483_648_i64)),
        ] {
            let error = column.print(&value).unwrap_err();
            assert!(!error.is_transient());
            let error = error.to_string();
            assert!(error.contains(column.as_str()), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_list_is_printed_as_python_prints_it_without_nul() {
        let value = json!([{ "id": "p", "speaker": 0, "name": "Zo\u{eb}\0", "user_id": null }]);
        assert_eq!(
            Column::Participants.print(&value).unwrap(),
            r#"[{"id": "p", "speaker": 0, "name": "Zo\u00eb\ufffd", "user_id": null}]"#
        );
    }
}
