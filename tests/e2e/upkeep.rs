//! What keeps an installation: backups, settings in force, and the file for whoever helps.

use serde_json::Value;

use crate::program::{Process, SECRETS, Site, way_to};

#[track_caller]
fn has_no_secret(what: &str, text: &str) {
    for (name, secret) in SECRETS {
        assert!(!text.contains(secret), "{name} is in {what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_fills_an_empty_database_whose_migration_then_waits_for_a_person() {
    let site = Site::new();
    for step in way_to("shadow", "10") {
        let step: Vec<&str> = step.iter().map(String::as_str).collect();
        site.run(&step).await.well();
    }
    let file = site.path("backup.jsonl");
    let path = file.to_str().expect("it is UTF-8");
    let told = site.run(&["backup", path]).await.well();
    assert!(told.contains("phases") && told.contains("keep it as you keep the database"));
    let again = site.run(&["backup", path]).await.refused();
    assert!(again.contains("there is a file"), "{again}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others may read it");
    }

    let restore = [
        "restore",
        path,
        "--by",
        "ana",
        "--reason",
        "the disk was lost",
    ];
    let full = site.run(&restore).await.refused();
    assert!(full.contains("has rows in"), "{full}");
    site.change("switchyard.db", "another.db");
    let told = site.run(&restore).await.well();
    assert!(told.contains("test is held"), "{told}");
    let phase = site.run(&["phase", "--json"]).await.well();
    assert!(phase.contains("shadow"), "{phase}");
    let holds = site.run(&["hold", "--json"]).await.json();
    let reason = holds[0]["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("restored from the backup of ") && reason.ends_with("the disk was lost")
    );
    site.run(&["audit", "--verify"]).await.well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_cannot_be_written_leaves_nothing() {
    let site = Site::new();
    let path = site.path("no/such/folder/backup.jsonl");
    let refused = site.run(&["backup", path.to_str().expect("UTF-8")]).await;
    let refused = refused.refused();
    assert!(refused.contains("making `"), "{refused}");
    let missing = site.path("missing.jsonl");
    let missing = missing.to_str().expect("it is UTF-8");
    let restore = ["restore", missing, "--by", "ana", "--reason", "a test"];
    let refused = site.run(&restore).await.refused();
    assert!(refused.contains("opening the backup"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_shown_with_their_defaults_and_without_secrets() {
    let site = Site::new();
    site.change(
        "[environments.test.objects]",
        "notices.url = \"https://u:leak-notices@hook.example.test/in?token=leak-token\"\n\n            [environments.test.objects]",
    );
    let lines = site.run(&["settings"]).await.well();
    let json = site.run(&["settings", "--json"]).await.json();
    for (what, text) in [("settings", &lines), ("settings --json", &json.to_string())] {
        has_no_secret(what, text);
        assert!(!text.contains("leak-"), "{text}");
    }
    let environment = &json["environments"]["test"];
    assert_eq!(environment["llm"]["api_key"], "***");
    assert_eq!(environment["llm"]["context_window"], 16000);
    assert_eq!(
        environment["notices"][0]["url"],
        "https://hook.example.test/***"
    );
    assert!(lines.contains("environments.test.llm.timeout_s"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_helps_gets_how_everything_stands_and_what_is_broken() {
    let site = Site::new();
    let path = site.path("doctor.json");
    let told = site.run(&["doctor", path.to_str().expect("UTF-8")]).await;
    let told = told.well();
    assert!(told.contains("have a fault"), "{told}");
    let text = std::fs::read_to_string(&path).expect("a file");
    has_no_secret("the file", &text);
    let bundle: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(bundle["stands"]["phase"]["position"], "infrastructure");
    assert_eq!(bundle["stands"]["audit"]["whole"], true);
    assert_eq!(bundle["stands"]["gate"]["verdict"], "not_yet");
    assert_eq!(
        bundle["settings"]["environments"]["test"]["daily"]["api_key"],
        "***"
    );
    let checks = bundle["checks"].as_array().expect("a list");
    let is_ok = |what: &str| {
        let check = checks.iter().find(|check| check["what"] == what);
        check.expect("it is checked")["ok"].clone()
    };
    assert_eq!(is_ok("our database"), true);
    assert!(checks.iter().any(|check| check["ok"] == false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_everything_stands_is_one_screen_for_people_and_one_object_for_programs() {
    let site = Site::new();
    for step in way_to("shadow", "10") {
        let step: Vec<&str> = step.iter().map(String::as_str).collect();
        site.run(&step).await.well();
    }
    let hold = [
        "hold", "place", "--by", "ana", "--reason", "a test", "--hours", "1",
    ];
    site.run(&hold).await.well();
    // What is no terminal is shown once.
    let shown = site.run(&["top"]).await.well();
    for line in [
        "phase      test: shadow 10 %  held",
        "gate       NOT YET",
        "open runs  0",
    ] {
        assert!(shown.contains(line), "`{line}` is not in {shown}");
    }
    let told = site.run(&["top", "--json"]).await.json();
    assert_eq!(told["last_hour"]["arrived"], 0);
    assert_eq!(told["phases"][0]["percent"], 10.0);
    assert_eq!(told["held"], 1);
}

#[tokio::test]
async fn every_command_is_in_the_manual_and_completed() {
    let manual = Process::start(&["man"], []).ended().await.well();
    let script = Process::start(&["completions", "bash"], [])
        .ended()
        .await
        .well();
    for command in ["dispatch", "phase", "backup"] {
        assert!(
            manual.contains(&format!(".TH switchyard-{command} ")),
            "{command}"
        );
        assert!(
            script.contains(&format!("switchyard__subcmd__{command}"))
                || script.contains(&format!("switchyard__{command}")),
            "{command}"
        );
    }
}
