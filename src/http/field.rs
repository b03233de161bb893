//! What is asked for in bodies and queries: each field once, for whoever reads it and for the document
//! that tells of it.

/// A field of a body or of a query, for whoever fills it in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether it has to be there.
    pub is_needed: bool,
    /// What it says.
    pub about: &'static str,
    /// What somebody might send, as JSON.
    pub example: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    /// A text of at most 1024 bytes.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A whole number in these bounds.
    Number(i64, i64),
    /// A number that is not negative.
    Amount,
    /// True or false.
    Truth,
    /// An object of names that are whoever asks's own.
    Object,
}

/// Who acts, which no body that somebody signed in sends needs to say.
pub(super) const BY: Field = text(
    "by",
    "who acts, where nobody has to sign in; elsewhere left out",
    r#""ana""#,
);

const fn field(name: &'static str, holds: Holds, about: &'static str) -> Field {
    Field {
        name,
        holds,
        is_needed: false,
        about,
        example: "",
    }
}

/// A text that may be left out.
pub(super) const fn text(name: &'static str, about: &'static str, example: &'static str) -> Field {
    field(name, Holds::Text, about).like(example)
}

/// One of several texts; may be left out.
pub(super) const fn one_of(
    name: &'static str,
    texts: &'static [&'static str],
    about: &'static str,
) -> Field {
    field(name, Holds::OneOf(texts), about)
}

/// A list of texts that may be left out.
pub(super) const fn texts(name: &'static str, about: &'static str, example: &'static str) -> Field {
    field(name, Holds::Texts, about).like(example)
}

/// A whole number that may be left out.
pub(super) const fn number(
    name: &'static str,
    (least, most): (i64, i64),
    about: &'static str,
) -> Field {
    field(name, Holds::Number(least, most), about)
}

/// An object of names that are whoever asks's own; may be left out.
pub(super) const fn object(
    name: &'static str,
    about: &'static str,
    example: &'static str,
) -> Field {
    field(name, Holds::Object, about).like(example)
}

/// A number that is not negative; may be left out.
pub(super) const fn amount(name: &'static str, about: &'static str) -> Field {
    field(name, Holds::Amount, about)
}

/// True or false; may be left out.
pub(super) const fn truth(name: &'static str, about: &'static str) -> Field {
    field(name, Holds::Truth, about)
}

impl Field {
    /// The same where it has to be there.
    pub(super) const fn needed(self) -> Self {
        Self {
            is_needed: true,
            ..self
        }
    }

    /// The same with an example, as JSON.
    pub(super) const fn like(self, example: &'static str) -> Self {
        Self { example, ..self }
    }
}
