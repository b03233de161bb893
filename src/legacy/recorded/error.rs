//! Why a recorded file cannot be used.

use crate::legacy::field::{FieldError, NotJson};

/// Why a recorded file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// The file is not there or cannot be read.
    #[error("reading `{file}` of the recorded outcome")]
    Read {
        /// Its path below the folder.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no JSON.
    #[error(
        "`{}` of the recorded outcome is not JSON (line {}, column {})",
        .0.document, .0.line, .0.column
    )]
    NotJson(NotJson),
    /// A field is missing or something else stands there.
    #[error("`{}` of the recorded outcome: `{}` should be {}", .0.document, .0.field, .0.expected)]
    Field(FieldError),
    /// Nothing recorded tells Reflector's address.
    #[error(
        "no webhook was recorded that tells Reflector's UI_BASE_URL: give it beside the folder"
    )]
    NoBaseUrl,
}

impl From<NotJson> for RecordedError {
    fn from(error: NotJson) -> Self {
        Self::NotJson(error)
    }
}

impl From<FieldError> for RecordedError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}
