//! The S3 client against the local store.

use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use switchyard::{
    objects::{Addressing, ErrorKind, Objects, Settings, local},
    providers::{Retry, Transcription},
    sandbox::Service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::standup::loopback;

mod transport;

const BUCKET: &str = "reflector-transcripts";
/// A key as long as a shadow run's.
const KEY: &str =
    "shadow/run_0123456789abcdef0123456789abcdef/file_pipeline/12b190d6/padded_0.webm";
const SECRET: &str = "a-secret-that-must-not-be-told";

struct Store {
    url: Url,
    objects: Objects,
    shutdown: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
    folder: tempfile::TempDir,
}

/// A local store with an empty bucket.
async fn store() -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = loopback().await;
    let url = url_of(&listener);
    let shutdown = CancellationToken::new();
    let root = folder.path().join("objects");
    let token = shutdown.clone();
    let server =
        tokio::spawn(async move { local::serve(&root, listener, "AKLOCAL", SECRET, token).await });
    let objects = client(&url, SECRET);
    objects
        .create_bucket_if_missing(BUCKET)
        .await
        .expect("the store makes it");
    Store {
        url,
        objects,
        shutdown,
        server,
        folder,
    }
}

fn url_of(listener: &TcpListener) -> Url {
    let address = listener.local_addr().expect("it is bound");
    format!("http://{address}").parse().expect("a URL")
}

fn client(url: &Url, secret: &str) -> Objects {
    Objects::new(Settings {
        read_timeout: Duration::from_secs(10),
        backoff: Duration::from_millis(1),
        ..Settings::new(
            Some(url.clone()),
            "us-east-1",
            "AKLOCAL",
            secret,
            Addressing::Path,
        )
    })
    .expect("settings are right")
}

/// Bytes without a pattern, so that a misplaced piece shows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn file_of(content: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("it can be written");
    file
}

fn content_of(mut file: std::fs::File) -> Vec<u8> {
    let mut content = Vec::new();
    file.read_to_end(&mut content).expect("it can be read");
    content
}

#[tokio::test]
async fn what_is_put_comes_back_whole_in_one_piece_or_in_parts() {
    let store = store().await;
    for (key, length) in [("empty", 0), ("small", 1_000), (KEY, (8 << 20) + 1)] {
        let content = noise(length);
        let stored = store
            .objects
            .put_file(BUCKET, key, file_of(&content), Some("video/webm"))
            .await
            .expect("it is put");
        assert_eq!(stored.size, length as u64);
        let fetched = store
            .objects
            .get_to_file(BUCKET, key)
            .await
            .expect("it is there");
        assert_eq!((fetched.size, &fetched.etag), (stored.size, &stored.etag));
        assert_eq!(fetched.sha256, hex::encode(Sha256::digest(&content)));
        assert!(
            content_of(fetched.file) == content,
            "{key} came back changed"
        );
    }
}

#[tokio::test]
async fn an_object_put_without_a_type_has_the_stores_own() {
    let store = store().await;
    for (content_type, told) in [
        (None, "binary/octet-stream"),
        (Some("audio/mpeg"), "audio/mpeg"),
    ] {
        let put = store
            .objects
            .put_bytes(BUCKET, "a", b"abc".to_vec(), content_type)
            .await;
        put.expect("it is put");
        let head = store.objects.head(BUCKET, "a").await.expect("it is there");
        assert_eq!(head.content_type.as_deref(), Some(told));
        assert_eq!(head.size, 3);
    }
}

#[tokio::test]
async fn a_list_has_every_page_and_nothing_else() {
    let store = store().await;
    let folder = store.folder.path().join("objects").join(BUCKET);
    std::fs::create_dir(folder.join("many")).expect("a folder");
    for index in 0..1_003 {
        std::fs::write(folder.join(format!("many/{index:04}")), "x").expect("a file");
    }
    std::fs::write(folder.join("other"), "x").expect("a file");
    let listed = store.objects.list(BUCKET, "many/").await.expect("it lists");
    assert_eq!(listed.len(), 1_003);
    assert!(listed.is_sorted_by(|a, b| a.key < b.key));
    assert!(
        listed
            .iter()
            .all(|object| object.size == 1 && object.last_modified.is_some())
    );
}

#[tokio::test]
async fn deleting_twice_is_harmless() {
    let store = store().await;
    store
        .objects
        .put_bytes(BUCKET, "a", b"abc".to_vec(), None)
        .await
        .expect("it is put");
    assert!(store.objects.exists(BUCKET, "a").await.expect("it answers"));
    for _ in 0..2 {
        store
            .objects
            .delete(BUCKET, "a")
            .await
            .expect("it is gone either way");
    }
    assert!(!store.objects.exists(BUCKET, "a").await.expect("it answers"));
}

