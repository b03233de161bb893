//! `switchyard audio inspect`.

use console::style;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    super::{ExitStatus, Globals, output::say},
    picture,
    tracks::{Track, TrackArgs},
    work::{clock, codec, faults, on_tracks},
};
use crate::audio::{
    inspect::{self, Inspection},
    milliseconds,
    source::Timing,
    track::Codec,
};

/// Levels in JSON, where nobody's terminal counts.
const PARTS: usize = 255;
/// Holes that are written out for people.
const SHOWN_HOLES: usize = 8;

/// What `switchyard audio inspect` takes.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tracks: TrackArgs,
}

/// What one track holds.
#[derive(Serialize)]
struct Inspected {
    name: String,
    #[serde(flatten)]
    found: Inspection,
}

pub(super) async fn run(
    args: &Args,
    stop: &CancellationToken,
    globals: &Globals,
) -> anyhow::Result<ExitStatus> {
    let tracks = args.tracks.open(stop, globals).await?;
    let parts = if globals.json {
        PARTS
    } else {
        picture::width() - 2
    };
    let mut all = Vec::with_capacity(tracks.len());
    for track in &tracks {
        let source = track.source(Timing::Exact, stop)?;
        let until = stop.clone();
        let look = move || inspect::inspect(source, parts, &|| until.is_cancelled());
        let done = on_tracks("reading", &[track], stop, look).await?;
        let found = done.map_err(|error| track.explain(error))?;
        all.push(Inspected {
            name: track.shown.clone(),
            found,
        });
    }
    if globals.json {
        Globals::print_json(&all)?;
        return Ok(ExitStatus::Success);
    }
    for (index, (track, inspected)) in tracks.iter().zip(&all).enumerate() {
        if index > 0 {
            say!();
        }
        tell(track, &inspected.found);
    }
    Ok(ExitStatus::Success)
}

fn tell(track: &Track, found: &Inspection) {
    let told = &found.track;
    say!("{}", style(&track.shown).bold());
    say!("  {}", what(found));
    let end = milliseconds(told.samples);
    say!(
        "  begins {}, ends {}, {} packets, {}",
        clock(told.start_ms),
        clock(end),
        told.packets,
        indicatif::HumanBytes(found.bytes)
    );
    say!("  {}", holes(found));
    let loud = |level: Option<f64>| match level {
        Some(level) => format!("{level:.1} dBFS"),
        None => "silence".to_owned(),
    };
    say!(
        "  level {}, peak {}; faults: {}",
        loud(found.rms_db),
        loud(found.peak_db),
        faults(told)
    );
    say!("  {}", style(picture::levels(&found.levels_db)).cyan());
    let ends = clock(end);
    let between = found
        .levels_db
        .len()
        .saturating_sub(1 + ends.chars().count());
    say!("  0{:between$}{ends}", "");
}

/// Codec, channels and how it is stored.
fn what(found: &Inspection) -> String {
    let mut parts = vec![
        codec(found.track.codec).to_owned(),
        match found.channels {
            1 => "mono".to_owned(),
            2 => "stereo".to_owned(),
            channels => format!("{channels} channels"),
        },
        format!("{} Hz", found.input_rate),
    ];
    if !found.packet_lengths.is_empty() {
        let lengths: Vec<_> = found
            .packet_lengths
            .iter()
            .map(|length| length.ms.to_string())
            .collect();
        parts.push(format!("packets of {} ms", lengths.join(", ")));
    }
    if found.track.codec == Codec::Opus {
        parts.push(format!("pre-skip {}", found.pre_skip));
        parts.push(format!("codec delay {} ms", found.codec_delay_ms));
    }
    if found.gain_db != 0.0 {
        parts.push(format!("gain {:.2} dB", found.gain_db));
    }
    parts.join(", ")
}

fn holes(found: &Inspection) -> String {
    let told = &found.track;
    if told.gaps == 0 {
        return "no holes".to_owned();
    }
    let shown = found.holes.iter().take(SHOWN_HOLES);
    let mut list: Vec<_> = shown
        .map(|hole| format!("{} at {}", clock(hole.length_ms), clock(hole.start_ms)))
        .collect();
    let shown = list.len() as u64;
    if told.gaps > shown {
        list.push(format!("{} more", told.gaps - shown));
    }
    let all = clock(milliseconds(told.gap_samples));
    format!("{} holes, {all} in all: {}", told.gaps, list.join(", "))
}
