//! What a comparison costs: `cargo bench --bench comparison`.
//!
//! All fields of a meeting of three hours, five speakers and 30,000 words, one in twenty of them heard
//! differently; in the same run what `MeetEval`'s cpWER and jiwer take for the words of that meeting
//! alone, where `SWITCHYARD_TEST_ORACLES` names a Python with `tests/oracles/requirements.txt`; and how
//! time and memory grow with the meeting, also drawn in `target/tmp/comparison-growth.svg`. Memory is
//! the highest that Linux has seen of this process, the meeting itself included. Both sides measure by
//! turns, and what counts is the median of the pairs' ratios.

#[path = "../tests/support/dice.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod dice;
#[path = "comparison/growth.rs"]
mod growth;
#[path = "comparison/meeting.rs"]
mod meeting;

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use switchyard::{
    compare::{Field, Policy, compare, metrics::normaliser::norm_v1},
    model::{Outcome, Word},
};

use meeting::{Size, both};

const SEED: u64 = 20_261_126;
const RUNS: usize = 5;
/// How often either side measures the meeting, by turns.
const PAIRS: usize = 7;
/// What a comparison of the meeting may take.
const TARGET: Duration = Duration::from_secs(1);
/// How many times faster it has to be than the other program with one of its fields.
const FASTER: f64 = 20.0;

const MEETING: Size = Size {
    hours: 3,
    speakers: 5,
    words: 30_000,
};
const GROWTH: [Size; 5] = [
    Size {
        hours: 1,
        speakers: 5,
        words: 10_000,
    },
    MEETING,
    Size {
        hours: 5,
        speakers: 10,
        words: 50_000,
    },
    Size {
        hours: 10,
        speakers: 10,
        words: 100_000,
    },
    Size {
        hours: 10,
        speakers: 20,
        words: 100_000,
    },
];

fn main() {
    println!("hours  speakers    words   seconds  peak MB");
    let mut rows = Vec::new();
    for size in GROWTH {
        let (control, candidate) = both(size, SEED);
        let (took, memory) = measured(&control, &candidate);
        let told = memory.map_or_else(
            || "unknown".to_owned(),
            |kilobytes| (kilobytes / 1024).to_string(),
        );
        println!(
            "{:>5}  {:>8}  {:>7}  {:>8.3}  {told:>7}",
            size.hours,
            size.speakers,
            size.words,
            took.as_secs_f64()
        );
        rows.push(growth::Row { size, took, memory });
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("comparison-growth.svg");
    std::fs::write(&path, growth::drawn(&rows)).expect("the folder can be written to");
    println!("drawn in {}", path.display());
    let (control, candidate) = both(MEETING, SEED);
    let met = |met: bool| if met { "met" } else { "MISSED" };
    let Some(mut others) = Others::start(&control, &candidate) else {
        let (took, _) = measured(&control, &candidate);
        told(took, met(took < TARGET));
        return;
    };
    // By turns, so that whatever else the machine does falls on both.
    let policy = Policy::shipped();
    let pairs: Vec<(Duration, Value)> = (0..PAIRS)
        .map(|_| {
            let begun = Instant::now();
            black_box(compare(black_box(&control), black_box(&candidate), &policy));
            (begun.elapsed(), others.measure())
        })
        .collect();
    let took = median(pairs.iter().map(|pair| pair.0.as_secs_f64()));
    told(
        Duration::from_secs_f64(took),
        met(took < TARGET.as_secs_f64()),
    );
    let seconds = |pair: &(Duration, Value), key: &str| pair.1[key].as_f64().expect("seconds");
    let mut times_faster = f64::INFINITY;
    for (name, key) in [("jiwer's WER", "jiwer_s"), ("MeetEval's cpWER", "cp_s")] {
        let alone = median(pairs.iter().map(|pair| seconds(pair, key)));
        times_faster = median(
            pairs
                .iter()
                .map(|pair| seconds(pair, key) / pair.0.as_secs_f64()),
        );
        println!("{name} alone: {alone:.3} s, {times_faster:.1} times as long as all fields");
    }
    println!(
        "at least {FASTER} times faster than MeetEval's cpWER: {}",
        met(times_faster >= FASTER)
    );
    let comparison = compare(&control, &candidate, &policy);
    let words = comparison.field(Field::Words).expect("words are compared");
    let errors = words.measured.iter().find(|number| number.name == "errors");
    println!(
        "errors: {:?} here, {} by jiwer; {} by MeetEval with paired speakers",
        errors.and_then(|errors| errors.value),
        pairs[0].1["jiwer_errors"],
        pairs[0].1["cp_errors"]
    );
}

fn told(took: Duration, met: &str) {
    println!(
        "all fields of 3 hours: {:.3} s; target {} s: {met}",
        took.as_secs_f64(),
        TARGET.as_secs()
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The median of some runs, and the most memory this process had in kilobytes while they ran.
fn measured(control: &Outcome, candidate: &Outcome) -> (Duration, Option<u64>) {
    let policy = Policy::shipped();
    forget_the_peak();
    let mut all: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            black_box(compare(black_box(control), black_box(candidate), &policy));
            begun.elapsed()
        })
        .collect();
    all.sort_unstable();
    (all[RUNS / 2], peak())
}

/// Linux counts anew from here; elsewhere nothing is known.
fn forget_the_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The published programs, which measure the words whenever they are asked.
struct Others {
    process: Child,
    output: BufReader<ChildStdout>,
    meeting: Value,
}

impl Others {
    fn start(control: &Outcome, candidate: &Outcome) -> Option<Self> {
        let Ok(python) = std::env::var("SWITCHYARD_TEST_ORACLES") else {
            println!(
                "no comparison with MeetEval and jiwer: SWITCHYARD_TEST_ORACLES names no Python"
            );
            return None;
        };
        let mut process = Command::new(python)
            .args(["measure.py", "--timed"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python starts");
        let output = BufReader::new(process.stdout.take().expect("its output is ours"));
        let meeting =
            json!({"reference": turns(&control.words), "hypothesis": turns(&candidate.words)});
        Some(Self {
            process,
            output,
            meeting,
        })
    }

    /// Seconds by its own clock, without starting, reading and writing.
    fn measure(&mut self) -> Value {
        let input = self.process.stdin.as_mut().expect("its input is ours");
        writeln!(input, "{}", self.meeting).expect("it reads");
        input.flush().expect("it reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output");
        serde_json::from_str(&line).expect("measure.py answers, or says above why not")
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// What one speaker says until another does.
fn turns(words: &[Word]) -> Vec<Value> {
    let turns = words.chunk_by(|one, other| one.speaker == other.speaker);
    turns
        .map(|turn| {
            let words: Vec<String> = turn.iter().map(|word| norm_v1(&word.text)).collect();
            json!({
                "speaker": turn[0].speaker.to_string(),
                "start": turn[0].start,
                "end": turn[turn.len() - 1].end,
                "words": words,
            })
        })
        .collect()
}
