//! A run fails, somebody sees why on its page and retries the step that did, and it ends well.

use serde_json::{Value, json};
use switchyard::model::RunState;

use crate::program::{Site, Trail, case, until};

impl Site {
    async fn page(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.server_port);
        let answer = reqwest::get(url).await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.expect("a page")
    }
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).expect("the page has a form");
    let value = rest.split('"').next().expect("a value");
    value.replace("&#x2f;", "/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_failed_is_retried_from_its_page_and_nothing_done_is_done_again() {
    let site = Site::new();
    let (_objects, _sandbox) = (site.objects().await, site.sandbox().await);
    let _engine = site.engine().await;
    site.register_hastily().await;
    let (_worker, _serve) = (site.worker().await, site.serve().await);
    let no_key = json!({ "service": "llm", "kind": "status", "status": 401 });
    site.ask_sandbox("POST", "faults", no_key).await;
    let folder = case();
    let folder = folder.to_str().expect("it is UTF-8");
    let dispatched = site
        .run(&["dispatch", "--recorded", folder, "--wait", "--json"])
        .await;
    let told: Value = serde_json::from_str(&dispatched.stdout).expect("JSON");
    let id = told["run_id"].as_str().expect("an id").to_owned();
    assert_eq!(told["state"], "failed", "{told}");

    let store = site.store().await;
    let before = Trail::of(&store, &id.as_str().into()).await;
    let page = site.page(&format!("/runs/{id}")).await;
    for said in [
        "Failed during topic detection",
        "Detecting topics: failed",
        "Transcribing tracks: completed, 3 of 3 done",
        "Generating summary: not reached",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let refused = site
        .run(&["resume", &id, "--by", "ana", "--reason", "a try"])
        .await
        .refused();
    assert!(refused.contains("retry the step that did"), "{refused}");
    let listed = site
        .run(&["recordings", "--state", "failed", "--json"])
        .await;
    let listed = listed.json();
    assert_eq!(listed["recordings"][0]["run_id"], json!(id));
    let failed = site.page("/recordings?state=failed").await;
    assert!(
        failed.contains(&id) || failed.contains("/runs/"),
        "{failed}"
    );

    // The key is put right, and somebody presses the button; twice, as people do.
    site.ask_sandbox("DELETE", "faults", json!(null)).await;
    let address = format!("/runs/{id}/retry");
    let form = site.page(&address).await;
    let (csrf, seen) = (hidden(&form, "csrf"), hidden(&form, "seen"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("seen", seen.as_str()),
        ("by", "ana"),
        ("reason", "the key was renewed"),
    ];
    let nowhere = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(nowhere);
    let client = client.build().expect("a client");
    let url = format!("http://127.0.0.1:{}{address}", site.server_port);
    let press = || client.post(&url).form(&fields).send();
    let (one, other) = tokio::join!(press(), press());
    let mut answers = [one, other].map(|answer| answer.expect("it answers").status().as_u16());
    answers.sort_unstable();
    assert_eq!(answers, [303, 409]);

    let run = until("the run ends", async || {
        let run = store.run(&id.as_str().into()).await.expect("a read");
        run.filter(|run| run.state.is_final() && run.verdict.is_some())
    })
    .await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let after = Trail::of(&store, &run.id).await;
    before.is_kept_in(&after);
    assert_eq!(after.attempts_at("detect_topics"), 2);
    let page = site.page(&format!("/runs/{id}")).await;
    assert!(page.contains("Send webhook: completed"), "{page}");
    let recording = site
        .page(&format!("/recordings/{}", run.recording_id))
        .await;
    assert!(
        recording.contains("The run ended: completed"),
        "{recording}"
    );
    let trail = site.run(&["audit", "--json"]).await.json();
    let mends: Vec<_> = trail
        .as_array()
        .expect("a list")
        .iter()
        .filter(|entry| entry["action"] == "retry")
        .map(|entry| (entry["actor"].as_str(), entry["reason"].as_str()))
        .collect();
    assert_eq!(mends, [(Some("ana"), Some("the key was renewed"))]);
    let again = ["retry", &id, "--by", "bo", "--reason", "a try"];
    let refused = site.run(&again).await.refused();
    assert!(refused.contains("has ended well"), "{refused}");
    let compared = ["compare", &id, "--by", "bo", "--reason", "to see"];
    site.run(&compared).await.well();
}
