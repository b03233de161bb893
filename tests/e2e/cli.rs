//! The command line: what it prints, where, and how it ends.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};
use switchyard::model::{EnvironmentName, FlagName};

use crate::program::{Process, SECRETS, Site, case, own_port};

const COMMANDS: [&str; 44] = [
    "demo",
    "up",
    "serve",
    "tap",
    "worker",
    "engine",
    "objects",
    "share",
    "check",
    "register",
    "dispatch",
    "runs",
    "recordings",
    "routes",
    "routing",
    "phase",
    "gate",
    "hold",
    "audit",
    "health",
    "compare",
    "report",
    "review",
    "selftest",
    "takeover",
    "retry",
    "resume",
    "costs",
    "sweep",
    "mirror",
    "rehearse",
    "replay",
    "cleanup",
    "token",
    "top",
    "completions",
    "man",
    "settings",
    "doctor",
    "backup",
    "restore",
    "audio",
    "events",
    "sandbox",
];

async fn run(arguments: &[&str]) -> crate::program::Ended {
    Process::start(arguments, []).ended().await
}

#[tokio::test]
async fn every_command_explains_itself_on_a_hundred_columns() {
    let mut texts = vec![("switchyard", run(&["--help"]).await.well())];
    for command in COMMANDS {
        texts.push((command, run(&[command, "--help"]).await.well()));
    }
    for command in COMMANDS {
        assert!(
            texts[0].1.contains(&format!("\n  {command} ")),
            "`{command}` is not listed"
        );
    }
    for (command, text) in texts {
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        assert_snapshot!(format!("help_{command}"), text);
    }
    let version = format!("switchyard {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]).await.well(), version);
}

#[tokio::test]
async fn the_dictionary_of_events_is_for_people_and_for_programs() {
    assert_snapshot!(run(&["events"]).await.well());
    let entries = run(&["events", "--json"]).await.json();
    let entries = entries.as_array().expect("a list");
    assert!(entries.len() >= 8);
    for entry in entries {
        assert!(
            entry["event"].is_string() && entry["data"]["type"] == "object",
            "{entry}"
        );
    }
}

/// What `check` says of each connection: nothing if it is well, else what was found and the remedy.
async fn checked(site: &Site) -> BTreeMap<String, Option<String>> {
    let ended = site.run(&["check", "--json"]).await;
    let findings: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let mut all = BTreeMap::new();
    for finding in findings.as_array().expect("a list") {
        let what = finding["what"].as_str().expect("a name").to_owned();
        let well = finding["ok"].as_bool().expect("yes or no");
        assert!(
            finding["found"]
                .as_str()
                .is_some_and(|found| !found.is_empty())
        );
        assert_eq!(finding["remedy"].is_null(), well, "{finding}");
        let said = finding["remedy"].as_str().map(|remedy| {
            format!(
                "{}\n{remedy}",
                finding["found"].as_str().unwrap_or_default()
            )
        });
        all.insert(what, said);
    }
    let any_bad = all.values().any(Option::is_some);
    assert_eq!(ended.code, Some(i32::from(any_bad)));
    for (_, secret) in &SECRETS[1..] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret));
    }
    all
}

