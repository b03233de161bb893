//! A drawing in the making. Colours are classes, so that the page's style decides on them in light, in
//! dark and on paper.

use std::fmt::Write;

/// A drawing with a coordinate system of its own.
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    const fn class(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Middle => " mid",
            Self::End => " end",
        }
    }
}

/// At most two decimals.
pub(super) fn c(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Svg {
    pub(super) const fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    fn add(&mut self, part: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(part);
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.add(format_args!(
            r#"<line class="{class}" x1="{}" y1="{}" x2="{}" y2="{}"/>"#,
            c(from.0),
            c(from.1),
            c(to.0),
            c(to.1)
        ));
    }

    /// A rectangle by its left upper corner and its size, with a text for whoever points at it.
    pub(super) fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), told: &str) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}">{}</rect>"#,
            c(at.0),
            c(at.1),
            c(size.0.max(0.0)),
            c(size.1.max(0.0)),
            title(told)
        ));
    }

    pub(super) fn circle(&mut self, class: &str, at: (f64, f64), radius: f64, told: &str) {
        self.add(format_args!(
            r#"<circle class="{class}" cx="{}" cy="{}" r="{}">{}</circle>"#,
            c(at.0),
            c(at.1),
            c(radius),
            title(told)
        ));
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, at: (f64, f64), text: &str) {
        self.add(format_args!(
            r#"<text class="{class}{}" x="{}" y="{}">{}</text>"#,
            anchor.class(),
            c(at.0),
            c(at.1),
            escaped(text)
        ));
    }

    /// A line through points.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut d = String::new();
        for (at, point) in points.iter().enumerate() {
            let letter = if at == 0 { 'M' } else { 'L' };
            let _ = write!(d, "{letter}{} {}", c(point.0), c(point.1));
        }
        self.add(format_args!(r#"<path class="{class}" d="{d}"/>"#));
    }

    /// A hexagon that stands on a corner.
    pub(super) fn hexagon(&mut self, class: &str, at: (f64, f64), radius: (f64, f64), told: &str) {
        let (wide, high) = (radius.0 * 0.866, radius.1);
        let corners = [
            (0.0, -high),
            (wide, -high / 2.0),
            (wide, high / 2.0),
            (0.0, high),
            (-wide, high / 2.0),
            (-wide, -high / 2.0),
        ];
        let points: Vec<String> = corners
            .iter()
            .map(|corner| format!("{},{}", c(at.0 + corner.0), c(at.1 + corner.1)))
            .collect();
        self.add(format_args!(
            r#"<polygon class="{class}" points="{}">{}</polygon>"#,
            points.join(" "),
            title(told)
        ));
    }

    /// The whole; `told` is what it shows, for whoever does not see it.
    pub(super) fn done(self, told: &str) -> String {
        format!(
            r#"<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>"#,
            c(self.width),
            c(self.height),
            escaped(told),
            self.body
        )
    }
}

fn title(told: &str) -> String {
    if told.is_empty() {
        String::new()
    } else {
        format!("<title>{}</title>", escaped(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_a_drawing_is_escaped() {
        let mut svg = Svg::new(10.0, 5.0);
        svg.text("t", Anchor::Middle, (1.0, 2.25), "a <b> & \"c\"");
        svg.rect("r", (0.0, 0.0), (-1.0, 2.0), "<");
        let text = svg.done("\"<>");
        assert_eq!(
            text,
            "<svg viewBox=\"0 0 10 5\" role=\"img\" aria-label=\"&quot;&lt;&gt;\"><text class=\"t mid\" x=\"1\" y=\"2.25\">a &lt;b&gt; &amp; &quot;c&quot;</text><rect class=\"r\" x=\"0\" y=\"0\" width=\"0\" height=\"2\"><title>&lt;</title></rect></svg>"
        );
    }
}
