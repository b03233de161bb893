//! Promise 2: killed at any point, a run loses nothing and does nothing twice.

use serde_json::json;
use switchyard::{
    compare::FieldVerdict,
    model::{RunId, RunState, TaskName, WorkflowId},
    report::ReportData,
    store::Store,
};
use tempfile::TempDir;

use crate::program::{Process, Site, Trail, case, dump, until};

/// Whether a run is where it is to be killed.
type Reached = fn(&Trail) -> bool;

struct Demo {
    folder: TempDir,
}

impl Demo {
    fn start(&self) -> Process {
        let folder = self.folder.path().to_str().expect("it is UTF-8");
        let arguments = [
            "demo",
            "--once",
            "--answers",
            "recorded",
            "--listen",
            "127.0.0.1:0",
        ];
        Process::start(&[&arguments[..], &["--dir", folder]].concat(), [])
    }

    async fn store(&self) -> Store {
        let file = self.folder.path().join("switchyard.db");
        let url = format!("sqlite:{}", file.display());
        Store::open(&url).await.expect("a database")
    }
}

async fn only_run(store: &Store) -> Option<RunId> {
    let runs = store.recent_runs(9).await.expect("a read");
    assert!(runs.len() <= 1, "a second run was begun: {runs:?}");
    runs.into_iter().next().map(|run| run.id)
}

