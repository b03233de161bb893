//! What a comparison costs: `cargo bench --bench comparison`.
//!
//! All fields of a meeting of three hours, five speakers and 30,000 words, one in twenty of them heard
//! differently; in the same run what `MeetEval`'s cpWER and jiwer take for the words of that meeting
//! alone, where `SWITCHYARD_TEST_ORACLES` names a Python with `tests/oracles/requirements.txt`; and how
//! time and memory grow with the meeting. Memory is the highest that Linux has seen of this process.

#[path = "../tests/support/dice.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod dice;
#[path = "comparison/meeting.rs"]
mod meeting;

use std::{
    hint::black_box,
    io::Write as _,
    process::{Command, Stdio},
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
        let memory = memory.map_or_else(
            || "unknown".to_owned(),
            |kilobytes| (kilobytes / 1024).to_string(),
        );
        println!(
            "{:>5}  {:>8}  {:>7}  {:>8.3}  {memory:>7}",
            size.hours,
            size.speakers,
            size.words,
            took.as_secs_f64()
        );
        rows.push((size, took));
    }
    plot(&rows);
    let (control, candidate) = both(MEETING, SEED);
    let (took, _) = measured(&control, &candidate);
    let met = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "all fields of 3 hours: {:.3} s; target {} s: {}",
        took.as_secs_f64(),
        TARGET.as_secs(),
        met(took < TARGET)
    );
    let Some(others) = others(&control, &candidate) else {
        return;
    };
    let comparison = compare(&control, &candidate, &Policy::shipped());
    let words = comparison.field(Field::Words).expect("words are compared");
    let errors = words.measured.iter().find(|number| number.name == "errors");
    let seconds = |key: &str| others[key].as_f64().expect("seconds");
    for (name, key) in [("MeetEval's cpWER", "cp_s"), ("jiwer's WER", "jiwer_s")] {
        let ratio = seconds(key) / took.as_secs_f64();
        println!(
            "{name} alone: {:.3} s, {ratio:.1} times as long as all fields",
            seconds(key)
        );
    }
    let ratio = seconds("cp_s") / took.as_secs_f64();
    println!(
        "at least {FASTER} times faster than MeetEval's cpWER: {}",
        met(ratio >= FASTER)
    );
    println!(
        "errors: {:?} here, {} by jiwer; {} by MeetEval with paired speakers",
        errors.and_then(|errors| errors.value),
        others["jiwer_errors"],
        others["cp_errors"]
    );
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

/// A bar a meeting, as long as it takes.
fn plot(rows: &[(Size, Duration)]) {
    const WIDTH: f64 = 60.0;
    let longest = rows
        .iter()
        .map(|row| row.1.as_secs_f64())
        .fold(0.0, f64::max);
    for (size, took) in rows {
        let share = took.as_secs_f64() / longest * WIDTH;
        let bar: String = (0..60)
            .take_while(|at| f64::from(*at) < share)
            .map(|_| '#')
            .collect();
        println!("{:>3} h {:>2} speakers |{bar}", size.hours, size.speakers);
    }
}

/// What the published programs take for the words.
fn others(control: &Outcome, candidate: &Outcome) -> Option<Value> {
    let Ok(python) = std::env::var("SWITCHYARD_TEST_ORACLES") else {
        println!("no comparison with MeetEval and jiwer: SWITCHYARD_TEST_ORACLES names no Python");
        return None;
    };
    let meeting =
        json!({"reference": turns(&control.words), "hypothesis": turns(&candidate.words)});
    let mut process = Command::new(python)
        .args(["measure.py", "--timed"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Python starts");
    let mut input = process.stdin.take().expect("its input is ours");
    writeln!(input, "{meeting}").expect("it reads");
    drop(input);
    let output = process.wait_with_output().expect("its output");
    assert!(output.status.success(), "measure.py failed, see above");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
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
