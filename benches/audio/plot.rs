//! How cost grows, as one SVG: a point a measurement, a line through them.

use std::fmt::Write as _;

/// One panel: points of two things over one.
pub struct Panel {
    pub title: String,
    pub across: String,
    /// Across, seconds of processor, megabytes at most.
    pub points: Vec<(f64, f64, f64)>,
}

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 56.0;

/// The panels side by side: seconds in blue, on the left; megabytes in orange, on the right.
pub fn svg(panels: &[Panel]) -> String {
    let width = panels.len() as f64 * (WIDTH + 2.0 * MARGIN);
    let height = HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let left = index as f64 * (WIDTH + 2.0 * MARGIN) + MARGIN;
        draw(&mut svg, panel, left);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, panel: &Panel, left: f64) {
    let most = |of: fn(&(f64, f64, f64)) -> f64| panel.points.iter().map(of).fold(0.0, f64::max);
    let (across, seconds) = (round_up(most(|p| p.0)), round_up(most(|p| p.1)));
    let megabytes = round_up(most(|p| p.2)).max(64.0);
    let (bottom, right) = (MARGIN + HEIGHT, left + WIDTH);
    let x = |value: f64| left + value / across * WIDTH;
    let y = |value: f64, most: f64| bottom - value / most * HEIGHT;
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>\n\
         <rect x=\"{left}\" y=\"{MARGIN}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#999\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        MARGIN - 28.0,
        panel.title,
        left + WIDTH / 2.0,
        bottom + 36.0,
        panel.across
    );
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let (at, level) = (left + share * WIDTH, bottom - share * HEIGHT);
        let _ = writeln!(
            svg,
            "<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text x=\"{}\" y=\"{level}\" text-anchor=\"end\" fill=\"#1f5fa8\">{}</text>\n\
             <text x=\"{}\" y=\"{level}\" fill=\"#c05a00\">{}</text>\n\
             <line x1=\"{left}\" x2=\"{right}\" y1=\"{level}\" y2=\"{level}\" stroke=\"#eee\"/>",
            bottom + 16.0,
            share * across,
            left - 6.0,
            share * seconds,
            right + 6.0,
            share * megabytes
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" fill=\"#1f5fa8\">seconds of processor</text>\n\
         <text x=\"{right}\" y=\"{}\" fill=\"#c05a00\" text-anchor=\"end\">MB at most</text>",
        MARGIN - 8.0,
        MARGIN - 8.0
    );
    let mut series = |of: &dyn Fn(&(f64, f64, f64)) -> f64, colour: &str| {
        let points: Vec<_> = panel
            .points
            .iter()
            .map(|point| (x(point.0), of(point)))
            .collect();
        let path: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
            );
        }
    };
    series(&|point| y(point.1, seconds), "#1f5fa8");
    series(&|point| y(point.2, megabytes), "#c05a00");
}

/// The next of 1, 2, 4, 5, 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    let digits = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    let fits = digits
        .iter()
        .map(|digit| digit * power)
        .find(|most| *most >= value);
    fits.unwrap_or(value)
}
