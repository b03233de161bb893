//! Opening and closing.

use super::samples::{control, run};
use crate::database::Database;
use switchyard::store::Store;

pub async fn a_store_answers_and_says_what_it_is(database: &Database) {
    let store = database.store().await;
    store.ping().await.expect("it answers");
    let expected = if database.url.starts_with("sqlite:") {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    assert_eq!(store.kind(), expected);
    store.close().await;
    assert!(store.ping().await.is_err(), "a closed store is closed");
}

pub async fn opening_again_finds_the_rows(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_1").await;
    store.close().await;
    let again = database.store().await;
    assert!(again.run(&id).await.expect("it is read").is_some());
}

/// A request to our HTTP server that is given up drops whatever it was at.
pub async fn what_is_written_after_a_transaction_that_was_given_up_midway_is_kept(
    database: &Database,
) {
    let store = database.store().await;
    let mut ids = Vec::new();
    for polls in 1..24 {
        {
            let mut beginning = std::pin::pin!(store.begin());
            for _ in 0..polls {
                if futures_util::poll!(&mut beginning).is_ready() {
                    break;
                }
                // As long as the database takes for an answer.
                store.ping().await.expect("it answers");
            }
        }
        // On each connection there is.
        for number in 0..4 {
            let id = format!("ctl_{polls}_{number}");
            let kept = store.insert_control(&control(&id)).await;
            kept.expect("it is written");
            ids.push(id);
        }
    }
    store.close().await;
    let again = database.store().await;
    for id in &ids {
        let kept = again.control(id).await.expect("it is read");
        assert!(kept.is_some(), "{id} is lost");
    }
}

pub async fn many_processes_may_open_an_empty_database_at_once(database: &Database) {
    let mut opening = tokio::task::JoinSet::new();
    for number in 0..6 {
        let url = database.url.clone();
        opening.spawn(async move {
            let store = Store::open(&url).await.expect("it opens");
            run(&store, &format!("run_{number}")).await;
        });
    }
    opening.join_all().await;
    assert_eq!(database.rows("runs").await.len(), 6);
}

#[tokio::test]
async fn a_url_that_names_no_database_we_speak_is_refused_without_showing_it() {
    let refused = Store::open("mysql://ana:hunter2@db/switchyard").await;
    let message = format!("{:#}", refused.expect_err("it is refused"));
    assert!(message.contains("database.url"), "{message}");
    assert!(message.contains("sqlite:PATH"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[tokio::test]
async fn a_database_in_memory_keeps_its_rows_while_the_store_lives() {
    let store = Store::open("sqlite::memory:").await.expect("it opens");
    let id = run(&store, "run_1").await;
    assert!(store.run(&id).await.expect("it is read").is_some());
}
