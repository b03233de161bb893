//! Who is measured, step by step: ours, the legacy's graph through `PyAV`, ffmpeg's program, and the
//! floors under all of them: LAME and libopus alone.

use std::path::{Path, PathBuf};

use crate::material::Shape;

/// One program run.
pub struct Step {
    pub name: String,
    pub command: Vec<String>,
}

/// Somebody who pads, mixes and draws.
pub struct Side {
    pub name: String,
    pub steps: Vec<Step>,
}

/// What the others are run with.
pub struct Others {
    /// A Python with `requirements.txt`.
    pub python: Option<String>,
    /// ffmpeg's programs, oldest first, by their names.
    pub ffmpeg: Vec<(String, String)>,
}

/// What makes this program a floor.
pub const DECODE: &str = "decode";
/// See [`DECODE`].
pub const ENCODE: &str = "encode";

pub const OURS: &str = "switchyard";
pub const LEGACY: &str = "legacy";
pub const FLOORS: &str = "floors";

fn step(name: impl Into<String>, command: &[&str]) -> Step {
    Step {
        name: name.into(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("our folder is UTF-8")
}

/// Ours. It pads every track, also the one that begins at 0.
pub fn ours(tracks: &[PathBuf], folder: &Path) -> Side {
    let switchyard = env!("CARGO_BIN_EXE_switchyard");
    let mut steps: Vec<_> = tracks
        .iter()
        .enumerate()
        .map(|(index, track)| {
            let padded = folder.join(format!("ours-{index}.webm"));
            let command = [switchyard, "audio", "pad", text(track), "-o", text(&padded)];
            step(format!("pad t{index}"), &command)
        })
        .collect();
    let (mp3, waveform) = (folder.join("ours.mp3"), folder.join("ours.json"));
    let mut command = vec![switchyard, "audio", "mixdown"];
    command.extend(tracks.iter().map(|track| text(track)));
    command.extend([
        "-o",
        text(&mp3),
        "--waveform",
        text(&waveform),
        "--bit-rate",
        "128",
    ]);
    steps.push(step("mix and waveform", &command));
    Side {
        name: OURS.to_owned(),
        steps,
    }
}

/// The legacy's graph. A track that begins at 0 is not padded, by its own rule.
pub fn legacy(python: &str, tracks: &[PathBuf], folder: &Path) -> Side {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/audio/legacy.py");
    let (mut steps, padded) = padding(tracks, folder, "legacy", |track, padded| {
        [python, script, "pad", track, padded]
            .map(str::to_owned)
            .to_vec()
    });
    let mp3 = folder.join("legacy.mp3");
    let mut mix = vec![python, script, "mix", text(&mp3)];
    mix.extend(padded.iter().map(|track| text(track)));
    steps.push(step("mix", &mix));
    let json = folder.join("legacy.json");
    let waveform = [python, script, "waveform", text(&mp3), text(&json)];
    steps.push(step("waveform", &waveform));
    Side {
        name: LEGACY.to_owned(),
        steps,
    }
}

/// ffmpeg's program doing the same; its waveform is the mere decoding, which is in its favour.
pub fn ffmpeg(name: &str, program: &str, tracks: &[PathBuf], folder: &Path) -> Side {
    let quiet = ["-nostdin", "-hide_banner", "-loglevel", "error", "-y"];
    let (mut steps, padded) = padding(tracks, folder, name, |track, padded| {
        let index = tracks.iter().position(|known| text(known) == track);
        let start_ms = Shape::start_ms(index.unwrap_or_default());
        let filter = format!("aresample=async=1,adelay={start_ms}:all=1");
        let mut command = vec![program];
        command.extend(quiet);
        command.extend([
            "-i", track, "-af", &filter, "-ac", "2", "-c:a", "libopus", "-b:a", "128k",
        ]);
        command.push(padded);
        command.into_iter().map(str::to_owned).collect()
    });
    let mp3 = folder.join(format!("{name}.mp3"));
    let mut mix = vec![program];
    mix.extend(quiet);
    for track in &padded {
        mix.extend(["-i", text(track)]);
    }
    let inputs = padded.len();
    let filter = format!("amix=inputs={inputs}:normalize=0");
    mix.extend([
        "-filter_complex",
        &filter,
        "-ac",
        "2",
        "-c:a",
        "libmp3lame",
        "-b:a",
        "128k",
    ]);
    mix.push(text(&mp3));
    steps.push(step("mix", &mix));
    let mut decode = vec![program];
    decode.extend(quiet);
    decode.extend(["-i", text(&mp3), "-f", "null", "-"]);
    steps.push(step("waveform", &decode));
    Side {
        name: name.to_owned(),
        steps,
    }
}

/// Pads those that begin after 0; gives the steps and the tracks to be mixed.
fn padding(
    tracks: &[PathBuf],
    folder: &Path,
    name: &str,
    command: impl Fn(&str, &str) -> Vec<String>,
) -> (Vec<Step>, Vec<PathBuf>) {
    let (mut steps, mut all) = (Vec::new(), Vec::new());
    for (index, track) in tracks.iter().enumerate() {
        if Shape::start_ms(index) == 0 {
            all.push(track.clone());
            continue;
        }
        let padded = folder.join(format!("{name}-{index}.webm"));
        steps.push(Step {
            name: format!("pad t{index}"),
            command: command(text(track), text(&padded)),
        });
        all.push(padded);
    }
    (steps, all)
}

/// LAME and libopus alone, each on one thread, by the same libraries as ours.
pub fn floors(tracks: &[PathBuf], programme: &Path) -> Side {
    let us = std::env::current_exe().expect("this program has a path");
    let mut decode = vec![text(&us), DECODE];
    decode.extend(tracks.iter().map(|track| text(track)));
    let steps = vec![
        step("libopus", &decode),
        step("LAME", &[text(&us), ENCODE, text(programme)]),
    ];
    Side {
        name: FLOORS.to_owned(),
        steps,
    }
}
