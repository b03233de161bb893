//! What a route says of itself, to those who program against it. `openapi` writes it down; a route of
//! the API that says nothing is found by a test.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::field::Field;

/// Makes the schema of a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type, where there is none of its value.
pub(super) fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A field of an answer: its name, with a `?` at its end where it may be left out, and what it holds.
pub(super) type Part = (&'static str, Shape);

/// What a route says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// One line.
    pub summary: &'static str,
    /// What may be asked for in the query.
    pub query: Vec<Field>,
    /// The fields of the body, none of which may have to be sent.
    pub body: Option<Vec<Field>>,
    /// What is answered where all is well.
    pub answers: Vec<Answer>,
}

/// An answer where all is well.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Its status.
    pub status: u16,
    /// What it holds.
    pub holds: Content,
}

/// What an answer holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// JSON of one type.
    Json(Shape),
    /// A JSON object of these fields.
    Object(&'static [Part]),
    /// A page of a list, under this name.
    Page(&'static str, Shape),
    /// A document of that media type.
    Other(&'static str),
    /// Nothing, and what that means.
    Nothing(&'static str),
}
