use std::time::Duration;

use serde_json::json;

use super::*;

const GRACE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_hours(1);

fn limits() -> WatchLimits {
    WatchLimits {
        transcripts: 2,
        bytes_each: 300,
        bytes_all: 400,
        grace: GRACE,
        patience: PATIENCE,
        ..WatchLimits::default()
    }
}

/// A book that watches transcript `t`.
fn watching() -> (Book, Instant) {
    let now = Instant::now();
    let mut book = Book::new(limits());
    book.watch(&"t".into(), now).unwrap();
    (book, now)
}

fn status(book: &mut Book, value: &str, at: Instant) {
    let payload = format!(r#"{{"event": "STATUS", "data": {{"value": "{value}"}}}}"#);
    book.hear("ts:t", payload.as_bytes(), at);
}

fn say(book: &mut Book, text: &str, at: Instant) {
    let payload = json!({ "event": "TRANSCRIPT", "data": { "text": text } }).to_string();
    book.hear("ts:t", payload.as_bytes(), at);
}

fn heard(book: &mut Book) -> Heard {
    book.take(&"t".into()).unwrap()
}

#[test]
fn a_run_heard_from_first_to_last_is_complete() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    say(&mut book, "Hello.", now);
    status(&mut book, "ended", now);
    assert_eq!(book.look(&"t".into(), now), Look::Until(now + GRACE));
    assert_eq!(book.look(&"t".into(), now + GRACE), Look::Over);
    let heard = heard(&mut book);
    assert!(heard.complete);
    assert_eq!(heard.ended, Some(OutcomeStatus::Ended));
    assert_eq!(heard.published.len(), 3);
    assert_eq!(
        heard.published[0].payload,
        r#"{"event": "STATUS", "data": {"value": "processing"}}"#
    );
}

#[test]
fn a_run_joined_late_is_not_complete() {
    let (mut book, now) = watching();
    say(&mut book, "Hello.", now);
    status(&mut book, "error", now);
    let heard = heard(&mut book);
    assert!(!heard.complete);
    assert_eq!(heard.ended, Some(OutcomeStatus::Error));
    assert_eq!(heard.published.len(), 2);
}

#[test]
fn a_run_without_an_end_is_not_complete() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    assert_eq!(book.look(&"t".into(), now + PATIENCE), Look::Over);
    let heard = heard(&mut book);
    assert!(!heard.complete && heard.ended.is_none());
}

#[test]
fn a_gap_in_a_run_spoils_it_and_a_gap_before_it_does_not() {
    let (mut book, now) = watching();
    book.gap(now);
    status(&mut book, "processing", now);
    status(&mut book, "ended", now);
    assert!(heard(&mut book).complete);

    book.watch(&"t".into(), now).unwrap();
    status(&mut book, "processing", now);
    book.gap(now);
    status(&mut book, "ended", now);
    assert!(!heard(&mut book).complete);
}

#[test]
fn a_gap_after_the_grace_spoils_nothing_and_one_within_it_does() {
    for (at, complete) in [(GRACE, true), (GRACE / 2, false)] {
        let (mut book, now) = watching();
        status(&mut book, "processing", now);
        status(&mut book, "ended", now);
        book.gap(now + at);
        assert_eq!(heard(&mut book).complete, complete);
    }
}

#[test]
fn messages_to_the_owner_are_known_by_the_transcript_they_name() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    let to_owner = |book: &mut Book, event: &str, id: &str| {
        let payload = json!({ "event": event, "data": { "id": id } }).to_string();
        book.hear("user:ana", payload.as_bytes(), now);
    };
    to_owner(&mut book, "TRANSCRIPT_STATUS", "t");
    to_owner(&mut book, "TRANSCRIPT_STATUS", "another");
    to_owner(&mut book, "TRANSCRIPT_DELETED", "t");
    book.hear("user:ana", b"no JSON", now);
    let channels: Vec<_> = heard(&mut book)
        .published
        .into_iter()
        .map(|message| message.channel)
        .collect();
    assert_eq!(channels, ["ts:t", "user:ana"]);
}

#[test]
fn what_nobody_watches_is_not_kept() {
    let (mut book, now) = watching();
    book.hear("ts:another", b"{}", now);
    assert_eq!(book.bytes, 0);
    assert_eq!(book.look(&"another".into(), now), Look::NotWatched);
    assert_eq!(book.take(&"another".into()), None);
}

#[test]
fn another_run_ends_the_wait_for_stragglers_and_is_not_mixed_in() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    status(&mut book, "error", now);
    status(&mut book, "processing", now);
    say(&mut book, "Hello again.", now);
    assert_eq!(book.look(&"t".into(), now), Look::Over);
    let heard = heard(&mut book);
    assert!(heard.complete);
    assert_eq!(heard.published.len(), 2);
}

#[test]
fn a_run_that_begins_anew_is_heard_from_its_beginning() {
    let (mut book, now) = watching();
    say(&mut book, "Of a run before.", now);
    status(&mut book, "processing", now);
    status(&mut book, "ended", now);
    let heard = heard(&mut book);
    assert!(heard.complete);
    assert_eq!(heard.published.len(), 2);
    assert_eq!(book.bytes, 0);
}

#[test]
fn a_run_that_says_too_much_is_not_kept_but_its_end_is_noticed() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    for _ in 0..20 {
        say(&mut book, &"Hello. ".repeat(10), now);
        assert!(book.bytes <= 300);
    }
    status(&mut book, "ended", now);
    let heard = heard(&mut book);
    assert!(!heard.complete && heard.published.is_empty());
    assert_eq!(heard.ended, Some(OutcomeStatus::Ended));
    assert_eq!(book.bytes, 0);
}

#[test]
fn all_runs_together_keep_no_more_than_their_limit() {
    let (mut book, now) = watching();
    book.watch(&"u".into(), now).unwrap();
    for id in ["ts:t", "ts:u"] {
        let begin = r#"{"event": "STATUS", "data": {"value": "processing"}}"#;
        book.hear(id, begin.as_bytes(), now);
        book.hear(id, &[b'1'; 200], now);
        assert!(book.bytes <= 400);
    }
    assert_eq!(book.take(&"u".into()).unwrap().published, []);
    assert_eq!(heard(&mut book).published.len(), 2);
    assert_eq!(book.bytes, 0);
}

#[test]
fn bytes_that_are_no_text_cannot_be_kept_exactly() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    book.hear("ts:t", b"\xff", now);
    status(&mut book, "ended", now);
    assert!(!heard(&mut book).complete);
}

#[test]
fn no_more_transcripts_are_watched_than_the_limit() {
    let (mut book, now) = watching();
    book.watch(&"u".into(), now).unwrap();
    assert_eq!(book.watch(&"v".into(), now), Err(TooMany { limit: 2 }));
    assert_eq!(book.watch(&"u".into(), now), Ok(()));
    // Nobody came for them.
    assert_eq!(book.watch(&"v".into(), now + 2 * PATIENCE), Ok(()));
}

#[test]
fn watching_again_goes_on_with_a_run_under_way_and_forgets_one_that_is_over() {
    let (mut book, now) = watching();
    status(&mut book, "processing", now);
    book.watch(&"t".into(), now).unwrap();
    status(&mut book, "ended", now);
    book.watch(&"t".into(), now + GRACE).unwrap();
    assert_eq!(
        book.look(&"t".into(), now + GRACE),
        Look::Until(now + GRACE + PATIENCE)
    );
    assert!(heard(&mut book).published.is_empty());
}
