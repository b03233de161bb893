//! `switchyard audio`: sound by hand, of files, URLs and objects.

use std::{io::Cursor, path::Path};

use insta::assert_snapshot;
use serde_json::Value;
use switchyard::audio::yardstick;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    program::{Ended, Process, Site},
    world::fixtures,
};

/// A folder of its own, and what the program says and leaves there.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        text(&self.0.path().join(name))
    }

    async fn audio(&self, arguments: &[&str]) -> Ended {
        start(arguments).ended().await
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).expect("it is there")
    }

    /// What is there, hidden files included.
    fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.0.path()).expect("a folder");
        let mut names: Vec<_> = all
            .map(|entry| entry.expect("an entry").file_name().into_string())
            .map(|name| name.expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    /// What was said, without where this folder and the fixtures are.
    fn told(&self, said: &str) -> String {
        said.replace(&text(self.0.path()), "[desk]")
            .replace(&text(&fixtures()), "[fixtures]")
    }
}

fn start(arguments: &[&str]) -> Process {
    Process::start(&[&["audio"], arguments].concat(), [])
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn fixture(name: &str) -> String {
    text(&fixtures().join("audio").join(name))
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().expect("an array").iter();
    values
        .map(|value| value.as_f64().expect("a number"))
        .collect()
}

/// A server that gives every connection one answer of these bytes, and then `end`s.
async fn serves(answers: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        for answer in answers.into_iter().cycle() {
            let Ok((mut connection, _)) = listener.accept().await else {
                return;
            };
            tokio::spawn(async move {
                let mut asked = vec![0; 4096];
                drop(connection.read(&mut asked).await);
                drop(connection.write_all(&answer.head).await);
                drop(connection.write_all(&answer.body).await);
                drop(connection.flush().await);
                if answer.hangs {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    format!("http://{address}/room/track.webm?X-Amz-Signature=leak-url")
}

#[derive(Clone)]
struct Answer {
    head: Vec<u8>,
    body: Vec<u8>,
    hangs: bool,
}

impl Answer {
    fn new(head: &str, body: &[u8]) -> Self {
        Self {
            head: format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").into_bytes(),
            body: body.to_owned(),
            hangs: false,
        }
    }

    /// As it should be.
    fn whole(body: &[u8]) -> Self {
        Self::new(
            &format!("200 OK\r\netag: \"1\"\r\ncontent-length: {}", body.len()),
            body,
        )
    }

    fn status(status: &str) -> Self {
        Self::new(&format!("{status}\r\ncontent-length: 0"), b"")
    }
}

#[tokio::test]
async fn a_padded_track_pads_to_itself() {
    let desk = Desk::new();
    let (raw, once, twice) = (
        fixture("mute_gaps.webm"),
        desk.path("once.webm"),
        desk.path("twice.webm"),
    );
    let first = desk
        .audio(&["pad", &raw, "-o", &once, "--json"])
        .await
        .json();
    let second = desk
        .audio(&["pad", &once, "-o", &twice, "--json"])
        .await
        .json();
    assert_eq!(desk.read("once.webm"), desk.read("twice.webm"));
    assert_eq!(first[0]["sha256"], second[0]["sha256"]);
    assert_eq!(first[0]["samples"], second[0]["samples"]);
    assert!(first[0]["gaps"].as_u64() > Some(0) && second[0]["gaps"] == 0);
    assert_eq!(desk.names(), ["once.webm", "twice.webm"]);
}

#[tokio::test]
async fn several_tracks_are_padded_into_a_folder_and_told_in_lines() {
    let desk = Desk::new();
    let folder = desk.path("");
    let (one, two) = (fixture("mono_off17293.webm"), fixture("mute_gaps.webm"));
    let ended = desk.audio(&["pad", &one, &two, "--output", &folder]).await;
    // What comes between depends on how fast it goes.
    let told = desk.told(&ended.stderr);
    let ends = told
        .lines()
        .filter(|line| line.starts_with("  0 %") || line.starts_with("100 %"));
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            "  0 %  padding [fixtures]/audio/mono_off17293.webm",
            "100 %  padding [fixtures]/audio/mono_off17293.webm",
            "  0 %  padding [fixtures]/audio/mute_gaps.webm",
            "100 %  padding [fixtures]/audio/mute_gaps.webm",
        ]
    );
    assert_snapshot!(desk.told(&ended.well()));
    assert_eq!(
        desk.names(),
        ["mono_off17293.padded.webm", "mute_gaps.padded.webm"]
    );
}

#[tokio::test]
async fn a_padded_track_may_go_into_a_pipe() {
    let desk = Desk::new();
    let (raw, kept) = (fixture("mono_off0.webm"), desk.path("kept.webm"));
    desk.audio(&["pad", &raw, "-o", &kept]).await.well();
    let mut piped = std::process::Command::new(env!("CARGO_BIN_EXE_switchyard"));
    let piped = piped.args(["audio", "pad", &raw, "-o", "-"]).output();
    assert_eq!(piped.expect("it ends").stdout, desk.read("kept.webm"));
    let refused = desk
        .audio(&["pad", &raw, "-o", "-", "--json"])
        .await
        .refused();
    assert!(
        refused.contains("cannot both go to standard output"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_mix_is_the_same_for_any_number_of_workers_and_for_padded_tracks() {
    let desk = Desk::new();
    let tracks = ["mono_off0.webm", "stereo_off1234.webm", "mute_gaps.webm"].map(fixture);
    let [a, b, c] = tracks.each_ref().map(String::as_str);
    let folder = desk.path("");
    desk.audio(&["pad", a, b, c, "-o", &folder]).await.well();
    let padded = ["mono_off0", "stereo_off1234", "mute_gaps"]
        .map(|name| desk.path(&format!("{name}.padded.webm")));
    let mut mixes = Vec::new();
    for (name, workers, [a, b, c]) in [
        ("one.mp3", "1", [a, b, c]),
        ("three.mp3", "3", [a, b, c]),
        ("padded.mp3", "2", padded.each_ref().map(String::as_str)),
    ] {
        let output = desk.path(name);
        let command = [
            "mixdown",
            a,
            b,
            c,
            "-o",
            &output,
            "--workers",
            workers,
            "--json",
        ];
        mixes.push(desk.audio(&command).await.json());
        assert_eq!(desk.read(name), desk.read("one.mp3"), "{name}");
    }
    assert_eq!(mixes[0]["sha256"], mixes[1]["sha256"]);
    assert_eq!(numbers(&mixes[0]["waveform"]).len(), 255);
}

#[tokio::test]
async fn a_waveform_is_that_of_the_mix_and_stored_as_reflector_does() {
    let desk = Desk::new();
    let (a, b) = (fixture("mono_off0.webm"), fixture("stereo_off1234.webm"));
    let (mix, json, own) = (
        desk.path("mix.mp3"),
        desk.path("mix.json"),
        desk.path("own.json"),
    );
    let mixed = ["mixdown", &a, &b, "-o", &mix, "--waveform", &json];
    let said = desk.audio(&mixed).await.well();
    assert_snapshot!(desk.told(&said));
    desk.audio(&["waveform", &a, &b, "-o", &own]).await.well();
    assert_eq!(desk.read("mix.json"), desk.read("own.json"));
    let stored: Value = serde_json::from_slice(&desk.read("mix.json")).expect("JSON");
    assert_eq!(numbers(&stored).len(), 255);
    // Of the MP3 itself: what was coded, in the legacy's parts and in ours.
    let of_mp3 = desk.audio(&["waveform", &mix, "--json"]).await.json();
    let of_mp3 = numbers(&of_mp3["waveform"]);
    assert_eq!(of_mp3.len(), 255);
    let far = numbers(&stored)
        .into_iter()
        .zip(of_mp3)
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, f64::max);
    assert!(far <= 0.06, "{far}");
    let legacy = desk
        .audio(&["waveform", &mix, "--legacy", "--json"])
        .await
        .json();
    assert_eq!(numbers(&legacy["waveform"]).len(), 254);
}

#[tokio::test]
async fn inspecting_shows_packets_place_holes_and_a_picture() {
    let desk = Desk::new();
    let (one, two) = (fixture("mute_gaps.webm"), fixture("truncated.webm"));
    let said = desk.audio(&["inspect", &one, &two]).await.well();
    assert_snapshot!(desk.told(&said));
    let found = desk.audio(&["inspect", &one, "--json"]).await.json();
    assert_eq!(found[0]["name"], one);
    assert_eq!(found[0]["codec"], "opus");
    assert_eq!(found[0]["levels_db"].as_array().map(Vec::len), Some(255));
    let holes = found[0]["holes"].as_array().expect("an array");
    assert_eq!(
        holes.len() as u64,
        found[0]["gaps"].as_u64().expect("a number")
    );
}

#[tokio::test]
async fn errors_name_the_file_and_the_remedy_and_leave_nothing() {
    let desk = Desk::new();
    let output = desk.path("out.mp3");
    let (missing, folder) = (desk.path("missing.webm"), text(&fixtures()));
    let mut told = String::new();
    for tracks in [
        vec![missing.as_str()],
        vec![&folder],
        vec![&fixture("zero_bytes.webm")],
        vec![&fixture("mono_off0.webm"), &fixture("html.webm")],
        vec![&fixture("truncated_head.webm")],
        vec![&fixture("empty.webm")],
    ] {
        let command = [&["mixdown"], &tracks[..], &["-o", &output]].concat();
        let ended = desk.audio(&command).await;
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
        let said = ended
            .stderr
            .lines()
            .rfind(|line| line.starts_with("error: "));
        told += &desk.told(said.expect("an error"));
        told.push('\n');
    }
    assert_snapshot!(told);
    assert_eq!(desk.names(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_refused_before_anything_is_read() {
    let desk = Desk::new();
    let raw = fixture("mono_off0.webm");
    std::fs::copy(&raw, desk.path("own.webm")).expect("a copy");
    let own = desk.path("own.webm");
    let mut told = String::new();
    for command in [
        vec!["pad", &own, "-o", &own],
        vec!["mixdown", &own, "-o", &own],
        vec!["pad", &raw, &raw, "-o", "out.webm"],
        vec!["mixdown", &raw, "--workers", "0"],
        vec![
            "mixdown", &raw, &raw, &raw, "--offset", "1", "--offset", "2",
        ],
    ] {
        let said = desk.audio(&command).await.refused();
        told += &desk.told(&said);
    }
    assert_snapshot!(told);
    let output = desk.path("mix.mp3");
    let said = desk
        .audio(&["mixdown", &raw, "--bit-rate", "100", "-o", &output])
        .await
        .refused();
    assert!(said.contains("mp3 at 100 kb/s; use one of 32"), "{said}");
    assert_eq!(
        desk.read("own.webm"),
        std::fs::read(&raw).expect("the fixture")
    );
    assert_eq!(desk.names(), ["own.webm"]);
}

#[tokio::test]
async fn a_damaged_track_is_padded_as_far_as_it_goes() {
    let desk = Desk::new();
    let (raw, output) = (fixture("corrupt_mid.webm"), desk.path("out.webm"));
    let padded = desk
        .audio(&["pad", &raw, "-o", &output, "--json"])
        .await
        .json();
    assert_eq!(padded[0]["packets"], 492);
    assert!(padded[0]["resyncs"].as_u64() > Some(0));
    let said = desk.audio(&["pad", &raw, "-o", &output]).await.well();
    assert!(said.contains("damaged place"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_is_read_like_a_file_and_never_told() {
    let desk = Desk::new();
    let raw = fixture("mono_off17293.webm");
    let content = std::fs::read(&raw).expect("the fixture");
    let url = serves(vec![Answer::whole(&content)]).await;
    let (of_file, of_url) = (desk.path("file.webm"), desk.path("url.webm"));
    desk.audio(&["pad", &raw, "-o", &of_file]).await.well();
    let ended = desk.audio(&["pad", &url, "-o", &of_url]).await;
    assert!(
        ended.stderr.contains("fetched http://127.0.0.1:"),
        "{ended:?}"
    );
    assert!(!format!("{ended:?}").contains("leak-url"));
    ended.well();
    assert_eq!(desk.read("file.webm"), desk.read("url.webm"));

    // Cut in the middle, the rest is asked for.
    let half = content.len() / 2;
    let first = Answer {
        body: content[..half].to_owned(),
        ..Answer::whole(&content)
    };
    let rest = Answer::new(
        &format!(
            "206 Partial Content\r\netag: \"1\"\r\ncontent-length: {}\r\ncontent-range: bytes {half}-{}/{}",
            content.len() - half,
            content.len() - 1,
            content.len()
        ),
        &content[half..],
    );
    let url = serves(vec![first, rest]).await;
    desk.audio(&["pad", &url, "-o", &of_url]).await.well();
    assert_eq!(desk.read("file.webm"), desk.read("url.webm"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_fails_is_an_error_and_no_short_track() {
    let desk = Desk::new();
    let content = std::fs::read(fixture("mono_off0.webm")).expect("the fixture");
    let cut = Answer {
        body: content[..content.len() / 2].to_owned(),
        ..Answer::whole(&content)
    };
    let hanging = Answer {
        hangs: true,
        ..cut.clone()
    };
    let changed = Answer::new(
        "206 Partial Content\r\netag: \"2\"\r\ncontent-length: 1",
        b"x",
    );
    let page = Answer::whole(b"<!doctype html><title>Sign in</title>");
    let mut told = String::new();
    for (timeout, answers) in [
        ("30", vec![Answer::status("404 Not Found")]),
        ("30", vec![Answer::status("403 Forbidden")]),
        ("30", vec![Answer::status("503 Service Unavailable")]),
        ("30", vec![cut.clone()]),
        ("30", vec![cut, changed]),
        ("0.5", vec![hanging]),
        ("30", vec![Answer::new("200 OK", &content)]),
        ("30", vec![page]),
    ] {
        let url = serves(answers).await;
        let port = url["http://127.0.0.1:".len()..].split('/').next();
        let output = desk.path("out.webm");
        let ended = desk
            .audio(&["pad", &url, "-o", &output, "--timeout", timeout])
            .await;
        assert!(!format!("{ended:?}").contains("leak-url"), "{ended:?}");
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
        let said = ended
            .stderr
            .lines()
            .rfind(|line| line.starts_with("error: "));
        let said = said
            .expect("an error")
            .replace(port.expect("a port"), "[port]");
        told += &said;
        told.push('\n');
    }
    assert_snapshot!(told);
    assert_eq!(desk.names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_read_from_the_store_of_the_environment() {
    let (site, desk) = (Site::new(), Desk::new());
    let _objects = site.objects().await;
    let raw = fixture("mono_off0.webm");
    let store = site.objects_client();
    store
        .create_bucket_if_missing("daily")
        .await
        .expect("a bucket");
    let file = std::fs::File::open(&raw).expect("the fixture");
    let put = store
        .put_file("daily", "room/0-cam-audio-1", file, None)
        .await;
    put.expect("it is put");
    let (of_file, folder) = (desk.path("file.webm"), desk.path(""));
    desk.audio(&["pad", &raw, "-o", &of_file]).await.well();
    let object = [
        "audio",
        "pad",
        "s3://daily/room/0-cam-audio-1",
        "-o",
        &folder,
    ];
    site.run(&object).await.well();
    assert_eq!(
        desk.read("file.webm"),
        desk.read("0-cam-audio-1.padded.webm")
    );
    let missing = site
        .run(&["audio", "inspect", "s3://daily/room/none"])
        .await;
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("`daily/room/none`: status 404"),
        "{missing:?}"
    );
    // Settings are asked for where they are needed.
    let alone = desk
        .audio(&["inspect", "s3://daily/room/none"])
        .await
        .refused();
    assert!(
        alone.contains("the settings name the object store"),
        "{alone}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_it_and_leaves_nothing() {
    let desk = Desk::new();
    // Four hours, which nobody mixes in a moment.
    let short = std::fs::read(fixture("mono_off0.webm")).expect("the fixture");
    let mut long = Cursor::new(Vec::new());
    yardstick::lengthen(&short, 4 * 3600, 0, &[], &mut long).expect("a long one");
    let track = desk.path("long.webm");
    std::fs::write(&track, long.into_inner()).expect("it is written");
    let output = desk.path("mix.mp3");
    let mixing = start(&["mixdown", &track, "-o", &output]);
    mixing.logs("0 %  mixing").await;
    mixing.interrupt();
    let ended = mixing.ended().await;
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
    assert!(
        ended
            .stderr
            .ends_with("error: stopped; nothing was written\n"),
        "{ended:?}"
    );
    assert_eq!(desk.names(), ["long.webm"]);

    // While it is fetched, too.
    let never = Answer {
        hangs: true,
        ..Answer::whole(&short[..10])
    };
    let url = serves(vec![Answer {
        head: Answer::whole(&short).head,
        ..never
    }])
    .await;
    let fetching = start(&["mixdown", &url, "-o", &output]);
    fetching.logs("fetching http://").await;
    fetching.interrupt();
    let ended = fetching.ended().await;
    assert!(
        ended
            .stderr
            .ends_with("error: stopped; nothing was written\n"),
        "{ended:?}"
    );
    assert_eq!(desk.names(), ["long.webm"]);
}