#[tokio::test]
async fn making_a_bucket_twice_is_harmless() {
    let store = store().await;
    let again = store.objects.create_bucket_if_missing(BUCKET).await;
    again.expect("it is there");
    store.objects.check(BUCKET).await.expect("it is there");
}

#[tokio::test]
async fn what_is_missing_is_told_by_operation_bucket_and_key() {
    let store = store().await;
    let error = store
        .objects
        .get_to_file(BUCKET, "a/b")
        .await
        .expect_err("nothing is there");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "objects: reading `reflector-transcripts/a/b`: status 404, NoSuchKey"
    );
    let error = store
        .objects
        .check("no-such-bucket")
        .await
        .expect_err("nothing is there");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = store
        .objects
        .head(BUCKET, "a/b")
        .await
        .expect_err("nothing is there");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_wrong_secret_is_denied_and_not_told() {
    let store = store().await;
    let stranger = client(&store.url, "another-secret");
    let error = stranger
        .get_bytes(BUCKET, "a", 10)
        .await
        .expect_err("it is not ours");
    assert_eq!(error.kind, ErrorKind::Denied);
    let told = error.to_string();
    assert!(told.contains("check the credentials"), "{told}");
    assert!(
        !told.contains("another-secret") && !told.contains("AKLOCAL"),
        "{told}"
    );
}

#[tokio::test]
async fn a_store_that_is_not_there_is_transient() {
    let listener = loopback().await;
    let url = url_of(&listener);
    drop(listener);
    let error = client(&url, SECRET)
        .check(BUCKET)
        .await
        .expect_err("nobody is there");
    assert_eq!(error.kind, ErrorKind::Transient);
}

#[tokio::test]
async fn an_object_above_the_limit_is_refused() {
    let store = store().await;
    store
        .objects
        .put_bytes(BUCKET, "a", noise(11), None)
        .await
        .expect("it is put");
    let error = store
        .objects
        .get_bytes(BUCKET, "a", 10)
        .await
        .expect_err("it is too long");
    assert_eq!(error.kind, ErrorKind::Other);
    assert!(
        error.to_string().contains("11 bytes, more than the 10"),
        "{error}"
    );
    let whole = store.objects.get_bytes(BUCKET, "a", 11).await;
    assert_eq!(whole.expect("it fits"), noise(11));
}

#[tokio::test]
async fn a_presigned_url_gets_its_object_and_nothing_else() {
    let store = store().await;
    for key in ["a", "b", "with blank/é+&.webm"] {
        let content = key.as_bytes().to_vec();
        store
            .objects
            .put_bytes(BUCKET, key, content, None)
            .await
            .expect("it is put");
    }
    let http = crate::standup::http();
    let status = async |url: &str| {
        http.get(url)
            .send()
            .await
            .expect("it answers")
            .status()
            .as_u16()
    };
    let expiry = Duration::from_hours(2);
    for key in ["a", "with blank/é+&.webm"] {
        let signed = store
            .objects
            .presign_get(BUCKET, key, expiry)
            .await
            .expect("it is signed");
        let answer = http.get(signed.expose()).send().await.expect("it answers");
        assert_eq!(answer.text().await.expect("it has a body"), key);
        assert_eq!(format!("{signed:?}"), "***");
    }

    let signed = store
        .objects
        .presign_get(BUCKET, "a", expiry)
        .await
        .expect("it is signed");
    let other = signed.expose().replace("/a?", "/b?");
    assert_eq!(status(&other).await, 403);
    let longer = signed
        .expose()
        .replace("X-Amz-Expires=7200", "X-Amz-Expires=7201");
    assert_eq!(status(&longer).await, 403);
    // The method is signed too; the transcription service lives with that.
    let head = http.head(signed.expose()).send().await.expect("it answers");
    assert_eq!(head.status().as_u16(), 403);
}

#[tokio::test]
async fn a_presigned_track_is_transcribed() {
    let store = store().await;
    let tracks = crate::standup::folder().join("input/tracks");
    let ben = "1760954400000-5f1c2d3e-0a1b-4c2d-8e3f-000000000b02-cam-audio-1760954408339.webm";
    let track = std::fs::File::open(tracks.join(ben)).expect("a fixture");
    store
        .objects
        .put_file(BUCKET, "x/padded_1.webm", track, Some("video/webm"))
        .await
        .expect("it is put");
    let signed = store
        .objects
        .presign_get(BUCKET, "x/padded_1.webm", Duration::from_hours(2))
        .await
        .expect("it is signed");
    let sandbox = crate::standup::sandbox().await;
    let url = sandbox.url(Service::Transcription);
    let timeout = Transcription::TIMEOUT;
    let transcription = Transcription::new(url, Some("key"), timeout, Retry::standard(timeout));
    let transcription = transcription.expect("settings are right");
    let transcript = transcription
        .transcribe(signed.expose(), "en", "run_1")
        .await;
    assert_eq!(transcript.expect("Ben spoke").words.len(), 281);
    let request = &sandbox.requests_to(Service::Transcription)[0];
    assert_eq!(request.downloaded_bytes, Some(835_311));
}

