//! What the audio path costs: `scripts/bench audio`, which installs what the others need.
//!
//! Processor time is what counts: it hardly changes with what else the machine does, while the time on
//! the wall does. Sides take turns, so that a busy moment meets all of them; of several rounds the least
//! counts, and ratios are of these.

#[path = "../../tests/support/dice.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod dice;
mod material;
mod measure;
mod options;
mod plot;
mod show;
mod sides;
mod webm;

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use clap::Parser;
use serde_json::json;
use switchyard::audio::{mp3::Mp3Settings, source::Source, yardstick};

use material::Shape;
use measure::{MEASURED, measure, measured};
use options::{Growth, Options};
use plot::Panel;
use show::{Measured, Targets};
use sides::{DECODE, ENCODE, Others, Side};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((first, command)) if first == MEASURED => measure(command),
        Some((first, tracks)) if first == DECODE => decode(tracks),
        Some((first, programme)) if first == ENCODE => encode(&programme[0]),
        _ => run(&Options::parse()),
    }
}

/// The floor of decoding.
fn decode(tracks: &[String]) {
    for track in tracks {
        let file = BufReader::new(File::open(track).expect("our own track"));
        yardstick::decode(file).expect("our own track is read");
    }
}

/// The floor of encoding.
fn encode(programme: &str) {
    let pcm = File::open(programme).expect("our own mix");
    yardstick::encode(pcm, Mp3Settings::default(), std::io::sink()).expect("LAME encodes it");
}

fn run(options: &Options) {
    fs::create_dir_all(&options.folder).expect("a folder can be made");
    let compared = (!options.growth_only).then(|| compare(options));
    let grown = options.growth.map(|growth| grow(growth, &options.folder));
    if options.json {
        let all = json!({
            "comparison": compared.as_ref().map(|(measured, targets)| {
                json!({ "measured": measured, "targets": targets })
            }),
            "growth": grown.as_ref().map(|(_, points)| points),
        });
        println!("{}", serde_json::to_string_pretty(&all).expect("numbers"));
        return;
    }
    if let Some((measured, targets)) = &compared {
        show::table(measured);
        show::targets(targets);
    }
    if let Some((path, points)) = &grown {
        show::growth(points);
        println!("plot: {}", path.display());
    }
}

/// Everybody in turn on the same tracks.
fn compare(options: &Options) -> (Measured, Targets) {
    let (shape, folder) = (options.shape, &options.folder);
    eprintln!("making {shape} in {}", folder.display());
    let tracks = shape.tracks(folder);
    let (programme, seconds) = programme(&tracks, shape, folder);
    let others = others();
    let mut all = vec![sides::ours(&tracks, folder)];
    if let Some(python) = &others.python {
        all.push(sides::legacy(python, &tracks, folder));
    }
    for (name, program) in &others.ffmpeg {
        all.push(sides::ffmpeg(name, program, &tracks, folder));
    }
    all.push(sides::floors(&tracks, &programme));
    let mut measured = Measured::new(shape, seconds, options.rounds, &all);
    for round in 0..options.rounds {
        for (at, side) in all.iter().enumerate() {
            measured.loads.push(load());
            for (step, Cost { name, command }) in side.steps.iter().map(Cost::of).enumerate() {
                eprintln!(
                    "round {} of {}: {} {name}",
                    round + 1,
                    options.rounds,
                    side.name
                );
                measured.take(at, step, measure::measured(command));
            }
        }
    }
    let targets = Targets::of(&measured);
    (measured, targets)
}

/// A step under shorter names.
struct Cost<'a> {
    name: &'a str,
    command: &'a [String],
}

impl<'a> Cost<'a> {
    fn of(step: &'a sides::Step) -> Self {
        Self {
            name: &step.name,
            command: &step.command,
        }
    }
}

/// The mix that LAME's floor encodes, and its seconds.
fn programme(tracks: &[PathBuf], shape: Shape, folder: &Path) -> (PathBuf, f64) {
    const BYTES_PER_SECOND: f64 = 48_000.0 * 4.0;
    let path = folder.join(format!("{}x{}.pcm", shape.tracks, shape.minutes));
    if !path.exists() {
        let draft = path.with_extension("draft");
        let sources = tracks
            .iter()
            .map(|track| Source::new(File::open(track).expect("it is there")));
        let sink = File::create(&draft).expect("a file can be made");
        yardstick::programme(sources.collect(), sink).expect("our own tracks are mixed");
        fs::rename(&draft, &path).expect("it is ours");
    }
    let bytes = fs::metadata(&path).expect("it is there").len();
    (path, bytes as f64 / BYTES_PER_SECOND)
}

/// Who is there beside ours, as `scripts/bench` found them.
fn others() -> Others {
    let python = std::env::var("SWITCHYARD_BENCH_PYTHON").ok();
    if python.is_none() {
        eprintln!(
            "without the legacy: SWITCHYARD_BENCH_PYTHON names no Python with benches/audio/requirements.txt"
        );
    }
    // NAME=PROGRAM, oldest first.
    let programs = std::env::var("SWITCHYARD_BENCH_FFMPEG").unwrap_or_default();
    let ffmpeg: Vec<_> = programs
        .split_whitespace()
        .filter_map(|one| one.split_once('='))
        .map(|(name, program)| (name.to_owned(), program.to_owned()))
        .collect();
    if ffmpeg.is_empty() {
        eprintln!("without ffmpeg: SWITCHYARD_BENCH_FFMPEG names no program");
    }
    Others { python, ffmpeg }
}

/// How many others wanted a processor in the last minute.
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

/// Ours at many lengths and numbers of tracks.
fn grow(growth: Growth, folder: &Path) -> (PathBuf, Vec<show::Point>) {
    let lengths = growth.lengths().iter().map(|minutes| Shape {
        tracks: 3,
        minutes: *minutes,
    });
    let numbers = Growth::TRACKS.map(|tracks| Shape {
        tracks,
        minutes: growth.minutes(),
    });
    let measured = |shapes: Vec<Shape>| -> Vec<show::Point> {
        shapes
            .into_iter()
            .map(|shape| point(shape, folder))
            .collect()
    };
    let lengths = measured(lengths.collect());
    let numbers = measured(numbers.to_vec());
    let panel = |points: &[show::Point], title: String, across: &str, of: fn(Shape) -> f64| Panel {
        title,
        across: across.to_owned(),
        points: points
            .iter()
            .map(|point| (of(point.shape), point.cost.cpu_s, point.cost.peak_mb))
            .collect(),
    };
    let minutes = growth.minutes();
    let panels = [
        panel(
            &lengths,
            "three tracks".to_owned(),
            "minutes of each",
            |shape| shape.minutes as f64,
        ),
        panel(&numbers, format!("{minutes} minutes"), "tracks", |shape| {
            shape.tracks as f64
        }),
    ];
    let path = folder.join("growth.svg");
    fs::write(&path, plot::svg(&panels)).expect("a file can be made");
    (path, [lengths, numbers].concat())
}

fn point(shape: Shape, folder: &Path) -> show::Point {
    eprintln!("making and measuring {shape}");
    let tracks = shape.tracks(folder);
    let Side { steps, .. } = sides::ours(&tracks, folder);
    let costs = steps.iter().map(|step| measured(&step.command));
    let cost = costs.reduce(measure::Cost::then).unwrap_or_default();
    show::Point { shape, cost }
}
