//! Migrations put where a test wants them, whatever a move there would ask for.

use chrono::{DateTime, Utc};
use switchyard::{
    model::{EnvironmentName, FlagName},
    rollout::{Advance, MayDispatch, Move, Position, Refusal},
    store::{About, Flipped, Store},
};

/// What moves of an environment's migration are about.
pub fn about(environment: &str) -> About {
    About {
        environment: EnvironmentName::new(environment),
        flag: FlagName::new("daily_diarization_pipeline"),
        epoch: "epoch".to_owned(),
        after: None,
    }
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

/// Puts a migration there.
pub async fn put(store: &Store, environment: &str, position: Position, now: DateTime<Utc>) {
    let about = about(environment);
    let stands = store.phase(&about.environment, &about.flag).await;
    let seen = stands.expect("the store answers").version;
    let flipped = flip(store, &about, &to(position, seen), now).await;
    flipped.expect("nobody else moves it");
}
