//! How times, states and verdicts are put in words on pages.

use chrono::{DateTime, Utc};
use minijinja::{Value, context};

use crate::{compare::Verdict, model::GateVerdict, rollout::BreakerState};

/// `2026-11-23 17:34:05` from a time as JSON has it. All pages say that times are in UTC.
pub(super) fn moment(time: &str) -> String {
    time.parse::<DateTime<Utc>>().map_or_else(
        |_| time.to_owned(),
        |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// `70 ms`, `1.4 s`, `2 min 05 s` or `1 h 02 min` from milliseconds.
pub(super) fn took(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match seconds {
        ..1 => format!("{milliseconds} ms"),
        1..60 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        3600.. => format!("{hours} h {minutes:02} min"),
    }
}

/// How long something has been running, in whole seconds, as `live.js` goes on counting.
pub(super) fn since(start: &str, now: &str) -> String {
    let time = |text: &str| text.parse::<DateTime<Utc>>();
    let (Ok(start), Ok(now)) = (time(start), time(now)) else {
        return String::new();
    };
    let seconds = (now - start).num_seconds().max(0);
    match seconds {
        ..60 => format!("{seconds} s"),
        60.. => took(seconds * 1000),
    }
}

/// A verdict's sign, label and tone. The sign carries the meaning where there is no colour.
pub(super) fn verdict(name: &str) -> Value {
    let (sign, tone) = match Verdict::parse(name) {
        Some(Verdict::Match) => ("✓", "good"),
        Some(Verdict::WithinNoise) => ("≈", "noise"),
        Some(Verdict::Differs | Verdict::CandidateFailed | Verdict::TimedOut) => ("✗", "bad"),
        Some(Verdict::Pending) => ("…", "open"),
        Some(Verdict::ControlFailed | Verdict::BothFailed | Verdict::NotComparable) | None => {
            ("?", "open")
        }
    };
    context! { sign, tone, label => label(name) }
}

/// The sign, label and tone of a run's or a step's state.
pub(super) fn state(name: &str) -> Value {
    let (sign, tone) = match name {
        "completed" => ("✓", "good"),
        "running" | "starting" => ("●", "busy"),
        "retrying" => ("↻", "noise"),
        "failed" => ("✗", "bad"),
        "terminated" | "cut_off" => ("■", "open"),
        _ => ("·", "idle"),
    };
    context! { sign, tone, label => label(name) }
}

/// What the gate says, by its name in JSON.
pub(super) fn gate(name: &str) -> Value {
    let all = [GateVerdict::Pass, GateVerdict::Fail, GateVerdict::NotYet];
    let verdict = all.into_iter().find(|verdict| verdict.as_str() == name);
    let (sign, tone) = match verdict {
        Some(GateVerdict::Pass) => ("✓", "good"),
        Some(GateVerdict::Fail) => ("✗", "bad"),
        Some(GateVerdict::NotYet) => ("…", "noise"),
        None => ("?", "open"),
    };
    let label = verdict.map_or_else(|| label(name), |verdict| verdict.label().to_owned());
    context! { sign, tone, label }
}

/// The same of a move: whether it can be made.
pub(super) fn go(name: &str) -> Value {
    let label = match name {
        "pass" => "GO".to_owned(),
        "fail" => "NO-GO".to_owned(),
        "not_yet" => "NOT YET".to_owned(),
        _ => label(name),
    };
    let of = gate(name);
    let [sign, tone] = ["sign", "tone"].map(|key| of.get_attr(key).unwrap_or_default());
    context! { sign, tone, label }
}

/// How far a breaker is, by its name in JSON; `not_watched` where nobody looks.
pub(super) fn breaker(name: &str) -> Value {
    let (sign, tone) = match BreakerState::parse(name) {
        Some(BreakerState::Closed) => ("✓", "good"),
        Some(BreakerState::Suspect | BreakerState::HalfOpen | BreakerState::Recovering) => {
            ("≈", "noise")
        }
        Some(BreakerState::Open | BreakerState::Latched) => ("✗", "bad"),
        None => ("?", "noise"),
    };
    context! { sign, tone, label => label(name) }
}

/// Whether a precondition holds, by its name in JSON.
pub(super) fn standing(name: &str) -> Value {
    let (sign, tone) = match name {
        "met" => ("✓", "good"),
        "not_yet" => ("…", "noise"),
        "failed" => ("✗", "bad"),
        _ => ("!", "open"),
    };
    context! { sign, tone, label => label(name) }
}

/// What one line of the gate, or one field, comes to, by its name in JSON.
pub(super) fn asked(name: &str) -> Value {
    let (sign, tone) = match name {
        "pass" => ("✓", "good"),
        "fail" => ("✗", "bad"),
        "not_yet" => ("…", "noise"),
        _ => ("·", "idle"),
    };
    let label = match name {
        "not_looked" => "Not looked at".to_owned(),
        other => label(other),
    };
    context! { sign, tone, label }
}

/// How far a replay is, by its name in JSON.
pub(super) fn replay(name: &str) -> Value {
    let (sign, tone) = match name {
        "ended" => ("✓", "good"),
        "finding" | "under_way" => ("●", "busy"),
        "stopped" => ("■", "noise"),
        "cancelled" => ("■", "open"),
        _ => ("?", "open"),
    };
    context! { sign, tone, label => label(name) }
}

/// A message with a capital at its beginning and a stop at its end.
pub(super) fn sentence(message: &str) -> String {
    format!("{}.", capitalised(message))
}

/// `Within noise` from `within_noise`.
pub(super) fn label(name: &str) -> String {
    capitalised(&name.replace('_', " "))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_uppercase(), letters.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_people_want_them() {
        for (milliseconds, expected) in [
            (70, "70 ms"),
            (1_449, "1.4 s"),
            (59_900, "59.9 s"),
            (125_000, "2 min 05 s"),
            (3_725_000, "1 h 02 min"),
        ] {
            assert_eq!(took(milliseconds), expected);
        }
    }

    #[test]
    fn what_is_unknown_is_shown_as_it_is_and_never_as_good() {
        for (face, tone) in [
            (verdict("brand_new"), "open"),
            (gate("brand_new"), "open"),
            (go("brand_new"), "open"),
            (breaker("brand_new"), "noise"),
            (standing("brand_new"), "open"),
        ] {
            let of = |key: &str| face.get_attr(key).expect("it is there").to_string();
            assert_eq!([of("label"), of("tone")], ["Brand new", tone]);
        }
    }
}
