//! The audit trail, cut by time: what is within is whole, and begins and ends where it should.

use chrono::{DateTime, Utc};
use switchyard::{
    rollout::audit::{Chain, Entry},
    store::Store,
};

use super::samples::at;
use crate::database::{Database, Kind};

async fn note(store: &Store, ms: i64) {
    let entry = Entry {
        action: "flip".to_owned(),
        actor: "ana".to_owned(),
        after: "shadow 10 %".to_owned(),
        at: at(ms).timestamp_millis(),
        before: "parallel".to_owned(),
        environment: "staging".to_owned(),
        flag: "f".to_owned(),
        previous: String::new(),
        reason: "naïve ☕".to_owned(),
        seq: 0,
    };
    store.note_in_audit(entry).await.expect("it is noted");
}

async fn between(store: &Store, since: Option<DateTime<Utc>>, until: Option<i64>) -> Vec<i64> {
    let times = (since, until.map(at));
    let mut found = Vec::new();
    let mut chain: Option<Chain> = None;
    loop {
        let after = found.last().copied().unwrap_or(0);
        let part = store.audit_between(times, after).await.expect("it is read");
        if part.is_empty() {
            return found;
        }
        for sealed in part {
            let chain = chain.get_or_insert_with(|| Chain::before(&sealed));
            chain.check(&sealed).expect("it follows");
            found.push(sealed.entry.seq);
        }
    }
}

async fn check(kind: Kind) {
    let Some(database) = Database::fresh(kind).await else {
        return;
    };
    let store = database.store().await;
    assert_eq!(between(&store, None, None).await, [0_i64; 0]);
    // The third was written by a process whose clock was slow.
    for ms in [10, 20, 15, 30, 40] {
        note(&store, ms).await;
    }
    assert_eq!(between(&store, None, None).await, [1, 2, 3, 4, 5]);
    assert_eq!(between(&store, Some(at(20)), None).await, [2, 3, 4, 5]);
    assert_eq!(between(&store, Some(at(20)), Some(40)).await, [2, 3, 4]);
    assert_eq!(between(&store, None, Some(20)).await, [1, 2, 3]);
    assert_eq!(between(&store, Some(at(50)), None).await, [0_i64; 0]);
    assert_eq!(between(&store, Some(at(21)), Some(22)).await, [0_i64; 0]);
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_part_of_the_audit_trail_is_whole_on_sqlite() {
    check(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_part_of_the_audit_trail_is_whole_on_postgres() {
    check(Kind::Postgres).await;
}
