//! A track over a bad line: it arrives whole or not at all.

use std::io::Cursor;

use switchyard::audio::{pad::pad, source::Source, yardstick};

use super::{
    Arc, AsyncReadExt, AsyncWriteExt, AtomicUsize, BUCKET, Duration, ErrorKind, KEY, Objects,
    Ordering, SECRET, Settings, Store, TcpStream, Url, content_of, loopback, store, url_of,
};

/// What becomes of a connection.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// It closes after so many bytes of answer.
    Cuts(u64),
    /// Nothing more comes after so many, and it stays open.
    Stalls(u64),
    /// It answers 503.
    Unavailable,
    /// It works.
    Works,
}

const UNAVAILABLE: &str = "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\n\
    content-length: 40\r\nconnection: close\r\n\r\n<Error><Code>SlowDown</Code></Error>     ";

/// Passes connections on to the store as the list says, the last entry for all that follow.
async fn line(store: &Store, lines: &'static [Line]) -> (Url, Arc<AtomicUsize>) {
    let listener = loopback().await;
    let url = url_of(&listener);
    let target = store.url.socket_addrs(|| None).expect("an address")[0];
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.expect("it accepts");
            let number = counter.fetch_add(1, Ordering::Relaxed);
            let line = lines[number.min(lines.len() - 1)];
            tokio::spawn(pass(client, target, line));
        }
    });
    (url, connections)
}

async fn pass(client: TcpStream, store: std::net::SocketAddr, line: Line) {
    let (mut from_client, mut to_client) = client.into_split();
    if matches!(line, Line::Unavailable) {
        let mut request = [0; 4096];
        let _ = from_client.read(&mut request).await;
        let _ = to_client.write_all(UNAVAILABLE.as_bytes()).await;
        return;
    }
    let store = TcpStream::connect(store).await.expect("the store is there");
    let (from_store, mut to_store) = store.into_split();
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_store).await;
    });
    let limit = match line {
        Line::Cuts(bytes) | Line::Stalls(bytes) => bytes,
        Line::Unavailable | Line::Works => u64::MAX,
    };
    let _ = tokio::io::copy(&mut from_store.take(limit), &mut to_client).await;
    if matches!(line, Line::Stalls(_)) {
        std::future::pending::<()>().await;
    }
}

fn impatient(url: &Url) -> Objects {
    Objects::new(Settings {
        read_timeout: Duration::from_millis(400),
        backoff: Duration::from_millis(1),
        ..Settings::new(
            Some(url.clone()),
            "us-east-1",
            "AKLOCAL",
            SECRET,
            super::Addressing::Path,
        )
    })
    .expect("settings are right")
}

/// A track of an hour, far more than sockets buffer, in the store.
async fn track(store: &Store) -> Vec<u8> {
    let short = include_bytes!("../../fixtures/audio/stereo_off1234.webm");
    let mut long = Cursor::new(Vec::new());
    yardstick::lengthen(short, 900, 1_234, &[], &mut long).expect("it is made");
    let long = long.into_inner();
    assert!(long.len() > 5 << 20, "{} bytes", long.len());
    let put = store.objects.put_bytes(BUCKET, KEY, long.clone(), None);
    put.await.expect("it is put");
    long
}

#[tokio::test]
async fn a_track_is_the_same_over_a_line_that_cuts_stalls_and_answers_503_in_the_middle() {
    let store = store().await;
    let track = track(&store).await;
    let (url, connections) = line(
        &store,
        &[
            Line::Cuts(1 << 20),
            Line::Unavailable,
            Line::Stalls(1 << 20),
            Line::Works,
        ],
    )
    .await;
    let fetched = impatient(&url).get_to_file(BUCKET, KEY).await;
    let fetched = fetched.expect("the fourth connection brings the rest");
    assert_eq!(connections.load(Ordering::Relaxed), 4);
    assert_eq!(fetched.size, track.len() as u64);
    assert!(content_of(fetched.file) == track);
}

#[tokio::test]
async fn a_line_that_only_cuts_or_only_stalls_gives_no_track_and_may_be_tried_again() {
    let store = store().await;
    track(&store).await;
    for lines in [
        &[Line::Cuts(1 << 20)],
        &[Line::Stalls(1 << 20)],
        &[Line::Unavailable],
    ] {
        let (url, _) = line(&store, lines).await;
        let error = impatient(&url).get_to_file(BUCKET, KEY).await;
        let error = error.expect_err("it never ends");
        assert_eq!(error.kind, ErrorKind::Transient, "{lines:?}: {error}");
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error_of_reading_and_not_a_short_track() {
    let store = store().await;
    let track = track(&store).await;
    let half = Source::stream(Cursor::new(track[..track.len() / 2].to_vec()));
    let whole = half.of_length(track.len() as u64);
    let error = pad(whole, Cursor::new(Vec::new())).expect_err("half of it is missing");
    assert!(!error.is_permanent(), "{error}");
    // Without a length nobody can tell: a live recording has no end mark.
    let half = Source::stream(Cursor::new(track[..track.len() / 2].to_vec()));
    assert!(pad(half, Cursor::new(Vec::new())).is_ok());
}
