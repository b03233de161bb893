//! How evidence is put in words, the same in every rendering.

use super::{EvidenceReport, Expected};
use crate::{
    gate::{Decision, FieldKind, FieldRow, FieldState, InForce, Line, LineState, Who},
    model::GateVerdict,
    report::words::{Face, Tone, number},
};

const fn face(sign: &'static str, label: &'static str, tone: Tone) -> Face {
    Face { sign, label, tone }
}

/// A verdict as whoever decides on the step reads it.
pub(super) const fn verdict(verdict: GateVerdict) -> Face {
    match verdict {
        GateVerdict::Pass => face("✓", "GO", Tone::Good),
        GateVerdict::NotYet => face("…", "NOT YET", Tone::Open),
        GateVerdict::Fail => face("✗", "NO-GO", Tone::Bad),
    }
}

/// `GO with 2 waivers and 1 rule`: what is put up with is said in the same breath.
pub(super) fn headline(decision: &Decision) -> String {
    let label = verdict(decision.verdict).label;
    let all = put_up_with(decision.in_force);
    if all.is_empty() {
        label.to_owned()
    } else {
        format!("{label} with {}", all.join(" and "))
    }
}

fn put_up_with(in_force: InForce) -> Vec<String> {
    [
        (in_force.waivers, "1 waiver", "waivers"),
        (in_force.rules, "1 rule", "rules"),
    ]
    .into_iter()
    .filter(|one| one.0 > 0)
    .map(|(count, one, many)| match count {
        1 => one.to_owned(),
        count => format!("{count} {many}"),
    })
    .collect()
}

/// Waivers and rules in force, also where there are none.
pub(super) fn in_force(in_force: InForce) -> String {
    let all = put_up_with(in_force);
    if all.is_empty() {
        "no waivers, no rules".to_owned()
    } else {
        all.join(" and ")
    }
}

/// The gate's own line without the verdict that stands above it.
pub(super) fn lead(decision: &Decision) -> String {
    let mut rest = decision.line.as_str();
    rest = rest
        .strip_prefix(decision.verdict.label())
        .unwrap_or(rest)
        .trim_start();
    let put_up_with = put_up_with(decision.in_force).join(" and ");
    if !put_up_with.is_empty() {
        let with = format!("with {put_up_with}");
        rest = rest.strip_prefix(with.as_str()).unwrap_or(rest);
    }
    let rest = rest.trim_start_matches([':', ';']).trim();
    if rest.is_empty() {
        return "Everything that is asked for is there, and speaks for the candidate.".to_owned();
    }
    let mut letters = rest.chars();
    let first = letters.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    format!("{first}{}.", letters.as_str())
}

/// When it may become GO.
pub(super) fn expected(decision: &Decision) -> Expected {
    let of = |state| {
        decision
            .lines
            .iter()
            .filter(move |line| line.state == state)
    };
    match decision.verdict {
        GateVerdict::Pass => Expected {
            days: Some(0),
            said: "now".to_owned(),
        },
        GateVerdict::Fail => Expected {
            days: None,
            said: "waiting does not help".to_owned(),
        },
        GateVerdict::NotYet => {
            // Nothing is known of when, if of one thing that takes only time it is not.
            let is_open = |line: &Line| line.who == Some(Who::Time) && line.eta_days.is_none();
            let days = if of(LineState::NotYet).any(is_open) {
                None
            } else {
                of(LineState::NotYet).filter_map(|line| line.eta_days).max()
            };
            let takes_time = |line: &Line| line.who == Some(Who::Time) || line.eta_days.is_some();
            let takes_time = of(LineState::NotYet).any(takes_time);
            let mut others: Vec<&str> = of(LineState::NotYet)
                .filter_map(|line| line.who)
                .filter(|who| *who != Who::Time)
                .map(Who::label)
                .collect();
            others.sort_unstable();
            others.dedup();
            let by_time = match days {
                Some(1) => "1 day at the rate recordings arrived".to_owned(),
                Some(days) => format!("{days} days at the rate recordings arrived"),
                None => {
                    "at a time that is not known: too few recordings arrived to tell".to_owned()
                }
            };
            let said = match (takes_time, others.is_empty()) {
                (_, true) => by_time,
                (false, false) => format!("when {} have done their part", others.join(" and ")),
                (true, false) => format!(
                    "{by_time}, and when {} have done their part",
                    others.join(" and ")
                ),
            };
            Expected { days, said }
        }
    }
}

