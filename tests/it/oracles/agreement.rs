//! Made-up meetings, measured here and by the published programs. `SWITCHYARD_TEST_ORACLES` names a
//! Python with `tests/oracles/requirements.txt`; without it this is skipped, aloud.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use switchyard::compare::metrics::{
    alignment::{ErrorCounts, align},
    characters, chrf,
    cp::cp,
    di_cp::greedy_di_cp,
    diarization::{Forgiveness, Speech, diarization},
    drift, matching,
    orc::exact,
    rouge::{Tokens, rouge_l, rouge_n, tokens},
    segmentation, series,
    tcp::{COLLAR_S, tcp},
    transcript::{Pair, Segment},
};

use super::{
    Report,
    made_up::Meeting,
    values::{close, count, equal},
};
use crate::dice::Dice;

const PYTHON: &str = "SWITCHYARD_TEST_ORACLES";
const SEED: &str = "SWITCHYARD_ORACLE_SEED";
const MEETINGS: usize = 1000;

#[test]
fn the_published_programs_agree_on_a_thousand_made_up_meetings() {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with tests/oracles/requirements.txt");
        return;
    };
    let seed = std::env::var(SEED).map_or_else(
        |_| uuid::Uuid::new_v4().as_u64_pair().0,
        |seed| seed.parse().expect("a seed is a number"),
    );
    println!("{SEED}={seed}");
    let mut dice = Dice::new(seed);
    let meetings: Vec<Meeting> = (0..MEETINGS).map(|_| Meeting::made_up(&mut dice)).collect();
    let measured = measured(&python, &meetings);
    assert_eq!(measured.len(), MEETINGS, "{SEED}={seed}");
    let mut report = Report::new();
    for (at, (meeting, expected)) in meetings.iter().zip(&measured).enumerate() {
        let id = format!("{SEED}={seed}, meeting {at}");
        for (what, check) in CHECKS {
            report.take(what, &id, || check(meeting, &expected[*what]));
        }
    }
    report.finish();
}

/// What the programs say, in the order of the meetings.
fn measured(python: &str, meetings: &[Meeting]) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles");
    let mut process = Command::new(python)
        .arg("measure.py")
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("starting {python}: {error}"));
    let mut lines = String::new();
    for meeting in meetings {
        writeln!(lines, "{}", serde_json::to_string(meeting).expect("JSON"))
            .expect("a string takes all");
    }
    let mut input = process.stdin.take().expect("its input is ours");
    // It answers while it is still asked, and neither may wait for the other.
    let asking = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = process.wait_with_output().expect("its output");
    asking
        .join()
        .expect("it does not panic")
        .expect("it reads all");
    assert!(output.status.success(), "measure.py failed, see above");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

type Check = fn(&Meeting, &Value) -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[
    ("plain", plain),
    ("cp", |meeting, expected| {
        paired(&cp(&pair(meeting)), expected)
    }),
    ("tcp", |meeting, expected| {
        paired(&tcp(&pair(meeting), COLLAR_S), expected)
    }),
    ("tcp_tight", |meeting, expected| {
        paired(&tcp(&pair(meeting), meeting.collar), expected)
    }),
    ("orc", |meeting, expected| {
        let found = exact(&pair(meeting), usize::MAX).expect("it has no bound");
        equal("errors", found.errors, count(&expected["errors"]))
    }),
    ("di_cp", |meeting, expected| {
        let found = greedy_di_cp(&pair(meeting));
        equal("errors", found.errors, count(&expected["errors"]))?;
        equal("length", found.length, count(&expected["length"]))
    }),
    ("der", der),
    ("segmentation", cut),
    ("rouge", rouge),
    ("chrf", |meeting, expected| {
        let score = chrf::chrf(&meeting.reference_text, &meeting.hypothesis_text);
        close("score", Some(score), expected)
    }),
    ("matching", matched),
    ("series", rows),
];

fn pair(meeting: &Meeting) -> Pair {
    Pair::new(&meeting.reference, &meeting.hypothesis)
}

fn plain(meeting: &Meeting, expected: &Value) -> Result<(), String> {
    let words = |segments: &[Segment]| -> Vec<String> {
        segments
            .iter()
            .flat_map(|segment| segment.words.clone())
            .collect()
    };
    let (left, right) = (words(&meeting.reference), words(&meeting.hypothesis));
    let counts = ErrorCounts::of(&align(&left, &right));
    equal("words", counts.errors(), count(&expected["words"]))?;
    let errors = characters::distance(&left.join(" "), &right.join(" "));
    equal("characters", errors, count(&expected["characters"]))
}

