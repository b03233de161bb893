//! PASS, FAIL or NOT YET. PASS needs every line that is asked for; one line that fails is a FAIL.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Utc};
use serde::Serialize;

use super::{
    ALPHA,
    bernoulli::{clean_needed, log_e_above, log_e_below},
    count,
    coverage::Coverage,
    facts::{Ended, Facts, FieldKind, InForce, LeftOut, Pair, Rules, Severity},
    fields::{self, FieldRow, FieldState, Judged},
    intervals::wilson,
    latency::{FAR_SLOWER, FAR_SLOWER_SHARE, Paired},
    line::{Line, LineState, Who, a_line, days_until},
    natural, threshold,
};
use crate::model::{GateVerdict, Origin};

/// What the evidence comes to, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// What it comes to.
    pub verdict: GateVerdict,
    /// The same in one line, with what is put up with and what was not looked at.
    pub line: String,
    /// What keeps it from PASS, worst first, at most five.
    pub reasons: Vec<Line>,
    /// Everything that was asked, in order.
    pub lines: Vec<Line>,
    /// Every field.
    pub fields: Vec<FieldRow>,
    /// Recordings that count.
    pub counts: Counts,
    /// Recordings that do not.
    pub left_out: LeftOut,
    /// Which kinds of recordings there are.
    pub coverage: Coverage,
    /// Times, where both pipelines' are known.
    pub latency: Option<Paired>,
    /// Cost, where both pipelines' is known.
    pub cost: Option<Cost>,
    /// How much is known of how far the control differs from itself.
    pub noise: Noise,
    /// What people put up with.
    pub in_force: InForce,
    /// What stops even more recordings from being shadowed; none where nothing does.
    pub alarm: Option<String>,
}

/// Recordings whose control ran twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Noise {
    /// How many there are, of the soft field that has the fewest.
    pub pairs: u64,
    /// How many more it takes, of the one that lacks the most; none where none lacks any, or no number
    /// would do.
    pub more: Option<i64>,
}

impl Noise {
    fn of(rows: &[FieldRow]) -> Self {
        let soft = rows.iter().filter(|row| {
            matches!(row.kind, FieldKind::Soft(_))
                && !matches!(row.state, FieldState::NotLooked | FieldState::DryRun)
        });
        Self {
            pairs: soft.clone().map(|row| row.noise_pairs).min().unwrap_or(0),
            more: soft.filter_map(|row| row.more).max(),
        }
    }
}

impl std::fmt::Display for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.more {
            None => write!(f, "{} pairs", self.pairs),
            Some(more) => write!(f, "{} pairs, needs about {more} more", self.pairs),
        }
    }
}

/// How many recordings there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Compared.
    pub recordings: i64,
    /// Of these, replayed or dispatched by hand.
    pub replayed: i64,
    /// Those that count: at most half of them replayed.
    pub counted: i64,
    /// With a failure.
    pub failures: i64,
    /// Of these, where the candidate came to no result.
    pub candidate_failed: i64,
    /// Different days.
    pub days: i64,
    /// Different days of the week.
    pub weekdays: i64,
    /// Logarithm of the e-value against "failures are at least as frequent as the bound".
    pub evidence: f64,
    /// Logarithm of the e-value against "failures are at most a fifth as frequent".
    pub evidence_against: f64,
    /// What either has to reach.
    pub threshold: f64,
}

/// Cost per hour of audio, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Recordings with both costs and a length.
    pub recordings: i64,
    /// The control's.
    pub control: f64,
    /// The candidate's.
    pub candidate: f64,
    /// Candidate / control.
    pub ratio: f64,
}

/// Reasons shown.
const REASONS: usize = 5;
/// Below so many recordings a mean cost says nothing.
const LEAST_COSTS: i64 = 20;
/// The share of comparisons that may be without a result.
const NOT_COMPARABLE_SHARE: f64 = 0.10;
/// A defect of severity S0 or S1 has to be caught so often.
const CAUGHT_SHARE: f64 = 0.95;

