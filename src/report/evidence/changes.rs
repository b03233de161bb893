//! What changed since another time: the verdict, counts, what fields and lines come to, and sorts of
//! differences that nobody had seen before.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::sentences;
use crate::{
    gate::{Decision, Severity},
    model::GateVerdict,
};

/// How the evidence stood at another time.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// When, as it is to be shown.
    pub at: String,
    /// What it came to then, by the rules as they are now, and under which versions; none where nothing
    /// had been compared.
    pub decided: Option<(String, Decision)>,
    /// Sorts of differences that were seen first after that.
    pub new: Vec<NewSort>,
}

/// A sort of difference nobody had seen before. Nothing in it was said in a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NewSort {
    /// The field, as people read it.
    pub field: String,
    /// Its kind, as people read it.
    pub class: String,
    /// How bad it is.
    pub severity: Severity,
    /// Place and shapes.
    pub pattern: String,
    /// Its signature, by which it can be reviewed.
    pub signature: String,
    /// Recordings that have it.
    pub recordings: usize,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Changes {
    /// Since when.
    pub since: String,
    /// The versions then, where they are not those of now: evidence began anew.
    pub other_versions: Option<String>,
    /// The verdict then; none where nothing had been compared.
    pub verdict_then: Option<GateVerdict>,
    /// The verdict now.
    pub verdict_now: GateVerdict,
    /// Counts that are others now.
    pub counts: Vec<Count>,
    /// Fields that come to something else now.
    pub fields: Vec<Turned>,
    /// Lines that do.
    pub lines: Vec<Turned>,
    /// Sorts of differences that nobody had seen then, the gravest first.
    pub new: Vec<NewSort>,
}

/// A number that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// Of what.
    pub what: &'static str,
    /// Then.
    pub then: i64,
    /// Now.
    pub now: i64,
}

/// Something that comes to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Turned {
    /// What.
    pub what: String,
    /// What it came to, as people read it; empty where it was not asked for.
    pub then: &'static str,
    /// What it comes to; empty where it is not asked for any more.
    pub now: &'static str,
}

impl Changes {
    /// From then to now.
    pub(super) fn of(earlier: &Earlier, versions: &str, now: &Decision) -> Self {
        let then = earlier.decided.as_ref();
        let decision = then.map(|then| &then.1);
        let mut new = earlier.new.clone();
        new.sort_by(|one, other| {
            (one.severity, other.recordings, &one.signature).cmp(&(
                other.severity,
                one.recordings,
                &other.signature,
            ))
        });
        let lines = |of: &Decision| -> Vec<(String, String, &'static str)> {
            let lines = of.lines.iter();
            lines
                .map(|line| (line.name.clone(), line.name.clone(), line.state.label()))
                .collect()
        };
        let fields = |of: &Decision| -> Vec<(String, String, &'static str)> {
            let rows = of.fields.iter();
            rows.map(|row| {
                let state = sentences::of_field(row.state).label;
                (row.name.clone(), row.label.clone(), state)
            })
            .collect()
        };
        Self {
            since: earlier.at.clone(),
            other_versions: then
                .map(|then| then.0.clone())
                .filter(|then| then != versions),
            verdict_then: decision.map(|then| then.verdict),
            verdict_now: now.verdict,
            counts: counts(decision, now),
            fields: turned(
                &decision.map(fields).unwrap_or_default(),
                &fields(now),
                decision.is_some(),
            ),
            lines: turned(
                &decision.map(lines).unwrap_or_default(),
                &lines(now),
                decision.is_some(),
            ),
            new,
        }
    }

    /// Whether it is all as it was.
    pub fn is_nothing(&self) -> bool {
        self.verdict_then == Some(self.verdict_now)
            && self.other_versions.is_none()
            && self.counts.is_empty()
            && self.fields.is_empty()
            && self.lines.is_empty()
            && self.new.is_empty()
    }

    /// One sentence each, nothing of any meeting: the verdict, the versions, counts, fields, lines and
    /// sorts of differences.
    pub fn said(&self) -> Vec<String> {
        if self.is_nothing() {
            return vec!["Nothing changed.".to_owned()];
        }
        let label = |verdict| sentences::verdict(verdict).label;
        let mut said = vec![match self.verdict_then {
            None => format!(
                "Nothing had been compared then; it is {} now.",
                label(self.verdict_now)
            ),
            Some(then) if then == self.verdict_now => {
                format!("It is {} as before.", label(then))
            }
            Some(then) => format!(
                "It was {} and is {} now.",
                label(then),
                label(self.verdict_now)
            ),
        }];
        if let Some(versions) = &self.other_versions {
            said.push(format!(
                "The versions are others than then (`{versions}`), so the evidence began anew."
            ));
        }
        if !self.counts.is_empty() {
            let counts = self.counts.iter();
            let counts: Vec<String> = counts
                .map(|count| format!("{} {} → {}", count.what, count.then, count.now))
                .collect();
            said.push(format!("Counts: {}.", counts.join(", ")));
        }
        for (what, turned) in [("Fields", &self.fields), ("Lines", &self.lines)] {
            if !turned.is_empty() {
                let turned: Vec<String> = turned.iter().map(told).collect();
                said.push(format!("{what}: {}.", turned.join("; ")));
            }
        }
        if !self.new.is_empty() {
            let shown = self.new.iter().take(SORTS);
            let mut sorts: Vec<String> = shown
                .map(|sort| {
                    format!(
                        "{}, {} ({:?}) in {}",
                        sort.field, sort.class, sort.severity, sort.recordings
                    )
                })
                .collect();
            if self.new.len() > SORTS {
                sorts.push(format!("{} more", self.new.len() - SORTS));
            }
            said.push(format!("New sorts of differences: {}.", sorts.join("; ")));
        }
        said
    }
}

