//! Results on their way to the engine.

use switchyard::store::Spooled;

use super::samples::at;
use crate::database::Database;

fn spooled(task_id: &str, result: &str) -> Spooled {
    Spooled {
        task_id: task_id.to_owned(),
        workflow_id: "workflow".to_owned(),
        result: result.to_owned(),
        give_up_at: at(120_000),
    }
}

pub async fn a_spooled_result_waits_until_it_is_forgotten(database: &Database) {
    let store = database.store().await;
    let (one, two) = (spooled("b", "{\"of\": 1}"), spooled("a", "{\"of\": 2}"));
    store.spool(&one, at(1)).await.expect("it is spooled");
    store.spool(&two, at(2)).await.expect("it is spooled");
    store.close().await;
    let next_process = database.store().await;
    let waiting = next_process.spooled().await.expect("they are read");
    assert_eq!(waiting, [one, two.clone()], "the oldest comes first");
    next_process.unspool("b").await.expect("it is forgotten");
    next_process
        .unspool("b")
        .await
        .expect("forgetting twice is harmless");
    assert_eq!(next_process.spooled().await.expect("they are read"), [two]);
}

pub async fn a_result_spooled_again_replaces_the_first(database: &Database) {
    let store = database.store().await;
    store
        .spool(&spooled("a", "first"), at(1))
        .await
        .expect("it is spooled");
    let mut second = spooled("a", "second");
    second.give_up_at = at(240_000);
    store.spool(&second, at(2)).await.expect("it is spooled");
    assert_eq!(store.spooled().await.expect("they are read"), [second]);
}