fn paired(
    found: &switchyard::compare::metrics::cp::SpeakerErrors,
    expected: &Value,
) -> Result<(), String> {
    equal("errors", found.errors, count(&expected["errors"]))?;
    equal("length", found.length, count(&expected["length"]))
}

fn der(meeting: &Meeting, expected: &Value) -> Result<(), String> {
    let speech = |segments: &'_ [Segment]| -> Vec<Speech<String>> {
        let speech = segments.iter();
        speech
            .map(|segment| (segment.speaker.clone(), segment.start, segment.end))
            .collect()
    };
    let (left, right) = (speech(&meeting.reference), speech(&meeting.hypothesis));
    let ways = [(0.0, false), (0.5, false), (0.0, true)];
    for ((collar, overlap), expected) in ways.into_iter().zip(expected.as_array().expect("ways")) {
        let found = diarization(
            &borrowed(&left),
            &borrowed(&right),
            Forgiveness { collar, overlap },
        );
        for (what, value) in [
            ("total", found.total),
            ("missed", found.missed),
            ("false_alarm", found.false_alarm),
            ("confusion", found.confusion),
            ("rate", found.rate()),
        ] {
            let told = format!("{what} with collar {collar}, overlap forgiven: {overlap},");
            close(&told, Some(value), &expected[what])?;
        }
    }
    Ok(())
}

fn borrowed(speech: &[Speech<String>]) -> Vec<Speech<&str>> {
    let each = speech.iter();
    each.map(|(label, start, end)| (label.as_str(), *start, *end))
        .collect()
}

fn cut(meeting: &Meeting, expected: &Value) -> Result<(), String> {
    let (left, right) = (&meeting.reference_masses, &meeting.hypothesis_masses);
    let window = count(&expected["window"]);
    equal("window", segmentation::window(left), window)?;
    close(
        "boundary_similarity",
        segmentation::boundary_similarity(right, left),
        &expected["boundary_similarity"],
    )?;
    if !expected["pk"].is_null() {
        close("pk", segmentation::pk(right, left), &expected["pk"])?;
        let found = segmentation::window_diff(right, left);
        close("window_diff", found, &expected["window_diff"])?;
    }
    Ok(())
}

fn rouge(meeting: &Meeting, expected: &Value) -> Result<(), String> {
    for (name, kind) in [("ascii", Tokens::Ascii), ("unicode", Tokens::Unicode)] {
        let left = tokens(&meeting.reference_text, kind);
        let right = tokens(&meeting.hypothesis_text, kind);
        let scores = [
            rouge_n(&left, &right, 1),
            rouge_n(&left, &right, 2),
            rouge_l(&left, &right),
        ];
        for (score, expected) in scores
            .into_iter()
            .zip(expected[name].as_array().expect("scores"))
        {
            close("precision", Some(score.precision), &expected[0])?;
            close("recall", Some(score.recall), &expected[1])?;
            close("f", Some(score.f), &expected[2])?;
        }
    }
    Ok(())
}

fn matched(meeting: &Meeting, expected: &Value) -> Result<(), String> {
    let found = matching::best(&meeting.similarity);
    let pairs = expected["pairs"].as_array().expect("pairs").iter();
    let pairs: Vec<(usize, usize)> = pairs
        .map(|pair| (count(&pair[0]), count(&pair[1])))
        .collect();
    equal("pairs", found.pairs, pairs)?;
    close("total", Some(found.total), &expected["total"])
}

fn rows(meeting: &Meeting, expected: &Value) -> Result<(), String> {
    let (left, right) = (&meeting.reference_series, &meeting.hypothesis_series);
    let found = series::distance(left, right).ok_or("they have no distance")?;
    close("max_abs", Some(found.max_abs), &expected["max_abs"])?;
    close("mean_abs", Some(found.mean_abs), &expected["mean_abs"])?;
    close("rmse", Some(found.rmse), &expected["rmse"])?;
    close("pearson", found.pearson, &expected["pearson"])?;
    let pairs: Vec<(f64, f64)> = left.iter().copied().zip(right.iter().copied()).collect();
    let drift = drift::drift(&pairs).ok_or("they have no drift")?;
    close("p95", Some(drift.p95_abs), &expected["p95"])?;
    close("median", Some(drift.median_abs), &expected["median"])
}