#[tokio::test]
async fn a_store_that_does_not_speak_tls_is_transient() {
    let store = store().await;
    let mut url = store.url.clone();
    url.set_scheme("https").expect("a scheme");
    let error = client(&url, SECRET).check(BUCKET).await;
    assert_eq!(error.expect_err("no handshake").kind, ErrorKind::Transient);
}

#[tokio::test]
async fn a_url_for_longer_than_a_week_is_not_signed() {
    let store = store().await;
    let signed = store
        .objects
        .presign_get(BUCKET, "a", Duration::from_hours(169))
        .await;
    assert!(signed.is_err());
}

#[tokio::test]
async fn the_local_store_ends_when_it_is_told_to() {
    let store = store().await;
    store.shutdown.cancel();
    store.server.await.expect("no panic").expect("it ends well");
    let error = store
        .objects
        .check(BUCKET)
        .await
        .expect_err("nobody is there");
    assert_eq!(error.kind, ErrorKind::Transient);
}

/// Passes connections on to the store and cuts the first `cuts` of them after `bytes` of answer.
/// Gives its URL and counts its connections. `after_cut` runs before a cut becomes visible.
async fn cutting<F, Fut>(
    store: &Store,
    cuts: usize,
    bytes: u64,
    after_cut: F,
) -> (Url, Arc<AtomicUsize>)
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = loopback().await;
    let url = url_of(&listener);
    let target = store.url.socket_addrs(|| None).expect("an address")[0];
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.expect("it accepts");
            let store = TcpStream::connect(target)
                .await
                .expect("the store is there");
            let cut = counter.fetch_add(1, Ordering::Relaxed) < cuts;
            let (mut from_client, mut to_client) = client.into_split();
            let (from_store, mut to_store) = store.into_split();
            tokio::spawn(async move {
                let _ = tokio::io::copy(&mut from_client, &mut to_store).await;
            });
            let limit = if cut { bytes } else { u64::MAX };
            let mut limited = from_store.take(limit);
            let pass = async move {
                let _ = tokio::io::copy(&mut limited, &mut to_client).await;
                to_client
            };
            if cut {
                let mut to_client = pass.await;
                after_cut().await;
                let _ = to_client.shutdown().await;
            } else {
                tokio::spawn(pass);
            }
        }
    });
    (url, connections)
}

/// Far more than sockets buffer, so that a cut is always within the body.
const LARGE: usize = 6 << 20;

#[tokio::test]
async fn a_cut_download_goes_on_where_it_was_cut() {
    let store = store().await;
    let content = noise(LARGE);
    store
        .objects
        .put_bytes(BUCKET, KEY, content.clone(), None)
        .await
        .expect("it is put");
    let (url, connections) = cutting(&store, 2, 1 << 20, || async {}).await;
    let fetched = client(&url, SECRET).get_to_file(BUCKET, KEY).await;
    let fetched = fetched.expect("the third connection brings the rest");
    assert_eq!(connections.load(Ordering::Relaxed), 3);
    assert_eq!(fetched.sha256, hex::encode(Sha256::digest(&content)));
    assert!(content_of(fetched.file) == content);
}

#[tokio::test]
async fn a_download_cut_again_and_again_is_given_up() {
    let store = store().await;
    store
        .objects
        .put_bytes(BUCKET, KEY, noise(LARGE), None)
        .await
        .expect("it is put");
    let (url, connections) = cutting(&store, 99, 1 << 20, || async {}).await;
    let error = client(&url, SECRET)
        .get_to_file(BUCKET, KEY)
        .await
        .expect_err("it never ends");
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.to_string().contains("connection cut"), "{error}");
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_short_object_is_never_taken_for_a_whole_one() {
    let store = store().await;
    store
        .objects
        .put_bytes(BUCKET, KEY, noise(LARGE), None)
        .await
        .expect("it is put");
    let (url, _) = cutting(&store, 1, 1 << 20, || async {}).await;
    let error = client(&url, SECRET).get_bytes(BUCKET, KEY, 100 << 20).await;
    assert_eq!(
        error.expect_err("half of it is missing").kind,
        ErrorKind::Transient
    );
}

