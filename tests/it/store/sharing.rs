//! Answers that are shared, what they spared, and where differences come from.

use serde_json::json;
use switchyard::{
    model::{RunId, RunState, SharedService, TranscriptId, WorkflowId},
    store::{
        AnswerCost, ComparisonFacts, GivenAnswer, Pinning, SharedAnswer, Store, StoredComparison,
    },
};

use super::samples::{at, new_run, run, staging};
use crate::database::Database;

fn answer(digest: &str, asked_ms: i64, body: &str) -> SharedAnswer {
    SharedAnswer {
        environment: staging(),
        service: SharedService::Llm,
        digest: digest.to_owned(),
        transcript: TranscriptId::new("transcript-of-recording-of-run_shared"),
        asked_at: at(asked_ms),
        given: GivenAnswer {
            took_ms: 900,
            content_type: "application/json".to_owned(),
            body: body.to_owned(),
            cost: AnswerCost {
                tokens_in: 7,
                tokens_out: 2,
                gpu_seconds: 0.5,
            },
        },
    }
}

fn pinning(id: &RunId, compared_ms: i64) -> Pinning {
    Pinning {
        run_id: id.clone(),
        compared_at: at(compared_ms),
        policy_digest: "digest".to_owned(),
        first: Some("detect_topics".to_owned()),
        report: json!({ "first": "detect_topics", "steps": [] }),
    }
}

/// Every call that writes.
pub async fn write_shared(store: &Store) -> anyhow::Result<()> {
    let id = run(store, "run_shared").await;
    let transcript = TranscriptId::new("transcript-of-recording-of-run_shared");
    store
        .keep_shared("shr_1", &answer("a", 2, "naïve ☕"), at(3))
        .await?;
    store
        .keep_shared("shr_2", &answer("a", 1, "the first"), at(4))
        .await?;
    store
        .keep_shared("shr_3", &answer("b", 0, "old"), at(1))
        .await?;
    store
        .use_shared(&staging(), "a", (&id, &transcript), at(0), at(5))
        .await?;
    store.note_saving(&id, SharedService::Llm, None).await?;
    let spared = Some(answer("a", 0, "").given.cost);
    store.note_saving(&id, SharedService::Llm, spared).await?;
    store.sweep_shared(&staging(), at(1), 1 << 20).await?;
    store.forget_shared(&TranscriptId::new("another")).await?;
    store.keep_pinning(&pinning(&id, 7), at(8)).await
}

pub async fn an_answer_is_given_once_in_the_order_it_was_asked_for(database: &Database) {
    let store = database.store().await;
    let id = run(&store, "run_shared").await;
    let transcript = TranscriptId::new("transcript-of-recording-of-run_shared");
    let other = TranscriptId::new("another");
    for (row, asked, body) in [("shr_1", 2, "second"), ("shr_2", 1, "first")] {
        let answer = answer("a", asked, body);
        store.keep_shared(row, &answer, at(3)).await.expect("kept");
    }
    let ask = async |digest: &str, transcript: &TranscriptId, oldest: i64| {
        let staging = staging();
        let used = store.use_shared(&staging, digest, (&id, transcript), at(oldest), at(5));
        used.await.expect("a read").map(|given| given.body)
    };
    assert_eq!(ask("b", &transcript, 0).await, None, "another question");
    assert_eq!(ask("a", &other, 0).await, None, "another meeting");
    assert_eq!(ask("a", &transcript, 3).await, None, "too old");
    assert_eq!(ask("a", &transcript, 0).await.as_deref(), Some("first"));
    assert_eq!(ask("a", &transcript, 0).await.as_deref(), Some("second"));
    assert_eq!(ask("a", &transcript, 0).await, None, "all were given");
}

pub async fn the_oldest_answers_go_first_where_there_are_too_many(database: &Database) {
    let store = database.store().await;
    run(&store, "run_shared").await;
    for (row, kept) in [("shr_1", 1), ("shr_2", 2), ("shr_3", 3)] {
        let answer = answer(row, 0, "0123456789");
        store
            .keep_shared(row, &answer, at(kept))
            .await
            .expect("kept");
    }
    assert_eq!(
        store
            .sweep_shared(&staging(), at(1), 100)
            .await
            .expect("swept"),
        1
    );
    assert_eq!(
        store
            .sweep_shared(&staging(), at(0), 10)
            .await
            .expect("swept"),
        1
    );
    let transcript = TranscriptId::new("transcript-of-recording-of-run_shared");
    assert_eq!(
        store.forget_shared(&transcript).await.expect("forgotten"),
        1
    );
}

pub async fn a_run_is_looked_into_once_for_each_comparison_that_finds_differences(
    database: &Database,
) {
    let store = database.store().await;
    let id = new_run("run_1", "recording").id;
    store
        .insert_run(&new_run("run_1", "recording"), at(0))
        .await
        .expect("a run");
    store
        .mark_running(&id, &WorkflowId::new("workflow-1"))
        .await
        .expect("it runs");
    store
        .finish_run(&id, RunState::Completed, None, at(1))
        .await
        .expect("it ends");
    let waiting = async || {
        let waiting = store
            .runs_to_pin(&staging(), at(0), 10)
            .await
            .expect("a read");
        !waiting.is_empty()
    };
    let compare = async |name: &str, verdict: &str, ms: i64| {
        let comparison = StoredComparison {
            id: name.to_owned(),
            run_id: id.clone(),
            verdict: verdict.to_owned(),
            policy_digest: "digest".to_owned(),
            epoch: String::new(),
            report: json!({}),
            compared_at: at(ms),
            fields: Vec::new(),
            facts: ComparisonFacts::default(),
        };
        let kept = store.insert_comparison(&comparison).await;
        kept.expect("it is kept");
    };
    assert!(!waiting().await, "it was not compared");
    compare("cmp_1", "differs", 2).await;
    assert!(waiting().await);
    store
        .keep_pinning(&pinning(&id, 2), at(3))
        .await
        .expect("it is kept");
    assert!(!waiting().await);
    compare("cmp_2", "within_noise", 4).await;
    assert!(waiting().await, "it was compared again");
    store
        .keep_pinning(&pinning(&id, 4), at(5))
        .await
        .expect("it is kept");
    store
        .keep_pinning(&pinning(&id, 2), at(6))
        .await
        .expect("it is kept");
    let kept = store
        .pinning(&id)
        .await
        .expect("a read")
        .expect("a pinning");
    assert_eq!(kept, pinning(&id, 4), "an older one does not replace it");
    compare("cmp_3", "match", 7).await;
    assert!(!waiting().await, "there is nothing to explain");
}
