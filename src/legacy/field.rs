//! A place in a JSON document (a recorded file, or a row of Reflector's database) that knows its own
//! address. Errors name document and field and never quote what stands there, since that may be
//! what people said.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A place where something else stands than should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{document}`: `{field}` should be {expected}")]
pub struct FieldError {
    /// The file or the table.
    pub document: String,
    /// Its address there, e.g. `transcript[0].duration`.
    pub field: String,
    /// What should stand there.
    pub expected: &'static str,
}

/// A text that is no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{document}` is not JSON (line {line}, column {column})")]
pub struct NotJson {
    /// The file or the table.
    pub document: String,
    /// Counts from 1.
    pub line: usize,
    /// Counts from 1.
    pub column: usize,
}

/// A place in a JSON document.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    document: &'a str,
    path: String,
    value: &'a Value,
}

/// Reads a document's text as JSON.
pub fn parse(document: &str, text: &str) -> Result<Value, NotJson> {
    serde_json::from_str(text).map_err(|error| NotJson {
        document: document.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

impl<'a> Field<'a> {
    /// The whole document.
    pub fn root(document: &'a str, value: &'a Value) -> Self {
        Self {
            document,
            path: String::new(),
            value,
        }
    }

    /// A member; a missing one counts as null.
    pub fn at(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            document: self.document,
            path: format!("{}{dot}{name}", self.path),
            value: self.value.get(name).unwrap_or(&Value::Null),
        }
    }

    /// Whether nothing stands here.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// The complaint about this place.
    pub fn should_be(&self, expected: &'static str) -> FieldError {
        FieldError {
            document: self.document.to_owned(),
            field: self.path.clone(),
            expected,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Result<Vec<Self>, FieldError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.should_be("a list"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Self {
                document: self.document,
                path: format!("{}[{index}]", self.path),
                value,
            })
            .collect())
    }

    /// The items of a list; none where nothing stands. Reflector's JSON columns hold both SQL
    /// nulls and JSON nulls.
    pub fn items_if_any(&self) -> Result<Vec<Self>, FieldError> {
        if self.is_null() {
            Ok(Vec::new())
        } else {
            self.items()
        }
    }

    /// A text.
    pub fn text(&self) -> Result<&'a str, FieldError> {
        self.value.as_str().ok_or_else(|| self.should_be("a text"))
    }

    /// A text or nothing.
    pub fn text_if_any(&self) -> Result<Option<String>, FieldError> {
        if self.is_null() {
            return Ok(None);
        }
        self.text().map(|text| Some(text.to_owned()))
    }

    /// A list of texts; empty where nothing stands.
    pub fn texts(&self) -> Result<Vec<String>, FieldError> {
        self.items_if_any()?
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect()
    }

    /// A number.
    pub fn number(&self) -> Result<f64, FieldError> {
        self.value
            .as_f64()
            .ok_or_else(|| self.should_be("a number"))
    }

    /// A whole number.
    pub fn integer(&self) -> Result<i64, FieldError> {
        self.value
            .as_i64()
            .ok_or_else(|| self.should_be("a whole number"))
    }

    /// A size or a status.
    pub fn count(&self) -> Result<u64, FieldError> {
        self.value
            .as_u64()
            .ok_or_else(|| self.should_be("a whole number, zero or more"))
    }

    /// Yes or no.
    pub fn flag(&self) -> Result<bool, FieldError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.should_be("true or false"))
    }

    /// What stands here, whatever it is.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// A whole object of the model. Serde's own message is dropped, since it quotes the value.
    pub fn object<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, FieldError> {
        T::deserialize(self.value).map_err(|_| self.should_be(expected))
    }
}
