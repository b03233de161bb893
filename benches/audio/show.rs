//! What was measured, for people and for machines, and whether it is what was wanted.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::{
    material::Shape,
    measure::Cost,
    sides::{FLOORS, LEGACY, OURS, Side},
};

/// All that was measured.
#[derive(Serialize)]
pub struct Measured {
    pub tracks: usize,
    pub minutes: u64,
    /// Of the mix.
    pub programme_s: f64,
    pub rounds: usize,
    pub processors: usize,
    /// The machine's load before each turn.
    pub loads: Vec<f64>,
    pub sides: Vec<SideCost>,
}

/// One side's steps, each at its least over the rounds.
#[derive(Serialize)]
pub struct SideCost {
    pub name: String,
    pub steps: Vec<StepCost>,
}

/// One step.
#[derive(Serialize)]
pub struct StepCost {
    pub name: String,
    #[serde(flatten)]
    pub least: Cost,
    /// Every round.
    pub rounds: Vec<Cost>,
}

impl Measured {
    pub fn new(shape: Shape, programme_s: f64, rounds: usize, sides: &[Side]) -> Self {
        let steps = |side: &Side| {
            let step = |step: &crate::sides::Step| StepCost {
                name: step.name.clone(),
                least: Cost::default(),
                rounds: Vec::new(),
            };
            side.steps.iter().map(step).collect()
        };
        Self {
            tracks: shape.tracks,
            minutes: shape.minutes,
            programme_s,
            rounds,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            loads: Vec::new(),
            sides: sides
                .iter()
                .map(|side| SideCost {
                    name: side.name.clone(),
                    steps: steps(side),
                })
                .collect(),
        }
    }

    /// Takes in one turn's step.
    pub fn take(&mut self, side: usize, step: usize, cost: Cost) {
        let step = &mut self.sides[side].steps[step];
        step.least = if step.rounds.is_empty() {
            cost
        } else {
            step.least.least(cost)
        };
        step.rounds.push(cost);
    }

    fn side(&self, name: &str) -> Option<&SideCost> {
        self.sides.iter().find(|side| side.name == name)
    }
}

impl SideCost {
    /// One step after the other.
    pub fn total(&self) -> Cost {
        self.steps
            .iter()
            .map(|step| step.least)
            .fold(Cost::default(), Cost::then)
    }

    /// Processor seconds of padding one track, on average.
    fn pad_cpu_s(&self) -> Option<f64> {
        let pads: Vec<_> = self
            .steps
            .iter()
            .filter(|step| step.name.starts_with("pad"))
            .map(|step| step.least.cpu_s)
            .collect();
        (!pads.is_empty()).then(|| pads.iter().sum::<f64>() / pads.len() as f64)
    }
}

/// A bound, and what was seen.
#[derive(Serialize)]
pub struct Target {
    pub what: String,
    pub seen: f64,
    pub bound: f64,
    /// Whether more than the bound is wanted, or less.
    pub at_least: bool,
    pub met: bool,
}

/// All bounds whose sides were there.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Targets(Vec<Target>);

impl Targets {
    pub fn of(measured: &Measured) -> Self {
        let mut all = Vec::new();
        let Some(ours) = measured.side(OURS) else {
            return Self(all);
        };
        let total = ours.total();
        let mut target = |what: String, seen: f64, bound: f64, at_least: bool| {
            all.push(Target {
                what,
                seen,
                bound,
                at_least,
                met: if at_least {
                    seen >= bound
                } else {
                    seen <= bound
                },
            });
        };
        if let Some(floors) = measured.side(FLOORS) {
            let floor = floors.total().cpu_s;
            target(
                "CPU against LAME and libopus alone".into(),
                total.cpu_s / floor,
                1.1,
                false,
            );
        }
        if let Some(legacy) = measured.side(LEGACY) {
            let theirs = legacy.total();
            target(
                "CPU, times less than the legacy".into(),
                theirs.cpu_s / total.cpu_s,
                4.5,
                true,
            );
            target(
                "wall, times less than the legacy".into(),
                theirs.wall_s / total.wall_s,
                8.0,
                true,
            );
            if let (Some(pad), Some(their_pad)) = (ours.pad_cpu_s(), legacy.pad_cpu_s()) {
                let what = "CPU of padding a track, times less than the legacy".to_owned();
                target(what, their_pad / pad.max(0.001), 500.0, true);
            }
        }
        let newest = measured
            .sides
            .iter()
            .rfind(|side| side.name.starts_with("ffmpeg"));
        if let Some(ffmpeg) = newest {
            let (name, theirs) = (&ffmpeg.name, ffmpeg.total());
            target(
                format!("CPU, times less than {name}"),
                theirs.cpu_s / total.cpu_s,
                3.0,
                true,
            );
            target(
                format!("wall, times less than {name}"),
                theirs.wall_s / total.wall_s,
                3.5,
                true,
            );
        }
        target("MB at most".into(), total.peak_mb, 64.0, false);
        Self(all)
    }
}

