//! What there is to know of routing: the rules and their changes, who would serve a recording and why,
//! what shadow runs may still use today, and whether buckets fall as they should.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::shadow::Clock;
use crate::{
    cost::PriceTable,
    model::{Caps, EnvironmentName, FlagName, RecordingId, RoomId, TranscriptId, UsageKind},
    rollout::{
        Beside, Keys, Known, Owner, Percent, Phase, Ratio, Used, admitted, route,
        rules::{Change, Signed},
        salt, shed,
    },
    store::{About, NewHold, NotChanged, RulesRow, Spent, Standing, Store, StoredRatio},
};

/// How often is summed what shadow runs used.
const EVERY: Duration = Duration::from_secs(30);

/// How many sums pass between two looks at how buckets fell.
const LOOK_EVERY: u32 = 120;

/// Of how long a time buckets are looked at.
const LOOK_BACK: TimeDelta = TimeDelta::days(1);

/// How long a hold that we place means to last; it holds on until somebody releases it.
const HOLD_FOR: TimeDelta = TimeDelta::days(7);

/// What holds that nobody placed are owned by.
pub const SWITCHYARD: &str = "switchyard";

/// Knows of the routing of one environment.
#[derive(Clone)]
pub struct Routing {
    /// What it is about.
    pub about: About,
    /// Our database.
    pub store: Store,
    /// What things cost.
    pub prices: Arc<PriceTable>,
    /// How much shadow runs may use in a day.
    pub caps: Caps,
    /// The time.
    pub clock: Clock,
}

/// A recording somebody asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The recording.
    pub recording: RecordingId,
    /// Its room, where there is one.
    pub room: Option<RoomId>,
    /// Whether the room is known to call no webhook.
    pub without_webhook: bool,
    /// The transcript, where there is one: a route pinned for it answers.
    pub transcript: Option<TranscriptId>,
}

/// What a decision went by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// It was pinned when the transcript arrived.
    Pinned,
    /// A bucket.
    Bucket,
    /// What was said of the room or the recording, or whose turn it is.
    Rule,
    /// The phase alone.
    Phase,
}

/// Who serves a recording, or would.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// Who serves.
    pub serve: Owner,
    /// Who runs beside.
    pub beside: Beside,
    /// The phase it was decided in.
    pub phase: Phase,
    /// Its percentage.
    pub percent: Percent,
    /// The version of the phase as it is now.
    pub version: i64,
    /// That of the rules.
    pub rules_version: i64,
    /// The bucket it went by.
    pub bucket: Option<u16>,
    /// Why, for people.
    pub reason: String,
    /// What it went by.
    pub basis: Basis,
    /// Tells the configuration from others, see [`Standing::configuration`].
    pub configuration: String,
}

/// Who would serve a recording that arrived now, or serves one that was routed. Pins nothing.
pub async fn weigh(
    store: &Store,
    (environment, flag): (&EnvironmentName, &FlagName),
    asked: &Asked,
    now: DateTime<Utc>,
) -> anyhow::Result<Weighed> {
    let standing = store.standing(environment, flag, now).await?;
    let pinned = match &asked.transcript {
        None => None,
        Some(transcript) => {
            store
                .route_of_transcript(environment, flag, transcript)
                .await?
        }
    };
    let configuration = standing.configuration();
    let (version, rules_version) = (standing.phase.version, standing.rules.version);
    if let Some(row) = pinned {
        return Ok(Weighed {
            serve: row.owner,
            beside: row.beside,
            phase: row.phase,
            percent: row.percent,
            version,
            rules_version,
            bucket: row.bucket,
            reason: row.reason,
            basis: Basis::Pinned,
            configuration,
        });
    }
    let salt = salt(environment, flag);
    let keys = Keys::Known(Known {
        recording: asked.recording.clone(),
        room: asked.room.clone(),
        without_webhook: asked.without_webhook,
    });
    let decided = route(&standing.situation(&salt), &keys);
    let position = standing.phase.position;
    let decided = if position.has_celery() {
        let (admission, others) = store.admission(environment, flag, now).await?;
        admitted(decided, &admission, others, &salt, &keys)
    } else {
        decided
    };
    Ok(Weighed {
        serve: decided.owner,
        beside: decided.beside,
        phase: position.phase(),
        percent: position.percent(),
        version,
        rules_version,
        bucket: decided.bucket,
        basis: basis(&standing, asked, decided.drawn),
        reason: decided.reason,
        configuration,
    })
}

fn basis(standing: &Standing, asked: &Asked, drawn: Option<bool>) -> Basis {
    let rules = &standing.rules.rules;
    let room = asked.room.as_ref();
    let is_by_rule = match standing.phase.position.phase() {
        Phase::Infrastructure | Phase::Parallel | Phase::Cleanup => false,
        Phase::Shadow | Phase::Cutover => {
            rules.said(&asked.recording, room).is_some()
                || !rules.turn(room, asked.without_webhook).is_reached
        }
    };
    match drawn {
        Some(_) => Basis::Bucket,
        None if is_by_rule => Basis::Rule,
        None => Basis::Phase,
    }
}

