//! What a run mixed, as browsers ask for it: in parts, with consent, and while it is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future;
use reqwest::Response;
use sha2::{Digest, Sha256};
use switchyard::{
    app,
    controller::{Sound, TakenBack},
    model::{RunId, RunState},
    objects::{Addressing, Objects, Settings, local},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::server::{Server, after};
use crate::standup::loopback;

const BUCKET: &str = "reflector-transcripts";

/// A store of objects on a port of its own.
struct Kept {
    objects: Objects,
    shutdown: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Kept {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = loopback().await;
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let (root, stop) = (folder.path().join("objects"), shutdown.clone());
        let serving =
            tokio::spawn(async move { local::serve(&root, listener, "A", "secret", stop).await });
        let endpoint = format!("http://{address}").parse().expect("a URL");
        let objects = Objects::new(Settings {
            backoff: Duration::from_millis(1),
            ..Settings::new(Some(endpoint), "us-east-1", "A", "secret", Addressing::Path)
        })
        .expect("settings are right");
        let made = objects.create_bucket_if_missing(BUCKET).await;
        made.expect("the store makes it");
        Self {
            objects,
            shutdown,
            serving,
            _folder: folder,
        }
    }

    async fn put(&self, key: &str, content: Vec<u8>) {
        let put = self.objects.put_bytes(BUCKET, key, content, None).await;
        put.expect("it is put");
    }

    fn hear(&self, sound: Sound) -> Sound {
        Sound {
            look: app::sound::look(self.objects.clone(), BUCKET.to_owned()),
            read: app::sound::read(self.objects.clone(), BUCKET.to_owned()),
            ..sound
        }
    }
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

/// A run of the bundled meeting that has ended and was compared, and where its candidate's mix is.
async fn compared(server: &Server) -> (RunId, String) {
    let run = server.running("run_a", 1).await;
    let store = &server.shadow.store;
    let ended = store.finish_run(&run, RunState::Completed, None, after(60));
    assert!(ended.await.expect("it ends"));
    server.compare(&run).await;
    let known = store.run(&run).await.expect("a run").expect("it is there");
    let key = format!("shadow/{run}/{}/audio.mp3", known.transcript_id);
    (run, key)
}

async fn ask(server: &Server, path: &str, range: Option<&str>) -> Response {
    let mut request = crate::standup::http().get(format!("{}{path}", server.root));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    request.send().await.expect("it answers")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().expect("text"))
}

const CANDIDATE: &str = "/runs/run_a/audio/candidate";

#[tokio::test]
async fn a_mix_comes_whole_and_in_the_part_that_is_asked_for() {
    let kept = Kept::new().await;
    let server = Server::hearing(|sound| kept.hear(sound)).await;
    let (_, key) = compared(&server).await;
    let content = noise(300_000);
    kept.put(&key, content.clone()).await;

    let whole = ask(&server, CANDIDATE, None).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(header(&whole, "content-type"), "audio/mpeg");
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    assert_eq!(header(&whole, "content-length"), "300000");
    assert_eq!(header(&whole, "cache-control"), "no-store");
    let etag = header(&whole, "etag").to_owned();
    assert!(whole.bytes().await.expect("a body") == content);

    let part = ask(&server, CANDIDATE, Some("bytes=100000-100999")).await;
    assert_eq!(part.status(), 206);
    assert_eq!(header(&part, "content-range"), "bytes 100000-100999/300000");
    assert!(part.bytes().await.expect("a body") == content[100_000..101_000]);
    let rest = ask(&server, CANDIDATE, Some("bytes=-10")).await;
    assert!(rest.bytes().await.expect("a body") == content[299_990..]);
    let beyond = ask(&server, CANDIDATE, Some("bytes=300000-")).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, "content-range"), "bytes */300000");

    let http = crate::standup::http();
    let url = format!("{}{CANDIDATE}", server.root);
    let head = http.head(&url).send().await.expect("it answers");
    assert_eq!(
        (head.status().as_u16(), header(&head, "etag")),
        (200, &*etag)
    );
    let posted = http.post(&url).send().await.expect("it answers");
    assert_eq!(posted.status(), 405);
    let page = server.get_as(CANDIDATE, Some("evil.example")).await;
    assert_eq!(
        page.status, 421,
        "only who is addressed as this machine hears"
    );
}