/// Reads since when changes are to be told: `7d` or `12h` before `now`, a day, or a time.
///
/// # Errors
///
/// It is none of these, or after `now`; says what to write.
pub fn since(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let ago = |unit: char, seconds: i64| {
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        // A thousand years, so that nothing overflows.
        let count = Some(count).filter(|count| (0..=8_766_000).contains(count))?;
        now.checked_sub_signed(TimeDelta::try_seconds(count * seconds)?)
    };
    let day = || {
        let day: NaiveDate = text.parse().ok()?;
        Some(day.and_time(NaiveTime::MIN).and_utc())
    };
    let time = || {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(time.to_utc())
    };
    let at = ago('d', 86_400).or_else(|| ago('h', 3_600));
    let at = at.or_else(day).or_else(time).ok_or_else(|| {
        "`since` must be like `7d` or `12h`, a day like `2026-11-20`, or a time like `2026-11-20T08:00:00Z`"
            .to_owned()
    })?;
    if at > now {
        return Err("`since` must not be in the future".to_owned());
    }
    Ok(at)
}

/// Sorts of differences that are named in a sentence.
const SORTS: usize = 5;

fn told(turned: &Turned) -> String {
    let or = |state: &'static str, none: &'static str| if state.is_empty() { none } else { state };
    format!(
        "{} {} → {}",
        turned.what,
        or(turned.then, "not asked for"),
        or(turned.now, "not asked for any more")
    )
}

fn counts(then: Option<&Decision>, now: &Decision) -> Vec<Count> {
    let of = |decision: &Decision| {
        let (counts, left) = (&decision.counts, &decision.left_out);
        [
            ("recordings", counts.recordings),
            ("days", counts.days),
            ("recordings with a failure", counts.failures),
            ("candidates without a result", counts.candidate_failed),
            ("controls that failed", left.control_failed),
            ("not comparable", left.not_comparable),
            ("waivers", decision.in_force.waivers),
            ("rules that hide", decision.in_force.rules),
        ]
    };
    let now = of(now);
    let then = then.map_or(now.map(|(what, _)| (what, 0)), of);
    let pairs = then.into_iter().zip(now);
    pairs
        .filter(|(then, now)| then.1 != now.1)
        .map(|((what, then), (_, now))| Count { what, then, now })
        .collect()
}

/// What comes to something else, of (name, label, state); nothing where there was nothing before.
fn turned(
    then: &[(String, String, &'static str)],
    now: &[(String, String, &'static str)],
    is_known: bool,
) -> Vec<Turned> {
    if !is_known {
        return Vec::new();
    }
    let state = |all: &[(String, String, &'static str)], name: &str| {
        let found = all.iter().find(|one| one.0 == name);
        found.map_or("", |one| one.2)
    };
    let gone = then.iter().filter(|one| state(now, &one.0).is_empty());
    now.iter()
        .chain(gone)
        .map(|(name, label, _)| Turned {
            what: label.clone(),
            then: state(then, name),
            now: state(now, name),
        })
        .filter(|turned| turned.then != turned.now)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::evidence::samples;

    #[test]
    fn a_time_is_told_by_how_long_ago_or_as_it_is() {
        let now = samples::now();
        let read = |text: &str| since(text, now).map(|at| at.to_rfc3339());
        for (text, at) in [
            ("7d", "2026-03-13T12:00:00+00:00"),
            ("12h", "2026-03-20T00:00:00+00:00"),
            ("2026-03-01", "2026-03-01T00:00:00+00:00"),
            ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00+00:00"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(at), "{text}");
        }
        for text in [
            "",
            "d",
            "-1d",
            "7 days",
            "9223372036854775807d",
            "2027-01-01",
            "yesterday",
            "é",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_as_it_was_is_nothing_and_everything_else_is_told() {
        let now = samples::report(&samples::full(), &[], &[]).decision;
        let earlier = |decided| Earlier {
            at: "2026-03-13 12:00 UTC".to_owned(),
            decided,
            new: Vec::new(),
        };
        let same = earlier(Some(("v2".to_owned(), now.clone())));
        let same = Changes::of(&same, "v2", &now);
        assert!(same.is_nothing());
        assert_eq!(same.said(), ["Nothing changed."]);

        let mut then = now.clone();
        then.verdict = GateVerdict::NotYet;
        then.counts.recordings -= 12;
        then.fields[1].state = crate::gate::FieldState::NotYet;
        then.lines.remove(0);
        let mut other = earlier(Some(("v1".to_owned(), then)));
        other.new = vec![NewSort {
            field: "Title".to_owned(),
            class: "fact changed".to_owned(),
            severity: Severity::S1,
            pattern: "/title:number".to_owned(),
            signature: "sig".to_owned(),
            recordings: 3,
        }];
        let changes = Changes::of(&other, "v2", &now);
        insta::assert_snapshot!(changes.said().join("\n"), @"
        It was NOT YET and is NO-GO now.
        The versions are others than then (`v1`), so the evidence began anew.
        Counts: recordings 28 → 40.
        Fields: Words not yet → counted.
        Lines: failures not asked for → not yet.
        New sorts of differences: Title, fact changed (S1) in 3.
        ");

        let first = Changes::of(&earlier(None), "v2", &now);
        assert!(!first.is_nothing() && first.fields.is_empty());
        assert_eq!(
            first.said()[0],
            "Nothing had been compared then; it is NO-GO now."
        );
    }
}
