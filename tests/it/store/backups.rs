//! Backups: everything comes back, on either database, and nothing is done twice for it.

use std::collections::BTreeSet;

use switchyard::{
    rollout::Live,
    store::{CheckedIn, Claim, IntentKind, Restored, Store, TABLES},
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{
    ledger,
    same_rows::write_to_every_table,
    samples::{at, intent, new_run},
};
use crate::database::{Database, Kind};

/// What a restore itself adds to.
const CHANGED: [&str; 5] = ["audit", "audit_head", "holds", "notices", "ownership"];

/// What a restore ends.
const ENDED: [&str; 2] = ["sessions", "sign_ins"];

async fn backed_up(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    store
        .back_up(&mut file, at(5000))
        .await
        .expect("it is backed up");
    file
}

async fn restored(store: &Store, file: &[u8]) -> anyhow::Result<Restored> {
    let mut reader = BufReader::new(file);
    let said = ("ana", "the disk was lost");
    store.restore(&mut reader, said, at(6000)).await
}

async fn rows_of_all(database: &Database) -> usize {
    let mut rows = 0;
    for table in TABLES.iter().filter(|&&table| table != "audit_head") {
        rows += database.rows(table).await.len();
    }
    rows
}

pub async fn every_table_is_backed_up(database: &Database) {
    let store = database.store().await;
    let known: BTreeSet<String> = TABLES.map(ToOwned::to_owned).into();
    let there: BTreeSet<String> = database.tables().await.into_iter().collect();
    assert_eq!(known, there);
    assert_eq!(known.len(), TABLES.len(), "none is named twice");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back_on_either_database() {
    let kinds = [Kind::Sqlite, Kind::Postgres];
    for (from, to) in kinds
        .into_iter()
        .flat_map(|from| kinds.map(move |to| (from, to)))
    {
        let (Some(from), Some(to)) = (Database::fresh(from).await, Database::fresh(to).await)
        else {
            continue;
        };
        let store = from.store().await;
        write_to_every_table(&store).await;
        let file = backed_up(&store).await;
        let onto = to.store().await;
        let restored = restored(&onto, &file).await.expect("it is restored");
        assert_eq!(restored.copied.made_at, at(5000));
        for table in TABLES {
            let (before, after) = (from.rows(table).await, to.rows(table).await);
            if ENDED.contains(&table) {
                assert!(!before.is_empty() && after.is_empty(), "{table}");
            } else if CHANGED.contains(&table) {
                assert!(before.len() <= after.len(), "{table} lost rows");
            } else {
                assert_eq!(before, after, "table `{table}`");
            }
        }
        let trail = onto.verify_audit().await.expect("it is read");
        assert!(trail.is_ok(), "{trail:?}");
        store.close().await;
        onto.close().await;
        from.remove().await;
        to.remove().await;
    }
}

pub async fn a_backup_that_was_cut_short_or_changed_is_refused_whole(database: &Database) {
    let source = Database::fresh(Kind::Sqlite).await.expect("always there");
    let full = source.store().await;
    write_to_every_table(&full).await;
    let file = String::from_utf8(backed_up(&full).await).expect("it is text");
    let store = database.store().await;
    let lines: Vec<&str> = file.lines().collect();
    let cut = lines[..lines.len() / 2].join("\n");
    let gap = [&lines[..9], &lines[10..]].concat().join("\n");
    let other = file.replacen("naïve", "naive", 1);
    let later = file.replacen("[[1,", "[[2,", 1);
    for (spoilt, why) in [
        (cut.as_str(), "cut short"),
        (gap.as_str(), "not as it was written"),
        (other.as_str(), "not as it was written"),
        (later.as_str(), "under other migrations"),
        ("", "no backup"),
        ("<html>not found</html>\n", "no backup"),
    ] {
        let refused = restored(&store, spoilt.as_bytes()).await;
        let refused = format!("{:#}", refused.expect_err(why));
        assert!(refused.contains(why), "{refused}");
        assert_eq!(rows_of_all(database).await, 0, "{why}");
    }
    restored(&store, file.as_bytes()).await.expect("once");
    let again = restored(&store, file.as_bytes()).await;
    let again = again.expect_err("it is not empty").to_string();
    assert!(again.contains("has rows in `controls`"), "{again}");
}

pub async fn a_backup_is_what_there_was_at_one_moment(database: &Database) {
    let store = database.store().await;
    let inserted = store.insert_run(&new_run("run_before", "one"), at(1)).await;
    assert!(inserted.expect("it is written"));
    // So small that the backup waits for its reader.
    let (mut into, from) = tokio::io::duplex(64);
    let backing_up = {
        let store = store.clone();
        tokio::spawn(async move { store.back_up(&mut into, at(5000)).await })
    };
    let mut from = BufReader::with_capacity(1, from);
    let mut file = String::new();
    while !file.contains(r#"{"table":"runs""#) {
        from.read_line(&mut file).await.expect("it goes on");
    }
    for run in ["run_meanwhile_1", "run_meanwhile_2"] {
        let inserted = store.insert_run(&new_run(run, run), at(2)).await;
        assert!(inserted.expect("nobody is held up"));
    }
    from.read_to_string(&mut file).await.expect("it goes on");
    let copied = backing_up.await.expect("no panic").expect("it ends");
    assert!(copied.tables.contains(&("runs".to_owned(), 1)));
    assert!(!file.contains("run_meanwhile"));
}

pub async fn what_the_candidate_was_at_is_done_by_nobody_after_a_restore(database: &Database) {
    let source = Database::fresh(Kind::Sqlite).await.expect("always there");
    let before = source.store().await;
    let (run, live) = ledger::live(&before, "run_1", 1).await;
    let effects = ledger::reserved(&before, &run, &live).await;
    let file = backed_up(&before).await;
    // Meanwhile it was done.
    let claimed = ledger::claim(&before, &live, &effects[0], "a", 10).await;
    assert_eq!(claimed, Claim::Granted);

    let store = database.store().await;
    let restored = restored(&store, &file).await.expect("it is restored");
    assert_eq!(restored.fenced, 1);
    let claimed = ledger::claim(&store, &live, &effects[0], "a", 7000).await;
    assert_eq!(claimed, Claim::Fenced);
    let more = [intent(IntentKind::Message, "ts:1", "{}")];
    let late = store.reserve((&run, &live), "late", &more, at(9)).await;
    assert_eq!(late.expect("it is asked"), CheckedIn::Fenced);
    // A worker that asks anew has no proof either, and nobody gives it to Celery by itself.
    let (owned, _) = ledger::owned(&store).await;
    assert_eq!(Live::of(&owned, &run.id), None);
    let under_way = store.takeovers_under_way(&run.environment, 10).await;
    assert_eq!(under_way.expect("a read"), []);
}
