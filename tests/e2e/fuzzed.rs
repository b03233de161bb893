//! Requests made up from the document of the API (`SWITCHYARD_TEST_SCHEMATHESIS` names a Python with
//! `tests/fuzz/requirements.txt`): none may end in a fault of ours, and every answer has to be one that the
//! document tells of.

use std::{path::PathBuf, process::Stdio, time::Duration};

use switchyard::{
    legacy::recorded,
    model::{EnvironmentName, FlagName, Origin, RunId, RunState},
    store::{Effects, NewRun},
};
use tokio::{process::Command, time::timeout};

use crate::program::{Site, case, way_to};

/// Names a Python with `tests/fuzz/requirements.txt`.
const PYTHON: &str = "SWITCHYARD_TEST_SCHEMATHESIS";

/// All of it takes no longer, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(8);

/// What is asked of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

/// A run that has failed, so that there is something to be found.
async fn failed_run(site: &Site) {
    let recorded = recorded::load(&case(), None).expect("a record");
    let id = RunId::new("run_1");
    let new = NewRun {
        id: id.clone(),
        environment: EnvironmentName::new("test"),
        flag: FlagName::new("daily_diarization_pipeline"),
        generation: 1,
        phase: "shadow".to_owned(),
        subject: recorded.subject,
        cache_scope: String::new(),
        control_id: None,
        effects: Effects::Shadow,
        origin: Origin::Arrival,
    };
    let store = site.store().await;
    let now = "2026-03-02T12:00:00Z".parse().expect("a time");
    assert!(store.insert_run(&new, now).await.expect("it is written"));
    let failed = store.finish_run(&id, RunState::Failed, Some("the service is full"), now);
    assert!(failed.await.expect("it is written"));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_made_up_from_the_document_are_answered_as_it_says() {
    let Some(python) = std::env::var_os(PYTHON).map(PathBuf::from) else {
        eprintln!("SKIPPED requests made up from the document (set {PYTHON}=PYTHON)");
        return;
    };
    let site = Site::new();
    for step in way_to("shadow", "10") {
        let step: Vec<&str> = step.iter().map(String::as_str).collect();
        site.run(&step).await.well();
    }
    failed_run(&site).await;
    let document = site.path("openapi.json");
    let told = site.run(&["openapi"]).await.well();
    std::fs::write(&document, told).expect("it is written");
    let serve = site.serve().await;

    let made_up = Command::new(python.with_file_name("schemathesis"))
        .arg("run")
        .arg(&document)
        .args(["--url", &format!("http://127.0.0.1:{}", site.server_port)])
        .args(["--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args([
            "--max-examples",
            "25",
            "--seed",
            "20260302",
            "--generation-deterministic",
        ])
        // Streams have no end, and sockets are opened by none of its requests.
        .args(["--exclude-path-regex", "(/events|/ws)$"])
        .args(["--request-timeout", "20", "--no-color"])
        .current_dir(document.parent().expect("a folder"))
        // Loopback needs no proxy, whatever the machine is set to.
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let made_up = timeout(PATIENCE, made_up).await.expect("it ends in time");
    let made_up = made_up.expect("schemathesis is started");
    let said = String::from_utf8_lossy(&made_up.stdout);
    let log = serve.kill().await;
    assert!(
        made_up.status.success(),
        "{said}\n{}\nthe server said:\n{}",
        String::from_utf8_lossy(&made_up.stderr),
        log.stderr
    );
    println!("{said}");
}
