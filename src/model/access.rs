//! Who may do how much: roles, and for how long somebody is taken for who they are.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EnvironmentName;

/// How much somebody may do in an environment. Each role may do all that those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees how things stand.
    Viewer,
    /// Reads what differs, and says what it means.
    Reviewer,
    /// Moves the migration and holds it.
    Operator,
    /// Approves what others ask for.
    Approver,
    /// Says who may do what.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Reviewer,
        Self::Operator,
        Self::Approver,
        Self::Admin,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No role is called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; write viewer, reviewer, operator, approver or admin")]
pub struct NoRole(pub String);

impl std::str::FromStr for Role {
    type Err = NoRole;

    fn from_str(name: &str) -> Result<Self, NoRole> {
        Self::parse(name).ok_or_else(|| NoRole(name.chars().take(40).collect()))
    }
}

/// What the members of one of the provider's groups are here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRole {
    /// The group, as the provider names it.
    pub group: String,
    /// Their role.
    pub role: Role,
    /// Where; in every environment without it.
    #[serde(default)]
    pub environments: Vec<EnvironmentName>,
}

/// How long somebody who signed in is taken for who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Hours until they have to sign in again, whatever they do.
    pub hours: i64,
    /// Minutes without a request until then.
    pub idle_minutes: i64,
}
