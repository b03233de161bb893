//! A place in a JSON file, which knows its own address. Errors name file and field and never
//! quote what stands there, since that may be what people said.

use serde::de::DeserializeOwned;
use serde_json::Value;

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
    #[error("`{file}` of the recorded outcome is not JSON (line {line}, column {column})")]
    NotJson {
        /// Its path below the folder.
        file: String,
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
    },
    /// A field is missing or something else stands there.
    #[error("`{file}` of the recorded outcome: `{field}` should be {expected}")]
    Field {
        /// Its path below the folder.
        file: String,
        /// Its address in the file, e.g. `transcript[0].duration`.
        field: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// Nothing recorded tells Reflector's address.
    #[error(
        "no webhook was recorded that tells Reflector's UI_BASE_URL: give it beside the folder"
    )]
    NoBaseUrl,
}

/// A place in a JSON file.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    file: &'a str,
    path: String,
    value: &'a Value,
}

/// Reads a file's text as JSON.
pub fn parse(file: &str, text: &str) -> Result<Value, RecordedError> {
    serde_json::from_str(text).map_err(|error| RecordedError::NotJson {
        file: file.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

impl<'a> Field<'a> {
    /// The whole file.
    pub fn root(file: &'a str, value: &'a Value) -> Self {
        Self {
            file,
            path: String::new(),
            value,
        }
    }

    /// A member; a missing one counts as null.
    pub fn at(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            file: self.file,
            path: format!("{}{dot}{name}", self.path),
            value: self.value.get(name).unwrap_or(&Value::Null),
        }
    }

    /// Whether nothing stands here.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The complaint about this place.
    pub fn should_be(&self, expected: &'static str) -> RecordedError {
        RecordedError::Field {
            file: self.file.to_owned(),
            field: self.path.clone(),
            expected,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Result<Vec<Self>, RecordedError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.should_be("a list"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Self {
                file: self.file,
                path: format!("{}[{index}]", self.path),
                value,
            })
            .collect())
    }

    /// The items of a list; none where nothing stands. Reflector's JSON columns hold both SQL
    /// nulls and JSON nulls.
    pub fn items_if_any(&self) -> Result<Vec<Self>, RecordedError> {
        if self.is_null() {
            Ok(Vec::new())
        } else {
            self.items()
        }
    }

    /// A text.
    pub fn text(&self) -> Result<&'a str, RecordedError> {
        self.value.as_str().ok_or_else(|| self.should_be("a text"))
    }

    /// A text or nothing.
    pub fn text_if_any(&self) -> Result<Option<String>, RecordedError> {
        if self.is_null() {
            return Ok(None);
        }
        self.text().map(|text| Some(text.to_owned()))
    }

    /// A list of texts; empty where nothing stands.
    pub fn texts(&self) -> Result<Vec<String>, RecordedError> {
        self.items_if_any()?
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect()
    }

    /// A number.
    pub fn number(&self) -> Result<f64, RecordedError> {
        self.value
            .as_f64()
            .ok_or_else(|| self.should_be("a number"))
    }

    /// A whole number.
    pub fn integer(&self) -> Result<i64, RecordedError> {
        self.value
            .as_i64()
            .ok_or_else(|| self.should_be("a whole number"))
    }

    /// A size or a status.
    pub fn count(&self) -> Result<u64, RecordedError> {
        self.value
            .as_u64()
            .ok_or_else(|| self.should_be("a whole number, zero or more"))
    }

    /// Yes or no.
    pub fn flag(&self) -> Result<bool, RecordedError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.should_be("true or false"))
    }

    /// What stands here, whatever it is.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// A whole object of the model. Serde's own message is dropped, since it quotes the value.
    pub fn object<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, RecordedError> {
        T::deserialize(self.value).map_err(|_| self.should_be(expected))
    }
}