pub(super) const fn of_line(state: LineState) -> Face {
    match state {
        LineState::Pass => face("✓", LineState::Pass.label(), Tone::Good),
        LineState::Fail => face("✗", LineState::Fail.label(), Tone::Bad),
        LineState::NotYet => face("…", LineState::NotYet.label(), Tone::Open),
        LineState::NotLooked => face("?", LineState::NotLooked.label(), Tone::Noise),
    }
}

pub(super) const fn of_field(state: FieldState) -> Face {
    match state {
        FieldState::Pass => of_line(LineState::Pass),
        FieldState::Fail => of_line(LineState::Fail),
        FieldState::NotYet => of_line(LineState::NotYet),
        FieldState::NotLooked => of_line(LineState::NotLooked),
        FieldState::Counted => face("Σ", "counted", Tone::Noise),
        FieldState::DryRun => face("~", "dry run", Tone::Open),
    }
}

pub(super) fn kind(kind: FieldKind) -> String {
    match kind {
        FieldKind::Hard => "hard".to_owned(),
        FieldKind::Soft(margin) => format!("soft, Δ {}", number(margin)),
    }
}

/// `12 of 400 (3 %)`; a dash where nothing was seen.
pub(super) fn rate(some: i64, all: i64) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    format!("{some} of {all} ({})", percent(some as f64 / all as f64))
}

/// A count as the gate keeps them.
pub(super) fn whole(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A share in percent, never rounded to none or all.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let shown = if percent > 0.0 && percent < 0.1 {
        "< 0.1".to_owned()
    } else if percent > 99.9 && percent < 100.0 {
        "> 99.9".to_owned()
    } else {
        number((percent * 10.0).round() / 10.0)
    };
    format!("{shown} %")
}

/// The control's noise in a field.
pub(super) fn noise(row: &FieldRow) -> String {
    match whole(row.noise_pairs) {
        0 => "no second run".to_owned(),
        pairs => rate(whole(row.noise_differs), pairs),
    }
}

/// What a field is beyond the control's noise, with its interval.
pub(super) fn excess(report: &EvidenceReport, row: &FieldRow) -> String {
    let soft = report.soft.iter().find(|field| field.name == row.name);
    match (soft, row.excess) {
        (Some(soft), _) => {
            let of = soft.excess;
            format!("{:+.3} ({:+.3} to {:+.3})", of.value, of.low, of.high)
        }
        (None, Some(of)) => format!(
            "{:+.1} % ({:+.1} to {:+.1})",
            100.0 * of.value,
            100.0 * of.low,
            100.0 * of.high
        ),
        (None, None) => "not known".to_owned(),
    }
}

/// What to know about a field, and what it lacks.
pub(super) fn remark(row: &FieldRow) -> String {
    [row.note.as_str(), row.missing.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

/// What a line lacks and who can do it.
pub(super) fn action(line: &Line) -> String {
    let who = line.who.map(|who| format!(" ({})", who.label()));
    // Some say it themselves.
    let days = line.eta_days.filter(|_| !line.missing.contains(" day"));
    let days = days.map(|days| match days {
        1 => ", about 1 day".to_owned(),
        days => format!(", about {days} days"),
    });
    format!(
        "{}{}{}",
        line.missing,
        who.unwrap_or_default(),
        days.unwrap_or_default()
    )
}

/// `412 recordings on 12 days, 3 replayed`.
pub(super) fn amount(decision: &Decision) -> String {
    let counts = &decision.counts;
    let s = |n: i64| if n == 1 { "" } else { "s" };
    format!(
        "{} recording{} on {} day{}, {} of them replayed",
        counts.recordings,
        s(counts.recordings),
        counts.days,
        s(counts.days),
        counts.replayed
    )
}

/// What is left out of the evidence.
pub(super) fn left_out(decision: &Decision) -> String {
    let left = decision.left_out;
    format!(
        "{} whose control failed, {} not comparable, {} run again",
        left.control_failed, left.not_comparable, left.repeats
    )
}

/// How far evidence is on its way, 0 to 100.
pub(super) fn way(evidence: f64, threshold: f64) -> f64 {
    let share = (evidence / threshold).clamp(0.0, 1.0);
    if share.is_nan() {
        0.0
    } else {
        (share * 1000.0).floor() / 10.0
    }
}