/// Expects one connection to be broken, and what is said of it.
#[track_caller]
fn only(what: &str, mut found: BTreeMap<String, Option<String>>) -> String {
    let said = found.remove(what).flatten();
    let others: Vec<_> = found
        .into_iter()
        .filter(|(_, said)| said.is_some())
        .collect();
    assert!(others.is_empty(), "{others:?}");
    said.unwrap_or_else(|| panic!("nothing is said of {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_every_connection_that_is_broken() {
    let site = Site::new();
    let found = checked(&site).await;
    let broken: Vec<_> = found
        .iter()
        .filter(|(_, said)| said.is_some())
        .map(|(what, _)| what.as_str())
        .collect();
    assert_eq!(
        broken,
        [
            "Daily",
            "definitions",
            "language model",
            "objects",
            "transcription",
            "workflow engine"
        ]
    );
    let ended = site.run(&["check"]).await;
    assert_eq!(ended.code, Some(1));
    let ports = [
        (site.engine_port, "[engine]"),
        (site.objects_port, "[objects]"),
        (site.sandbox_port, "[sandbox]"),
    ];
    let told = ports.iter().fold(ended.stdout, |text, (port, name)| {
        text.replace(&port.to_string(), name)
    });
    assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_the_one_thing_that_is_wrong_and_its_remedy() {
    let site = Site::new();
    let (_objects, _sandbox) = (site.objects().await, site.sandbox().await);
    let engine = site.engine().await;

    let said = only("definitions", checked(&site).await);
    assert!(said.contains("`switchyard register`"), "{said}");
    site.run(&["register"]).await.well();
    let well = site.run(&["check"]).await.well();
    assert!(well.ends_with("\neverything answers\n"), "{well}");
    assert!(checked(&site).await.values().all(Option::is_none));

    // Objects.
    site.change("SITE_SECRET_KEY", "SITE_DAILY_KEY");
    let said = only("objects", checked(&site).await);
    assert!(
        said.contains("403") && said.contains("`objects.secret_key`"),
        "{said}"
    );
    site.reset();
    site.change(
        "bucket = \"reflector-transcripts\"",
        "bucket = \"no-such-bucket\"",
    );
    let said = only("objects", checked(&site).await);
    assert!(
        said.contains("no-such-bucket") && said.contains("create the bucket"),
        "{said}"
    );
    site.reset();

    // Outside services, which refuse our keys.
    for (service, what, key) in [
        ("daily", "Daily", "`daily.api_key`"),
        ("llm", "language model", "`llm.api_key`"),
    ] {
        let fault = json!({ "service": service, "kind": "status", "status": 401 });
        site.ask_sandbox("POST", "faults", fault).await;
        let said = only(what, checked(&site).await);
        assert!(said.contains("401") && said.contains(key), "{said}");
        site.ask_sandbox("DELETE", "faults", json!(null)).await;
    }
    let port = format!("{}/transcription", site.sandbox_port);
    site.change(&port, "1/transcription");
    let said = only("transcription", checked(&site).await);
    assert!(
        said.contains("Connection refused") && said.contains("`transcription.url`"),
        "{said}"
    );
    site.reset();

    // Files that replace ours.
    let prompts = site.path("prompts");
    std::fs::create_dir(&prompts).expect("a folder");
    std::fs::write(prompts.join("topic.txt"), "{% if chunk %}").expect("it is written");
    site.change(
        "[environments.test]",
        &format!("[environments.test]\nprompts = \"{}\"", prompts.display()),
    );
    let said = only("prompts", checked(&site).await);
    assert!(said.contains("topic.txt"), "{said}");
    site.reset();
    let policy = site.path("policy.json");
    std::fs::write(&policy, "{\"fields\": [{\"field\": \"no_such\"}]}").expect("it is written");
    site.change(
        "[environments.test]",
        &format!(
            "[environments.test]\ncomparisons = \"{}\"",
            policy.display()
        ),
    );
    let said = only("comparison policy", checked(&site).await);
    assert!(
        said.contains("policy.json") && said.contains("`comparisons`"),
        "{said}"
    );
    site.reset();

    // The engine, and with it the definitions.
    engine.kill().await;
    let mut found = checked(&site).await;
    assert!(
        found
            .remove("definitions")
            .flatten()
            .is_some_and(|said| said.ends_with("mend the workflow engine first"))
    );
    let said = only("workflow engine", found);
    assert!(
        said.contains("`conductor.url`") && said.contains("Connection refused"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_asks_what_is_beside_the_pipeline_where_the_settings_name_it() {
    let site = Site::new();
    let (_objects, _sandbox) = (site.objects().await, site.sandbox().await);
    let _engine = site.engine().await;
    site.run(&["register"]).await.well();
    let section = |text: &str| format!("[environments.test.{text}\n\n[environments.test.llm]");
    let llm = format!("http://127.0.0.1:{}/llm/v1", site.sandbox_port);
    let embeddings = format!("embeddings]\nurl = \"{llm}\"\nmodel = \"no-such-model\"");
    site.change("[environments.test.llm]", &section(&embeddings));
    let said = only("model of meanings", checked(&site).await);
    assert!(
        said.contains("404") && said.contains("`embeddings.url`"),
        "{said}"
    );
    site.reset();
    let nobody = "embeddings]\nurl = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"";
    site.change("[environments.test.llm]", &section(nobody));
    let said = only("model of meanings", checked(&site).await);
    assert!(said.contains("Connection refused"), "{said}");
    site.reset();
    let nobody = "sharing]\nlisten = \"127.0.0.1:1\"";
    site.change("[environments.test.llm]", &section(nobody));
    let said = only("sharing proxy", checked(&site).await);
    assert!(
        said.contains("Connection refused") && said.contains("start `switchyard share`"),
        "{said}"
    );
    site.reset();
    let other = format!("sharing]\nlisten = \"127.0.0.1:{}\"", site.engine_port);
    site.change("[environments.test.llm]", &section(&other));
    let said = only("sharing proxy", checked(&site).await);
    assert!(
        said.contains("something else answers") && said.contains("start `switchyard share`"),
        "{said}"
    );
    site.reset();
    // The real one, before services that answer, and then before one that does not.
    let port = own_port();
    let proxy = format!("sharing]\nlisten = \"127.0.0.1:{port}\"");
    site.change("[environments.test.llm]", &section(&proxy));
    let share = site.start(&["share"]);
    share.logs("the control asks at").await;
    assert!(checked(&site).await.values().all(Option::is_none));
    share.kill().await;
    let lost = format!("{proxy}\nllm_url = \"http://127.0.0.1:1/v1\"");
    site.reset();
    site.change("[environments.test.llm]", &section(&lost));
    let share = site.start(&["share"]);
    share.logs("the control asks at").await;
    let said = only("sharing proxy", checked(&site).await);
    assert!(
        said.contains("502") && said.contains("`sharing.llm_url`"),
        "{said}"
    );
    site.reset();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registering_says_what_it_changed() {
    let site = Site::new();
    let _engine = site.engine().await;
    let changes = async || {
        let registered = site.run(&["register", "--json"]).await.json();
        let mut counts = BTreeMap::new();
        for entry in registered.as_array().expect("a list") {
            let change = entry["change"].as_str().expect("a word").to_owned();
            *counts.entry(change).or_insert(0) += 1;
        }
        counts
    };
    assert_eq!(changes().await, [("created".to_owned(), 16)].into());
    assert_eq!(changes().await, [("unchanged".to_owned(), 16)].into());

    let client = site.client();
    let mut other = client
        .task_def("pad_track")
        .await
        .expect("it is registered");
    other.retry_count = 7;
    client.put_task_defs(&[other]).await.expect("it is taken");
    let printed = site.run(&["register"]).await.well();
    let line = printed.lines().find(|line| line.contains("pad_track"));
    assert!(
        line.is_some_and(|line| line.ends_with("updated")),
        "{printed}"
    );
    assert!(
        printed.ends_with("\n1 of 16 definitions changed\n"),
        "{printed}"
    );
    assert_eq!(changes().await, [("unchanged".to_owned(), 16)].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_be_listed_shown_compared_and_reported() {
    let site = Site::new();
    let (_objects, _sandbox) = (site.objects().await, site.sandbox().await);
    let _engine = site.engine().await;
    site.register_hastily().await;
    let _worker = site.worker().await;
    let recorded = case();
    let dispatch = [
        "dispatch",
        "--recorded",
        recorded.to_str().expect("it is UTF-8"),
        "--wait",
    ];

    let dispatched = site.run(&dispatch).await;
    assert!(
        dispatched.stderr.contains("step 13 of 13: Done"),
        "{}",
        dispatched.stderr
    );
    let printed = dispatched.well();
    let id = printed.split('`').nth(1).expect("a run id").to_owned();
    assert_eq!(
        printed,
        format!("started run `{id}`\nrun `{id}` has completed\n")
    );
    // Not compared yet: no controller runs here.
    let refused = site.run(&["report", &id]).await.refused();
    assert!(refused.contains("has not been compared"), "{refused}");

    let again = site.run(&dispatch[..3]).await.well();
    assert_eq!(
        again,
        format!("run `{id}` has ended well before; --anew runs the recording again\n")
    );
    let again = site
        .run(&[&dispatch[..], &["--json"]].concat())
        .await
        .json();
    assert_eq!(
        again,
        json!({ "run_id": id, "dispatched": "finished", "state": "completed" })
    );

    let compared = site.run(&["compare", &id]).await.well();
    assert!(
        compared.starts_with("\n✗ DIFFERS") || compared.starts_with("✗ DIFFERS"),
        "{compared}"
    );
    let reported = site.run(&["report", &id]).await.well();
    assert_eq!(reported, compared);
    let report = site.run(&["report", &id, "--json"]).await.json();
    assert_eq!(report["candidate_run"], json!(id));
    let page = site.path("report.html");
    let written = site
        .run(&["report", &id, "--html", page.to_str().expect("it is UTF-8")])
        .await
        .well();
    assert_eq!(written, format!("wrote {}\n", page.display()));
    let page = std::fs::read_to_string(page).expect("it was written");
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));

    sound_is_put_beside_a_page(&site, &id).await;
    all_the_evidence_is_reported(&site, &id).await;

    let listed = site.run(&["runs"]).await.well();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.contains(&id) && listed.trim_end().ends_with("completed  differs"),
        "{listed}"
    );
    let listed = site.run(&["runs", "--json"]).await.json();
    assert_eq!(listed[0]["run_id"], json!(id));
    assert_eq!(listed[0]["verdict"], json!("differs"));
    let shown = site.run(&["runs", &id]).await.well();
    assert!(
        shown.contains("state      completed") && shown.contains("mixdown_tracks"),
        "{shown}"
    );
    let shown = site.run(&["runs", &id, "--json"]).await.json();
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(20));

    for printed in [compared, reported] {
        assert!(!printed.contains('\u{1b}'), "piped output has colours");
    }
}

async fn sound_is_put_beside_a_page(site: &Site, id: &str) {
    let page = site.path("heard.html");
    let path = page.to_str().expect("it is UTF-8");
    let with_sound = ["report", id, "--html", path, "--audio"];
    let written = site.run(&with_sound).await.well();
    let mix = site.path("heard.candidate.mp3");
    let told = format!("wrote {}\nwrote {}\n", mix.display(), page.display());
    assert_eq!(written, told, "the recorded control's mix is in no store");
    assert!(std::fs::metadata(&mix).expect("it is there").len() > 100_000);
    let page = std::fs::read_to_string(page).expect("it was written");
    let page = page.replace("&#x2f;", "/");
    assert!(page.contains("src=\"./heard.candidate.mp3\""));
    assert!(page.contains("<a href=\"./heard.candidate.mp3#t="));
    assert!(page.contains("Cannot be heard: the mix is not in the object store"));
}

async fn all_the_evidence_is_reported(site: &Site, id: &str) {
    let all = site.run(&["report"]).await.well();
    assert!(
        all.starts_with("✗ NO-GO") || all.starts_with("… NOT YET"),
        "{all}"
    );
    assert!(all.contains(&format!("switchyard report {id}")), "{all}");
    let (page, chat) = (site.path("all.html"), site.path("all.md"));
    let [html, markdown] = [&page, &chat].map(|path| path.to_str().expect("it is UTF-8"));
    let to_files = [
        "report",
        "--html",
        html,
        "--markdown",
        markdown,
        "--recordings",
    ];
    let written = site.run(&to_files).await.well();
    assert_eq!(written.matches("wrote ").count(), 3, "{written}");
    let page = std::fs::read_to_string(page).expect("it was written");
    assert!(page.contains(&format!("href=\"runs&#x2f;{id}.html\"")));
    assert!(site.path(&format!("runs/{id}.html")).exists());
    let chat = std::fs::read_to_string(chat).expect("it was written");
    for said in ["Northwind", "Ana Torres", "Ben Okafor", "Billing", id] {
        assert!(
            !chat.contains(said) && !all.contains(said) || said == id,
            "{chat}"
        );
    }
    let all = site.run(&["report", "--json"]).await.json();
    assert_eq!(all["worst"][0]["run"], json!(id));
}

#[tokio::test]
async fn messages_say_what_to_do() {
    let site = Site::new();
    for command in ["report", "compare", "runs"] {
        let refused = site.run(&[command, "run_nowhere"]).await.refused();
        assert!(refused.starts_with("error: "), "{refused}");
        assert!(
            refused.contains("there is no run `run_nowhere`; `switchyard runs` lists them"),
            "{refused}"
        );
    }
    let listed = site.run(&["runs"]).await.well();
    assert_eq!(
        listed,
        "There are no runs yet; start one with `switchyard dispatch`.\n"
    );

    let refused = run(&["check", "--config", "no/such.toml"]).await.refused();
    assert_snapshot!(refused, @"error: cannot read the settings file `no/such.toml`: No such file or directory (os error 2); copy docs/switchyard.example.toml there, or name another with --config");
    let refused = site
        .run(&["runs", "--environment", "production"])
        .await
        .refused();
    assert_snapshot!(refused, @"error: the settings have no environment `production`; they have: test");
    let refused = site
        .run(&["dispatch", "--recorded", "no/such/folder"])
        .await
        .refused();
    assert_snapshot!(refused, @"error: reading the recorded outcome in `no/such/folder`: reading `db_before.json` of the recorded outcome: No such file or directory (os error 2)");

    let refused = site.run(&["sweep"]).await.refused();
    assert_snapshot!(refused, @"error: the settings have no section `environments.test.legacy`, which says where Reflector's database is");

    site.change("{ env = \"SITE_LLM_KEY\" }", "\"leak-in-the-file\"");
    let refused = site.run(&["check"]).await.refused();
    assert!(
        refused.contains("`api_key`") && refused.contains("env = \"NAME\""),
        "{refused}"
    );
    assert!(!refused.contains("leak-in-the-file"), "{refused}");
    site.reset();
    site.change("local_dir", "# local_dir");
    let refused = site.run(&["objects"]).await.refused();
    assert!(refused.contains("objects.local_dir"), "{refused}");
    site.reset();
    let unreadable = site
        .start_with(&["runs"], &[("RUST_LOG", "switchyard=loud")])
        .ended()
        .await;
    assert!(
        unreadable.stderr.contains("`RUST_LOG` cannot be read"),
        "{}",
        unreadable.stderr
    );
    unreadable.well();
}

/// `switchyard events | head -1`
#[tokio::test]
async fn a_reader_that_stops_reading_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_switchyard"))
        .arg("events")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[tokio::test]
async fn the_gate_says_not_yet_of_nothing_and_ends_with_two() {
    let site = Site::new();
    let gate = site.run(&["gate"]).await;
    assert_eq!(gate.code, Some(2));
    let first = gate.stdout.lines().next().expect("a line");
    assert_snapshot!(first, @"NOT YET: failures, 0 of 0 recordings with a failure, 0 counted, 0 replayed; 74 more clean recordings");
    assert!(
        gate.stdout.contains("\n  has to be: 74 recordings"),
        "{}",
        gate.stdout
    );
    let gate = site.run(&["gate", "--json"]).await;
    let told: Value = serde_json::from_str(&gate.stdout).expect("JSON");
    assert_eq!((gate.code, &told["verdict"]), (Some(2), &json!("not_yet")));
    assert!(told["evidence"]["digest"].is_string());
}

#[tokio::test]
async fn a_migration_goes_forward_step_by_step_and_says_what_is_missing() {
    let site = Site::new();
    let shown = site.run(&["phase", "--json"]).await.json();
    assert_eq!(shown[0]["phase"], "infrastructure");
    assert_eq!(shown[0]["version"], 0);
    let set = |more: &'static [&str]| [&["phase", "set"], more, &["--by", "ana"]].concat();

    let refused = site
        .run(&set(&["shadow", "--percent", "10"]))
        .await
        .refused();
    assert_snapshot!(refused, @"error: from infrastructure to shadow 10 % is more than a step; the next is parallel; go to parallel first");
    let refused = site.run(&set(&["parallel"])).await.refused();
    assert_snapshot!(refused, @"error: health is not watched and has to be well for 30 min; health: run `switchyard serve`, which watches Conductor");
    let planned = site.run(&["phase", "plan", "--json"]).await;
    assert_eq!(planned.code, Some(2), "not yet");
    let plan: Value = serde_json::from_str(&planned.stdout).expect("a plan");
    assert_eq!(plan["preconditions"][1]["check"], "health");
    assert_eq!(plan["preconditions"][1]["state"], "not_yet");
    assert_eq!(plan["ready"], false);

    let unexplained = set(&["parallel", "--override", "health"]);
    let refused = site.run(&unexplained).await.refused();
    assert!(refused.contains("--reason"), "{refused}");
    let over = ["--override", "all", "--reason", "first try"];
    let told = site.run(&[&set(&["parallel"])[..], &over].concat()).await;
    let told = told.well();
    assert!(told.contains(": parallel, version 1\n"), "{told}");
    assert!(told.contains("`health` was overridden"), "{told}");
    let shadow = set(&["shadow", "--percent", "12.5"]);
    let told = site.run(&[&shadow[..], &over].concat()).await.well();
    assert!(told.contains(": shadow 12.5 %, version 2\n"), "{told}");

    let stale = [&shadow[..], &["--seen", "1"]].concat();
    let refused = site.run(&stale).await.refused();
    assert!(
        refused.contains("shadow 12.5 % at version 2 by now"),
        "{refused}"
    );
    let shown = site.run(&["phase"]).await.well();
    assert!(shown.contains("12.5 %") && shown.contains("ana"), "{shown}");
    for (arguments, remedy) in [
        (set(&["shadow"]), "--percent 10"),
        (
            set(&["draining", "--percent", "5"]),
            "leave out `--percent`",
        ),
        (
            vec!["phase", "set", "parallel", "--by", " "],
            "`--by` names nobody",
        ),
    ] {
        let refused = site.run(&arguments).await.refused();
        assert!(refused.contains(remedy), "{refused}");
    }

    // Back at once, whatever there is.
    let told = site.run(&set(&["infrastructure"])).await.well();
    assert!(told.contains(": infrastructure, version 3\n"), "{told}");
    let listed = site.run(&["audit", "--json"]).await.json();
    let actions: Vec<_> = listed.as_array().expect("a list").iter().collect();
    let actions: Vec<_> = actions
        .iter()
        .map(|entry| entry["action"].as_str())
        .collect();
    assert_eq!(
        actions.iter().filter(|one| **one == Some("flip")).count(),
        3
    );
    let whole = site.run(&["audit", "--verify"]).await.well();
    assert!(whole.starts_with("The audit trail is whole: "), "{whole}");

    // An export is checked without the database.
    let exported = site.run(&["audit", "--export"]).await.well();
    let file = site.path("audit.jsonl");
    let file = file.to_str().expect("it is UTF-8");
    let verify = ["audit", "--verify-file", file, "--json"];
    std::fs::write(file, &exported).expect("it is written");
    let told = site.run(&verify).await.json();
    assert_eq!(told["whole"], true);
    assert_eq!(told["entries"], exported.lines().count());
    let rest = exported.split_once('\n').expect("there are more").1;
    std::fs::write(file, rest).expect("it is written");
    assert_eq!(
        site.run(&verify).await.json()["whole"],
        true,
        "a part is whole"
    );
    std::fs::write(
        file,
        exported.replacen("\"actor\":\"ana\"", "\"actor\":\"bo\"", 1),
    )
    .expect("it is written");
    let refused = site.run(&verify[..3]).await.refused();
    assert!(
        refused.contains("was changed after it was written"),
        "{refused}"
    );
    let later = ["audit", "--export", "--since", "2100-01-01"];
    assert_eq!(site.run(&later).await.well(), "");
}

#[tokio::test]
async fn a_hold_blocks_until_it_is_released_and_a_changed_trail_is_noticed() {
    let site = Site::new();
    let parallel = [
        "phase",
        "set",
        "parallel",
        "--by",
        "ana",
        "--override",
        "all",
        "--reason",
        "go",
    ];
    let place = [
        "hold",
        "place",
        "--by",
        "bo",
        "--reason",
        "audit week",
        "--hours",
        "24",
    ];
    let placed = site.run(&[&place[..], &["--json"]].concat()).await.json();
    let id = placed["hold"].as_str().expect("an id");
    let refused = site.run(&parallel).await.refused();
    assert!(refused.contains("bo holds: audit week"), "{refused}");
    let planned = site.run(&["phase", "plan"]).await;
    assert_eq!(planned.code, Some(3), "no-go");
    assert!(
        planned.stdout.contains("NO-GO: bo holds"),
        "{}",
        planned.stdout
    );
    let listed = site.run(&["hold"]).await.well();
    assert!(
        listed.contains(id) && listed.contains("audit week"),
        "{listed}"
    );
    site.run(&["hold", "release", id, "--by", "bo"])
        .await
        .well();
    let refused = site
        .run(&["hold", "release", id, "--by", "bo"])
        .await
        .refused();
    assert!(
        refused.contains("`switchyard hold` lists them"),
        "{refused}"
    );
    site.run(&parallel).await.well();

    let store = site.store().await;
    let about = EnvironmentName::new("test");
    let flag = FlagName::new("daily_diarization_pipeline");
    let entries = store.recent_audit(&about, &flag, 9).await.expect("entries");
    assert!(
        entries
            .iter()
            .any(|entry| entry.entry.reason == "audit week")
    );
    store.close().await;
    let database = format!("sqlite:{}", site.path("switchyard.db").display());
    sqlx::any::install_default_drivers();
    let mut outside = AnyConnection::connect(&database)
        .await
        .expect("a connection");
    let forge = "update audit set reason = 'nothing' where reason = 'audit week'";
    sqlx::query(forge)
        .execute(&mut outside)
        .await
        .expect("it is forged");
    outside.close().await.expect("it is closed");
    let broken = site.run(&["audit", "--verify"]).await.refused();
    assert!(
        broken.contains("was changed after it was written"),
        "{broken}"
    );
}

#[tokio::test]
async fn what_two_people_have_to_want_waits_for_the_second() {
    let site = Site::new();
    site.change(
        "[environments.test]",
        "[environments.test]\nrollout = { approvals = 1 }",
    );
    let parallel = [
        "phase",
        "set",
        "parallel",
        "--by",
        "ana",
        "--override",
        "all",
        "--reason",
        "go",
        "--json",
    ];
    let asked = site.run(&parallel).await.json();
    let id = asked["request"].as_str().expect("a request");
    let again = site.run(&parallel).await.json();
    assert_eq!(again["request"], id, "asked again it is the same");
    let own = site
        .run(&["phase", "approve", id, "--by", "ana"])
        .await
        .refused();
    assert!(own.contains("somebody else has to approve it"), "{own}");
    let listed = site.run(&["phase", "requests"]).await.well();
    assert!(listed.contains(id), "{listed}");
    let told = site
        .run(&["phase", "approve", id, "--by", "bo"])
        .await
        .well();
    assert!(told.contains(": parallel, version 1\n"), "{told}");
    let late = site
        .run(&["phase", "approve", id, "--by", "cy"])
        .await
        .refused();
    assert!(late.contains("no open request"), "{late}");
}

#[tokio::test]
async fn rules_of_routing_are_changed_shown_and_explained() {
    let site = Site::new();
    site.change(
        "[environments.test]",
        "[environments.test]\nshadow = { max_gpu_seconds = 60 }",
    );
    let signed = ["--by", "ana", "--reason", "to see"];
    let routing = |more: &[&'static str]| [&["routing"], more, &signed].concat();
    let told = site.run(&routing(&["exclude", "room", "r1"])).await.well();
    assert!(
        told.contains(": room r1: exclude, rules at version 1\n"),
        "{told}"
    );
    let pin = ["pin", "recording", "r2", "--to", "candidate"];
    site.run(&routing(&pin)).await.well();
    let stale = [&routing(&["remove", "room", "r1"])[..], &["--seen", "1"]].concat();
    let refused = site.run(&stale).await.refused();
    assert!(
        refused.contains("at version 2 by now, changed by ana"),
        "{refused}"
    );

    let cohorts = site.path("cohorts.json");
    let text = json!([{ "name": "internal", "rooms": ["r3"] },
        { "name": "quiet", "rooms": "without_webhook" }]);
    std::fs::write(&cohorts, text.to_string()).expect("it is written");
    let cohorts = cohorts.display().to_string();
    let change = [&["routing", "cohorts", cohorts.as_str()][..], &signed].concat();
    site.run(&change).await.well();
    site.run(&routing(&["reach", "internal"])).await.well();
    let refused = site.run(&routing(&["reach", "inner"])).await.refused();
    assert!(
        refused.contains("there are internal, quiet, all"),
        "{refused}"
    );

    // Wider is forward, and waits for whoever holds.
    let hold = [
        "hold",
        "place",
        "--by",
        "bo",
        "--reason",
        "audit week",
        "--hours",
        "1",
    ];
    site.run(&hold).await.well();
    let refused = site.run(&routing(&["reach", "all"])).await.refused();
    assert!(refused.contains("bo holds: audit week"), "{refused}");

    let shown = site.run(&["routing"]).await.well();
    for line in [
        "rules at version 4",
        "to see",
        "Cohorts: internal (1 rooms), quiet (rooms without a webhook), all. Cutover reaches as far as internal, set by ana: to see.",
        "Shadow runs have used today: 0 of 60 GPU seconds (60 left), 0 tokens, $0.00.",
    ] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    let shown = site.run(&["routing", "--json"]).await.json();
    let rules = shown["rules"]["rules"].as_array().expect("rules");
    assert!(
        rules.iter().any(|rule| rule["says"] == "candidate"),
        "{shown}"
    );
    assert_eq!(shown["shadow"]["gpu_seconds"]["left"], 60.0);
    let costs = site.run(&["costs"]).await.well();
    assert!(costs.contains("(60 left)"), "{costs}");
    let explain = ["routing", "explain", "--recording", "r2", "--room", "r1"];
    let explained = site.run(&explain).await.well();
    assert_eq!(
        explained,
        "The control serves recording `r2`, and nothing runs beside: phase infrastructure: the control serves alone\n"
    );
    let listed = site.run(&["audit", "--json"]).await.json();
    let listed = listed.as_array().expect("a list").iter();
    let changes = listed.filter(|entry| entry["action"] == "routing").count();
    assert_eq!(changes, 4);
}

#[tokio::test]
async fn routes_are_listed_and_none_are_said_to_be_none() {
    let site = Site::new();
    let routes = site.run(&["routes"]).await.well();
    assert!(routes.contains("docs/tap.md"), "{routes}");
    assert_eq!(site.run(&["routes", "--json"]).await.json(), json!([]));
}

#[tokio::test]
async fn a_fresh_environment_has_everything_to_look_at_and_nothing_to_test_with() {
    let site = Site::new();
    let tested = site.run(&["selftest"]).await;
    assert_eq!(tested.code, Some(2), "{tested:#?}");
    assert!(
        tested
            .stdout
            .contains("nothing to test the comparison with"),
        "{tested:#?}"
    );
    let reviews = site.run(&["review"]).await;
    assert_eq!(reviews.code, Some(2), "{reviews:#?}");
    assert!(
        reviews.stdout.contains("0 recordings; 0 S0/S1 open"),
        "{reviews:#?}"
    );
    let accept = ["review", "accept", "itm_none", "--by", "ana"];
    let refused = site.run(&accept).await.refused();
    assert!(refused.contains("there is no item `itm_none`"), "{refused}");
    let add = [
        "review",
        "rules",
        "add",
        "/title",
        "paraphrase",
        "--by",
        "ana",
        "--reason",
        "known",
    ];
    site.run(&add).await.well();
    let listed = site.run(&["review", "rules", "--json"]).await.json();
    assert_eq!(listed[0]["rule"]["path"], "/title");
    let grave = [&add[..4], &["fact_changed"], &add[5..]].concat();
    let refused = site.run(&grave).await.refused();
    assert!(
        refused.contains("is ever hidden; look at each"),
        "{refused}"
    );
}
