//! The worker's runtime and an engine in trouble: nothing lost, nothing done twice.

mod harness;

use std::time::Duration;

use serde_json::json;
use switchyard::conductor::wire::{TaskStatus, WorkflowStatus};

use harness::{KIND, RESPONSE_TIMEOUT_S, Works};

/// More than one call of the client sends.
const OFTEN: u32 = 3;

#[tokio::test]
async fn a_result_the_engine_never_received_is_sent_again_until_it_is_taken() {
    let works = Works::start().await;
    works.engine_door.lose_updates(OFTEN);
    let run = works.begin("done").await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!(workflow.output["answer"], json!(42));
    assert_eq!(works.stage(&run).executions(), 1);
    works.nothing_is_spooled().await;
    works.end().await;
}

#[tokio::test]
async fn a_result_whose_acknowledgement_is_lost_counts_once() {
    let works = Works::start().await;
    works.engine_door.lose_acknowledgements(OFTEN);
    let run = works.begin("done").await;
    let workflow = works.ended(&run).await;
    works.nothing_is_spooled().await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!(
        (workflow.tasks.len(), works.stage(&run).executions()),
        (1, 1)
    );
    works.end().await;
}

#[tokio::test]
async fn an_engine_that_is_down_when_a_task_ends_gets_its_result_after_the_restart() {
    let mut works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    works.stop_engine().await;
    works.stage(&run).go_on();
    works.something_is_spooled().await;
    works.start_engine().await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!(works.stage(&run).executions(), 1);
    works.nothing_is_spooled().await;
    works.end().await;
}

#[tokio::test]
async fn a_result_outlives_its_worker_while_the_engine_is_down() {
    let mut works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    works.stop_engine().await;
    works.stage(&run).go_on();
    works.stop_worker().await;
    works.something_is_spooled().await;
    works.engine_door.lose_updates(1);
    works.start_engine().await;
    works.start_worker();
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!(workflow.tasks.len(), 1, "it counted as a failure");
    assert_eq!(works.stage(&run).executions(), 1);
    works.end().await;
}

/// The engine goes on without the result, and the next attempt finds the checkpoint.
#[tokio::test]
async fn a_result_nobody_waits_for_any_more_is_still_not_worked_out_again() {
    let mut works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    works.stop_engine().await;
    works.stage(&run).go_on();
    works.something_is_spooled().await;
    works.pass(RESPONSE_TIMEOUT_S + 1);
    works.start_engine().await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!(workflow.output["answer"], json!(42));
    assert_eq!(works.stage(&run).executions(), 1);
    works.nothing_is_spooled().await;
    works.end().await;
}

#[tokio::test]
async fn a_spooled_result_that_cannot_be_read_does_not_hold_up_the_others() {
    let mut works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    works.stop_engine().await;
    works.spool_nonsense().await;
    works.stage(&run).go_on();
    works.start_engine().await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    works.nothing_is_spooled().await;
    works.end().await;
}

#[tokio::test]
async fn a_task_whose_poll_answer_was_lost_comes_back_after_its_response_timeout() {
    let works = Works::start().await;
    works.faults.drop_poll_answers(1);
    let run = works.begin("done").await;
    works
        .until(&run, "it is lost", |workflow| {
            workflow.tasks[0].status == TaskStatus::InProgress
        })
        .await;
    assert_eq!(works.stage(&run).executions(), 0);
    works.pass(RESPONSE_TIMEOUT_S + 1);
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    let statuses: Vec<_> = workflow.tasks.iter().map(|task| task.status).collect();
    assert_eq!(statuses, [TaskStatus::TimedOut, TaskStatus::Completed]);
    assert_eq!(works.stage(&run).executions(), 1);
    works.end().await;
}

#[tokio::test]
async fn a_task_that_panics_has_failed_and_says_so() {
    let works = Works::start().await;
    let run = works.begin("panic").await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Failed);
    assert_eq!(works.stage(&run).executions(), 2, "it may be tried again");
    let reason = workflow.tasks[1].reason_for_incompletion.as_deref();
    assert_eq!(
        reason,
        Some("work, attempt 2 of 4: the task panicked; please report it")
    );
    works.end().await;
}

#[tokio::test]
async fn an_output_engines_do_not_take_is_a_terminal_failure() {
    let works = Works::start().await;
    let run = works.begin("large").await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Failed);
    let [task] = workflow.tasks.as_slice() else {
        panic!("it was tried again")
    };
    assert_eq!(task.status, TaskStatus::FailedWithTerminalError);
    let reason = task.reason_for_incompletion.as_deref().unwrap_or_default();
    assert!(reason.contains("and engines take 262144"), "{reason}");
    assert!(task.output_data.is_empty());
    works.end().await;
}

#[tokio::test]
async fn a_task_slower_than_its_response_timeout_keeps_its_lease() {
    let works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    for _ in 0..3 {
        works.pass(RESPONSE_TIMEOUT_S - 1);
        let now = works.now();
        works
            .until(&run, "a heartbeat has come", |workflow| {
                workflow.tasks[0].update_time == now
            })
            .await;
    }
    works.stage(&run).go_on();
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!((workflow.tasks.len(), workflow.tasks[0].poll_count), (1, 1));
    works.end().await;
}

#[tokio::test]
async fn a_task_of_a_run_that_was_ended_is_dropped_and_not_reported() {
    let works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    works.terminate(&run).await;
    works.stage(&run).dropped().await;
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.tasks[0].status, TaskStatus::Canceled);
    let trail = works.trail(&run, "failed").await;
    assert_eq!(
        trail.cause.as_deref(),
        Some("the run ended before it was done")
    );
    works.nothing_is_spooled().await;
    works.end().await;
}

#[tokio::test]
async fn a_worker_told_to_stop_finishes_what_it_can() {
    let mut works = Works::start().await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    let stopping = works.tell_worker_to_stop();
    works.stage(&run).go_on();
    stopping.await.expect("it ends by itself");
    let workflow = works.workflow(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    works.end().await;
}

#[tokio::test]
async fn a_worker_that_stops_hands_back_what_does_not_end() {
    let mut works = Works::start().await;
    works.give_workers(Duration::ZERO).await;
    let run = works.begin("wait").await;
    works.stage(&run).begun().await;
    works.stop_worker().await;
    works.stage(&run).dropped().await;
    let workflow = works.workflow(&run).await;
    let handed_back = &workflow.tasks[0];
    assert_eq!(handed_back.status, TaskStatus::Failed);
    assert_eq!(
        handed_back.reason_for_incompletion.as_deref(),
        Some("work, attempt 1 of 4: the worker stopped before it was done")
    );
    works.start_worker();
    works.stage(&run).go_on();
    let workflow = works.ended(&run).await;
    assert_eq!(workflow.status, WorkflowStatus::Completed);
    assert_eq!(works.stage(&run).executions(), 2);
    assert_eq!(workflow.tasks[1].task_def_name, KIND.as_str());
    works.end().await;
}
