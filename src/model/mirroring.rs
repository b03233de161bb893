//! How many mirrors the controller runs by itself.

use serde::{Deserialize, Serialize};

/// The control is run a second time on a share of recordings: to learn how far it differs from itself,
/// and after the candidate has served, to see whether it still does as well.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mirroring {
    /// Percent of compared shadow recordings whose control runs again, 0 to 100.
    pub percent: f64,
    /// Percent of recordings served by the candidate on which the control runs as well, 0 to 100.
    pub reverse_percent: f64,
    /// Mirrors a day (UTC) at most, those begun by hand included.
    pub per_day: i64,
    /// US dollars a day (UTC) at most. The legacy does not tell what it uses, so a mirror is taken to
    /// cost what the candidate's run of the same recording did. What is left out has no bound.
    pub max_usd: Option<f64>,
    /// From this hour (UTC) on mirrors may begin …
    pub from_hour: u32,
    /// … and before this one; both the same is all day.
    pub until_hour: u32,
    /// Whether recordings are mirrored about whose consent nobody answered.
    pub unanswered: bool,
}

impl Default for Mirroring {
    /// What `docs/switchyard.example.toml` shows.
    fn default() -> Self {
        Self {
            percent: 20.0,
            reverse_percent: 10.0,
            per_day: 4,
            max_usd: None,
            from_hour: 0,
            until_hour: 0,
            unanswered: false,
        }
    }
}
