//! What somebody may do, and where.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Action;
use crate::model::{EnvironmentName, GroupRole, Role};

/// Roles, and where they are held. Without any, nothing may be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Powers {
    /// The role in every environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    everywhere: Option<Role>,
    /// Roles in single environments, where they are more than that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    environments: BTreeMap<EnvironmentName, Role>,
    /// Nothing but these actions, whatever the role allows; all it allows without any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    only: BTreeSet<Action>,
}

/// Why something may not be done; tells what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    action: Action,
    environment: EnvironmentName,
    has: Option<Role>,
    /// It is left out of what was granted, though the role would allow it.
    is_left_out: bool,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            environment,
            has,
            is_left_out,
        } = self;
        let least = action.least();
        if *is_left_out {
            return write!(
                f,
                "this token was not made to `{action}` ({}); have one made that may, with `switchyard token create`",
                action.about()
            );
        }
        write!(
            f,
            "to `{action}` ({}) takes the role {least} in {environment}, and you ",
            action.about()
        )?;
        match has {
            Some(role) => write!(f, "are {role} there")?,
            None => f.write_str("have none there")?,
        }
        f.write_str("; ask an admin, or have somebody do it who may")
    }
}

/// Environments in which something may be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All, those yet to come too.
    All,
    /// These.
    Only(BTreeSet<EnvironmentName>),
}

impl Reach {
    /// Whether that environment is one of them.
    pub fn has(&self, environment: &EnvironmentName) -> bool {
        match self {
            Self::All => true,
            Self::Only(some) => some.contains(environment),
        }
    }
}

impl Powers {
    /// A role in every environment.
    pub fn everywhere(role: Role) -> Self {
        Self {
            everywhere: Some(role),
            ..Self::default()
        }
    }

    /// A role in these environments, or in every one where there are none.
    pub fn in_environments(role: Role, environments: &[EnvironmentName]) -> Self {
        let mut powers = Self::default();
        powers.add(role, environments);
        powers
    }

    /// Adds a role in these environments, or in every one where there are none. What is more stays.
    pub fn add(&mut self, role: Role, environments: &[EnvironmentName]) {
        if environments.is_empty() {
            self.everywhere = self.everywhere.max(Some(role));
        }
        for environment in environments {
            let held = self.environments.entry(environment.clone()).or_insert(role);
            *held = role.max(*held);
        }
    }

    /// The same, for nothing but these actions; for all where there are none.
    #[must_use]
    pub fn only(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.only.extend(actions);
        self
    }

    /// The role in that environment.
    pub fn role_in(&self, environment: &EnvironmentName) -> Option<Role> {
        self.everywhere
            .max(self.environments.get(environment).copied())
    }

    /// Whether nothing is allowed anywhere.
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_none() && self.environments.is_empty()
    }

    /// Whether that may be done there.
    pub fn may(&self, action: Action, environment: &EnvironmentName) -> Result<(), Denied> {
        let has = self.role_in(environment);
        let is_left_out = !self.only.is_empty() && !self.only.contains(&action);
        let is_enough = has.is_some_and(|role| role >= action.least());
        if is_enough && !is_left_out {
            return Ok(());
        }
        Err(Denied {
            action,
            environment: environment.clone(),
            has,
            is_left_out: is_enough,
        })
    }

    /// Where that may be done.
    pub fn reach(&self, action: Action) -> Reach {
        if !self.only.is_empty() && !self.only.contains(&action) {
            return Reach::Only(BTreeSet::new());
        }
        let is_enough = |role: Role| role >= action.least();
        if self.everywhere.is_some_and(is_enough) {
            return Reach::All;
        }
        let there = self.environments.iter();
        let there = there.filter(|(_, role)| is_enough(**role));
        Reach::Only(there.map(|(environment, _)| environment.clone()).collect())
    }

    /// Whether all that `other` may do is allowed here: nobody gives away more than they have.
    pub fn cover(&self, other: &Self) -> bool {
        let fits = |wanted: Option<Role>, held: Option<Role>| wanted <= held;
        let actions =
            self.only.is_empty() || (!other.only.is_empty() && other.only.is_subset(&self.only));
        let mut places = other.environments.iter();
        actions
            && fits(other.everywhere, self.everywhere)
            && places.all(|(place, role)| fits(Some(*role), self.role_in(place)))
    }
}

impl fmt::Display for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(role) = self.everywhere {
            parts.push(format!("{role} everywhere"));
        }
        for (environment, role) in &self.environments {
            parts.push(format!("{role} in {environment}"));
        }
        if parts.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str(&parts.join(", "))?;
        if !self.only.is_empty() {
            let only: Vec<_> = self.only.iter().map(|action| action.as_str()).collect();
            write!(f, ", only to {}", only.join(", "))?;
        }
        Ok(())
    }
}

/// What the members of these groups may do.
pub fn powers_of(groups: &[String], rules: &[GroupRole]) -> Powers {
    let mut powers = Powers::default();
    for rule in rules {
        if groups.contains(&rule.group) {
            powers.add(rule.role, &rule.environments);
        }
    }
    powers
}
