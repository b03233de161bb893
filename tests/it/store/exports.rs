//! What Celery did is exported without what was said, and the export is noted.

use serde_json::Value;
use switchyard::store::{Export, Store, StoredComparison};

use super::{
    routes::write_routes,
    samples::{at, control, flag, new_run, staging},
};
use crate::{database::Database, phases::about};

fn sample() -> Export {
    Export {
        id: "exp_1".to_owned(),
        digest: "abc".to_owned(),
        lines: 7,
        made_by: "ana".to_owned(),
        made_at: at(9000),
    }
}

/// What an export writes.
pub async fn write_export(store: &Store) {
    let noted = store.note_export(&about("staging"), &sample()).await;
    noted.expect("it is noted");
}

async fn lines(store: &Store) -> Vec<Value> {
    let mut lines = Vec::new();
    let about = about("staging");
    let exported = store.export(&about, at(0), |line| {
        lines.push(line.clone());
        Ok(())
    });
    exported.await.expect("it is read");
    lines
}

pub async fn an_export_is_read_as_it_was_noted(database: &Database) {
    let store = database.store().await;
    write_export(&store).await;
    let found = store.exports(&about("staging")).await.expect("a list");
    assert_eq!(found, [sample()]);
    assert!(
        store
            .exports(&about("production"))
            .await
            .expect("a list")
            .is_empty()
    );
    let audit = store
        .recent_audit(&staging(), &flag(), 5)
        .await
        .expect("a list");
    assert_eq!(audit[0].entry.action, "export");
    store.close().await;
}

pub async fn an_export_holds_what_was_done_and_nothing_that_was_said(database: &Database) {
    let store = database.store().await;
    write_routes(&store).await;
    crate::phases::put(
        &store,
        "staging",
        switchyard::rollout::Position::Parallel,
        at(1),
    )
    .await;
    store
        .insert_control(&control("ctl_export"))
        .await
        .expect("it is kept");
    let mut run = new_run("run_export", "recording-of-export");
    run.control_id = Some("ctl_export".to_owned());
    store.insert_run(&run, at(2)).await.expect("a run");
    let comparison = StoredComparison {
        id: "cmp_export".to_owned(),
        run_id: run.id,
        verdict: "match".to_owned(),
        policy_digest: "digest".to_owned(),
        epoch: "epoch".to_owned(),
        report: Value::from("what Ana said"),
        compared_at: at(3),
        fields: vec![switchyard::store::StoredField::judged("title", "match")],
        facts: switchyard::store::ComparisonFacts::default(),
    };
    store
        .insert_comparison(&comparison)
        .await
        .expect("it is written");

    let lines = lines(&store).await;
    let of =
        |kind: &str| -> Vec<&Value> { lines.iter().filter(|line| line["kind"] == kind).collect() };
    assert_eq!(lines[0]["kind"], "export");
    assert_eq!(of("phase")[0]["phase"], "parallel");
    let flips = of("audit");
    assert_eq!(flips.last().expect("a flip")["state_after"], "parallel");
    assert!(!of("route").is_empty());
    let compared = of("comparison");
    assert_eq!(compared[0]["control_id"], "ctl_export");
    assert_eq!(compared[0]["compared_at"], serde_json::json!(at(3)));
    assert_eq!(of("field")[0]["verdict"], "match");
    let controls = of("control");
    let kept = controls.iter().find(|line| line["id"] == "ctl_export");
    let kept = kept.expect("it is there");
    assert_eq!(kept["status"], "ended");
    assert_eq!(kept["duration_ms"], 282_605.52);

    let text: String = lines.iter().map(Value::to_string).collect();
    for said in ["Launch moved", "what Ana said", "\"ana\"", "for a test"] {
        assert!(!text.contains(said), "{said}");
    }
    store.close().await;
}