/// Decides.
pub fn decide(rules: &Rules, facts: &Facts, now: DateTime<Utc>) -> Decision {
    let alarms = rules
        .fields
        .iter()
        .map(
            |rule| match (fields::judged(rule, rules, facts), rule.kind) {
                (Judged::ByExcess { facts: false }, FieldKind::Soft(_)) => 2,
                (Judged::ByExcess { facts: true }, FieldKind::Soft(_)) => 1,
                _ => 0,
            },
        )
        .sum();
    let rows: Vec<FieldRow> = rules
        .fields
        .iter()
        .map(|rule| fields::row(rule, rules, facts, alarms))
        .collect();
    let counts = counts(rules, facts);
    let coverage = Coverage::of(
        facts.pairs.iter().map(|pair| &pair.stratum),
        &facts.known_strata,
    );
    let sides = facts.pairs.iter().filter_map(|pair| pair.took_ms);
    let sides: Vec<(f64, f64)> = sides.map(|took| (took.control, took.candidate)).collect();
    let latency = Paired::of(&sides);
    let cost = cost(facts);
    let asked = Asked {
        rules,
        facts,
        counts: &counts,
        per_day: per_day(facts, now),
    };
    let mut lines = vec![asked.failures(), asked.comparable()];
    lines.extend(rows.iter().filter_map(|row| asked.field(row)));
    lines.extend([
        asked.looked_at(&rows),
        asked.days(),
        asked.coverage(&coverage),
        asked.latency(latency.as_ref()),
        asked.cost(cost.as_ref()),
        asked.effects(),
        asked.self_test(),
        asked.reviews(),
    ]);
    let has = |state| lines.iter().any(|line| line.state == state);
    let verdict = if has(LineState::Fail) {
        GateVerdict::Fail
    } else if has(LineState::NotYet) || facts.pairs.is_empty() {
        GateVerdict::NotYet
    } else {
        GateVerdict::Pass
    };
    let of = |state| lines.iter().filter(move |line: &&Line| line.state == state);
    let reasons: Vec<Line> = of(LineState::Fail)
        .chain(of(LineState::NotYet))
        .take(REASONS)
        .cloned()
        .collect();
    let open_s0 = facts.reviews.map_or(0, |reviews| reviews.open_s0);
    let alarm = if lines[0].state == LineState::Fail {
        Some(lines[0].observed.clone())
    } else if open_s0 > 0 {
        Some(format!("{open_s0} differences of severity S0 are open"))
    } else {
        None
    };
    Decision {
        verdict,
        line: line(verdict, &lines, &rows, &reasons, facts.in_force),
        reasons,
        noise: Noise::of(&rows),
        fields: rows,
        counts,
        left_out: facts.left_out,
        coverage,
        latency,
        cost,
        in_force: facts.in_force,
        alarm,
        lines,
    }
}

fn counts(rules: &Rules, facts: &Facts) -> Counts {
    let mut failed = BTreeSet::new();
    for rule in &rules.fields {
        let judged = fields::judged(rule, rules, facts);
        failed.extend(fields::failed(rule, judged, facts));
    }
    let recordings = count(facts.pairs.len());
    let of = |test: &dyn Fn(&Pair) -> bool| {
        let such = facts.pairs.iter().filter(|pair| test(pair));
        count(such.count())
    };
    let replayed = of(&|pair| pair.origin != Origin::Arrival);
    let failures = of(&|pair| is_lost(pair.candidate) || failed.contains(&pair.recording));
    let arrived = recordings - replayed;
    let counted = arrived + replayed.min(arrived);
    let days: BTreeSet<_> = facts
        .pairs
        .iter()
        .map(|pair| pair.at.date_naive())
        .collect();
    let weekdays: BTreeSet<u32> = days
        .iter()
        .map(|day| day.weekday().num_days_from_monday())
        .collect();
    let bound = rules.bounds.failure_percent / 100.0;
    Counts {
        recordings,
        replayed,
        counted,
        failures,
        candidate_failed: of(&|pair| is_lost(pair.candidate)),
        days: count(days.len()),
        weekdays: count(weekdays.len()),
        // Every failure counts, of the clean ones at most as many replayed ones as arrived.
        evidence: log_e_below(natural(failures), natural(counted.max(failures)), bound),
        evidence_against: log_e_above(natural(failures), natural(recordings), bound / 5.0),
        threshold: threshold(ALPHA),
    }
}

/// Whether a candidate came to no result.
pub(super) const fn is_lost(ended: Ended) -> bool {
    matches!(ended, Ended::Failed | Ended::TimedOut)
}

/// Recordings that arrive a day, by those of the evidence; none where that is too few to tell.
fn per_day(facts: &Facts, now: DateTime<Utc>) -> Option<f64> {
    let arrived = facts
        .pairs
        .iter()
        .filter(|pair| pair.origin == Origin::Arrival);
    let first = arrived.clone().map(|pair| pair.at).min()?;
    let days = ((now - first).num_hours() as f64 / 24.0).max(1.0);
    Some(arrived.count() as f64 / days)
}

