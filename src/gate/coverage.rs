//! Which kinds of recordings the evidence is from: tracks, duration, language.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::Serialize;

/// How many tracks a recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackClass {
    /// One or two.
    UpToTwo,
    /// Three to five.
    ThreeToFive,
    /// Six and more.
    SixAndMore,
}

/// How long a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DurationClass {
    /// Below 15 minutes.
    Short,
    /// 15 minutes to an hour.
    Middle,
    /// An hour and more.
    Long,
    /// Nobody told.
    Unknown,
}

/// One kind of recordings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Stratum {
    /// By tracks.
    pub tracks: TrackClass,
    /// By duration.
    pub duration: DurationClass,
    /// By spoken language, as Reflector names it.
    pub language: String,
}

impl Stratum {
    /// The stratum of a recording.
    pub fn of(tracks: i64, audio_ms: Option<f64>, language: &str) -> Self {
        Self {
            tracks: match tracks {
                ..=2 => TrackClass::UpToTwo,
                3..=5 => TrackClass::ThreeToFive,
                6.. => TrackClass::SixAndMore,
            },
            duration: match audio_ms.filter(|ms| ms.is_finite() && *ms >= 0.0) {
                None => DurationClass::Unknown,
                Some(ms) if ms < 900_000.0 => DurationClass::Short,
                Some(ms) if ms < 3_600_000.0 => DurationClass::Middle,
                Some(_) => DurationClass::Long,
            },
            language: language.to_owned(),
        }
    }

    /// The classes it belongs to, one along each axis, for people.
    fn classes(&self) -> [String; 3] {
        [
            self.tracks.to_string(),
            self.duration.to_string(),
            format!("language {}", self.language),
        ]
    }
}

impl fmt::Display for TrackClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::UpToTwo => "1-2 tracks",
            Self::ThreeToFive => "3-5 tracks",
            Self::SixAndMore => "6+ tracks",
        })
    }
}

impl fmt::Display for DurationClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Short => "under 15 min",
            Self::Middle => "15-60 min",
            Self::Long => "over 60 min",
            Self::Unknown => "unknown length",
        })
    }
}

/// One kind of recordings and how many there are of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cell {
    /// Which.
    pub stratum: Stratum,
    /// Recordings of it in the evidence.
    pub recordings: i64,
}

/// What the evidence covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// Every stratum that ever arrived, with none where the evidence has none.
    pub cells: Vec<Cell>,
    /// Recordings by class along each axis: of every class that ever arrived.
    pub classes: Vec<(String, i64)>,
}

impl Coverage {
    /// Of the evidence's strata, `known` being all that ever arrived. Classes are counted along each
    /// axis alone: an environment with one long meeting in Spanish need not wait for a second.
    pub(super) fn of<'a>(
        evidence: impl IntoIterator<Item = &'a Stratum>,
        known: impl IntoIterator<Item = &'a Stratum>,
    ) -> Self {
        let mut cells: BTreeMap<&Stratum, i64> = BTreeMap::new();
        for stratum in known {
            cells.entry(stratum).or_default();
        }
        for stratum in evidence {
            *cells.entry(stratum).or_default() += 1;
        }
        let mut classes: Vec<(String, i64)> = Vec::new();
        for axis in 0..3 {
            for (stratum, recordings) in &cells {
                let class = stratum.classes()[axis].clone();
                match classes.iter_mut().find(|(known, _)| *known == class) {
                    Some((_, so_far)) => *so_far += recordings,
                    None => classes.push((class, *recordings)),
                }
            }
        }
        Self {
            cells: cells
                .into_iter()
                .map(|(stratum, recordings)| Cell {
                    stratum: stratum.clone(),
                    recordings,
                })
                .collect(),
            classes,
        }
    }

    /// The classes with fewer than that, and how many each lacks.
    pub(super) fn lacking(&self, at_least: i64) -> Vec<(&str, i64)> {
        let lacks = |one: &(String, i64)| at_least - one.1;
        self.classes
            .iter()
            .filter(|one| lacks(one) > 0)
            .map(|one| (one.0.as_str(), lacks(one)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_fall_into_classes_by_their_edges() {
        let of = |tracks, ms| {
            let stratum = Stratum::of(tracks, ms, "en");
            format!("{}, {}", stratum.tracks, stratum.duration)
        };
        assert_eq!(of(2, Some(899_999.0)), "1-2 tracks, under 15 min");
        assert_eq!(of(3, Some(900_000.0)), "3-5 tracks, 15-60 min");
        assert_eq!(of(6, Some(3_600_000.0)), "6+ tracks, over 60 min");
        assert_eq!(of(1, Some(f64::NAN)), "1-2 tracks, unknown length");
        assert_eq!(of(1, None), "1-2 tracks, unknown length");
    }

    #[test]
    fn a_class_that_arrived_once_and_was_not_compared_is_lacking() {
        let seen = [
            Stratum::of(2, Some(1.0), "en"),
            Stratum::of(2, Some(1.0), "en"),
        ];
        let long = Stratum::of(2, Some(4e6), "en");
        let coverage = Coverage::of(&seen, [&seen[0], &long]);
        assert_eq!(coverage.lacking(1), [("over 60 min", 1)]);
        assert_eq!(coverage.lacking(0), []);
        assert_eq!(coverage.cells.len(), 2);
    }
}
