//! What arrived, by language, tracks and duration.

use serde::Serialize;

use crate::gate::Cell;

/// Recordings of one language by tracks and duration.
#[derive(Serialize)]
pub(super) struct Language {
    name: String,
    durations: Vec<String>,
    rows: Vec<(String, Vec<Option<Spot>>)>,
}

#[derive(Serialize)]
struct Spot {
    recordings: i64,
    /// 0 to 4, by which it is coloured.
    level: usize,
}

pub(super) fn languages(cells: &[Cell]) -> Vec<Language> {
    let most = cells.iter().map(|cell| cell.recordings).max().unwrap_or(0);
    let mut durations: Vec<_> = cells.iter().map(|cell| cell.stratum.duration).collect();
    durations.sort_unstable();
    durations.dedup();
    let mut tracks: Vec<_> = cells.iter().map(|cell| cell.stratum.tracks).collect();
    tracks.sort_unstable();
    tracks.dedup();
    let mut names: Vec<(&str, i64)> = Vec::new();
    for cell in cells {
        let name = cell.stratum.language.as_str();
        match names.iter_mut().find(|known| known.0 == name) {
            Some(known) => known.1 += cell.recordings,
            None => names.push((name, cell.recordings)),
        }
    }
    names.sort_by(|one, other| (other.1, one.0).cmp(&(one.1, other.0)));
    let spot = |name: &str, track, duration| {
        let cell = cells.iter().find(|cell| {
            let of = &cell.stratum;
            of.language == name && of.tracks == track && of.duration == duration
        })?;
        let share = (cell.recordings as f64).ln_1p() / (most as f64).ln_1p();
        let from = [0.4, 0.6, 0.8].iter().filter(|from| share > **from);
        Some(Spot {
            recordings: cell.recordings,
            level: if cell.recordings == 0 {
                0
            } else {
                1 + from.count()
            },
        })
    };
    names
        .into_iter()
        .map(|(name, _)| Language {
            name: if name.is_empty() {
                "unknown language".to_owned()
            } else {
                name.to_owned()
            },
            durations: durations.iter().map(ToString::to_string).collect(),
            rows: tracks
                .iter()
                .map(|track| {
                    let spots = durations
                        .iter()
                        .map(|duration| spot(name, *track, *duration));
                    (track.to_string(), spots.collect())
                })
                .collect(),
        })
        .collect()
}
