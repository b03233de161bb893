//! Phases, breaker, holds and versions on one axis of time, with how runs ended below.

mod drawn;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) use drawn::drawn;

/// What is drawn of the past, at most.
pub const REACH: TimeDelta = TimeDelta::days(90);

/// What happened to a migration, as it was noted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Moves from phase to phase, oldest first.
    pub moves: Vec<Change>,
    /// The phase it is in.
    pub phase: String,
    /// Changes of the breaker, oldest first.
    pub breaker: Vec<Change>,
    /// The breaker's state; none where nobody looks at Conductor.
    pub breaker_now: Option<String>,
    /// What held it where it was.
    pub holds: Vec<Held>,
    /// Which versions evidence was gathered under, the first first.
    pub versions: Vec<Gathered>,
    /// When runs began, and how they ended.
    pub runs: Vec<(DateTime<Utc>, How)>,
}

/// One became the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: DateTime<Utc>,
    /// From what.
    pub before: String,
    /// To what.
    pub after: String,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when; none while it is in force.
    pub to: Option<DateTime<Utc>>,
    /// Who holds.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// Evidence that was gathered under one digest of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// The digest.
    pub versions: String,
    /// When the first comparison was made.
    pub first: DateTime<Utc>,
    /// When the last was.
    pub last: DateTime<Utc>,
    /// Runs compared.
    pub runs: i64,
}

/// How a run ended, for a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is the same as its control, or within what is declared.
    Same,
    /// It served users, and nothing was compared.
    Served,
    /// It differs from its control.
    Differs,
    /// It came to no result, or too late.
    Failed,
    /// Its control failed, or it has not ended or not been compared.
    SaysNothing,
}

/// The same, ready to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Timeline {
    /// Where the axis begins.
    pub from: DateTime<Utc>,
    /// Where it ends: when it was read.
    pub to: DateTime<Utc>,
    /// Phases.
    pub phases: Vec<Span>,
    /// States of the breaker.
    pub breaker: Vec<Span>,
    /// Holds.
    pub holds: Vec<Span>,
    /// Digests of versions.
    pub versions: Vec<Span>,
    /// How runs ended, by when they began.
    pub outcomes: Vec<Outcomes>,
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// Since when, at the earliest since the axis begins.
    pub from: DateTime<Utc>,
    /// Until when, at the latest until the axis ends.
    pub to: DateTime<Utc>,
    /// What.
    pub what: String,
    /// What to know about it: who and why.
    pub note: String,
    /// Whether it began on the axis.
    pub begins: bool,
}

/// How the runs of a while ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outcomes {
    /// Those that began then or later,
    pub from: DateTime<Utc>,
    /// and before then.
    pub to: DateTime<Utc>,
    /// The same as their control, or within what is declared.
    pub same: i64,
    /// Served users without a comparison.
    pub served: i64,
    /// Differ.
    pub differs: i64,
    /// Came to no result, or too late.
    pub failed: i64,
    /// Say nothing so far, or at all.
    pub says_nothing: i64,
}

impl Outcomes {
    fn add(&mut self, how: How) {
        let count = match how {
            How::Same => &mut self.same,
            How::Served => &mut self.served,
            How::Differs => &mut self.differs,
            How::Failed => &mut self.failed,
            How::SaysNothing => &mut self.says_nothing,
        };
        *count += 1;
    }

    /// In the order in which they are drawn, from the bottom, with the class of each.
    const fn parts(&self) -> [(&'static str, &'static str, i64); 5] {
        [
            ("o-same", "the same or within bounds", self.same),
            ("o-served", "served users", self.served),
            ("o-differs", "differ", self.differs),
            ("o-failed", "failed or late", self.failed),
            ("o-nothing", "say nothing", self.says_nothing),
        ]
    }

    fn all(&self) -> i64 {
        self.parts().iter().map(|part| part.2).sum()
    }
}

/// Bars on the axis, at most.
const BARS: i64 = 60;

/// How long the time of one bar may be, in hours.
const BAR_HOURS: [i64; 7] = [1, 3, 6, 12, 24, 48, 168];

