//! Rules that hide differences: by place and class, for a while, up to a number. They hide nothing
//! grave and nothing the policy allows none of, and each is listed wherever the result is.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::decide::{LONGEST_DAYS, Refused};
use super::item::{Item, Judgement};
use crate::compare::{Class, Severity, Strictness};

/// Rules that may be in force at once.
pub const RULES_AT_MOST: usize = 10;

/// The most one rule may hide.
const HIDES_AT_MOST: i64 = 1000;

/// What else has to hold of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// Nothing.
    Any,
    /// It stands for no more differences than this.
    CountAtMost(i64),
    /// It is exactly so bad.
    Only(Severity),
}

impl Predicate {
    /// Reads `any`, `count<=3` or `severity=S3`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "any" {
            Some(Self::Any)
        } else if let Some(count) = text.strip_prefix("count<=") {
            count
                .parse()
                .ok()
                .filter(|count| *count > 0)
                .map(Self::CountAtMost)
        } else {
            let severity = Severity::parse(text.strip_prefix("severity=")?)?;
            (!severity.blocks()).then_some(Self::Only(severity))
        }
    }

    fn holds(self, about: &Judgement) -> bool {
        match self {
            Self::Any => true,
            Self::CountAtMost(count) => about.differences <= count,
            Self::Only(severity) => about.severity == severity,
        }
    }
}

impl std::fmt::Display for Predicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::CountAtMost(count) => write!(f, "count<={count}"),
            Self::Only(severity) => write!(f, "severity={severity}"),
        }
    }
}

/// A rule somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    /// `/FIELD/PLACE`, `*` standing for one part, `**` for any number of them.
    pub path: String,
    /// The class it hides.
    pub class: Class,
    /// What else has to hold.
    pub predicate: Predicate,
    /// The most it may hide.
    pub at_most: i64,
    /// How many days it is in force.
    pub days: i64,
    /// Who makes it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// `/FIELD/PLACE` with `*` and `**`.
    pub path: String,
    /// The class it hides.
    pub class: Class,
    /// What else has to hold.
    pub predicate: Predicate,
    /// The most it may hide.
    pub at_most: i64,
    /// Who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// What a rule would have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Preview {
    /// Differences it would have hidden, up to its cap.
    pub hidden: usize,
    /// Of so many differences of the last 30 days.
    pub of: usize,
    /// S0 and S1 it would match, and never hides.
    pub severe: usize,
    /// Differences of fields the policy allows none in that it would match, and never hides.
    pub hard: usize,
}

impl std::fmt::Display for Preview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "would have hidden {} of {} in 30 days, {} S0/S1 and {} of hard fields left open",
            self.hidden, self.of, self.severe, self.hard
        )
    }
}

/// Whether a rule may hide this: never what is grave, never a field that allows no difference.
pub fn may_hide(about: &Judgement) -> bool {
    !about.severity.blocks() && about.strictness == Strictness::Soft
}

impl Rule {
    /// Whether place, class and predicate fit; whether it may be hidden is another question.
    pub fn fits(&self, about: &Judgement) -> bool {
        fits(&self.path, self.class, self.predicate, about)
    }
}

fn fits(path: &str, class: Class, predicate: Predicate, about: &Judgement) -> bool {
    let parts =
        |text: &str| -> Vec<String> { text.split('/').skip(1).map(str::to_owned).collect() };
    class == about.class && predicate.holds(about) && glob(&parts(path), &parts(&about.path))
}

fn glob(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            glob(rest, path)
                || path
                    .split_first()
                    .is_some_and(|(_, less)| glob(pattern, less))
        }
        (Some((first, rest)), Some((part, others))) => {
            (first == "*" || first == part) && glob(rest, others)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// What a rule would have done to the items of the last 30 days.
pub fn preview(rule: &NewRule, items: &[Item], now: DateTime<Utc>) -> Preview {
    let since = now - TimeDelta::days(30);
    let about = items
        .iter()
        .filter(|item| item.made_at >= since)
        .filter_map(|item| item.about.as_ref());
    let mut preview = Preview::default();
    for about in about {
        preview.of += 1;
        if !fits(&rule.path, rule.class, rule.predicate, about) {
            continue;
        }
        preview.severe += usize::from(about.severity.blocks());
        preview.hard += usize::from(about.strictness == Strictness::Hard);
        preview.hidden += usize::from(may_hide(about));
    }
    let cap = usize::try_from(rule.at_most).unwrap_or(0);
    preview.hidden = preview.hidden.min(cap);
    preview
}

/// Whether a rule may be made beside those in force.
pub fn may_be_made(rule: &NewRule, in_force: usize) -> Result<(), Refused> {
    let refused = |reason: &str, remedy: &str| Err(Refused::new(reason, remedy));
    if rule.by.trim().is_empty() || rule.reason.trim().is_empty() {
        return refused(
            "a rule goes on record with who made it and why",
            "give a name and a reason",
        );
    }
    if !rule.path.starts_with('/') || rule.path.len() < 2 || rule.path.len() > 200 {
        return refused(
            "the path is no path",
            "write `/FIELD/PLACE` as items show it, with `*` and `**`",
        );
    }
    let field = rule.path.split('/').nth(1).unwrap_or_default();
    if field.contains('*') {
        return refused(
            "the rule names no field",
            "begin the path with the field, e.g. `/topics_titles/**`",
        );
    }
    if matches!(
        rule.class,
        Class::FactChanged
            | Class::PolarityChanged
            | Class::SpeakerAttribution
            | Class::SideEffect
            | Class::Failed
            | Class::Identical
    ) {
        return refused(
            "nothing of this class is ever hidden",
            "look at each, and accept or waive it",
        );
    }
    if !(1..=LONGEST_DAYS).contains(&rule.days) {
        return refused(
            "a rule is in force for 1 to 30 days",
            "choose fewer days; it can be made again",
        );
    }
    if !(1..=HIDES_AT_MOST).contains(&rule.at_most) {
        return refused(
            "a rule hides at most 1 to 1000 differences",
            "choose a cap that fits the preview",
        );
    }
    if in_force >= RULES_AT_MOST {
        return refused(
            "ten rules are in force already",
            "remove one, or accept the clusters it hides",
        );
    }
    Ok(())
}
