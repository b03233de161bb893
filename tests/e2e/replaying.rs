//! Past recordings are replayed by the program, which is killed midway and goes on.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::{
    database::{Database, Kind},
    program::{Site, case, dump, until, way_to},
};

/// Reflector's database with two finished recordings of the bundled meeting.
async fn two_finished() -> Option<Database> {
    let database = Database::fresh(Kind::Postgres).await?;
    let mut owner = PgConnection::connect(&database.url).await.expect("it");
    for script in [
        include_str!("../legacy/schema.sql"),
        include_str!("../legacy/workflow_columns.sql"),
    ] {
        owner.execute(script).await.expect("the script runs");
    }
    let text = std::fs::read_to_string(case().join("db_after.json")).expect("rows");
    let rows: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
    for table in [
        "room",
        "meeting",
        "meeting_consent",
        "recording",
        "transcript",
    ] {
        for row in rows[table].as_array().into_iter().flatten() {
            let mut second = row.clone();
            let copied = ["recording", "transcript"].contains(&table);
            if copied {
                second["id"] = format!("second-{table}").into();
            }
            if table == "transcript" {
                second["recording_id"] = "second-recording".into();
            }
            for row in [Some(row), copied.then_some(&second)].into_iter().flatten() {
                let mut columns: Vec<_> = row.as_object().expect("a row").keys().cloned().collect();
                columns.retain(|column| column != "search_vector_en");
                let columns = columns.join(", ");
                let sql = format!(
                    "insert into {table} ({columns})
                     select {columns} from json_populate_record(null::{table}, $1::text::json)"
                );
                let inserted = sqlx::query(AssertSqlSafe(sql)).bind(row.to_string());
                inserted.execute(&mut owner).await.expect("a row goes in");
            }
        }
    }
    Some(database)
}

const REPLAY: [&str; 9] = [
    "replay",
    "--from",
    "2020-01-01",
    "--limit",
    "10",
    "--rate",
    "36000",
    "--by",
    "ana",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_killed_goes_on_and_compares_each_recording_once() {
    let Some(database) = two_finished().await else {
        return;
    };
    let site = Site::new();
    let url = site.path("reflector");
    std::fs::write(&url, &database.url).expect("it is written");
    let section = "[environments.test.objects]";
    let legacy = format!("legacy.database_url = {{ file = \"{}\" }}", url.display());
    site.change(
        section,
        &format!(
            "{legacy}
            {section}"
        ),
    );
    let _sandbox = site.sandbox().await;
    let _objects = site.objects().await;
    let _engine = site.engine().await;
    site.run(&["register"]).await.well();
    let refused = site.run(&REPLAY).await.refused();
    assert!(
        refused.contains("`switchyard phase set parallel`"),
        "{refused}"
    );
    for words in way_to("parallel", "0") {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        site.run(&words).await.well();
    }

    let replaying = site.start(&REPLAY);
    let store = site.store().await;
    let started = async |number: usize| {
        let runs = store.recent_runs(9).await.expect("a read");
        (runs.len() >= number).then_some(())
    };
    until("a run", async || started(1).await).await;
    replaying.kill().await;
    let listed = site.run(&["replay", "--json"]).await.json();
    assert_eq!(listed[0]["state"], "under_way");
    let id = listed[0]["replay"].as_str().expect("an id");

    let _worker = site.worker().await;
    let replaying = site.start(&["replay", "--resume", id]);
    until("the second run", async || started(2).await).await;
    replaying.kill().await;
    let ended = site.run(&["replay", "--resume", id, "--json"]).await.json();
    assert_eq!(ended["state"], "ended");
    assert_eq!(ended["tally"]["compared"], 2, "{ended}");

    let runs = store.recent_runs(9).await.expect("a read");
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!(run.origin.as_str(), "replay");
        assert_eq!(run.state.as_str(), "completed", "{:?}", run.failure);
    }
    let compared = dump(&site.path("switchyard.db"), "comparisons").await;
    let compared = compared.lines().filter(|line| line.starts_with("cmp_"));
    assert_eq!(compared.count(), 2, "each once");
    let plan = site.run(&["phase", "plan", "--json"]).await;
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("JSON");
    assert_eq!(plan["evidence"]["replayed"], 2);
    let again = site.run(&["replay", "--resume", id]).await.refused();
    assert!(again.contains("is ended"), "{again}");
    store.close().await;

    database.remove().await;
}