impl Timeline {
    /// Lays out what happened until `now`: from the first of it, at most [`REACH`] back.
    pub fn of(history: &History, now: DateTime<Utc>) -> Self {
        let changes = history.moves.iter().chain(&history.breaker);
        let first = changes
            .map(|change| change.at)
            .chain(history.holds.iter().map(|hold| hold.from))
            .chain(history.versions.iter().map(|one| one.first))
            .chain(history.runs.iter().map(|run| run.0))
            .min()
            .unwrap_or(now);
        // Something can be seen of a migration that began a moment ago.
        let from = first.max(now - REACH).min(now - TimeDelta::hours(6));
        let on_axis = |at: DateTime<Utc>| at.clamp(from, now);
        let span = |since: DateTime<Utc>, to: DateTime<Utc>, what: &str, note: String| Span {
            from: on_axis(since),
            to: on_axis(to),
            what: what.to_owned(),
            note,
            begins: since >= from,
        };
        let holds = history.holds.iter().map(|hold| {
            let note = format!("{}: {}", hold.owner, hold.reason);
            span(hold.from, hold.to.unwrap_or(now), "hold", note)
        });
        let next = |at: usize| history.versions.get(at + 1).map_or(now, |one| one.first);
        let versions = history.versions.iter().enumerate().map(|(at, one)| {
            let s = if one.runs == 1 { "" } else { "s" };
            let note = format!("{} run{s} compared", one.runs);
            // What was compared again under versions that were left is still one stretch.
            span(one.first, next(at).max(one.first), &one.versions, note)
        });
        Self {
            from,
            to: now,
            phases: states(&history.moves, Some(&history.phase), (from, now)),
            breaker: states(
                &history.breaker,
                history.breaker_now.as_deref(),
                (from, now),
            ),
            holds: holds.collect(),
            versions: versions.collect(),
            outcomes: outcomes(&history.runs, (from, now)),
        }
    }

    /// Everything that happened, newest first: when, what, and what to know about it.
    pub(super) fn told(&self) -> Vec<[String; 3]> {
        let of = |lane: &'static str, spans: &[Span]| -> Vec<(DateTime<Utc>, [String; 3])> {
            let begun = spans.iter().filter(|span| span.begins);
            begun
                .map(|span| {
                    let what = format!("{lane} {}", span.what);
                    (span.from, [stamp(span.from), what, span.note.clone()])
                })
                .collect()
        };
        let mut all = of("phase", &self.phases);
        all.extend(of("breaker", &self.breaker));
        all.extend(of("", &self.holds));
        all.extend(of("versions", &self.versions));
        all.sort_by_key(|one| std::cmp::Reverse(one.0));
        all.into_iter().map(|one| one.1).collect()
    }

    /// How runs ended, newest first, without the whiles in which none began.
    pub(super) fn counted(&self) -> Vec<[String; 6]> {
        let begun = self.outcomes.iter().rev().filter(|one| one.all() > 0);
        begun
            .map(|one| {
                let parts = one.parts().map(|part| part.2.to_string());
                let [same, served, differs, failed, nothing] = parts;
                [stamp(one.from), same, served, differs, failed, nothing]
            })
            .collect()
    }
}

pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

/// The stretches between changes. Before the first it was what the first changed; where nothing
/// changed it is what it is now.
fn states(
    changes: &[Change],
    now: Option<&str>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let first = changes.first().map(|change| change.before.as_str()).or(now);
    if let Some(what) = first.filter(|what| !what.is_empty()) {
        spans.push(Span {
            from,
            to,
            what: what.to_owned(),
            note: String::new(),
            begins: false,
        });
    }
    for change in changes {
        let at = change.at.clamp(from, to);
        if let Some(last) = spans.last_mut() {
            last.to = at;
        }
        spans.push(Span {
            from: at,
            to,
            what: change.after.clone(),
            note: format!("{}: {}", change.by, change.reason),
            begins: change.at >= from,
        });
    }
    spans.retain(|span| span.begins || span.to > span.from);
    spans
}

