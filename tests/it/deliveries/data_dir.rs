//! Reflector's data folder.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use switchyard::{
    legacy::reflector::{DataDir, DataDirError},
    model::TranscriptId,
};

use super::live;

const TEXT: &str = "[0.0, 0.52, 1.0]";

fn transcript() -> TranscriptId {
    TranscriptId::new("da54b75b-7aed-49bd-8dee-94b21c617794")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_waveform_is_written_whole_and_again() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join(transcript().as_str());
    let data_dir = DataDir::new(root.path());
    for text in ["[1.0]", TEXT, TEXT] {
        let written = data_dir.write_waveform(&live(1), &transcript(), text).await;
        written.expect("it is written");
        let file = fs::read_to_string(folder.join("audio.json"));
        assert_eq!(file.expect("it is there"), text);
    }
    assert_eq!(names(&folder), ["audio.json"], "nothing else is left");
}

#[tokio::test]
async fn others_may_read_a_waveform_as_any_file_of_ours() {
    let root = tempfile::tempdir().expect("a folder");
    let data_dir = DataDir::new(root.path());
    let written = data_dir.write_waveform(&live(1), &transcript(), TEXT).await;
    written.expect("it is written");
    let usual = root.path().join("usual");
    fs::write(&usual, "x").expect("it can be written");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode();
    let file = root.path().join(transcript().as_str()).join("audio.json");
    assert_eq!(mode(&file), mode(&usual));
}

#[tokio::test]
async fn what_a_crash_left_behind_is_in_nobodys_way() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join(transcript().as_str());
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("audio.json.run_1"), "[0.").expect("it can be written");
    let data_dir = DataDir::new(root.path());
    let written = data_dir.write_waveform(&live(1), &transcript(), TEXT).await;
    written.expect("it is written");
    assert_eq!(names(&folder), ["audio.json"]);
}

#[tokio::test]
async fn sound_is_deleted_and_nothing_else() {
    let root = tempfile::tempdir().expect("a folder");
    let data_dir = DataDir::new(root.path());
    let folder = root.path().join(transcript().as_str());
    // No folder, no file, some files.
    let deleted = data_dir.delete_audio(&live(1), &transcript()).await;
    deleted.expect("there is nothing");
    fs::create_dir(&folder).expect("a folder");
    for name in ["audio.json", "audio.mp3", "audio.wav"] {
        fs::write(folder.join(name), "x").expect("it can be written");
    }
    for _ in 0..2 {
        let deleted = data_dir.delete_audio(&live(1), &transcript()).await;
        deleted.expect("it is gone either way");
        assert_eq!(names(&folder), ["audio.json"]);
    }
}

#[tokio::test]
async fn no_id_leads_out_of_the_folder() {
    let root = tempfile::tempdir().expect("a folder");
    let inside = root.path().join("data");
    fs::create_dir(&inside).expect("a folder");
    fs::write(root.path().join("audio.mp3"), "x").expect("it can be written");
    let data_dir = DataDir::new(&inside);
    for id in ["", ".", "..", "../x", "a/b", "/tmp", "a\\b", "a\0b", "é"] {
        let id = TranscriptId::new(id);
        let written = data_dir.write_waveform(&live(1), &id, TEXT).await;
        assert!(matches!(written, Err(DataDirError::Id)), "{id}");
        let deleted = data_dir.delete_audio(&live(1), &id).await;
        assert!(matches!(deleted, Err(DataDirError::Id)), "{id}");
    }
    assert_eq!(names(root.path()), ["audio.mp3", "data"]);
    assert!(names(&inside).is_empty());
}

#[tokio::test]
async fn a_folder_that_is_not_mounted_is_not_made() {
    let root = tempfile::tempdir().expect("a folder");
    let missing = root.path().join("data");
    let data_dir = DataDir::new(&missing);
    let written = data_dir.write_waveform(&live(1), &transcript(), TEXT).await;
    assert!(
        matches!(written, Err(DataDirError::Missing(_))),
        "{written:?}"
    );
    let deleted = data_dir.delete_audio(&live(1), &transcript()).await;
    assert!(
        matches!(deleted, Err(DataDirError::Missing(_))),
        "{deleted:?}"
    );
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_file_in_the_way_is_an_error_and_stays() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join(transcript().as_str()), "x").expect("it can be written");
    let data_dir = DataDir::new(root.path());
    let written = data_dir.write_waveform(&live(1), &transcript(), TEXT).await;
    let error = written.expect_err("it is no folder");
    assert!(matches!(error, DataDirError::Io { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "writing a waveform in Reflector's data folder"
    );
    assert_eq!(names(root.path()), [transcript().as_str()]);
}
