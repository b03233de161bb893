//! Exports become files, and a source tree is looked through.

use std::{fs, path::Path};

use sha2::{Digest, Sha256};
use switchyard::{
    cleanup::{Kind, Left, scan},
    controller::export,
    store::Store,
};

use crate::{intake::world::noon, phases::about};

fn line<'a>(left: &'a [Left], file: &str, found: &str) -> Vec<(usize, Kind)> {
    let of = |one: &&'a Left| one.file == file && one.found == found;
    left.iter()
        .filter(of)
        .map(|one| (one.line, one.kind))
        .collect()
}

#[test]
fn in_the_miniature_of_the_legacy_all_of_it_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/legacy");
    let found = scan(&root).expect("it can be read");
    assert!(!found.is_clean());
    let task = "task_pipeline_multitrack_process";
    let text = fs::read_to_string(root.join("miniature/tasks.py")).expect("it is there");
    let lines_with = |what: &str| -> Vec<usize> {
        let holds = |(_, line): &(usize, &str)| line.contains(what);
        (1..)
            .zip(text.lines())
            .filter(holds)
            .map(|(number, _)| number)
            .collect()
    };
    let expected: Vec<_> = lines_with(task)
        .into_iter()
        .map(|number| {
            let line = text.lines().nth(number - 1).expect("it is there");
            let kind = if line.contains(".delay(") {
                Kind::CallSite
            } else {
                Kind::Task
            };
            (number, kind)
        })
        .collect();
    let mut there = line(&found.left, "miniature/tasks.py", task);
    there.sort_unstable();
    assert_eq!(there, expected);
    let kinds = |file: &str, found_by: &str| -> Vec<Kind> {
        let lines = line(&found.left, file, found_by);
        lines.into_iter().map(|(_, kind)| kind).collect()
    };
    assert_eq!(
        kinds("miniature/api.py", task),
        [Kind::Task, Kind::CallSite],
        "where it is looked for among active tasks, and where it is called"
    );
    assert_eq!(
        kinds("miniature/app.py", "poll_daily_recordings").last(),
        Some(&Kind::Schedule)
    );
    assert_eq!(kinds("miniature/app.py", "beat_schedule"), [Kind::Schedule]);
    assert_eq!(kinds("miniature/app.py", "task_routes"), [Kind::Setting]);
    assert!(
        found
            .left
            .iter()
            .all(|left| left.line > 0 && !left.advice.is_empty())
    );
}

#[test]
fn what_is_no_source_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(path, text).expect("it is written");
    };
    let call = b"task_pipeline_multitrack_process.delay()\n";
    for path in [
        ".git/a.py",
        "web/node_modules/a.py",
        "target/a.py",
        "x/.venv/a.py",
    ] {
        write(path, call);
    }
    write("picture.py", b"task_pipeline_multitrack_process.delay()\0");
    write("latin.py", b"# caf\xe9\n");
    let found = scan(folder.path()).expect("it can be read");
    assert_eq!((found.files, found.is_clean()), (1, true));
    assert_eq!(found.left, []);

    write(
        "compose.yaml",
        b"command: celery -A reflector.worker.app worker\n",
    );
    write(
        "docs/how.md",
        b"The task is task_pipeline_multitrack_process.\n",
    );
    let found = scan(folder.path()).expect("it can be read");
    assert_eq!(
        (found.left.len(), found.is_clean()),
        (2, true),
        "others may need them"
    );

    write("server/a.py", call);
    let found = scan(folder.path()).expect("it can be read");
    assert!(!found.is_clean());
    let one = &found.left[0];
    assert_eq!((one.kind, one.line), (Kind::CallSite, 1));
    assert_eq!(one.file, "server/a.py");
    let alone = scan(&folder.path().join("server/a.py")).expect("it can be read");
    assert_eq!(alone.left.len(), 1, "a file is a tree too");
    let nothing = scan(&folder.path().join("nowhere")).expect_err("it is not there");
    assert!(nothing.to_string().contains("nowhere"));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("..", folder.path().join("up")).expect("a link");
    let found = scan(folder.path()).expect("it can be read");
    assert_eq!(found.files, 0);
}

#[tokio::test]
async fn an_export_is_a_new_file_with_a_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("switchyard.db").display());
    let store = Store::open(&url).await.expect("it opens");
    let about = about("staging");
    let file = folder.path().join("celery.jsonl");
    let made = export(&store, &about, &file, "ana", noon()).await;
    let made = made.expect("it is written");
    let bytes = fs::read(&file).expect("it is there");
    assert_eq!(made.digest, hex::encode(Sha256::digest(&bytes)));
    let text = String::from_utf8(bytes).expect("a text");
    assert_eq!(
        i64::try_from(text.lines().count()).expect("few"),
        made.lines
    );
    assert_eq!(store.exports(&about).await.expect("a list"), [made]);

    let again = export(&store, &about, &file, "ana", noon()).await;
    let refused = again.expect_err("it is there").to_string();
    assert!(refused.ends_with("name another file"), "{refused}");
    let nowhere = folder.path().join("no/such/folder.jsonl");
    let failed = export(&store, &about, &nowhere, "ana", noon()).await;
    assert!(
        failed
            .expect_err("there is no folder")
            .to_string()
            .contains("no/such")
    );
    assert_eq!(store.exports(&about).await.expect("a list").len(), 1);
}