#[tokio::test]
async fn the_report_plays_words_by_the_one_script_its_policy_names_and_names_no_store() {
    let kept = Kept::new().await;
    let server = Server::hearing(|sound| kept.hear(sound)).await;
    let (_, key) = compared(&server).await;
    kept.put(&key, noise(1000)).await;
    let page = server.get("/runs/run_a/report").await;
    page.says(r#"src="audio/candidate""#)
        .says("Cannot be heard: the mix is not in the object store");
    let policy = page.header("content-security-policy");
    let hash = switchyard::report::html::script_hash();
    assert!(policy.contains(&format!("script-src '{hash}'")), "{policy}");
    assert!(policy.contains("media-src 'self'") && !policy.contains("script-src 'unsafe"));
    let script = page.body.split_once("<script>").expect("a script").1;
    let script = script.split_once("</script>").expect("its end").0;
    let is = BASE64_STANDARD.encode(Sha256::digest(script));
    assert_eq!(format!("sha256-{is}"), hash, "the browser refuses another");
    // Buckets and keys of differences are on it, and nothing that leads to the store.
    for secret in ["X-Amz", "127.0.0.1", "localhost", "src=\"http"] {
        assert!(!page.body.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_lies_at_the_controls_place_is_the_controls_by_its_size() {
    let kept = Kept::new().await;
    let server = Server::hearing(|sound| kept.hear(sound)).await;
    let (run, _) = compared(&server).await;
    let store = &server.shadow.store;
    let run = store.run(&run).await.expect("a run").expect("it is there");
    let control = run.control_id.as_ref().expect("it has one");
    let control = store.control(control).await.expect("it is read");
    let outcome = control.expect("it is there").outcome;
    let key = format!("{}/audio.mp3", run.transcript_id);
    let mut objects = outcome.objects.iter();
    let told = objects
        .find(|object| object.key == key)
        .expect("it is told");
    let size = usize::try_from(told.size).expect("a size");

    let path = "/runs/run_a/audio/control";
    assert_eq!(ask(&server, path, None).await.status(), 404);
    kept.put(&key, noise(size)).await;
    assert_eq!(ask(&server, path, None).await.status(), 200);
    kept.put(&key, noise(size + 1)).await;
    let other = server.get(path).await;
    assert_eq!(other.status, 410);
    other.says("another by now");
}

#[tokio::test]
async fn a_denied_consent_silences_what_is_playing_already() {
    let kept = Kept::new().await;
    let now = Arc::new(AtomicU8::new(0));
    let answers = Arc::clone(&now);
    let server = Server::hearing(|sound| Sound {
        consent: Some(Arc::new(move |_| {
            let answer = match answers.load(Ordering::SeqCst) {
                0 => Ok(None),
                1 => Ok(Some(TakenBack::Denied)),
                2 => Ok(Some(TakenBack::AudioDeleted)),
                // The bundled meeting was only ever in a folder.
                3 => Ok(Some(TakenBack::Gone)),
                _ => Err(anyhow::anyhow!("connection refused")),
            };
            Box::pin(future::ready(answer))
        })),
        ..kept.hear(sound)
    })
    .await;
    let (_, key) = compared(&server).await;
    kept.put(&key, noise(1000)).await;
    for (answer, status, said) in [
        (0, 200, ""),
        (1, 410, "taken back: consent denied"),
        (2, 410, "taken back: audio deleted"),
        (3, 200, ""),
        (4, 503, "who consents, does not answer"),
    ] {
        now.store(answer, Ordering::SeqCst);
        let told = ask(&server, CANDIDATE, Some("bytes=0-9")).await;
        let status = if status == 200 { 206 } else { status };
        assert_eq!(told.status(), status, "{answer}");
        let page = server.get("/runs/run_a/report").await;
        assert_eq!(page.status, 200, "the report is whole without sound");
        assert_eq!(page.body.contains("<audio"), said.is_empty(), "{answer}");
        page.says(said);
        let text = told.bytes().await.expect("a body");
        let text = String::from_utf8_lossy(&text).replace("&#x27;", "'");
        assert!(text.contains(said), "{text}");
        assert!(!text.contains("connection refused"), "that is for the log");
    }
}

#[tokio::test]
async fn what_is_gone_unknown_or_of_another_environment_says_so() {
    let kept = Kept::new().await;
    let server = Server::hearing(|sound| kept.hear(sound)).await;
    let (_, key) = compared(&server).await;
    let gone = server.get(CANDIDATE).await;
    assert_eq!(gone.status, 404);
    gone.says("The mix is not in the object store: it was deleted, or never made.");
    kept.put(&key, Vec::new()).await;
    assert_eq!(
        server.get(CANDIDATE).await.status,
        404,
        "there is nothing in it"
    );
    for (path, said) in [
        ("/runs/run_b/audio/candidate", "There is no run `run_b`."),
        ("/runs/run_a/audio/both", "not of `both`"),
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        page.says(said);
    }
    server.run_in("production", "run_p", 2).await;
    let other = server.get("/runs/run_p/audio/candidate").await;
    assert_eq!(other.status, 404);
    other.says("of the environment `production`");
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_is_told_and_holds_nobody_up() {
    let kept = Kept::new().await;
    let server = Server::hearing(|sound| kept.hear(sound)).await;
    let (_, key) = compared(&server).await;
    kept.put(&key, noise(1000)).await;
    let Kept {
        shutdown, serving, ..
    } = kept;
    shutdown.cancel();
    let stopped = serving.await.expect("serving does not panic");
    stopped.expect("it was served");
    let failed = server.get(CANDIDATE).await;
    assert_eq!(failed.status, 503);
    failed.says("The object store does not answer, so the sound cannot be given now; try again.");
    let report = server.get("/runs/run_a/report").await;
    assert_eq!(report.status, 200);
    report.says("Nothing can be heard: the object store does not answer");

    let hangs = Server::hearing(|sound| Sound {
        look: Arc::new(|_| Box::pin(future::pending())),
        patience: Duration::from_millis(50),
        ..sound
    })
    .await;
    compared(&hangs).await;
    assert_eq!(hangs.get(CANDIDATE).await.status, 503);
}
