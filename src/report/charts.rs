//! Drawings as SVG coordinates and bar lengths. The page's template only places them.

use schemars::JsonSchema;
use serde::Serialize;

use super::words;
use crate::model::{Outcome, Topic};

/// Width of the waveform's coordinate system.
const WIDTH: f64 = 1000.0;
const HALF: f64 = 60.0;

/// A waveform as the points of a filled shape: control up from the middle line, candidate down.
#[derive(Serialize, JsonSchema)]
pub(super) struct Waveform {
    control: String,
    candidate: String,
    control_peaks: usize,
    candidate_peaks: usize,
}

pub(super) fn waveform(control: &Outcome, candidate: &Outcome) -> Option<Waveform> {
    (!control.waveform.is_empty() || !candidate.waveform.is_empty()).then(|| Waveform {
        control: outline(&control.waveform, -1.0),
        candidate: outline(&candidate.waveform, 1.0),
        control_peaks: control.waveform.len(),
        candidate_peaks: candidate.waveform.len(),
    })
}

/// Steps, not slopes: a peak stands for its whole chunk.
fn outline(peaks: &[f64], direction: f64) -> String {
    if peaks.is_empty() {
        return String::new();
    }
    let step = WIDTH / peaks.len() as f64;
    let mut path = format!("M0 {HALF}");
    for (at, peak) in peaks.iter().enumerate() {
        let y = HALF + direction * peak.clamp(0.0, 1.0) * (HALF - 2.0);
        let (from, to) = (at as f64 * step, (at as f64 + 1.0) * step);
        path.push_str(
            &[
                " L",
                &coordinate(from),
                " ",
                &coordinate(y),
                " L",
                &coordinate(to),
                " ",
                &coordinate(y),
            ]
            .concat(),
        );
    }
    path.push_str(&[" L", &coordinate(WIDTH), " ", &coordinate(HALF), " Z"].concat());
    path
}

fn coordinate(value: f64) -> String {
    words::number((value * 10.0).round() / 10.0)
}

/// Topics of both sides on one axis of time; places and widths in percent, so that letters keep
/// their size on any screen.
#[derive(Serialize)]
pub(super) struct TopicAxis {
    lanes: Vec<Lane>,
    ticks: Vec<Tick>,
}

#[derive(Serialize)]
struct Lane {
    name: &'static str,
    blocks: Vec<Block>,
}

#[derive(Serialize)]
struct Block {
    number: usize,
    x: f64,
    width: f64,
    middle: f64,
    title: String,
    time: String,
}

/// A time on an axis.
#[derive(Serialize)]
pub(super) struct Tick {
    x: f64,
    label: String,
    anchor: &'static str,
}

pub(super) fn topics(control: &Outcome, candidate: &Outcome) -> Option<TopicAxis> {
    let length = length(control).max(length(candidate));
    if length <= 0.0 || (control.topics.is_empty() && candidate.topics.is_empty()) {
        return None;
    }
    let lane = |name, topics: &[Topic], end: f64| {
        let starts: Vec<f64> = topics
            .iter()
            .map(|topic| topic.timestamp)
            .chain([end])
            .collect();
        let blocks = topics.iter().enumerate().map(|(at, topic)| {
            let x = percent(starts[at] / length);
            let width = percent((starts[at + 1] - starts[at]) / length - 0.003).max(0.2);
            Block {
                number: at + 1,
                x,
                width,
                middle: x + width / 2.0,
                title: topic.title.clone(),
                time: words::clock(topic.timestamp),
            }
        });
        Lane {
            name,
            blocks: blocks.collect(),
        }
    };
    Some(TopicAxis {
        lanes: vec![
            lane("Control", &control.topics, length),
            lane("Candidate", &candidate.topics, length),
        ],
        ticks: ticks(length),
    })
}

/// Five times along an axis of so many seconds.
pub(super) fn ticks(length: f64) -> Vec<Tick> {
    let tick = |at: u8| Tick {
        x: percent(f64::from(at) / 4.0),
        label: words::clock(length * f64::from(at) / 4.0),
        anchor: match at {
            0 => "start",
            4 => "end",
            _ => "middle",
        },
    };
    (0..=4).map(tick).collect()
}

/// A share as percent with one decimal.
fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

/// Seconds: the mix, or where there is none the last word.
pub(super) fn length(outcome: &Outcome) -> f64 {
    let last_word = outcome
        .words
        .iter()
        .map(|word| word.end)
        .fold(0.0, f64::max);
    outcome.duration_ms.map_or(last_word, |ms| ms / 1000.0)
}

/// A step with the time it took on either side.
#[derive(Serialize)]
pub(super) struct PairedStep {
    pub(super) name: String,
    pub(super) control_ms: Option<f64>,
    pub(super) candidate_ms: Option<f64>,
}

/// Steps of both sides by name: the control's order, then what only the candidate has. A name
/// that occurs twice on one side is added up.
pub(super) fn paired_steps(control: &Outcome, candidate: &Outcome) -> Vec<PairedStep> {
    let mut steps: Vec<PairedStep> = Vec::new();
    for (outcome, is_control) in [(control, true), (candidate, false)] {
        for timing in &outcome.steps {
            let at = steps
                .iter()
                .position(|step| step.name == timing.step)
                .unwrap_or_else(|| {
                    steps.push(PairedStep {
                        name: timing.step.clone(),
                        control_ms: None,
                        candidate_ms: None,
                    });
                    steps.len() - 1
                });
            let side = if is_control {
                &mut steps[at].control_ms
            } else {
                &mut steps[at].candidate_ms
            };
            *side = Some(side.unwrap_or(0.0) + timing.wall_ms);
        }
    }
    steps
}
