//! How times, states and verdicts are put in words on pages.

use chrono::{DateTime, Utc};
use minijinja::{Value, context};

use crate::{compare::Verdict, controller::status::StepState};

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

/// The name of a step's state in JSON.
pub(super) const fn step_name(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Running => "running",
        StepState::Retrying => "retrying",
        StepState::Completed => "completed",
        StepState::Failed => "failed",
        StepState::CutOff => "cut_off",
        StepState::NotReached => "not_reached",
    }
}

/// The sign of a step's state, as [`state`] has it.
pub(super) const fn step_sign(state: StepState) -> &'static str {
    match state {
        StepState::Completed => "✓",
        StepState::Running => "●",
        StepState::Retrying => "↻",
        StepState::Failed => "✗",
        StepState::CutOff => "■",
        StepState::Pending | StepState::NotReached => "·",
    }
}

/// A name of ours in words: `Within noise` from `within_noise`. Those of routes say more.
pub(super) fn words(name: &str) -> String {
    match name {
        "control" => "Control alone".to_owned(),
        "beside" => "Control, candidate beside".to_owned(),
        "candidate" => "Candidate".to_owned(),
        "unrouted" => "No route".to_owned(),
        "http" => "HTTP".to_owned(),
        "cli" => "command line".to_owned(),
        "tap" => "the tap".to_owned(),
        _ => label(name),
    }
}

/// When something is going to end, by the times between which that usually happens.
pub(super) fn remaining(now: &str, from: &str, to: &str) -> String {
    let time = |text: &str| text.parse::<DateTime<Utc>>();
    let (Ok(now), Ok(from), Ok(to)) = (time(now), time(from), time(to)) else {
        return String::new();
    };
    let left = |at: DateTime<Utc>| took((at - now).num_milliseconds().max(0));
    if to <= now {
        "it takes longer than nine in ten did".to_owned()
    } else if from <= now {
        format!("it usually ends within {}", left(to))
    } else {
        format!("it usually ends in {} to {}", left(from), left(to))
    }
}

/// A text as one part of an address's path.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
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
    fn a_step_has_the_same_sign_in_lists_and_drawings() {
        for one in [
            StepState::Pending,
            StepState::Running,
            StepState::Retrying,
            StepState::Completed,
            StepState::Failed,
            StepState::CutOff,
            StepState::NotReached,
        ] {
            let name = step_name(one);
            assert_eq!(serde_json::json!(one), name);
            let face = state(name);
            let sign = face.get_attr("sign").expect("it is there").to_string();
            assert_eq!(sign, step_sign(one), "{name}");
        }
    }

    #[test]
    fn when_it_ends_is_a_range_and_what_is_late_is_said_to_be() {
        let at = |seconds: u32| format!("2026-03-02T12:00:{seconds:02}Z");
        let said = |from, to| remaining(&at(10), &at(from), &at(to));
        assert_eq!(said(15, 40), "it usually ends in 5.0 s to 30.0 s");
        assert_eq!(said(5, 40), "it usually ends within 30.0 s");
        assert_eq!(said(5, 10), "it takes longer than nine in ten did");
    }

    #[test]
    fn a_part_of_a_path_leads_nowhere_else() {
        assert_eq!(segment("a-1_b.c~"), "a-1_b.c~");
        assert_eq!(segment("a/b?c d%é"), "a%2Fb%3Fc%20d%25%C3%A9");
    }

    #[test]
    fn an_unknown_verdict_is_shown_as_it_is_and_never_as_good() {
        let face = verdict("brand_new");
        let of = |key: &str| face.get_attr(key).expect("it is there").to_string();
        assert_eq!([of("label"), of("tone")], ["Brand new", "open"]);
    }
}
