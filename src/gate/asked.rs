//! Everything the gate asks, a line each.

use super::{
    ALPHA,
    bernoulli::clean_needed,
    counts::{Cost, Counts},
    coverage::Coverage,
    facts::{Facts, FieldKind, Rules, Severity},
    fields::{FieldRow, FieldState},
    latency::{FAR_SLOWER, FAR_SLOWER_SHARE, Paired},
    line::{Line, LineState, Who, days_until},
    natural,
};
use crate::model::wilson;

/// Below so many recordings a mean cost says nothing.
const LEAST_COSTS: i64 = 20;
/// The share of comparisons that may be without a result.
const NOT_COMPARABLE_SHARE: f64 = 0.10;
/// A defect of severity S0 or S1 has to be caught so often.
const CAUGHT_SHARE: f64 = 0.95;

/// What is asked, of what.
pub(super) struct Asked<'a> {
    pub(super) rules: &'a Rules,
    pub(super) facts: &'a Facts,
    pub(super) counts: &'a Counts,
    pub(super) per_day: Option<f64>,
}

impl Asked<'_> {
    fn waiting(&self, line: Line, more: i64, what: &str) -> Line {
        line.waiting(more, what, self.per_day)
    }

    pub(super) fn failures(&self) -> Line {
        let counts = self.counts;
        let percent = self.rules.bounds.failure_percent;
        let (_, high) = wilson::interval(natural(counts.failures), natural(counts.recordings));
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
        let line = |state| Line::new("failures", state, observed.clone(), bound.clone());
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

    pub(super) fn comparable(&self) -> Line {
        let left_out = self.facts.left_out;
        let all = self.counts.recordings + left_out.not_comparable;
        let share = left_out.not_comparable as f64 / (all.max(1)) as f64;
        let observed = format!(
            "{} of {all} could not be compared; {} whose control failed do not count",
            left_out.not_comparable, left_out.control_failed
        );
        let bound = format!("at most {} %", 100.0 * NOT_COMPARABLE_SHARE);
        if self.counts.recordings == 0 {
            Line::new("comparable", LineState::NotYet, observed, bound)
                .missing(Who::Time, "recordings that ran through both pipelines")
        } else if share <= NOT_COMPARABLE_SHARE {
            Line::new("comparable", LineState::Pass, observed, bound)
        } else {
            Line::new("comparable", LineState::NotYet, observed, bound).missing(
                Who::Engineers,
                "see in their reports what could not be compared: `switchyard runs`",
            )
        }
    }

    /// The line of a soft field that has a test of its own.
    pub(super) fn field(&self, row: &FieldRow) -> Option<Line> {
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
        let mut line = Line::new(&row.name, state, observed, bound);
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
                .and_then(|more| days_until(more, self.per_day));
        }
        Some(line)
    }

    /// What nobody looked at passes nothing: not one field, and above all not all of them.
    pub(super) fn looked_at(&self, rows: &[FieldRow]) -> Line {
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
            Line::new("fields", LineState::NotYet, observed, bound).missing(
                Who::Operators,
                "compare something: every field is a dry run or was never there on both sides",
            )
        } else if self.facts.pairs.iter().all(|pair| pair.compared == 0) {
            Line::new("fields", LineState::NotYet, observed, bound)
                .missing(Who::Time, "recordings on which both pipelines ended well")
        } else if unseen.is_empty() {
            Line::new("fields", LineState::Pass, observed, bound)
        } else {
            // Controls of rows alone do not tell what was posted; whoever reads PASS reads that.
            let mut line = Line::new("fields", LineState::NotLooked, observed, bound);
            line.name = format!("fields {}", unseen.join(", "));
            line
        }
    }

    pub(super) fn days(&self) -> Line {
        let (bounds, counts) = (&self.rules.bounds, self.counts);
        let observed = format!("{} days, {} days of the week", counts.days, counts.weekdays);
        let bound = format!("{} days, {} days of the week", bounds.days, bounds.weekdays);
        let more = (bounds.days - counts.days).max(bounds.weekdays - counts.weekdays);
        if more <= 0 {
            return Line::new("days", LineState::Pass, observed, bound);
        }
        let mut line = Line::new("days", LineState::NotYet, observed, bound)
            .missing(Who::Time, format!("{more} more days with recordings"));
        line.eta_days = Some(more);
        line
    }

    pub(super) fn coverage(&self, coverage: &Coverage) -> Line {
        let at_least = self.rules.bounds.per_stratum;
        let lacking = coverage.lacking(at_least);
        let observed = format!(
            "{} of {} classes of recordings",
            coverage.classes.len() - lacking.len(),
            coverage.classes.len()
        );
        let bound = format!("{at_least} recordings of each class that ever arrived");
        if at_least == 0 {
            return Line::new("coverage", LineState::NotLooked, observed, bound);
        }
        if coverage.classes.is_empty() {
            return Line::new("coverage", LineState::NotYet, observed, bound)
                .missing(Who::Time, "recordings");
        }
        if lacking.is_empty() {
            return Line::new("coverage", LineState::Pass, observed, bound);
        }
        let some: Vec<String> = lacking
            .iter()
            .take(4)
            .map(|(class, more)| format!("{more} more of {class}"))
            .collect();
        Line::new("coverage", LineState::NotYet, observed, bound).missing(
            Who::Operators,
            format!("{}; `switchyard replay` brings older ones", some.join(", ")),
        )
    }

    pub(super) fn latency(&self, latency: Option<&Paired>) -> Line {
        let most = self.rules.bounds.latency_ratio;
        let bound = format!(
            "median at most {most:.2} times the control's, and over {FAR_SLOWER} times in at most {:.0} %, each with 95 % of certainty",
            100.0 * FAR_SLOWER_SHARE
        );
        let Some(paired) = latency else {
            let observed = "both pipelines' times are known of no recording".to_owned();
            if most == 0.0 {
                return Line::new("latency", LineState::NotLooked, observed, bound);
            }
            return Line::new("latency", LineState::NotYet, observed, bound).missing(
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
            return Line::new("latency", LineState::NotLooked, observed, bound);
        }
        let is_fast = paired.median_upper.is_some_and(|upper| upper <= most)
            && paired.far_slower_upper <= FAR_SLOWER_SHARE;
        let is_slow = paired.median_lower.is_some_and(|lower| lower > most)
            || paired.far_slower_lower > FAR_SLOWER_SHARE;
        if is_fast {
            Line::new("latency", LineState::Pass, observed, bound)
        } else if is_slow {
            Line::new("latency", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                "see which step takes longer: `switchyard report RUN`",
            )
        } else {
            // 29 recordings, none far slower, are the fewest that show it.
            let more = (29 - i64::try_from(paired.n).unwrap_or(29)).max(5);
            let line = Line::new("latency", LineState::NotYet, observed, bound);
            self.waiting(line, more, "recordings with both times")
        }
    }

    pub(super) fn cost(&self, cost: Option<&Cost>) -> Line {
        let most = self.rules.bounds.cost_ratio;
        let bound = format!("at most {most:.2} times the control's per hour of audio");
        let Some(cost) = cost else {
            // The legacy does not say what it used, so that is the rule and no lack.
            let observed = "the control's cost is known of no recording".to_owned();
            return Line::new("cost", LineState::NotLooked, observed, bound);
        };
        let observed = format!(
            "{:.2} times: ${:.4} against ${:.4} per hour of audio, over {} recordings",
            cost.ratio, cost.candidate, cost.control, cost.recordings
        );
        if most == 0.0 {
            Line::new("cost", LineState::NotLooked, observed, bound)
        } else if cost.recordings < LEAST_COSTS {
            let more = LEAST_COSTS - cost.recordings;
            let line = Line::new("cost", LineState::NotYet, observed, bound);
            self.waiting(line, more, "recordings with both costs")
        } else if cost.ratio <= most {
            Line::new("cost", LineState::Pass, observed, bound)
        } else {
            Line::new("cost", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                "see which step costs more: `switchyard costs`",
            )
        }
    }

    pub(super) fn effects(&self) -> Line {
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
        Line::new("effects", state, observed, bound)
    }

    pub(super) fn self_test(&self) -> Line {
        let bound = format!(
            "{:.0} % of every planted defect of severity S0 or S1 caught",
            100.0 * CAUGHT_SHARE
        );
        let Some(test) = &self.facts.self_test else {
            let observed = "no defects were planted".to_owned();
            if !self.rules.bounds.self_test {
                return Line::new("self-test", LineState::NotLooked, observed, bound);
            }
            return Line::new("self-test", LineState::NotYet, observed, bound).missing(
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
            Line::new("self-test", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                "the gate is void until the comparison sees these: narrow the bounds in `comparisons/`",
            )
        } else if tried == 0 || tried < test.defects.len() {
            Line::new("self-test", LineState::NotYet, observed, bound).missing(
                Who::Operators,
                "some defects could not be planted into the recordings so far; compare more",
            )
        } else {
            Line::new("self-test", LineState::Pass, observed, bound)
        }
    }

    pub(super) fn reviews(&self) -> Line {
        let bound = "none of severity S0 or S1 open, none rejected, all obligations met".to_owned();
        let Some(reviews) = self.facts.reviews else {
            let observed = "nobody has looked at differences".to_owned();
            if !self.rules.bounds.reviews {
                return Line::new("reviews", LineState::NotLooked, observed, bound);
            }
            return Line::new("reviews", LineState::NotYet, observed, bound).missing(
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
            Line::new("reviews", LineState::NotLooked, observed, bound)
        } else if reviews.rejected > 0 {
            Line::new("reviews", LineState::Fail, observed, bound).missing(
                Who::Engineers,
                format!("mend the {} that were rejected", reviews.rejected),
            )
        } else if open > 0 {
            // Whatever the statistics say.
            Line::new("reviews", LineState::Fail, observed, bound)
                .missing(Who::Reviewers, format!("judge the {open} that are open"))
        } else if more > 0 {
            Line::new("reviews", LineState::NotYet, observed, bound)
                .missing(Who::Reviewers, format!("{more} more to look at"))
        } else {
            Line::new("reviews", LineState::Pass, observed, bound)
        }
    }
}