#[tokio::test]
async fn an_object_that_changes_during_a_cut_download_is_not_mixed() {
    let store = store().await;
    store
        .objects
        .put_bytes(BUCKET, KEY, noise(LARGE), None)
        .await
        .expect("it is put");
    let writer = store.objects.clone();
    let change = move || {
        let writer = writer.clone();
        async move {
            let put = writer.put_bytes(BUCKET, KEY, vec![7; LARGE], None).await;
            put.expect("it is put");
        }
    };
    let (url, _) = cutting(&store, 1, 1 << 20, change).await;
    let error = client(&url, SECRET)
        .get_to_file(BUCKET, KEY)
        .await
        .expect_err("two versions");
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(
        error.to_string().contains("changed while it was read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_too_long_for_the_folder_is_refused_at_once() {
    let store = store().await;
    for (size, longest) in [(1, 147), (LARGE * 2, 114)] {
        for (length, expected) in [(longest, None), (longest + 1, Some(ErrorKind::Other))] {
            let key = "k".repeat(length);
            let file = file_of(&noise(size));
            let put = store.objects.put_file(BUCKET, &key, file, None).await;
            assert_eq!(put.as_ref().err().map(|error| error.kind), expected);
            if let Err(error) = put {
                assert!(error.to_string().contains("KeyTooLongError"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_copy_has_content_and_type_of_its_source_and_may_be_made_again() {
    let store = store().await;
    let content = noise(70_000);
    let from = "shadow/run_1/t 1+é%/audio.mp3";
    let put = store
        .objects
        .put_bytes(BUCKET, from, content.clone(), Some("audio/mpeg"))
        .await;
    put.expect("it is put");
    let put = store
        .objects
        .put_bytes(BUCKET, "t1/audio.mp3", b"old".to_vec(), None)
        .await;
    put.expect("it is put");
    for _ in 0..2 {
        let copied = store.objects.copy(BUCKET, from, "t1/audio.mp3").await;
        copied.expect("it is copied");
        let head = store.objects.head(BUCKET, "t1/audio.mp3").await;
        let head = head.expect("it is there");
        assert_eq!(head.content_type.as_deref(), Some("audio/mpeg"));
        let copy = store
            .objects
            .get_bytes(BUCKET, "t1/audio.mp3", 1 << 20)
            .await;
        assert!(copy.expect("it is there") == content, "it came out changed");
    }
    assert!(
        store
            .objects
            .exists(BUCKET, from)
            .await
            .expect("it answers")
    );
}

#[tokio::test]
async fn a_copy_of_nothing_is_missing_and_leaves_the_target_alone() {
    let store = store().await;
    let put = store
        .objects
        .put_bytes(BUCKET, "to", b"old".to_vec(), None)
        .await;
    put.expect("it is put");
    for bucket in [BUCKET, "no-such-bucket"] {
        let error = store.objects.copy(bucket, "from", "to").await;
        let error = error.expect_err("there is no source");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        assert!(
            error
                .to_string()
                .contains(&format!("copying `{bucket}/from`"))
        );
    }
    let kept = store.objects.get_bytes(BUCKET, "to", 10).await;
    assert_eq!(kept.expect("it is there"), b"old");
}

/// A store whose only object has that size, as far as it tells, and that answers a copy as given.
/// It counts what it is asked.
async fn store_telling(size: u64, status: &'static str, body: &'static str) -> Told {
    let listener = loopback().await;
    let url = url_of(&listener);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let (status, length, body) = if head.starts_with(b"HEAD") {
                ("200 OK", size, "")
            } else {
                (status, body.len() as u64, body)
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Told { url, asked }
}

struct Told {
    url: Url,
    asked: Arc<AtomicUsize>,
}

#[tokio::test]
async fn a_copy_that_fails_under_way_is_no_copy_whatever_the_status_says() {
    let failed = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
    for (status, body) in [
        ("200 OK", failed),
        ("500 Internal Server Error", failed),
        ("503 Service Unavailable", ""),
        ("429 Too Many Requests", ""),
    ] {
        let store = store_telling(3, status, body).await;
        let error = client(&store.url, SECRET).copy(BUCKET, "from", "to").await;
        let error = error.expect_err("nothing was copied");
        assert_eq!(error.kind, ErrorKind::Transient, "{status}: {error}");
    }
}

#[tokio::test]
async fn an_object_too_large_for_one_copy_is_refused_before_it_is_tried() {
    let store = store_telling((5 << 30) + 1, "200 OK", "").await;
    let error = client(&store.url, SECRET).copy(BUCKET, "large", "to").await;
    let error = error.expect_err("it is too large");
    assert_eq!(error.kind, ErrorKind::Other, "{error}");
    assert!(error.cause.contains("5368709121 bytes"), "{error}");
    assert_eq!(
        store.asked.load(Ordering::Relaxed),
        1,
        "only its size was asked for"
    );
}

#[tokio::test]
async fn a_store_that_is_not_there_copies_nothing_and_may_be_asked_again() {
    let listener = loopback().await;
    let url = url_of(&listener);
    drop(listener);
    let error = client(&url, SECRET).copy(BUCKET, "from", "to").await;
    let error = error.expect_err("nobody is there");
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    assert!(!error.to_string().contains(SECRET), "{error}");
}
