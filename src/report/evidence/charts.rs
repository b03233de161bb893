//! The drawings. Control and candidate are told apart by colour and by dash or shape, bounds by a dash
//! and a word.

use super::{
    ClassCount, Scatter, SoftField, Steps,
    sentences::percent,
    svg::{Anchor, Svg},
};
use crate::{
    gate::{FAR_SLOWER, Step},
    report::words::{number, span},
};

/// A scale from values to places.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
}

impl Scale {
    /// The place of a value, at most at an end.
    pub(super) fn at(self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        let share = if share.is_nan() {
            1.0
        } else {
            share.clamp(0.0, 1.0)
        };
        self.to.0 + share * (self.to.1 - self.to.0)
    }

    fn has(self, value: f64) -> bool {
        (self.from.0..=self.from.1).contains(&value)
    }
}

/// Mean excess of each soft field in margins, so that one line is every field's bound.
pub(super) fn forest(fields: &[SoftField]) -> String {
    const ROW: f64 = 30.0;
    let height = 64.0 + ROW * fields.len() as f64;
    let mut svg = Svg::new(1000.0, height);
    let x = Scale {
        from: (-2.0, 3.0),
        to: (190.0, 720.0),
    };
    let (top, bottom) = (26.0, height - 34.0);
    svg.line("zero", (x.at(0.0), top), (x.at(0.0), bottom));
    svg.line("bound", (x.at(1.0), top), (x.at(1.0), bottom));
    svg.text(
        "ts",
        Anchor::Middle,
        (x.at(0.0), 16.0),
        "the control's own noise",
    );
    svg.text("t", Anchor::Middle, (x.at(1.0) + 40.0, 16.0), "margin Δ");
    for tick in -2..=3 {
        let value = f64::from(tick);
        svg.line("tick", (x.at(value), bottom), (x.at(value), bottom + 5.0));
        let label = match tick {
            0 => "0".to_owned(),
            tick => format!("{tick} Δ").replace('-', "−"),
        };
        svg.text("ts", Anchor::Middle, (x.at(value), bottom + 20.0), &label);
    }
    for (at, field) in fields.iter().enumerate() {
        let y = 44.0 + ROW * at as f64;
        let in_margins = |value: f64| value / field.margin;
        let (low, value, high) = (
            in_margins(field.excess.low),
            in_margins(field.excess.value),
            in_margins(field.excess.high),
        );
        svg.text("t", Anchor::End, (176.0, y + 5.0), &field.label);
        svg.line("whisker", (x.at(low), y), (x.at(high), y));
        for end in [low, high] {
            if x.has(end) {
                svg.line("whisker", (x.at(end), y - 6.0), (x.at(end), y + 6.0));
            } else {
                let sign = if end < 0.0 { "◂" } else { "▸" };
                svg.text("arrow", Anchor::Middle, (x.at(end), y + 5.0), sign);
            }
        }
        let (told, class) = if high <= 1.0 {
            ("below the margin", "dot in")
        } else if low >= 1.0 {
            ("beyond the margin", "dot out")
        } else {
            ("not decided", "dot open")
        };
        let numbers = format!(
            "{:+.3} ({:+.3} to {:+.3}), Δ {}",
            field.excess.value,
            field.excess.low,
            field.excess.high,
            number(field.margin)
        );
        svg.circle(
            class,
            (x.at(value), y),
            5.5,
            &format!("{}: {numbers}, {told}", field.label),
        );
        svg.text(
            "num",
            Anchor::Start,
            (740.0, y + 5.0),
            &numbers.replace('-', "−"),
        );
    }
    svg.done("Forest plot: excess of each soft field over the control's own noise, against its margin; the table below has the numbers")
}

/// Two tests over what was seen, with the line they have to reach.
pub(super) fn evidence(steps: &[Step], threshold: f64, of: &str, size: (f64, f64)) -> String {
    let (width, height) = size;
    let mut svg = Svg::new(width, height);
    let n = steps.last().map_or(1, |step| step.n);
    let all = || steps.iter().flat_map(|step| [step.evidence, step.against]);
    let high = all().fold(threshold * 1.4, f64::max).min(threshold * 4.0);
    let low = all().fold(-threshold, f64::min).max(-threshold * 3.0);
    let x = Scale {
        from: (0.0, n as f64),
        to: (44.0, width - 12.0),
    };
    let y = Scale {
        from: (low, high),
        to: (height - 34.0, 12.0),
    };
    svg.line("zero", (44.0, y.at(0.0)), (width - 12.0, y.at(0.0)));
    svg.line(
        "bound",
        (44.0, y.at(threshold)),
        (width - 12.0, y.at(threshold)),
    );
    svg.text("ts", Anchor::End, (38.0, y.at(0.0) + 4.0), "0");
    svg.text(
        "t",
        Anchor::End,
        (38.0, y.at(threshold) + 4.0),
        &format!("{threshold:.1}"),
    );
    svg.line(
        "axis-line",
        (44.0, height - 34.0),
        (width - 12.0, height - 34.0),
    );
    svg.text("ts", Anchor::Start, (44.0, height - 16.0), "0");
    svg.text(
        "ts",
        Anchor::End,
        (width - 12.0, height - 16.0),
        &format!("{n} {of}"),
    );
    let course = |value: fn(&Step) -> f64| -> Vec<(f64, f64)> {
        let from = std::iter::once((x.at(0.0), y.at(0.0)));
        let rest = steps
            .iter()
            .map(|step| (x.at(step.n as f64), y.at(value(step))));
        from.chain(rest).collect()
    };
    svg.path("against", &course(|step| step.against));
    svg.path("for", &course(|step| step.evidence));
    let told = steps.last().map_or_else(String::new, |last| {
        format!(
            "Evidence after {n} {of}: {:.1} for and {:.1} against the candidate; either has to reach {threshold:.1}",
            last.evidence, last.against
        )
    });
    svg.done(&told)
}