fn outcomes(
    runs: &[(DateTime<Utc>, How)],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<Outcomes> {
    let hours = (to - from).num_hours();
    let longest = BAR_HOURS[BAR_HOURS.len() - 1];
    let mut lengths = BAR_HOURS.into_iter();
    let length = lengths.find(|length| hours / length < BARS);
    let length = TimeDelta::hours(length.unwrap_or(longest));
    // Bars begin at whole hours and days.
    let seconds = length.num_seconds();
    let start = from - TimeDelta::seconds(from.timestamp().rem_euclid(seconds));
    let mut bars: Vec<Outcomes> = Vec::new();
    let mut at = start;
    while at < to {
        bars.push(Outcomes {
            from: at,
            to: at + length,
            ..Outcomes::default()
        });
        at += length;
    }
    for (begun, how) in runs {
        let place = usize::try_from((*begun - start).num_seconds() / seconds).ok();
        let is_after = *begun >= start;
        if let Some(bar) = place
            .filter(|_| is_after)
            .and_then(|place| bars.get_mut(place))
        {
            bar.add(*how);
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        let noon: DateTime<Utc> = "2026-03-20T12:00:00Z".parse().expect("a time");
        noon + TimeDelta::hours(hour)
    }

    fn change(hour: i64, before: &str, after: &str) -> Change {
        Change {
            at: at(hour),
            before: before.to_owned(),
            after: after.to_owned(),
            by: "ada".to_owned(),
            reason: "because".to_owned(),
        }
    }

    #[test]
    fn between_changes_it_stays_as_it_was() {
        let changes = [
            change(-5, "shadow 10 %", "shadow 50 %"),
            change(-2, "shadow 50 %", "parallel"),
        ];
        let spans = states(&changes, Some("parallel"), (at(-10), at(0)));
        let told: Vec<_> = spans
            .iter()
            .map(|span| (span.from, span.to, span.what.as_str(), span.begins))
            .collect();
        assert_eq!(
            told,
            [
                (at(-10), at(-5), "shadow 10 %", false),
                (at(-5), at(-2), "shadow 50 %", true),
                (at(-2), at(0), "parallel", true),
            ]
        );
        let spans = states(&[], Some("parallel"), (at(-10), at(0)));
        assert_eq!((spans.len(), spans[0].begins), (1, false));
        assert!(states(&[], None, (at(-10), at(0))).is_empty());
    }

    #[test]
    fn every_run_on_the_axis_is_in_one_bar() {
        let runs: Vec<_> = (0..500)
            .map(|hour| {
                let how = [How::Same, How::Differs, How::Failed, How::SaysNothing];
                (at(-hour), how[usize::try_from(hour % 4).expect("few")])
            })
            .collect();
        let history = History {
            runs,
            ..History::default()
        };
        let timeline = Timeline::of(&history, at(1));
        let all: i64 = timeline.outcomes.iter().map(Outcomes::all).sum();
        assert_eq!(all, 500);
        assert!(timeline.outcomes.len() <= 61, "{}", timeline.outcomes.len());
        let few = Timeline::of(&History::default(), at(0));
        assert_eq!((few.outcomes.len(), few.from), (6, at(-6)));
        // What is older than the axis is not drawn at its beginning.
        let mut old = history;
        old.runs.push((at(-24 * 200), How::Failed));
        let drawn = Timeline::of(&old, at(1));
        assert_eq!(drawn.from, at(1) - REACH);
        let all: i64 = drawn.outcomes.iter().map(Outcomes::all).sum();
        assert_eq!(all, 500);
    }

    #[test]
    fn the_axis_begins_with_the_first_that_happened() {
        let history = History {
            moves: vec![change(-30, "infrastructure", "parallel")],
            phase: "parallel".to_owned(),
            breaker_now: Some("closed".to_owned()),
            holds: vec![Held {
                from: at(-20),
                to: None,
                owner: "ada".to_owned(),
                reason: "holidays".to_owned(),
            }],
            ..History::default()
        };
        let timeline = Timeline::of(&history, at(0));
        assert_eq!(timeline.from, at(-30));
        assert_eq!(timeline.holds[0].to, at(0));
        let told = timeline.told();
        assert_eq!(told[0][1], " hold");
        assert_eq!(told[1][1], "phase parallel");
        assert!(drawn(&timeline).contains("nobody looked") || timeline.breaker.len() == 1);
    }
}