fn cost(facts: &Facts) -> Option<Cost> {
    let (mut recordings, mut control, mut candidate, mut hours) = (0, 0.0, 0.0, 0.0);
    for pair in &facts.pairs {
        let (Some(usd), Some(audio_ms)) = (pair.usd, pair.audio_ms) else {
            continue;
        };
        let all = [usd.control, usd.candidate, audio_ms];
        if all
            .iter()
            .all(|number| number.is_finite() && *number >= 0.0)
            && audio_ms > 0.0
        {
            recordings += 1;
            control += usd.control;
            candidate += usd.candidate;
            hours += audio_ms / 3_600_000.0;
        }
    }
    (recordings > 0 && control > 0.0).then(|| Cost {
        recordings,
        control: control / hours,
        candidate: candidate / hours,
        ratio: candidate / control,
    })
}

fn line(
    verdict: GateVerdict,
    lines: &[Line],
    rows: &[FieldRow],
    reasons: &[Line],
    in_force: InForce,
) -> String {
    let mut said = verdict.label().to_owned();
    let some = |n: i64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let put_up_with: Vec<String> = [
        some(in_force.waivers, "waiver", "waivers"),
        some(in_force.rules, "rule", "rules"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !put_up_with.is_empty() {
        said = format!("{said} with {}", put_up_with.join(" and "));
    }
    match verdict {
        GateVerdict::Pass => {
            let worse = rows
                .iter()
                .filter(|row| row.state == FieldState::Pass && !row.note.is_empty());
            for row in worse {
                said = format!("{said}; {} is {}", row.label.to_lowercase(), row.note);
            }
            let unseen = lines
                .iter()
                .filter(|line| line.state == LineState::NotLooked);
            let unseen: Vec<&str> = unseen.map(|line| line.name.as_str()).collect();
            if !unseen.is_empty() {
                said = format!("{said}; not looked at: {}", unseen.join(", "));
            }
        }
        GateVerdict::Fail | GateVerdict::NotYet => {
            if let Some(first) = reasons.first() {
                said = format!("{said}: {}, {}", first.name, first.observed);
                if !first.missing.is_empty() {
                    said = format!("{said}; {}", first.missing);
                }
            }
        }
    }
    said
}

/// What is asked, of what.
struct Asked<'a> {
    rules: &'a Rules,
    facts: &'a Facts,
    counts: &'a Counts,
    per_day: Option<f64>,
}

impl Asked<'_> {
    /// In how many days so many more recordings will have arrived.
    fn eta(&self, more: i64) -> Option<i64> {
        days_until(more, self.per_day)
    }

    fn waiting(&self, line: Line, more: i64, what: &str) -> Line {
        line.waiting(more, what, self.per_day)
    }

    fn failures(&self) -> Line {
        let counts = self.counts;
        let percent = self.rules.bounds.failure_percent;
        let (_, high) = wilson(natural(counts.failures), natural(counts.recordings));
        let rate = if counts.recordings == 0 {
            String::new()
        } else {
            format!(" (at most {:.1} %, as it looks)", 100.0 * high)
        };
        let observed = format!(
            "{} of {} recordings with a failure{rate}, {} counted, {} replayed",
            counts.failures, counts.recordings, counts.counted, counts.replayed
        );
        let needed = clean_needed(natural(counts.failures), percent / 100.0, ALPHA);
        let bound = match needed {
            Some(needed) => {
                format!("{needed} recordings, to rule out failures at {percent} % of them")
            }
            None => format!("fewer than {percent} % with a failure"),
        };
        let line = |state| a_line("failures", state, observed.clone(), bound.clone());
        if counts.counted > 0 && counts.evidence >= counts.threshold {
            line(LineState::Pass)
        } else if counts.evidence_against >= counts.threshold {
            line(LineState::Fail).missing(
                Who::Engineers,
                format!(
                    "more than {} % fail: read their reports, `switchyard runs`, and mend the candidate, which begins the evidence anew",
                    percent / 5.0
                ),
            )
        } else {
            let more =
                needed.map(|needed| i64::try_from(needed).unwrap_or(i64::MAX) - counts.counted);
            let line = line(LineState::NotYet);
            match more {
                Some(more) => self.waiting(line, more.max(1), "clean recordings"),
                None => line.missing(Who::Engineers, "too many fail: mend the candidate"),
            }
        }
    }

    fn comparable(&self) -> Line {
        let left_out = self.facts.left_out;
        let all = self.counts.recordings + left_out.not_comparable;
        let share = left_out.not_comparable as f64 / (all.max(1)) as f64;
        let observed = format!(
            "{} of {all} could not be compared; {} whose control failed do not count",
            left_out.not_comparable, left_out.control_failed
        );
        let bound = format!("at most {} %", 100.0 * NOT_COMPARABLE_SHARE);
        if self.counts.recordings == 0 {
            a_line("comparable", LineState::NotYet, observed, bound)
                .missing(Who::Time, "recordings that ran through both pipelines")
        } else if share <= NOT_COMPARABLE_SHARE {
            a_line("comparable", LineState::Pass, observed, bound)
        } else {
            a_line("comparable", LineState::NotYet, observed, bound).missing(
                Who::Engineers,
                "see in their reports what could not be compared: `switchyard runs`",
            )
        }
    }

    /// The line of a soft field that has a test of its own.
    fn field(&self, row: &FieldRow) -> Option<Line> {
        let FieldKind::Soft(margin) = row.kind else {
            return None;
        };
        let state = match row.state {
            FieldState::Pass => LineState::Pass,
            FieldState::Fail => LineState::Fail,
            FieldState::NotYet => LineState::NotYet,
            FieldState::NotLooked => LineState::NotLooked,
            FieldState::Counted | FieldState::DryRun => return None,
        };
        let mut observed = match row.mean_excess {
            None => "no second run of the control to compare with".to_owned(),
            Some(mean) => format!(
                "{mean:+.3} beyond the control's own noise, over {} mirrors",
                row.noise_pairs
            ),
        };
        if !row.note.is_empty() {
            observed = format!("{observed}; {}", row.note);
        }
        let bound = format!("below {margin}, with 95 % of certainty");
        let mut line = a_line(&row.name, state, observed, bound);
        if state == LineState::NotLooked {
            return None;
        }
        if !row.missing.is_empty() {
            let who = match (state, row.more) {
                (LineState::Fail, _) | (_, None) => Who::Engineers,
                _ => Who::Operators,
            };
            line = line.missing(who, row.missing.clone());
            // What was compared already can be mirrored at once.
            let unmirrored = row.compared - i64::try_from(row.noise_pairs).unwrap_or(i64::MAX);
            let to_come = row.more.map(|more| more - unmirrored.max(0));
            line.eta_days = to_come
                .filter(|more| *more > 0)
                .and_then(|more| self.eta(more));
        }
        Some(line)
    }

    /// What nobody looked at passes nothing: not one field, and above all not all of them.
    fn looked_at(&self, rows: &[FieldRow]) -> Line {
        let looked =
            |row: &&FieldRow| !matches!(row.state, FieldState::DryRun | FieldState::NotLooked);
        let deciding = rows.iter().filter(looked).count();
        let unseen = rows.iter().filter(|row| row.state == FieldState::NotLooked);
        let unseen: Vec<&str> = unseen.map(|row| row.name.as_str()).collect();
        let is_result = |row: &FieldRow| matches!(row.name.as_str(), "status");
        let observed = if unseen.is_empty() {
            format!("{deciding} fields decide")
        } else if unseen.len() == rows.len() {
            "none was ever compared".to_owned()
        } else {
            format!(
                "{deciding} fields decide; never compared: {}",
                unseen.join(", ")
            )
        };
        let bound = "results, and not only how runs ended".to_owned();
        let beside_status = rows.iter().filter(looked).any(|row| !is_result(row));
        if !beside_status {
            a_line("fields", LineState::NotYet, observed, bound).missing(
                Who::Operators,
                "compare something: every field is a dry run or was never there on both sides",
            )
        } else if self.facts.pairs.iter().all(|pair| pair.compared == 0) {
            a_line("fields", LineState::NotYet, observed, bound)
                .missing(Who::Time, "recordings on which both pipelines ended well")
        } else if unseen.is_empty() {
            a_line("fields", LineState::Pass, observed, bound)
        } else {
            // Controls of rows alone do not tell what was posted; whoever reads PASS reads that.
            let mut line = a_line("fields", LineState::NotLooked, observed, bound);
            line.name = format!("fields {}", unseen.join(", "));
            line
        }
    }

    fn days(&self) -> Line {
        let (bounds, counts) = (&self.rules.bounds, self.counts);
        let observed = format!("{} days, {} days of the week", counts.days, counts.weekdays);
        let bound = format!("{} days, {} days of the week", bounds.days, bounds.weekdays);
        let more = (bounds.days - counts.days).max(bounds.weekdays - counts.weekdays);
        if more <= 0 {
            return a_line("days", LineState::Pass, observed, bound);
        }
        let mut line = a_line("days", LineState::NotYet, observed, bound)
            .missing(Who::Time, format!("{more} more days with recordings"));
        line.eta_days = Some(more);
        line
    }

    fn coverage(&self, coverage: &Coverage) -> Line {
        let at_least = self.rules.bounds.per_stratum;
        let lacking = coverage.lacking(at_least);
        let observed = format!(
            "{} of {} classes of recordings",
            coverage.classes.len() - lacking.len(),
            coverage.classes.len()
        );
        let bound = format!("{at_least} recordings of each class that ever arrived");
        if at_least == 0 {
            return a_line("coverage", LineState::NotLooked, observed, bound);
        }
        if coverage.classes.is_empty() {
            return a_line("coverage", LineState::NotYet, observed, bound)
                .missing(Who::Time, "recordings");
        }
        if lacking.is_empty() {
            return a_line("coverage", LineState::Pass, observed, bound);
        }
        let some: Vec<String> = lacking
            .iter()
            .take(4)
            .map(|(class, more)| format!("{more} more of {class}"))
            .collect();
        a_line("coverage", LineState::NotYet, observed, bound).missing(
            Who::Operators,
            format!("{}; `switchyard replay` brings older ones", some.join(", ")),
        )
    }

    fn latency(&self, latency: Option<&Paired>) -> Line {
        let most = self.rules.bounds.latency_ratio;
        let bound = format!(
            "median at most {most:.2} times the control's, and over {FAR_SLOWER} times in at most {:.0} %, each with 95 % of certainty",
            100.0 * FAR_SLOWER_SHARE
        );
        let Some(paired) = latency else {
            let observed = "both pipelines' times are known of no recording".to_owned();
            if most == 0.0 {
                return a_line("latency", LineState::NotLooked, observed, bound);
            }
            return a_line("latency", LineState::NotYet, observed, bound).missing(
                Who::Operators,
                "route recordings through Switchyard, which times both; or set `gate.latency_ratio = 0`",
            );
        };
        let up_to = paired
            .median_upper
            .map_or_else(|| "unknown".to_owned(), |upper| format!("{upper:.2}"));
        let observed = format!(
            "median {:.2} (up to {up_to}), over {FAR_SLOWER} times in {} of {} (up to {:.0} %)",
            paired.median_ratio,
            paired.far_slower,
            paired.n,
            100.0 * paired.far_slower_upper
        );
        if most == 0.0 {
            return a_line("latency", LineState::NotLooked, observed, bound);
        }
        let is_fast = paired.median_upper.is_some_and(|upper| upper <= most)
            && paired.far_slower_upper <= FAR_SLOWER_SHARE;
        let is_slow = paired.median_lower.is_some_and(|lower| lower > most)
            || paired.far_slower_lower > FAR_SLOWER_SHARE;
        if is_fast {
            a_line("latency", LineState::Pass, observed, bound)
        } else if is_slow {
            a_line("latency", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                "see which step takes longer: `switchyard report RUN`",
            )
        } else {
            // 29 recordings, none far slower, are the fewest that show it.
            let more = (29 - i64::try_from(paired.n).unwrap_or(29)).max(5);
            let line = a_line("latency", LineState::NotYet, observed, bound);
            self.waiting(line, more, "recordings with both times")
        }
    }

    fn cost(&self, cost: Option<&Cost>) -> Line {
        let most = self.rules.bounds.cost_ratio;
        let bound = format!("at most {most:.2} times the control's per hour of audio");
        let Some(cost) = cost else {
            // The legacy does not say what it used, so that is the rule and no lack.
            let observed = "the control's cost is known of no recording".to_owned();
            return a_line("cost", LineState::NotLooked, observed, bound);
        };
        let observed = format!(
            "{:.2} times: ${:.4} against ${:.4} per hour of audio, over {} recordings",
            cost.ratio, cost.candidate, cost.control, cost.recordings
        );
        if most == 0.0 {
            a_line("cost", LineState::NotLooked, observed, bound)
        } else if cost.recordings < LEAST_COSTS {
            let more = LEAST_COSTS - cost.recordings;
            let line = a_line("cost", LineState::NotYet, observed, bound);
            self.waiting(line, more, "recordings with both costs")
        } else if cost.ratio <= most {
            a_line("cost", LineState::Pass, observed, bound)
        } else {
            a_line("cost", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                "see which step costs more: `switchyard costs`",
            )
        }
    }

    fn effects(&self) -> Line {
        let told = self
            .facts
            .pairs
            .iter()
            .filter_map(|pair| pair.effects_equal);
        let (equal, all) = (told.clone().filter(|equal| *equal).count(), told.count());
        let observed = format!(
            "the same in {equal} of {all} recordings whose control tells what it sent and stored"
        );
        let bound = "counted as failures where they differ".to_owned();
        // Differences are failures, above; what was never seen must not read like "the same".
        let state = if all == 0 {
            LineState::NotLooked
        } else {
            LineState::Pass
        };
        a_line("effects", state, observed, bound)
    }

    fn self_test(&self) -> Line {
        let bound = format!(
            "{:.0} % of every planted defect of severity S0 or S1 caught",
            100.0 * CAUGHT_SHARE
        );
        let Some(test) = &self.facts.self_test else {
            let observed = "no defects were planted".to_owned();
            if !self.rules.bounds.self_test {
                return a_line("self-test", LineState::NotLooked, observed, bound);
            }
            return a_line("self-test", LineState::NotYet, observed, bound).missing(
                Who::Operators,
                "run `switchyard selftest`; or set `gate.self_test = false`",
            );
        };
        let grave = |severity| matches!(severity, Severity::S0 | Severity::S1);
        let share = |caught: i64, of: i64| caught as f64 / of.max(1) as f64;
        let tried = test.defects.iter().filter(|defect| defect.of > 0).count();
        let missed: Vec<String> = test
            .defects
            .iter()
            .filter(|defect| grave(defect.severity) && defect.of > 0)
            .filter(|defect| share(defect.caught, defect.of) < CAUGHT_SHARE)
            .map(|defect| {
                format!(
                    "{} {:.0} %",
                    defect.name,
                    100.0 * share(defect.caught, defect.of)
                )
            })
            .collect();
        let observed = if missed.is_empty() {
            format!(
                "{tried} of {} defects tried, all caught",
                test.defects.len()
            )
        } else {
            format!("caught too rarely: {}", missed.join(", "))
        };
        if !missed.is_empty() {
            // A comparison that is blind to that says nothing, whatever it says.
            a_line("self-test", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                "the gate is void until the comparison sees these: narrow the bounds in `comparisons/`",
            )
        } else if tried == 0 || tried < test.defects.len() {
            a_line("self-test", LineState::NotYet, observed, bound).missing(
                Who::Operators,
                "some defects could not be planted into the recordings so far; compare more",
            )
        } else {
            a_line("self-test", LineState::Pass, observed, bound)
        }
    }

    fn reviews(&self) -> Line {
        let bound = "none of severity S0 or S1 open, none rejected, all obligations met".to_owned();
        let Some(reviews) = self.facts.reviews else {
            let observed = "nobody has looked at differences".to_owned();
            if !self.rules.bounds.reviews {
                return a_line("reviews", LineState::NotLooked, observed, bound);
            }
            return a_line("reviews", LineState::NotYet, observed, bound).missing(
                Who::Reviewers,
                "look at them with `switchyard review`; or set `gate.reviews = false`",
            );
        };
        let (open, more) = (
            reviews.open_s0 + reviews.open_s1,
            reviews.needed - reviews.done,
        );
        let observed = format!(
            "{} of severity S0 and {} of S1 open, {} rejected, {} of {} obligations met",
            reviews.open_s0, reviews.open_s1, reviews.rejected, reviews.done, reviews.needed
        );
        if !self.rules.bounds.reviews {
            a_line("reviews", LineState::NotLooked, observed, bound)
        } else if reviews.rejected > 0 {
            a_line("reviews", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                format!("mend the {} that were rejected", reviews.rejected),
            )
        } else if open > 0 {
            // Whatever the statistics say.
            a_line("reviews", LineState::Fail, observed, bound)
                .missing(Who::Reviewers, format!("judge the {open} that are open"))
        } else if more > 0 {
            a_line("reviews", LineState::NotYet, observed, bound)
                .missing(Who::Reviewers, format!("{more} more to look at"))
        } else {
            a_line("reviews", LineState::Pass, observed, bound)
        }
    }
}
