//! How long both pipelines took.

use serde::Serialize;

use super::super::{EvidenceReport, charts, sentences};
use crate::gate::FAR_SLOWER;

#[derive(Serialize)]
pub(super) struct Times {
    drawing: String,
    shown: String,
    rows: Vec<(&'static str, String)>,
}

pub(super) fn times(report: &EvidenceReport) -> Option<Times> {
    let scatter = report.times.as_ref()?;
    let paired = report.decision.latency.as_ref()?;
    let bound =
        |bound: Option<f64>| bound.map_or_else(|| "unknown".to_owned(), |one| format!("{one:.2}"));
    let shown = if scatter.bins.is_empty() {
        format!("{} recordings, a point each", scatter.recordings)
    } else {
        let rest = match scatter.left_out {
            0 => String::new(),
            more => format!("; {more} more of these are in the hexagons only"),
        };
        format!(
            "{} recordings in hexagons, the darker the more; points are {} that took over {FAR_SLOWER} times as long, or less than {:.2} times{rest}",
            scatter.recordings,
            scatter.points.len(),
            FAR_SLOWER.recip()
        )
    };
    let mut rows = vec![
        ("Recordings with both times", paired.n.to_string()),
        (
            "Median of candidate / control",
            format!(
                "{:.3} ({} to {}, 95 % at either end)",
                paired.median_ratio,
                bound(paired.median_lower),
                bound(paired.median_upper)
            ),
        ),
        (
            "Hodges-Lehmann ratio",
            format!("{:.3}", paired.hodges_lehmann_ratio),
        ),
        (
            "Over 1.5 times as long",
            format!(
                "{} ({} to {})",
                sentences::rate(
                    sentences::whole(paired.far_slower),
                    sentences::whole(paired.n)
                ),
                sentences::percent(paired.far_slower_lower),
                sentences::percent(paired.far_slower_upper)
            ),
        ),
    ];
    if let Some(p) = report.times_p {
        let p = if p < 0.001 {
            "p below 0.001".to_owned()
        } else {
            format!("p = {p:.3}")
        };
        rows.push((
            "Signed-rank test that both take as long",
            format!("{p}; shown, and decides nothing"),
        ));
    }
    Some(Times {
        drawing: charts::times(scatter),
        shown,
        rows,
    })
}
