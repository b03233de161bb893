//! The console in a real browser: `tests/browser/console.py` uses it as its people do.

use std::{path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
};

use crate::{
    migration::{Beside, ROUTED},
    miniature::Legacy,
    program::{Site, case},
};

/// Names a Python with `tests/browser/requirements.txt`.
const PYTHON: &str = "SWITCHYARD_TEST_BROWSER";

/// Everybody whom the sandbox's provider knows, and moves that another has to approve.
fn guard(site: &Site) {
    site.has_people_sign_in(&["viewer", "reviewer", "operator", "approver", "admin"]);
    site.change(
        "[environments.test]",
        "[environments.test]\n            rollout.approvals = 1",
    );
}

/// A candidate's run of what was recorded, compared.
async fn dispatched(beside: &Beside, name: &str) {
    let folder = case().with_file_name(name);
    let folder = folder.to_str().expect("it is UTF-8");
    let dispatch = ["dispatch", "--recorded", folder, "--wait", "--json"];
    let ended = beside.program(&dispatch).ended().await;
    // Of the variants some tracks are not in the store, so these runs fail: there is something to look at.
    assert!(ended.code.is_some(), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_read_review_move_watch_and_go_back_in_a_browser() {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with tests/browser/requirements.txt");
        return;
    };
    let Some(legacy) = Legacy::up("base", &[("LEGACY_TASK_ROUTES", ROUTED)]).await else {
        return;
    };
    let mut beside = Beside::start(&legacy).await;
    beside.go("shadow").await;
    for name in ["base", "silent_track", "start0_track"] {
        dispatched(&beside, name).await;
    }
    beside.again(guard).await;
    // What Daily's webhook tells is taken up by a worker of the legacy, in cutover as well.
    legacy.worker(&[]).await;

    let pictures = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("console");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/console.py");
    let root = format!("http://127.0.0.1:{}", beside.site.server_port);
    let mut browser = Command::new(python)
        .arg(script)
        .args([&root, pictures.to_str().expect("it is UTF-8")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the Python starts");
    let mut said = browser.stderr.take().expect("it is piped");
    let said = tokio::spawn(async move {
        let mut text = String::new();
        let read = said.read_to_string(&mut text).await;
        read.map(|_| text)
    });
    let mut asked = BufReader::new(browser.stdout.take().expect("it is piped")).lines();
    let mut is_done = false;
    while let Some(line) = asked.next_line().await.expect("it writes") {
        match line.as_str() {
            // A recording arrives, and the candidate serves it.
            "arrive" => legacy.daily_webhook().await,
            "done" => is_done = true,
            other => panic!("the browser's side asks for `{other}`"),
        }
    }
    let ended = browser.wait().await.expect("it ends");
    let said = said.await.expect("it was read").expect("it is text");
    assert!(is_done && ended.success(), "{said}");
}
