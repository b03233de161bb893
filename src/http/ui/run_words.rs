//! How recordings and runs are put in words on pages, beside what [`words`](super::words) says of all.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::words::{label, took};
use crate::controller::status::StepState;

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
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{super::words::state, *};

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
}