/// Shares of distances of both.
pub(super) fn shares(field: &SoftField) -> String {
    let (width, height) = (480.0, 230.0);
    let mut svg = Svg::new(width, height);
    let last = |all: &[(f64, f64)]| all.last().map_or(0.0, |one| one.0);
    let most = last(&field.candidate).max(last(&field.control)).max(0.05);
    let x = Scale {
        from: (0.0, most),
        to: (44.0, width - 12.0),
    };
    let y = Scale {
        from: (0.0, 1.0),
        to: (height - 34.0, 12.0),
    };
    for share in [0.0, 0.5, 1.0] {
        svg.line("grid", (44.0, y.at(share)), (width - 12.0, y.at(share)));
        svg.text(
            "ts",
            Anchor::End,
            (38.0, y.at(share) + 4.0),
            &percent(share),
        );
    }
    svg.text("ts", Anchor::Start, (44.0, height - 16.0), "0");
    let label = format!("distance {}", number((most * 1000.0).round() / 1000.0));
    svg.text("ts", Anchor::End, (width - 12.0, height - 16.0), &label);
    let stairs = |all: &[(f64, f64)]| {
        let mut points = vec![(x.at(0.0), y.at(0.0))];
        let mut before = 0.0;
        for (value, share) in all {
            points.push((x.at(*value), y.at(before)));
            points.push((x.at(*value), y.at(*share)));
            before = *share;
        }
        points.push((x.at(most), y.at(before)));
        points
    };
    svg.path("of-control", &stairs(&field.control));
    svg.path("of-candidate", &stairs(&field.candidate));
    svg.done(&format!(
        "{}: shares of distances, candidate against control and control against itself; the table below has the quartiles",
        field.label
    ))
}

/// Candidate over control, both in logarithms.
pub(super) fn times(scatter: &Scatter) -> String {
    const SIZE: f64 = 560.0;
    let mut svg = Svg::new(SIZE + 70.0, SIZE);
    let bins = scatter
        .bins
        .iter()
        .flat_map(|bin| [bin.control_s, bin.candidate_s]);
    let points = scatter.points.iter().flat_map(|side| [side.0, side.1]);
    let logs: Vec<f64> = bins.chain(points).map(f64::log10).collect();
    let low = logs.iter().copied().fold(f64::INFINITY, f64::min) - 0.08;
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max) + 0.08;
    let x = Scale {
        from: (low, high),
        to: (70.0, SIZE + 58.0),
    };
    let y = Scale {
        from: (low, high),
        to: (SIZE - 44.0, 30.0),
    };
    for second in [
        1.0,
        3.0,
        10.0,
        30.0,
        60.0,
        180.0,
        600.0,
        1800.0,
        3600.0,
        10_800.0,
        36_000.0_f64,
    ] {
        let log = second.log10();
        if !x.has(log) {
            continue;
        }
        svg.line("grid", (x.at(log), 30.0), (x.at(log), SIZE - 44.0));
        svg.line("grid", (70.0, y.at(log)), (SIZE + 58.0, y.at(log)));
        let label = short(second);
        svg.text("ts", Anchor::Middle, (x.at(log), SIZE - 27.0), &label);
        svg.text("ts", Anchor::End, (64.0, y.at(log) + 4.0), &label);
    }
    svg.text("t", Anchor::Middle, (330.0, SIZE - 6.0), "control");
    svg.text("t", Anchor::Start, (6.0, 14.0), "candidate");
    let most = scatter
        .bins
        .iter()
        .map(|bin| bin.recordings)
        .max()
        .unwrap_or(1);
    let radius = scatter.radius.log10();
    let radius = (
        radius / (high - low) * (x.to.1 - x.to.0),
        radius / (high - low) * (y.to.0 - y.to.1),
    );
    for bin in &scatter.bins {
        let level = (bin.recordings as f64).ln() / (most as f64).ln().max(f64::MIN_POSITIVE);
        let class =
            ["h1", "h2", "h3", "h4", "h5"][LEVELS.iter().filter(|from| level >= **from).count()];
        let at = (x.at(bin.control_s.log10()), y.at(bin.candidate_s.log10()));
        let s = if bin.recordings == 1 { "" } else { "s" };
        let told = format!(
            "{} recording{s} around {} and {}",
            bin.recordings,
            span(1000.0 * bin.control_s),
            span(1000.0 * bin.candidate_s)
        );
        svg.hexagon(class, at, radius, &told);
    }
    for (control, candidate) in &scatter.points {
        let far = candidate / control > FAR_SLOWER;
        let class = if far { "point far" } else { "point" };
        let told = format!(
            "{} and {}",
            span(1000.0 * control),
            span(1000.0 * candidate)
        );
        svg.circle(
            class,
            (x.at(control.log10()), y.at(candidate.log10())),
            3.5,
            &told,
        );
    }
    let slanted = |svg: &mut Svg, class: &str, ratio: f64| {
        let shift = ratio.log10();
        let from = (x.at(low), y.at(low + shift));
        let to = (x.at(high - shift), y.at(high));
        svg.line(class, from, to);
    };
    slanted(&mut svg, "same", 1.0);
    slanted(&mut svg, "bound", FAR_SLOWER);
    svg.done("Scatter plot: time of the candidate over the control's, both in logarithms; the line is the same time, the dashed one 1.5 times as long")
}

