//! The drawing.

use chrono::{DateTime, Utc};

use super::{
    super::{
        charts::Scale,
        svg::{Anchor, Svg},
    },
    Outcomes, Timeline, stamp,
};

const LEFT: f64 = 110.0;
const RIGHT: f64 = 990.0;

/// Lanes above, bars below, on one axis.
pub(in crate::report::evidence) fn drawn(timeline: &Timeline) -> String {
    const LANE: f64 = 34.0;
    const BARS_HIGH: f64 = 120.0;
    let seconds = |at: DateTime<Utc>| at.timestamp() as f64;
    let x = Scale {
        from: (seconds(timeline.from), seconds(timeline.to)),
        to: (LEFT, RIGHT),
    };
    let lanes = [
        ("Phase", &timeline.phases),
        ("Breaker", &timeline.breaker),
        ("Holds", &timeline.holds),
        ("Versions", &timeline.versions),
    ];
    let top = 8.0 + LANE * lanes.len() as f64;
    let base = top + 14.0 + BARS_HIGH;
    let mut svg = Svg::new(1000.0, base + 30.0);
    for moved in timeline.phases.iter().filter(|span| span.begins) {
        let at = x.at(seconds(moved.from));
        svg.line("marker", (at, 6.0), (at, base));
    }
    for (at, (name, spans)) in lanes.into_iter().enumerate() {
        let y = 8.0 + LANE * at as f64;
        svg.text("t", Anchor::End, (LEFT - 12.0, y + 17.0), name);
        if spans.is_empty() {
            let none = if name == "Breaker" {
                "nobody looked at Conductor"
            } else {
                "none"
            };
            svg.text("ts", Anchor::Start, (LEFT + 4.0, y + 17.0), none);
        }
        for (place, span) in spans.iter().enumerate() {
            let (from, to) = (x.at(seconds(span.from)), x.at(seconds(span.to)));
            let width = (to - from - 1.0).max(2.5);
            let told = format!(
                "{}, {} to {}{}",
                span.what,
                stamp(span.from),
                stamp(span.to),
                if span.note.is_empty() {
                    String::new()
                } else {
                    format!("; {}", span.note)
                }
            );
            let class = class_of(name, place, &span.what);
            svg.rect(class, (from, y + 2.0), (width, 22.0), &told);
            let shown: String = match name {
                "Versions" => span.what.chars().take(8).collect(),
                _ => span.what.replace('_', " "),
            };
            // About seven units a letter.
            if width > 10.0 + 7.2 * shown.chars().count() as f64 {
                let text = if class == "s-alarm" {
                    "on-alarm"
                } else {
                    "in-span"
                };
                svg.text(text, Anchor::Start, (from + 6.0, y + 17.0), &shown);
            }
        }
    }
    let most = timeline.outcomes.iter().map(Outcomes::all).max();
    let most = most.unwrap_or(0).max(1);
    let height = |count: i64| BARS_HIGH * count as f64 / most as f64;
    svg.text(
        "t",
        Anchor::End,
        (LEFT - 12.0, base - BARS_HIGH / 2.0 + 4.0),
        "Runs",
    );
    svg.text("ts", Anchor::End, (LEFT - 12.0, base + 4.0), "0");
    svg.text(
        "ts",
        Anchor::End,
        (LEFT - 12.0, base - BARS_HIGH + 10.0),
        &most.to_string(),
    );
    svg.line("grid", (LEFT, base - BARS_HIGH), (RIGHT, base - BARS_HIGH));
    for bar in timeline.outcomes.iter().filter(|bar| bar.all() > 0) {
        let (from, to) = (x.at(seconds(bar.from)), x.at(seconds(bar.to)));
        let mut y = base;
        for (class, label, count) in bar.parts().into_iter().filter(|part| part.2 > 0) {
            let high = height(count).max(1.5);
            y -= high;
            let told = format!("{count} {label}, begun from {}", stamp(bar.from));
            let size = ((to - from - 1.5).max(1.5), high);
            svg.rect(class, (from, y), size, &told);
        }
    }
    axis(&mut svg, timeline, base);
    svg.done("Timeline: phase, breaker, holds and versions above, how runs ended below; the tables have all of it")
}

/// Five dates below the bars.
fn axis(svg: &mut Svg, timeline: &Timeline, base: f64) {
    svg.line("axis-line", (LEFT, base), (RIGHT, base));
    for tick in 0..=4 {
        let at = timeline.from + (timeline.to - timeline.from) * tick / 4;
        let anchor = match tick {
            0 => Anchor::Start,
            4 => Anchor::End,
            _ => Anchor::Middle,
        };
        let place = LEFT + (RIGHT - LEFT) * f64::from(tick) / 4.0;
        svg.line("tick", (place, base), (place, base + 5.0));
        let label = at.format("%d %b %H:%M").to_string();
        svg.text("ts", anchor, (place, base + 21.0), &label);
    }
}

fn class_of(lane: &str, place: usize, what: &str) -> &'static str {
    match (lane, what) {
        ("Breaker", "closed") => "s-calm",
        ("Breaker", "open" | "latched") | ("Holds", _) => "s-alarm",
        ("Breaker", "not watched") => "s-none",
        _ if place.is_multiple_of(2) => "s-one",
        _ => "s-other",
    }
}
