//! A step that is at fault is named, and those after it are not.

use serde_json::{Value, json};
use switchyard::{
    compare::{Finding, Pinned},
    controller::Again,
    model::TaskName,
    sandbox::{Fault, FaultKind, Service},
};

use crate::world::{Setup, World, short_tracks_of};

fn says(text: &str) -> FaultKind {
    FaultKind::Status {
        status: 200,
        retry_after: None,
        body: Some(json!({
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5},
        })),
    }
}

/// Ten seconds of the recording, with a model that answers so to requests of a kind. The words are those of
/// the whole, as the stand-in knows them; the mix is not.
async fn explained(about: &str, text: &str) -> (World, Pinned) {
    let setup = Setup {
        tracks: Some(short_tracks_of("base")),
        ..Setup::default()
    };
    let world = World::start(setup).await;
    world
        .sandbox
        .fault(Fault::always(Service::Llm, says(text)).about(about));
    let run = world.completed(Again::Resume).await;
    world.compared(&run).await;
    let before = world.sandbox.requests_to(Service::Zulip).len();
    let pinning = world.pinning();
    assert_eq!(pinning.tick().await.expect("it looks"), 1);
    assert_eq!(pinning.tick().await.expect("it looks"), 0, "once");
    let objects = world
        .objects
        .list("reflector-transcripts", "")
        .await
        .expect("a list");
    let outside: Vec<_> = objects
        .iter()
        .filter(|object| !object.key.starts_with("shadow/"))
        .collect();
    assert_eq!(outside.len(), 0, "{outside:?}");
    assert_eq!(world.sandbox.requests_to(Service::Zulip).len(), before);
    assert_eq!(world.sandbox.requests_to(Service::Webhook).len(), 0);
    let report = world
        .shadow
        .report(&run.id)
        .await
        .expect("a read")
        .expect("a report");
    let kept = world
        .store
        .pinning(&run.id)
        .await
        .expect("a read")
        .expect("a pinning");
    let kept: Value = kept.report;
    assert!(!kept.to_string().contains(text), "no meeting text is kept");
    let pinned = report.pinned.expect("it was looked into");
    (world, pinned)
}

fn finding(pinned: &Pinned, task: TaskName) -> &Finding {
    let found = pinned.steps.iter().find(|found| found.step == task);
    &found.expect("it is told").finding
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_title_that_is_wrong_is_put_down_to_the_step_that_makes_titles() {
    let (world, pinned) = explained("title", "Payroll Audit for 40 People").await;
    assert_eq!(pinned.first, Some(TaskName::MixdownTracks), "{pinned:#?}");
    assert_eq!(
        finding(&pinned, TaskName::GenerateTitle),
        &Finding::Diverges
    );
    assert_eq!(finding(&pinned, TaskName::DetectTopics), &Finding::Same);
    // Both tell of the title, and make of the control's what the control made of it.
    for step in [TaskName::PostZulip, TaskName::SendWebhook] {
        let found = finding(&pinned, step);
        assert!(
            matches!(found, Finding::Inherits(_) | Finding::Same),
            "{step}: {found:?}"
        );
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_wrong_are_not_put_down_to_what_is_made_of_them() {
    let wrong = r#"{"title": "Payroll audit", "summary": "Forty people were not paid."}"#;
    let (world, pinned) = explained("topic.json", wrong).await;
    assert_eq!(finding(&pinned, TaskName::DetectTopics), &Finding::Diverges);
    for step in [
        TaskName::GenerateTitle,
        TaskName::GenerateSummary,
        TaskName::SendWebhook,
    ] {
        assert_ne!(finding(&pinned, step), &Finding::Diverges, "{step}");
    }
    world.end().await;
}
