//! Migrations put where a test wants them, whatever a move there would ask for.

use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{
    compare::Policy,
    controller::gate_rules,
    model::{EnvironmentName, FlagName, GateBounds, HealthLimits},
    rollout::{Advance, Breaker, MayDispatch, Move, Position, Refusal, Signals},
    store::{About, BreakerRow, Flipped, Store},
};

/// What moves of an environment's migration are about.
pub fn about(environment: &str) -> About {
    About {
        environment: EnvironmentName::new(environment),
        flag: FlagName::new("daily_diarization_pipeline"),
        epoch: "epoch".to_owned(),
        after: None,
        gate: gate(),
    }
}

/// What the gate asks for by default.
pub fn gate() -> switchyard::gate::Rules {
    gate_rules(&Policy::shipped(), &GateBounds::default())
}

/// A move that ana wants.
pub fn to(position: Position, seen: i64) -> Move {
    Move {
        to: position,
        seen,
        evidence: None,
        by: "ana".to_owned(),
        reason: "for a test".to_owned(),
        typed_name: None,
    }
}

/// Makes a move if it was decided on the newest version.
pub async fn flip(
    store: &Store,
    about: &About,
    wanted: &Move,
    now: DateTime<Utc>,
) -> Result<Flipped, Refusal> {
    let anywhere = |facts: &switchyard::rollout::Facts| {
        if wanted.seen == facts.version {
            return Ok(Advance::Forward(Vec::new()));
        }
        Err(Refusal::Moved {
            seen: wanted.seen,
            version: facts.version,
            position: facts.position.to_string(),
        })
    };
    let flipped = store.flip(about, wanted, anywhere, now).await;
    flipped.expect("the store answers")
}

/// The proof that Celery may be given work.
pub fn celery_there() -> MayDispatch {
    MayDispatch::of(&Position::Infrastructure).expect("it is not removed")
}

/// Makes the breaker one that was looked at a moment ago, or will have been for the next day, and that
/// found everything well.
pub async fn watched(store: &Store, environment: &str, now: DateTime<Utc>) {
    let limits = HealthLimits::default();
    let tomorrow = now + TimeDelta::days(1);
    let breaker = Breaker::first(&Signals::default(), tomorrow, &limits);
    set(store, environment, breaker, now).await;
}

/// Writes a breaker.
pub async fn set(store: &Store, environment: &str, breaker: Breaker, now: DateTime<Utc>) {
    let about = about(environment);
    let known = store.breaker(&about.environment).await;
    let version = known
        .expect("the store answers")
        .map_or(0, |row| row.version);
    let row = BreakerRow {
        breaker,
        holding: None,
        version,
    };
    let written = store.set_breaker(&about, &row, &[], now).await;
    assert!(written.expect("the store answers"), "nobody else writes it");
}

/// Puts a migration there, with Conductor watched and well.
pub async fn put(store: &Store, environment: &str, position: Position, now: DateTime<Utc>) {
    let about = about(environment);
    let stands = store.phase(&about.environment, &about.flag).await;
    let seen = stands.expect("the store answers").version;
    let flipped = flip(store, &about, &to(position, seen), now).await;
    flipped.expect("nobody else moves it");
    watched(store, environment, now).await;
}
