//! What was seen when everything was looked at once, and what it says of Conductor.

use std::fmt;

/// Whose health a probe tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Conductor's and its workers'.
    Conductor,
    /// That of what both pipelines need.
    Shared,
    /// The legacy pipeline's.
    Legacy,
}

impl Layer {
    /// The name in SQL, JSON and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conductor => "conductor",
            Self::Shared => "shared",
            Self::Legacy => "legacy",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Conductor, Self::Shared, Self::Legacy]
            .into_iter()
            .find(|layer| layer.as_str() == name)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Live runs that do not get on: it may be Conductor's fault, or that of what both pipelines need.
pub const LIVE_RUNS: &str = "live runs";

/// What one look at one thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What was looked at.
    pub name: &'static str,
    /// Whose health it tells of.
    pub layer: Layer,
    /// What was found, for people; an error where it is a bad sign.
    pub found: Result<String, String>,
}

impl Probe {
    /// The bad sign, if it is one.
    pub fn bad(&self) -> Option<String> {
        let found = self.found.as_ref().err()?;
        Some(format!("{}: {found}", self.name))
    }
}

/// What a round of looks says of Conductor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// The first bad sign; none where everything is well.
    pub bad: Option<String>,
    /// Whether nothing depends on Conductor yet: then it is only watched.
    pub only_watched: bool,
}

/// Weighs a round of looks. While something is down that both pipelines need, live runs that do not
/// get on say nothing of Conductor: Celery could not help them.
pub fn weigh(probes: &[Probe], only_watched: bool) -> Signals {
    let shares_fate = shared_fate(probes).is_some();
    let bad = probes
        .iter()
        .filter(|probe| probe.layer == Layer::Conductor)
        .filter(|probe| !(shares_fate && probe.name == LIVE_RUNS))
        .find_map(Probe::bad);
    Signals { bad, only_watched }
}

/// What is down that both pipelines need, and how.
pub fn shared_fate(probes: &[Probe]) -> Option<String> {
    let mut shared = probes.iter().filter(|probe| probe.layer == Layer::Shared);
    shared.find_map(Probe::bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(name: &'static str, layer: Layer, ok: bool) -> Probe {
        let found = if ok { Ok } else { Err };
        Probe {
            name,
            layer,
            found: found("as it is".to_owned()),
        }
    }

    #[test]
    fn what_is_bad_is_conductors_fault_unless_both_pipelines_share_it() {
        for (server, runs, model, bad) in [
            (true, true, true, None),
            (false, true, true, Some("server: as it is")),
            (true, false, true, Some("live runs: as it is")),
            (true, false, false, None),
            (true, true, false, None),
            (false, false, false, Some("server: as it is")),
        ] {
            let probes = [
                probe("server", Layer::Conductor, server),
                probe(LIVE_RUNS, Layer::Conductor, runs),
                probe("language model", Layer::Shared, model),
            ];
            let case = format!("{server} {runs} {model}");
            assert_eq!(weigh(&probes, false).bad.as_deref(), bad, "{case}");
            assert_eq!(shared_fate(&probes).is_none(), model, "{case}");
        }
    }
}