/// From which level of logarithms on a hexagon is darker.
const LEVELS: [f64; 4] = [0.25, 0.45, 0.65, 0.85];

fn short(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.0} s")
    } else if seconds < 3600.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.0} h", seconds / 3600.0)
    }
}

/// Steps of both sides, each side's laid end to end.
pub(super) fn waterfall(steps: &Steps) -> String {
    const ROW: f64 = 34.0;
    let height = 12.0 + ROW * steps.steps.len() as f64;
    let mut svg = Svg::new(1000.0, height);
    let total = |side: fn(&super::TypicalStep) -> Option<f64>| -> f64 {
        steps.steps.iter().filter_map(side).sum()
    };
    let longest = total(|step| step.control_s).max(total(|step| step.candidate_s));
    let x = Scale {
        from: (0.0, longest.max(1e-9)),
        to: (240.0, 890.0),
    };
    let mut begun = [0.0, 0.0];
    for (at, step) in steps.steps.iter().enumerate() {
        let y = 6.0 + ROW * at as f64;
        svg.text("t", Anchor::End, (228.0, y + 18.0), &step.name);
        let sides = [
            ("bar-control", step.control_s, y + 3.0),
            ("bar-candidate", step.candidate_s, y + 15.0),
        ];
        for (side, (class, seconds, top)) in sides.into_iter().enumerate() {
            let Some(seconds) = seconds else {
                continue;
            };
            let (from, to) = (x.at(begun[side]), x.at(begun[side] + seconds));
            let told = span(1000.0 * seconds);
            svg.rect(class, (from, top), ((to - from).max(1.5), 10.0), &told);
            svg.text("tiny", Anchor::Start, (to + 5.0, top + 9.0), &told);
            begun[side] += seconds;
        }
        svg.line("grid", (0.0, y + ROW - 3.0), (1000.0, y + ROW - 3.0));
    }
    svg.done("Waterfall: median time of each step, the steps of either side end to end; the table below has the numbers")
}

/// Kinds of differences, the most frequent first, with the share that they make up so far.
pub(super) fn pareto(classes: &[ClassCount]) -> String {
    const ROW: f64 = 28.0;
    let height = 30.0 + ROW * classes.len() as f64;
    let mut svg = Svg::new(1000.0, height);
    let all: i64 = classes.iter().map(|one| one.count).sum();
    let most = classes
        .iter()
        .map(|one| one.count)
        .max()
        .unwrap_or(1)
        .max(1);
    let x = Scale {
        from: (0.0, most as f64),
        to: (240.0, 680.0),
    };
    let share = Scale {
        from: (0.0, 1.0),
        to: (760.0, 960.0),
    };
    let mut so_far = 0;
    let mut line = Vec::new();
    svg.text("ts", Anchor::Start, (760.0, 14.0), "all so far, of 100 %");
    svg.line("grid", (960.0, 22.0), (960.0, height - 6.0));
    for (at, class) in classes.iter().enumerate() {
        let y = 24.0 + ROW * at as f64;
        so_far += class.count;
        let name = format!("{} · {:?}", class.class, class.severity);
        svg.text("t", Anchor::End, (228.0, y + 15.0), &name);
        let to = x.at(class.count as f64);
        let grave = class.severity <= crate::gate::Severity::S1;
        let kind = if grave { "bar-grave" } else { "bar-candidate" };
        svg.rect(kind, (240.0, y + 3.0), ((to - 240.0).max(2.0), 16.0), &name);
        svg.text(
            "tiny",
            Anchor::Start,
            (to + 6.0, y + 15.0),
            &class.count.to_string(),
        );
        let place = (share.at(so_far as f64 / all.max(1) as f64), y + 11.0);
        line.push(place);
    }
    svg.path("for", &line);
    for place in line {
        svg.circle("dot in", place, 3.5, "");
    }
    svg.done("Pareto chart: differences by kind, the most frequent first; the table below has the numbers")
}
