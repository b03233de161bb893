//! `/metrics` through the real router.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use chrono::TimeDelta;
use switchyard::{
    meters::{self, catalogue::ALL},
    model::TaskName,
    rollout::{Layer, Probe},
    store::{MirrorOutcome, NewHold},
};

use crate::{
    http::server::{Server, noon},
    phases,
    standup::http,
    store::{retention::forget_an_answer, same_rows::write_to_every_table},
};

pub const DOCUMENTED: &str = include_str!("../../../docs/observability.md");

/// Families as documented: name, type, labels, meaning.
fn documented() -> BTreeSet<[String; 4]> {
    let rows = DOCUMENTED
        .lines()
        .filter(|line| line.starts_with("| `switchyard_"));
    rows.map(|row| {
        let cells: Vec<String> = row
            .trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        cells.try_into().expect("four cells")
    })
    .collect()
}

#[test]
fn the_documented_table_is_what_there_is() {
    let there_is: BTreeSet<[String; 4]> = ALL
        .iter()
        .map(|family| {
            [
                family.name.to_owned(),
                family.kind.as_str().to_owned(),
                family.labels.join(", "),
                family.help.to_owned(),
            ]
        })
        .collect();
    let documented = documented();
    let wrong: Vec<_> = documented.symmetric_difference(&there_is).collect();
    assert!(
        wrong.is_empty(),
        "docs/observability.md and src/meters/catalogue.rs differ: {wrong:#?}"
    );
}

async fn scrape(server: &Server) -> String {
    let answer = server.get("/metrics").await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// The families of a text, each with its lines of numbers.
fn families(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut now = "";
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            now = declared.split(' ').next().expect("a name");
            families.insert(now, Vec::new());
        } else if !line.starts_with('#') {
            families.get_mut(now).expect("it is declared").push(line);
        }
    }
    families
}

/// A server that has seen everything there is.
async fn seen_everything() -> String {
    let server = Server::without_engine().await;
    write_to_every_table(&server.shadow.store).await;
    // An open run, whose engine is asked in vain.
    let run = server.running("run_open", 1).await;
    let step = ("pad_track", "pad_track_0", 1);
    server.attempt(&run, step, 0, None).await;
    let (about, store) = (phases::about("staging"), &server.shadow.store);
    let hold = NewHold {
        owner: "ana".to_owned(),
        reason: "audit week".to_owned(),
        expires_at: noon() + TimeDelta::days(1),
    };
    store
        .place_hold(&about, &hold, noon())
        .await
        .expect("it is");
    let probe = Probe {
        name: "server",
        layer: Layer::Conductor,
        found: Err("it is silent".to_owned()),
    };
    let mirror = store.unfinished_mirror(&about.environment).await;
    let mut mirror = mirror.expect("it is read").expect("there is one");
    mirror.outcome = Some(MirrorOutcome::Compared);
    let saved = store.save_mirror(&mirror, "a").await;
    assert!(saved.expect("it is saved"));
    let noted = store.note_probe(&about.environment, &probe, noon()).await;
    noted.expect("it is noted");
    let (proof, left) = forget_an_answer(store, &about).await;
    let noted = store.note_left_over(&proof, left, noon()).await;
    assert_eq!(noted.expect("it is noted").left_over, Some(0));
    server.get("/api/v1/runs").await;
    server.get("/no/such/page/as/run_open").await;
    meters::attempt(TaskName::Finalize, "completed", Duration::from_secs(1));
    meters::traces("sent", 1);
    scrape(&server).await
}

#[tokio::test]
async fn every_family_is_exposed_with_its_labels_and_nothing_else_is() {
    let text = seen_everything().await;
    let exposed = families(&text);
    let known: BTreeSet<&str> = ALL.iter().map(|family| family.name).collect();
    let names: BTreeSet<&str> = exposed.keys().copied().collect();
    // The bound of today's spending is absent where there is none.
    let absent: Vec<_> = known.difference(&names).collect();
    assert_eq!(absent, [&"switchyard_shadow_cap"], "{text}");
    assert_eq!(names.difference(&known).count(), 0, "{text}");
    for family in ALL {
        for line in exposed.get(family.name).into_iter().flatten() {
            for label in family.labels {
                assert!(
                    line.contains(&format!("{label}=\"")),
                    "{line} lacks {label}"
                );
            }
        }
    }
    for line in [
        "switchyard_store_up 1",
        "switchyard_breaker_state{environment=\"staging\",state=\"closed\"} 1",
        "switchyard_http_requests_total{method=\"GET\",route=\"/api/v1/runs\",status=\"200\"}",
        "switchyard_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
        "switchyard_calls_total{outcome=\"connection\",service=\"conductor\"}",
        "switchyard_runs_open{effects=\"shadow\",environment=\"staging\",flag=\"daily_diarization_pipeline\",state=\"running\"} ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// What is told of one recording may not become a series of its own.
#[tokio::test]
async fn no_id_name_or_path_is_a_label() {
    let text = seen_everything().await;
    for never in [
        "run_",
        "cmp_",
        "control_",
        "task-",
        "transcript-of",
        "recording",
        "mirror-",
        "user-",
        "daily-recordings",
        "worker-1",
        "example/",
        "@",
        "ana",
        "whisper",
        "gpt",
        "/no/such",
    ] {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            let labels: Vec<&str> = labels.split('"').collect();
            for label in labels.chunks_exact(2) {
                let (name, value) = (label[0].trim_start_matches(','), label[1]);
                // A route is told as it was declared.
                let is_word = name == "route=" && never == "recording";
                assert!(is_word || !value.contains(never), "`{never}` is in {line}");
            }
        }
    }
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    // Other tests of this process ask other routes, which count here too.
    assert!(series < 4000, "{series} series");
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_told_of_and_the_rest_is_there() {
    let server = Server::without_engine().await;
    server.get("/").await;
    server.shadow.store.close().await;
    let text = scrape(&server).await;
    assert!(text.contains("switchyard_store_up 0\n"), "{text}");
    assert!(text.contains("switchyard_http_requests_total{"), "{text}");
    assert!(!text.contains("switchyard_phase{"), "{text}");
}

#[tokio::test]
async fn without_a_token_only_loopback_names_are_answered_and_with_one_only_who_knows_it() {
    let ask = async |server: &Server, host: &str, token: Option<&str>| {
        let mut request = http()
            .get(format!("{}/metrics", server.root))
            .header("host", host);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.expect("it answers");
        answer.status().as_u16()
    };
    let open = Server::without_engine().await;
    assert_eq!(ask(&open, "localhost:8480", None).await, 200);
    assert_eq!(ask(&open, "prometheus.example.test", None).await, 421);
    let shut = Server::with_metrics_token("hush-metrics").await;
    assert_eq!(ask(&shut, "localhost", None).await, 401);
    assert_eq!(ask(&shut, "localhost", Some("hush")).await, 401);
    assert_eq!(
        ask(&shut, "ours.example.test", Some("hush-metrics")).await,
        200
    );
}

/// Prometheus' own tool; `scripts/test` installs it.
pub fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut started) = started else {
        eprintln!("skipped: there is no promtool");
        return None;
    };
    let mut stdin = started.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let ended = started.wait_with_output().expect("it ends");
    let said = [ended.stdout, ended.stderr].concat();
    Some((
        ended.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[tokio::test]
async fn promtool_has_nothing_against_the_metrics() {
    let text = seen_everything().await;
    if let Some((is_well, said)) = promtool(&["check", "metrics"], &text) {
        assert!(is_well && said.trim().is_empty(), "{said}");
    }
}
