//! What can be done, and the least role that may.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::model::Role;

/// Something that can be done in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// See how things stand: runs, phases, gate, evidence, breaker, holds, requests, the audit trail.
    View,
    /// Ask over OFREP who would serve a recording.
    EvaluateFlags,
    /// Read reports of single runs, which quote what was said in meetings.
    ReadReports,
    /// Look at differences, compare sides, and say what they mean.
    Review,
    /// Make and remove rules that hide differences.
    MakeRules,
    /// Ask which pipeline serves a recording, which pins it, and accept the answer.
    AskRoute,
    /// Retry and resume runs, and compare them again.
    Mend,
    /// Give the recordings of live runs back to Celery.
    TakeOver,
    /// Place and release holds.
    Hold,
    /// Move the migration, forward or back; ask for a move that others approve, and take it back.
    Move,
    /// Close Conductor's breaker, once a look finds nothing wrong.
    CloseBreaker,
    /// Begin, pause, resume and cancel replays of history.
    Replay,
    /// See the settings in force, and what answers of all they name.
    ReadSettings,
    /// Take a precondition upon oneself.
    Override,
    /// Approve a move that somebody else asked for.
    Approve,
    /// Send a target a notice that says it is a test.
    TestNotices,
    /// Delete at once what is over its time.
    Forget,
    /// Make, list and revoke tokens.
    ManageTokens,
}

impl Action {
    /// All of them, the least role first.
    pub const ALL: [Self; 18] = [
        Self::View,
        Self::EvaluateFlags,
        Self::ReadReports,
        Self::Review,
        Self::MakeRules,
        Self::AskRoute,
        Self::Mend,
        Self::TakeOver,
        Self::Hold,
        Self::Move,
        Self::CloseBreaker,
        Self::Replay,
        Self::ReadSettings,
        Self::TestNotices,
        Self::Override,
        Self::Approve,
        Self::Forget,
        Self::ManageTokens,
    ];

    /// Its name, the least role that may, and what it is, as a line for people.
    const fn row(self) -> (&'static str, Role, &'static str) {
        match self {
            Self::View => (
                "view",
                Role::Viewer,
                "see runs, phases, gate, evidence, breaker, holds, requests and the audit trail",
            ),
            Self::EvaluateFlags => (
                "evaluate_flags",
                Role::Viewer,
                "ask over OFREP who would serve a recording",
            ),
            Self::ReadReports => (
                "read_reports",
                Role::Reviewer,
                "read reports of single runs, which quote what was said in meetings",
            ),
            Self::Review => (
                "review",
                Role::Reviewer,
                "look at differences, compare sides, and say what they mean",
            ),
            Self::MakeRules => (
                "make_rules",
                Role::Operator,
                "make and remove rules that hide differences",
            ),
            Self::AskRoute => (
                "ask_route",
                Role::Operator,
                "ask which pipeline serves a recording, which pins it, and accept the answer",
            ),
            Self::Mend => (
                "mend",
                Role::Operator,
                "retry and resume runs, and compare them again",
            ),
            Self::TakeOver => (
                "take_over",
                Role::Operator,
                "give the recordings of live runs back to Celery",
            ),
            Self::Hold => ("hold", Role::Operator, "place and release holds"),
            Self::Move => (
                "move",
                Role::Operator,
                "move the migration, forward or back, or ask for a move and take it back",
            ),
            Self::CloseBreaker => (
                "close_breaker",
                Role::Operator,
                "close Conductor's breaker, once a look finds nothing wrong",
            ),
            Self::Replay => (
                "replay",
                Role::Operator,
                "begin, pause, resume and cancel replays of history",
            ),
            Self::ReadSettings => (
                "read_settings",
                Role::Operator,
                "see the settings in force, secrets masked, and what answers of all they name",
            ),
            Self::TestNotices => (
                "test_notices",
                Role::Operator,
                "send a target a notice that says it is a test",
            ),
            Self::Forget => (
                "forget",
                Role::Admin,
                "delete at once what is over its time",
            ),
            Self::Override => (
                "override",
                Role::Approver,
                "take a precondition of a move upon oneself",
            ),
            Self::Approve => (
                "approve",
                Role::Approver,
                "approve a move that somebody else asked for",
            ),
            Self::ManageTokens => ("manage_tokens", Role::Admin, "make, list and revoke tokens"),
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The least role that may.
    pub const fn least(self) -> Role {
        self.row().1
    }

    /// What it is, for people.
    pub const fn about(self) -> &'static str {
        self.row().2
    }

    /// The action of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// The table of all actions, as Markdown: what each role may do.
    pub fn table() -> String {
        let roles: String = Role::ALL.map(|role| format!(" {role} |")).concat();
        let mut lines = vec![
            format!("| action | what it is |{roles}"),
            format!("| --- | --- |{}", " --- |".repeat(Role::ALL.len())),
        ];
        lines.extend(Self::ALL.map(|action| {
            let may = |role: Role| role >= action.least();
            let cells = Role::ALL.map(|role| if may(role) { " yes |" } else { " – |" });
            format!("| `{action}` | {} |{}", action.about(), cells.concat())
        }));
        lines.join("\n") + "\n"
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for Action {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Action".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::ALL.iter().map(|action| action.as_str()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// No action is called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action; docs/access.md lists them, e.g. ask_route or evaluate_flags")]
pub struct NoAction(pub String);

impl std::str::FromStr for Action {
    type Err = NoAction;

    fn from_str(name: &str) -> Result<Self, NoAction> {
        Self::parse(name).ok_or_else(|| NoAction(name.chars().take(40).collect()))
    }
}

impl<'de> serde::Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}