async fn newest_report(store: &Store, run: &RunId) -> ReportData {
    let stored = store.newest_comparison(run).await.expect("a read");
    serde_json::from_value(stored.expect("a comparison").report).expect("a report")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_killed_again_and_again_ends_with_the_same_run_and_does_nothing_twice() {
    let demo = Demo {
        folder: tempfile::tempdir().expect("a folder"),
    };
    let first = demo.start();
    first.prints("goes through the new pipeline").await;
    first.kill().await;

    let points: [(&str, Reached); 5] = [
        ("padding", |trail| trail.is_at(TaskName::PadTrack)),
        ("mixing", |trail| trail.is_at(TaskName::MixdownTracks)),
        ("a transcribed track", |trail| {
            trail.has_done(TaskName::TranscribeTrack)
        }),
        ("summing up", |trail| trail.is_at(TaskName::GenerateSummary)),
        ("the end of the transcript", |trail| {
            trail.has_done(TaskName::Finalize)
        }),
    ];
    let store = demo.store().await;
    let mut known: Option<(RunId, Trail)> = None;
    let (mut kills, mut last) = (0, None);
    for (point, is_reached) in points {
        let process = demo.start();
        let run = until("a run", async || only_run(&store).await).await;
        until(point, async || {
            is_reached(&Trail::of(&store, &run).await).then_some(())
        })
        .await;
        let killed = process.kill().await;
        if killed.code.is_some() {
            // The late steps take an instant: it had ended by itself.
            last = Some(killed);
            break;
        }
        kills += 1;
        let trail = Trail::of(&store, &run).await;
        goes_on(known.as_ref(), &run, &trail, &killed.stdout);
        known = Some((run, trail));
    }
    assert!(kills >= 2, "the long steps were not killed");

    let last = match last {
        Some(last) => last,
        None => demo.start().ended().await,
    };
    let (id, _) = known.clone().expect("it was killed before");
    let at_last = Trail::of(&store, &id).await;
    goes_on(known.as_ref(), &id, &at_last, &last.stdout);
    last.well();
    at_last.is_whole();
    let run = store.run(&id).await.expect("a read").expect("the run");
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(store.spooled().await.expect("a read"), []);

    // And it is what a run makes that nobody disturbed.
    for field in newest_report(&store, &id).await.comparison.fields {
        assert_ne!(
            field.verdict,
            FieldVerdict::Differs,
            "{}: {:?}",
            field.field,
            field.differences
        );
    }
}

/// The run is the one known before, nothing of it was done again, and this was said.
#[track_caller]
fn goes_on(known: Option<&(RunId, Trail)>, run: &RunId, trail: &Trail, said: &str) {
    let Some((before, kept)) = known else {
        return;
    };
    assert_eq!(run, before);
    kept.is_kept_in(trail);
    let count = kept.outputs.len();
    let saying = format!("Run {run} goes on: {count} tasks were done already");
    assert!(said.contains(&saying), "`{saying}` is not in {said}");
}

impl Site {
    /// From now on requests about this hang.
    async fn hold(&self, service: &str, about: &str) {
        let fault = json!({ "service": service, "about": about, "kind": "hang" });
        self.ask_sandbox("POST", "faults", fault).await;
    }

    /// Everything is answered again.
    async fn release(&self) {
        self.ask_sandbox("DELETE", "faults", json!(null)).await;
    }

    /// Waits until a request about this is there and has no answer.
    async fn held(&self, service: &str, about: &str) {
        let path = format!("requests?service={service}");
        until("a request that hangs", async || {
            let requests = self.ask_sandbox("GET", &path, json!(null)).await;
            let hangs = |request: &serde_json::Value| {
                let found = request["about"].as_str().unwrap_or_default();
                found.contains(about) && request["status"].is_null()
            };
            requests.as_array()?.iter().any(hangs).then_some(())
        })
        .await;
    }
}

/// What every test of separate processes has running besides.
struct Others {
    _objects: Process,
    _sandbox: Process,
}

impl Others {
    async fn of(site: &Site) -> Self {
        Self {
            _objects: site.objects().await,
            _sandbox: site.sandbox().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_and_engine_killed_in_the_middle_of_a_run_finish_it_once_they_are_back() {
    let site = Site::new();
    let _others = Others::of(&site).await;
    let engine = site.engine().await;
    site.register_hastily().await;
    let worker = site.worker().await;
    let store = site.store().await;
    let recorded = case();
    let recorded = recorded.to_str().expect("it is UTF-8");

    // The worker, while one track is with the transcription service and the others are done.
    site.hold("transcription", "track 1").await;
    let waiting = site.start(&["dispatch", "--recorded", recorded, "--wait"]);
    site.held("transcription", "track 1").await;
    let run = only_run(&store).await.expect("a run");
    until("the other tracks", async || {
        let outputs = Trail::of(&store, &run).await.outputs;
        let done = outputs
            .iter()
            .filter(|output| output.task_ref.starts_with("transcribe_track"));
        (done.count() == 2).then_some(())
    })
    .await;
    worker.kill().await;
    let at_worker = Trail::of(&store, &run).await;
    site.release().await;
    site.hold("llm", "title").await;
    let _worker = site.worker().await;

    // The engine, while the title is with the language model. The answer comes meanwhile.
    site.held("llm", "title").await;
    engine.kill().await;
    let at_engine = Trail::of(&store, &run).await;
    at_worker.is_kept_in(&at_engine);
    site.release().await;
    until("the title's checkpoint", async || {
        let trail = Trail::of(&store, &run).await;
        trail.has_done(TaskName::GenerateTitle).then_some(())
    })
    .await;
    let _engine = site.engine().await;

    let printed = waiting.ended().await.well();
    assert_eq!(
        printed,
        format!("started run `{run}`\nrun `{run}` has completed\n")
    );
    let at_end = Trail::of(&store, &run).await;
    at_engine.is_kept_in(&at_end);
    at_end.is_whole();
    assert_eq!(at_end.attempts_at("transcribe_track_1"), 2);
    assert_eq!(
        at_end.attempts_at("generate_title"),
        1,
        "the engine's death cost work"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ended_while_the_controller_was_dead_is_compared_once_it_is_back() {
    let site = Site::new();
    let _others = Others::of(&site).await;
    let _engine = site.engine().await;
    site.register_hastily().await;
    let (serve, _worker) = (site.serve().await, site.worker().await);
    let (store, client) = (site.store().await, site.client());
    let recorded = case();

    site.hold("llm", "title").await;
    let recorded = recorded.to_str().expect("it is UTF-8");
    site.run(&["dispatch", "--recorded", recorded]).await.well();
    let id = only_run(&store).await.expect("a run");
    site.held("llm", "title").await;
    serve.kill().await;
    site.release().await;
    let row = async || store.run(&id).await.expect("a read").expect("the run");
    let workflow: WorkflowId = row().await.workflow_id.expect("it was started");
    until("the workflow's end", async || {
        let seen = client.workflow(&workflow, false).await.expect("an answer");
        seen.status.is_terminal().then_some(())
    })
    .await;
    assert_eq!(row().await.state, RunState::Running);

    let _serve = site.serve().await;
    until("the comparison", async || {
        store.newest_comparison(&id).await.expect("a read")
    })
    .await;
    assert_eq!(row().await.state, RunState::Completed);
    Trail::of(&store, &id).await.is_whole();
    let comparisons = dump(&site.path("switchyard.db"), "comparisons").await;
    let of_it = comparisons.matches(&format!("\n{id}\n")).count();
    assert_eq!(of_it, 1, "it was compared twice");
}
