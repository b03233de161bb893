//! What people are told of, and how grave it is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a notice is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The migration moved.
    Flip,
    /// Somebody asks for a move that others have to approve, or it came to an end.
    Request,
    /// Somebody holds the migration where it is.
    Hold,
    /// A hold was released.
    Release,
    /// A hold is over its time and still holds.
    HoldExpired,
    /// Somebody took a precondition upon themselves.
    Override,
    /// Rules of routing changed.
    Routing,
    /// The breaker changed its state.
    Breaker,
    /// A request for a recording was refused: nobody processes it.
    Refused,
    /// What the candidate serves came to be too bad, or is not any more.
    Soak,
    /// People have to look at something before a cutover.
    Review,
    /// What is over its time could not be deleted, or could be again.
    Retention,
    /// What the legacy pipeline did was exported.
    Export,
    /// Many notices at once, in one.
    Summary,
    /// Somebody tries whether a target is reached.
    Test,
}

/// How soon people should look.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// It is good to know.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Flip,
        Self::Request,
        Self::Hold,
        Self::Release,
        Self::HoldExpired,
        Self::Override,
        Self::Routing,
        Self::Breaker,
        Self::Refused,
        Self::Soak,
        Self::Review,
        Self::Retention,
        Self::Export,
        Self::Summary,
        Self::Test,
    ];

    /// Its name, how grave it is, and what it tells of, as a line for people.
    const fn row(self) -> (&'static str, Gravity, &'static str) {
        match self {
            Self::Flip => (
                "flip",
                Gravity::Warning,
                "the migration moved, forward or back",
            ),
            Self::Request => (
                "request",
                Gravity::Warning,
                "somebody asks for a move that others approve, or it came to an end",
            ),
            Self::Hold => (
                "hold",
                Gravity::Warning,
                "somebody, or a check, holds the migration where it is",
            ),
            Self::Release => ("release", Gravity::Info, "a hold was released"),
            Self::HoldExpired => (
                "hold_expired",
                Gravity::Warning,
                "a hold is over its time and still holds",
            ),
            Self::Override => (
                "override",
                Gravity::Critical,
                "somebody took a precondition upon themselves",
            ),
            Self::Routing => ("routing", Gravity::Info, "rules of routing changed"),
            Self::Breaker => (
                "breaker",
                Gravity::Critical,
                "the breaker changed its state: Conductor is not well, or well again",
            ),
            Self::Refused => (
                "refused",
                Gravity::Critical,
                "a request for a recording was refused, and nobody processes it",
            ),
            Self::Soak => (
                "soak",
                Gravity::Critical,
                "what the candidate serves says FAIL, or does not any more",
            ),
            Self::Review => (
                "review",
                Gravity::Info,
                "people have to look at something before a cutover",
            ),
            Self::Retention => (
                "retention",
                Gravity::Warning,
                "what is over its time could not be deleted, or could be again",
            ),
            Self::Export => (
                "export",
                Gravity::Info,
                "what the legacy pipeline did was exported",
            ),
            Self::Summary => (
                "summary",
                Gravity::Info,
                "many notices at once, in one; as grave as the gravest of them",
            ),
            Self::Test => (
                "test",
                Gravity::Info,
                "somebody tries whether a target is reached",
            ),
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// How grave it is.
    pub const fn gravity(self) -> Gravity {
        self.row().1
    }

    /// What it tells of, for people.
    pub const fn about(self) -> &'static str {
        self.row().2
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The table of all kinds, as Markdown.
    pub fn table() -> String {
        let mut lines = vec![
            "| kind | gravity | what it tells of |".to_owned(),
            "| --- | --- | --- |".to_owned(),
        ];
        lines.extend(Self::ALL.map(|kind| {
            let (name, gravity, about) = kind.row();
            format!("| `{name}` | {gravity} | {about} |")
        }));
        lines.join("\n") + "\n"
    }
}

impl Gravity {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The gravity of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Critical]
            .into_iter()
            .find(|gravity| gravity.as_str() == name)
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Gravity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../docs/notices.md");

    #[test]
    fn every_kind_is_read_back_by_its_name() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::parse(kind.as_str()), Some(kind));
            let json = serde_json::to_value(kind).expect("it is a word");
            assert_eq!(json, kind.as_str());
        }
        assert_eq!(NoticeKind::parse("party"), None);
    }

    #[test]
    fn the_page_on_notices_lists_every_kind_as_it_is() {
        assert!(
            DOCS.contains(&NoticeKind::table()),
            "{}",
            NoticeKind::table()
        );
    }
}