/// How routing stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingStatus {
    /// Phase, rules, and what was summed of today.
    pub standing: Standing,
    /// What shadow runs used today, summed just now.
    pub spent: Spent,
    /// How much they may.
    pub caps: Caps,
    /// How buckets fell when it was looked last.
    pub ratios: Vec<StoredRatio>,
}

impl Routing {
    /// Sums and looks until told to stop. What fails is told and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut count = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.tick().await {
                warn!("cannot sum what shadow runs used, trying again: {error:#}");
            }
            if count.is_multiple_of(LOOK_EVERY)
                && let Err(error) = self.look_at_ratios().await
            {
                warn!("cannot look at how buckets fall, trying again in an hour: {error:#}");
            }
            count = count.wrapping_add(1);
        }
    }

    /// Sums what shadow runs used today and says whether they may use more, for all arrivals from now
    /// on.
    pub async fn tick(&self) -> anyhow::Result<Spent> {
        let about = &self.about;
        let spent = self.spent().await?;
        let before = self
            .store
            .standing(&about.environment, &about.flag, spent.summed_at)
            .await?
            .spent;
        let is_shed = |spent: &Spent| spent.shed.is_some();
        let was_shed = before.as_ref().is_some_and(is_shed);
        if self.caps.is_none() && !was_shed {
            return Ok(spent);
        }
        self.store
            .note_spent(&about.environment, &about.flag, &spent)
            .await?;
        match (&spent.shed, was_shed) {
            (Some(shed), false) => {
                warn!("no candidate runs beside for the rest of the day; {shed}");
            }
            (None, true) => info!("candidates run beside again"),
            (Some(_), true) | (None, false) => {}
        }
        Ok(spent)
    }

    /// What shadow runs used today.
    async fn spent(&self) -> anyhow::Result<Spent> {
        let now = (self.clock)();
        let day_began_at = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let about = &self.about;
        let day = (day_began_at, day_began_at + TimeDelta::days(1));
        let usage = self
            .store
            .shadow_usage(&about.environment, &about.flag, day)
            .await?;
        let mut used = Used::default();
        let mut unpriced = false;
        for usage in usage {
            match usage.kind {
                UsageKind::GpuSeconds => used.gpu_seconds += usage.amount,
                UsageKind::TokensIn | UsageKind::TokensOut => used.tokens += usage.amount,
                UsageKind::AudioSeconds | UsageKind::BytesRead | UsageKind::BytesWritten => {}
            }
            match self.prices.cost(&usage) {
                Some(cost) => used.usd += cost,
                None => unpriced = true,
            }
        }
        Ok(Spent {
            day_began_at,
            gpu_seconds: used.gpu_seconds,
            tokens: used.tokens,
            usd: used.usd,
            unpriced,
            shed: shed(&used, &self.caps),
            summed_at: now,
        })
    }

    /// Looks how the buckets of the last day fell. What chance hardly does is a fault of ours, and holds
    /// the migration until somebody has found it; the holds that were placed.
    pub async fn look_at_ratios(&self) -> anyhow::Result<Vec<String>> {
        let now = (self.clock)();
        let drawn = self.store.drawn_since(&self.about, now - LOOK_BACK).await?;
        let ratios: Vec<_> = drawn.into_iter().map(Ratio::of).collect();
        let hold = |ratio: &Ratio| NewHold {
            owner: SWITCHYARD.to_owned(),
            reason: format!(
                "routes of the last day do not fall as they should, so that samples prove nothing: {}",
                ratio.told()
            ),
            expires_at: now + HOLD_FOR,
        };
        let placed = self
            .store
            .note_ratios(&self.about, &ratios, hold, now)
            .await?;
        for id in &placed {
            warn!("buckets do not fall as they should, and the migration is held: {id}");
        }
        Ok(placed)
    }

    /// How it all stands.
    pub async fn stands(&self) -> anyhow::Result<RoutingStatus> {
        let about = &self.about;
        let spent = self.spent().await?;
        let standing = self
            .store
            .standing(&about.environment, &about.flag, spent.summed_at)
            .await?;
        Ok(RoutingStatus {
            standing,
            spent,
            caps: self.caps,
            ratios: self.store.ratios(about).await?,
        })
    }

    /// Changes the rules, if they are as they were `seen`.
    pub async fn change(
        &self,
        change: &Change,
        (by, reason): (&str, &str),
        seen: Option<i64>,
    ) -> anyhow::Result<Result<RulesRow, NotChanged>> {
        let signed = Signed {
            by: by.to_owned(),
            reason: reason.to_owned(),
            at: (self.clock)(),
        };
        self.store
            .change_rules(&self.about, change, &signed, seen)
            .await
    }

    /// Who would serve a recording that arrived now, or serves one that was routed.
    pub async fn explain(&self, asked: &Asked) -> anyhow::Result<Weighed> {
        let about = (&self.about.environment, &self.about.flag);
        weigh(&self.store, about, asked, (self.clock)()).await
    }
}
