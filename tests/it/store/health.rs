//! The breaker's row, and what was seen.

use switchyard::{
    model::HealthLimits,
    rollout::{Breaker, BreakerState, Layer, Probe, Signals},
    store::{BreakerChange, BreakerRow, Store},
};

use super::samples::{at, staging};
use crate::{database::Database, phases};

fn row(version: i64) -> BreakerRow {
    let signals = Signals {
        bad: Some("canary: it does not end".to_owned()),
        only_watched: false,
    };
    BreakerRow {
        breaker: Breaker::first(&signals, at(1), &HealthLimits::default()),
        holding: Some("Daily: it answers 503".to_owned()),
        version,
    }
}

fn change() -> BreakerChange {
    BreakerChange {
        by: "switchyard".to_owned(),
        action: "breaker",
        before: "closed".to_owned(),
        after: "suspect".to_owned(),
        reason: "canary: it does not end".to_owned(),
        told: "staging: the breaker is suspect".to_owned(),
    }
}

fn probe(ok: bool) -> Probe {
    let found = if ok { Ok } else { Err };
    Probe {
        name: "canary",
        layer: Layer::Conductor,
        found: found("it \u{0} ends".to_owned()),
    }
}

/// Every call that writes.
pub async fn write_health(store: &Store) {
    let about = phases::about("production");
    let written = store.set_breaker(&about, &row(0), &[], at(1)).await;
    assert!(written.expect("it is written"));
    let written = store.set_breaker(&about, &row(1), &[change()], at(2)).await;
    assert!(written.expect("it is written"));
    for (ok, ms) in [(true, 1), (true, 2), (false, 3)] {
        let noted = store
            .note_probe(&about.environment, &probe(ok), at(ms))
            .await;
        noted.expect("it is noted");
    }
}

pub async fn a_breaker_is_read_as_it_was_written_by_one_of_those_who_saw_it(database: &Database) {
    let store = database.store().await;
    let about = phases::about("staging");
    assert_eq!(store.breaker(&staging()).await.unwrap(), None);
    assert!(
        store
            .set_breaker(&about, &row(0), &[], at(1))
            .await
            .unwrap()
    );
    let read = store.breaker(&staging()).await.unwrap().unwrap();
    assert_eq!(read, row(1));
    assert_eq!(read.breaker.state, BreakerState::Suspect);
    // Whoever saw none, or another version, is late, and nothing is told.
    for version in [0, 2] {
        let row = row(version);
        let late = store.set_breaker(&about, &row, &[change()], at(2)).await;
        assert!(!late.unwrap());
    }
    let row = row(1);
    let written = store.set_breaker(&about, &row, &[change()], at(2)).await;
    assert!(written.unwrap());
    let trail = store.recent_audit(&about.environment, &about.flag, 9).await;
    assert_eq!(trail.unwrap().len(), 1);
    let told = store.new_notices(&staging()).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].kind.as_str(), &told[0].text),
        ("breaker", &change().told)
    );
}

pub async fn what_is_seen_again_is_so_since_it_was_first_seen(database: &Database) {
    let store = database.store().await;
    for (ok, ms, since) in [
        (true, 1, 1),
        (true, 2, 1),
        (false, 3, 3),
        (false, 4, 3),
        (true, 5, 5),
    ] {
        store
            .note_probe(&staging(), &probe(ok), at(ms))
            .await
            .unwrap();
        let seen = store.probes(&staging()).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].ok, seen[0].since), (ok, at(since)));
        assert_eq!(seen[0].checked_at, at(ms));
    }
}
