//! Requests that were sent under a key.

use chrono::TimeDelta;
use switchyard::store::{Begun, REPEATS_KEPT, Repeat, Store};

use super::samples::at;
use crate::database::Database;

/// What a request under a key writes.
pub async fn write_repeats(store: &Store) -> anyhow::Result<()> {
    store
        .begin_repeat(("key", "person ana"), "request", at(1))
        .await?;
    store.answer_repeat("key", Some("locked"), at(2)).await?;
    store
        .begin_repeat(("other", "person ana"), "request", at(3))
        .await?;
    store.forget_repeat("other").await?;
    store
        .begin_repeat(("third", "person bo"), "request", at(4))
        .await?;
    store.sweep_repeats(at(5)).await?;
    Ok(())
}

async fn begin(store: &Store, key: &str, now: i64) -> Begun {
    let begun = store.begin_repeat((key, "person ana"), "request", at(now));
    begun.await.expect("it is asked")
}

pub async fn a_key_is_known_for_a_day_and_its_first_answer_stays(database: &Database) {
    let store = database.store().await;
    let other = database.store().await;
    let (one, two) = tokio::join!(begin(&store, "key", 1), begin(&other, "key", 1));
    let firsts = [&one, &two]
        .iter()
        .filter(|begun| ***begun == Begun::First)
        .count();
    assert_eq!(firsts, 1, "{one:?} {two:?}");
    for answer in ["first", "second"] {
        let kept = store.answer_repeat("key", Some(answer), at(2)).await;
        kept.expect("it is kept");
    }
    let known = Begun::Again(Repeat {
        request_hash: "request".to_owned(),
        begun_at: at(1),
        answered_at: Some(at(2)),
        answer: Some("first".to_owned()),
    });
    assert_eq!(begin(&store, "key", 3).await, known);
    let last = at(1) + REPEATS_KEPT - TimeDelta::milliseconds(1);
    assert_eq!(store.sweep_repeats(last).await.expect("asked"), 0);
    let next_day = store.begin_repeat(("key", "person ana"), "request", at(1) + REPEATS_KEPT);
    assert_eq!(next_day.await.expect("it is asked"), Begun::First);
}
