//! Tells when something turned: what the candidate serves came to be too bad, or people got something to
//! look at. Each is told once for each turn, whichever process sees it.

use std::{collections::BTreeSet, time::Duration};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::shadow::Clock;
use crate::{
    gate::Soak,
    model::{GateVerdict, NoticeKind},
    reviews::Summary,
    rollout::{Phase, Position},
    store::{About, NewHold, Store},
};

/// Looks for turns of one environment's migration.
#[derive(Clone)]
pub struct Turns {
    /// What it is about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// What happens where what is served says FAIL.
    pub on_fail: OnFail,
    /// The time.
    pub clock: Clock,
}

/// What happens where what is served says FAIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFail {
    /// It is told.
    Tell,
    /// It is told, and the migration is held where it is.
    Hold,
}

/// How often is looked.
const EVERY: Duration = Duration::from_mins(1);

/// Reviewers are told of what came up no sooner after they were told last.
const REVIEWS_APART: TimeDelta = TimeDelta::hours(1);

/// After how long somebody is asked about a hold that was placed by itself.
const HELD: TimeDelta = TimeDelta::hours(24);

/// Who places it.
const BY: &str = "switchyard";

const SOAK: &str = "soak";
const REVIEWS: &str = "reviews";

impl Turns {
    /// Looks until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tick().await {
                warn!("cannot see whether anything turned, trying again: {error:#}");
            }
        }
    }

    /// Looks once; how many turns were told.
    pub async fn tick(&self) -> anyhow::Result<usize> {
        let now = (self.clock)();
        let about = &self.about;
        let standing = self
            .store
            .standing(&about.environment, &about.flag, now)
            .await?;
        let position = standing.phase.position;
        let mut told = 0;
        match position.phase() {
            Phase::Infrastructure | Phase::Parallel => {}
            Phase::Shadow => told += usize::from(self.reviews(now).await?),
            Phase::Cutover | Phase::Cleanup => told += usize::from(self.soak(position, now).await?),
        }
        Ok(told)
    }

    async fn soak(&self, position: Position, now: chrono::DateTime<Utc>) -> anyhow::Result<bool> {
        let soak = self.store.soak(&self.about, now).await?;
        let before = self.store.said(&self.about, SOAK).await?;
        let before = before.map(|(said, _)| said);
        let said = soak.verdict.as_str();
        if before.as_deref() == Some(said) {
            return Ok(false);
        }
        let text = told_of_soak(&self.about, position, &soak, before.as_deref());
        let document = json!({
            "verdict": soak.verdict,
            "before": before,
            "line": soak.line,
            "phase": position.to_string(),
            "versions": self.about.epoch,
        });
        let told = text
            .as_deref()
            .map(|text| (NoticeKind::Soak, text, &document));
        let hold = NewHold {
            owner: BY.to_owned(),
            reason: format!("what the candidate serves says {}", soak.line),
            expires_at: now + HELD,
        };
        let holds = soak.verdict == GateVerdict::Fail && self.on_fail == OnFail::Hold;
        let turned = self
            .store
            .tell_change(&self.about, (SOAK, said), told, holds.then_some(&hold), now)
            .await?;
        Ok(turned && told.is_some())
    }

    async fn reviews(&self, now: chrono::DateTime<Utc>) -> anyhow::Result<bool> {
        let summary = self.store.review_book(&self.about, now).await?.summary(now);
        if summary.recordings == 0 {
            return Ok(false);
        }
        let open: BTreeSet<&str> = summary
            .obligations
            .iter()
            .filter(|one| !one.met)
            .map(|one| one.name)
            .collect();
        let before = self.store.said(&self.about, REVIEWS).await?;
        let (known, told_at) = match &before {
            Some((said, at)) => (said.split(',').collect::<BTreeSet<_>>(), Some(*at)),
            None => (BTreeSet::new(), None),
        };
        let new: Vec<&str> = open.difference(&known).copied().collect();
        let said: Vec<&str> = open.iter().copied().collect();
        if new.is_empty() {
            // What is done may come up again.
            if known.len() > open.len() {
                let said = said.join(",");
                self.store
                    .tell_change(&self.about, (REVIEWS, &said), None, None, now)
                    .await?;
            }
            return Ok(false);
        }
        if told_at.is_some_and(|at| now - at < REVIEWS_APART) {
            return Ok(false);
        }
        let text = told_of_reviews(&self.about, &summary, &new);
        let document = json!({ "obligations": new, "open_severe": summary.open_severe });
        let told = (NoticeKind::Review, text.as_str(), &document);
        self.store
            .tell_change(
                &self.about,
                (REVIEWS, &said.join(",")),
                Some(told),
                None,
                now,
            )
            .await
    }
}

/// What is told of a verdict; nothing where it neither is FAIL nor was.
fn told_of_soak(
    about: &About,
    position: Position,
    soak: &Soak,
    before: Option<&str>,
) -> Option<String> {
    let environment = &about.environment;
    if soak.verdict == GateVerdict::Fail {
        let back = if position == Position::Removed {
            "Celery is removed: mend the candidate".to_owned()
        } else {
            format!(
                "to go back, `switchyard --environment {environment} phase set shadow --percent 100 --by NAME`, or the page"
            )
        };
        return Some(format!(
            "what the candidate serves in {environment} ({position}) says {}; {back}",
            soak.line
        ));
    }
    (before == Some(GateVerdict::Fail.as_str())).then(|| {
        format!(
            "what the candidate serves in {environment} ({position}) does not say FAIL any more: {}",
            soak.line
        )
    })
}

fn told_of_reviews(about: &About, summary: &Summary, new: &[&str]) -> String {
    let what: Vec<String> = summary
        .obligations
        .iter()
        .filter(|one| new.contains(&one.name))
        .map(|one| format!("{} ({} of {})", one.what, one.done, one.needed))
        .collect();
    format!(
        "to be looked at in {} before a cutover: {}",
        about.environment,
        what.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gate::Rules,
        gate::SoakCounts,
        model::{EnvironmentName, FlagName},
        rollout::Percent,
    };

    fn about() -> About {
        About {
            environment: EnvironmentName::new("production"),
            flag: FlagName::new("f"),
            epoch: "e".to_owned(),
            after: None,
            gate: Rules::default(),
        }
    }

    fn soak(verdict: GateVerdict) -> Soak {
        Soak {
            verdict,
            line: format!("{verdict}: 3 of 20 recordings served with a failure"),
            lines: Vec::new(),
            counts: SoakCounts::default(),
        }
    }

    #[test]
    fn a_fail_is_told_with_the_way_back_and_only_its_end_beside() {
        let position = Position::Cutover(Percent::ALL);
        let told = |verdict, before| told_of_soak(&about(), position, &soak(verdict), before);
        let fail = told(GateVerdict::Fail, Some("not_yet")).expect("it is told");
        assert!(fail.contains("FAIL: 3 of 20"), "{fail}");
        assert!(fail.contains("phase set shadow"), "{fail}");
        let end = told(GateVerdict::NotYet, Some("fail")).expect("it is told");
        assert!(end.contains("does not say FAIL any more"), "{end}");
        for before in [None, Some("not_yet"), Some("pass")] {
            assert_eq!(told(GateVerdict::NotYet, before), None);
            assert_eq!(told(GateVerdict::Pass, before), None);
        }
    }

    #[test]
    fn nobody_is_told_to_go_back_where_celery_is_removed() {
        let told = told_of_soak(
            &about(),
            Position::Removed,
            &soak(GateVerdict::Fail),
            Some("pass"),
        );
        assert!(told.is_some_and(|told| !told.contains("phase set")));
    }
}
