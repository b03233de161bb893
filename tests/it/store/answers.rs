//! Answers that were paid for.

use serde_json::json;

use super::samples::at;
use crate::database::Database;

pub async fn the_first_answer_stays(database: &Database) {
    let store = database.store().await;
    for (ms, answer) in [(1, "first"), (2, "second")] {
        let kept = store
            .keep_answer("", "title", "hash", &json!({ "title": answer }), at(ms))
            .await;
        kept.expect("it is kept");
    }
    let found = store
        .cached_answer("", "title", "hash")
        .await
        .expect("it is read");
    assert_eq!(found, Some(json!({ "title": "first" })));
}

pub async fn an_answer_is_found_only_by_scope_kind_and_hash(database: &Database) {
    let store = database.store().await;
    for (scope, kind, hash) in [
        ("", "title", "a"),
        ("run_1", "title", "a"),
        ("", "topic", "b"),
    ] {
        let answer = json!([scope, kind, hash]);
        let kept = store.keep_answer(scope, kind, hash, &answer, at(1)).await;
        kept.expect("it is kept");
    }
    for (scope, kind, hash, there) in [
        ("", "title", "a", true),
        ("run_1", "title", "a", true),
        ("", "topic", "b", true),
        ("run_2", "title", "a", false),
        ("", "topic", "a", false),
        ("", "title", "b", false),
    ] {
        let found = store
            .cached_answer(scope, kind, hash)
            .await
            .expect("it is read");
        let expected = there.then(|| json!([scope, kind, hash]));
        assert_eq!(found, expected, "{scope}, {kind}, {hash}");
    }
}

pub async fn of_many_answers_at_once_all_readers_see_the_same(database: &Database) {
    let store = database.store().await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = store.clone();
        asking.spawn(async move {
            let kept = store
                .keep_answer("", "title", "hash", &json!(number), at(1))
                .await;
            kept.expect("it is kept");
            let found = store.cached_answer("", "title", "hash").await;
            found.expect("it is read").expect("it is there").to_string()
        });
    }
    let mut seen = asking.join_all().await;
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}
