//! The console in a real browser: `tests/browser/console.py` uses it as its people do.

use std::{path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
};

use crate::program::{Process, Site, case};

/// Names a Python with `tests/browser/requirements.txt`.
const PYTHON: &str = "SWITCHYARD_TEST_BROWSER";

const PROVIDER_SECRET: (&str, &str) = ("SITE_OIDC_SECRET", "sandbox-secret");

/// Everybody whom the sandbox's provider knows, and moves that another has to approve.
fn guard(site: &Site) {
    let (server, sandbox) = (site.server_port, site.sandbox_port);
    let role = |group: &str, role: &str| {
        format!(r#"{{ group = "switchyard-{group}", role = "{role}", environments = ["test"] }}"#)
    };
    let roles = [
        role("viewers", "viewer"),
        role("reviewers", "reviewer"),
        role("operators", "operator"),
        role("approvers", "approver"),
        role("admins", "admin"),
    ];
    let access = format!(
        r#"worker.drain_s = 5
            access.public_url = "http://127.0.0.1:{server}"
            access.oidc.issuer = "http://127.0.0.1:{sandbox}/oidc"
            access.oidc.client_id = "switchyard"
            access.oidc.client_secret = {{ env = "SITE_OIDC_SECRET" }}
            access.roles = [{}]
            "#,
        roles.join(", ")
    );
    site.change("worker.drain_s = 5", &access);
    site.change(
        "[environments.test]",
        "[environments.test]\n            rollout.approvals = 1",
    );
}

fn start(site: &Site, arguments: &[&str]) -> Process {
    site.start_with(arguments, &[PROVIDER_SECRET])
}

async fn dispatched(site: &Site, name: &str) {
    let folder = case().with_file_name(name);
    let folder = folder.to_str().expect("it is UTF-8");
    let dispatch = ["dispatch", "--recorded", folder, "--wait", "--json"];
    let ended = start(site, &dispatch).ended().await;
    // Of the variants some tracks are not in the store, so these runs fail: there is something to look at.
    assert!(ended.code.is_some(), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_read_review_move_watch_and_go_back_in_a_browser() {
    let Ok(python) = std::env::var(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with tests/browser/requirements.txt");
        return;
    };
    let site = Site::new();
    let (_sandbox, _objects) = (site.sandbox().await, site.objects().await);
    let set = [
        "phase",
        "set",
        "parallel",
        "--by",
        "ops",
        "--reason",
        "a test",
        "--override",
        "health",
    ];
    site.run(&set).await.well();
    guard(&site);
    let engine = start(&site, &["engine"]);
    engine.logs("listens at").await;
    let serve = start(&site, &["serve"]);
    serve.logs("people sign in at").await;
    start(&site, &["register"]).ended().await.well();
    let worker = start(&site, &["worker"]);
    worker.logs("working for").await;
    for name in ["base", "silent_track", "start0_track"] {
        dispatched(&site, name).await;
    }

    let pictures = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("console");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/console.py");
    let root = format!("http://127.0.0.1:{}", site.server_port);
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
            "run" => {
                let folder = case();
                let folder = folder.to_str().expect("it is UTF-8");
                let again = [
                    "dispatch",
                    "--recorded",
                    folder,
                    "--anew",
                    "--fresh",
                    "--json",
                ];
                start(&site, &again).ended().await.well();
            }
            "done" => is_done = true,
            other => panic!("the browser's side asks for `{other}`"),
        }
    }
    let ended = browser.wait().await.expect("it ends");
    let said = said.await.expect("it was read").expect("it is text");
    assert!(is_done && ended.success(), "{said}");
    drop((serve, worker, engine));
}