/// Ours at one shape.
#[derive(Clone, Serialize)]
pub struct Point {
    #[serde(serialize_with = "shape")]
    pub shape: Shape,
    #[serde(flatten)]
    pub cost: Cost,
}

fn shape<S: serde::Serializer>(shape: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(shape)
}

fn aligned(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    table
}

fn print(mut table: Table, texts: usize) {
    for (index, column) in table.column_iter_mut().enumerate() {
        if index >= texts {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.to_string().lines() {
        println!("{}", line.trim_end());
    }
}

/// A line a step, and one for all of a side.
pub fn table(measured: &Measured) {
    let of = |by: fn(f64, f64) -> f64| {
        measured
            .loads
            .iter()
            .copied()
            .reduce(by)
            .unwrap_or_default()
    };
    println!(
        "{} tracks of {} min, a mix of {:.0} s; {} rounds in turn; {} processors, load {:.1} to {:.1}",
        measured.tracks,
        measured.minutes,
        measured.programme_s,
        measured.rounds,
        measured.processors,
        of(f64::min),
        of(f64::max)
    );
    println!();
    let headings = [
        "",
        "step",
        "wall s",
        "CPU s",
        "peak MB",
        "wall ratio",
        "CPU ratio",
    ];
    let mut table = aligned(&headings);
    let ours = measured.side(OURS).map(SideCost::total).unwrap_or_default();
    for side in &measured.sides {
        for step in &side.steps {
            let Cost {
                wall_s,
                cpu_s,
                peak_mb,
            } = step.least;
            table.add_row([
                side.name.clone(),
                step.name.clone(),
                format!("{wall_s:.2}"),
                format!("{cpu_s:.2}"),
                format!("{peak_mb:.0}"),
            ]);
        }
        let Cost {
            wall_s,
            cpu_s,
            peak_mb,
        } = side.total();
        table.add_row([
            side.name.clone(),
            "all".to_owned(),
            format!("{wall_s:.2}"),
            format!("{cpu_s:.2}"),
            format!("{peak_mb:.0}"),
            format!("{:.2}", wall_s / ours.wall_s),
            format!("{:.2}", cpu_s / ours.cpu_s),
        ]);
    }
    print(table, 2);
}

/// A line a bound.
pub fn targets(targets: &Targets) {
    println!();
    let mut table = aligned(&["target", "", "seen", "wanted"]);
    for target in &targets.0 {
        let wanted = if target.at_least {
            "at least"
        } else {
            "at most"
        };
        table.add_row([
            target.what.clone(),
            if target.met { "met" } else { "MISSED" }.to_owned(),
            format!("{:.2}", target.seen),
            format!("{wanted} {}", target.bound),
        ]);
    }
    print(table, 2);
}

/// A line a shape: the cost of one minute of one track should stay.
pub fn growth(points: &[Point]) {
    println!();
    let mut table = aligned(&[
        "ours",
        "wall s",
        "CPU s",
        "peak MB",
        "CPU ms a minute of the mix",
    ]);
    for Point { shape, cost } in points {
        table.add_row([
            shape.to_string(),
            format!("{:.2}", cost.wall_s),
            format!("{:.2}", cost.cpu_s),
            format!("{:.0}", cost.peak_mb),
            format!("{:.0}", cost.cpu_s * 1000.0 / shape.minutes as f64),
        ]);
    }
    print(table, 1);
}
