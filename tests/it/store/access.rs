//! Tokens, sessions, and people on their way to the provider.

use chrono::TimeDelta;
use switchyard::{
    access::{Action, Powers},
    model::Role,
    store::{NewToken, Session, SigningIn, Store},
};

use super::samples::{at, staging};
use crate::{database::Database, phases::about};

fn token(id: &str) -> NewToken {
    NewToken {
        id: id.to_owned(),
        hash: format!("hash of {id}"),
        label: "naïve ☕".to_owned(),
        owner: "ana".to_owned(),
        powers: Powers::in_environments(Role::Operator, &[staging()]).only([Action::AskRoute]),
        made_by: "bo".to_owned(),
        expires_at: at(1000),
    }
}

fn session(hash: &str, token_id: Option<&str>) -> Session {
    Session {
        hash: hash.to_owned(),
        name: "ana@example.test".to_owned(),
        subject: "sub-1".to_owned(),
        groups: vec!["operators".to_owned(), "naïve ☕".to_owned()],
        token_id: token_id.map(str::to_owned),
        started_at: at(10),
        seen_at: at(10),
        ends_at: at(1_000_000),
    }
}

fn sign_in(hash: &str, expires_ms: i64) -> SigningIn {
    SigningIn {
        hash: hash.to_owned(),
        nonce: "nonce".to_owned(),
        verifier: "verifier".to_owned(),
        leads_to: "/evidence".to_owned(),
        expires_at: at(expires_ms),
    }
}

/// Every call that writes.
pub async fn write_access(store: &Store) -> anyhow::Result<()> {
    let about = about("staging");
    store.add_token(&about, &token("tok_1"), at(1)).await?;
    store.add_token(&about, &token("tok_2"), at(2)).await?;
    store.note_token_used("tok_1", at(3)).await?;
    store
        .revoke_token(&about, "tok_2", ("bo", "lost"), at(4))
        .await?;
    store
        .start_session(&about, &session("one", None), "at https://login")
        .await?;
    store
        .start_session(&about, &session("two", Some("tok_1")), "with token tok_1")
        .await?;
    store.note_session_used("one", at(100_000)).await?;
    store
        .end_session(&about, "two", "signed out", at(20))
        .await?;
    store.begin_sign_in(&sign_in("a", 50), at(5)).await?;
    store.begin_sign_in(&sign_in("b", 60), at(6)).await?;
    store.take_sign_in("a", at(7)).await?;
    Ok(())
}

pub async fn a_token_is_read_as_it_was_written_and_revoked_once(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let kept = store.add_token(&about, &token("tok_1"), at(1)).await;
    kept.expect("it is kept");
    let read = store.token_of("hash of tok_1").await.expect("a read");
    let read = read.expect("it is there");
    assert_eq!(
        Some(&read),
        store.token("tok_1").await.expect("a read").as_ref()
    );
    assert_eq!((read.made_at, read.expires_at), (at(1), at(1000)));
    assert_eq!(read.powers, token("tok_1").powers);
    assert_eq!(
        (read.label.as_str(), read.owner.as_str()),
        ("naïve ☕", "ana")
    );
    assert_eq!(store.token_of("tok_1").await.expect("a read"), None);
    let used = async |ms: i64| {
        store.note_token_used("tok_1", at(ms)).await.expect("noted");
        let token = store.token("tok_1").await.expect("a read");
        token.expect("it is there").used_at
    };
    assert_eq!(used(5).await, Some(at(5)));
    assert_eq!(used(60_004).await, Some(at(5)), "a minute has not passed");
    assert_eq!(used(60_005).await, Some(at(60_005)));
    let revoke = async || {
        let revoked = store.revoke_token(&about, "tok_1", ("bo", ""), at(70_000));
        revoked.await.expect("asked")
    };
    assert!(revoke().await);
    assert!(!revoke().await);
    let revoked = store.tokens().await.expect("a list").remove(0);
    assert_eq!(revoked.revoked_at, Some(at(70_000)));
    assert_eq!(revoked.revoked_by.as_deref(), Some("bo"));
    assert!(store.verify_audit().await.expect("it is read").is_ok());
}

pub async fn a_sign_in_is_taken_once_in_time_and_by_one_of_many(database: &Database) {
    let store = database.store().await;
    for hash in ["a", "late"] {
        let begun = store.begin_sign_in(&sign_in(hash, 50), at(1)).await;
        assert!(begun.expect("it is noted"));
    }
    let take = |hash: &'static str, ms: i64| {
        let store = store.clone();
        async move { store.take_sign_in(hash, at(ms)).await.expect("asked") }
    };
    assert_eq!(take("other", 2).await, None);
    let (one, two, three) = tokio::join!(take("a", 2), take("a", 2), take("a", 2));
    let taken: Vec<_> = [one, two, three].into_iter().flatten().collect();
    assert_eq!(taken, [sign_in("a", 50)]);
    assert_eq!(take("late", 50).await, None);
    let begun = store.begin_sign_in(&sign_in("later", 200), at(100)).await;
    assert!(begun.expect("it is noted"));
    assert_eq!(take("late", 1).await, None, "it was forgotten");
}

pub async fn a_session_is_read_as_it_was_written_until_it_is_ended(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let started = session("one", None);
    let begun = store.start_session(&about, &started, "somehow").await;
    begun.expect("it begins");
    assert_eq!(
        store.session("one").await.expect("a read").as_ref(),
        Some(&started)
    );
    store
        .note_session_used("one", at(1000))
        .await
        .expect("noted");
    let seen = store
        .session("one")
        .await
        .expect("a read")
        .map(|one| one.seen_at);
    assert_eq!(seen, Some(at(10)), "a minute has not passed");
    let end = async || {
        let ended = store.end_session(&about, "one", "signed out", at(2000));
        ended.await.expect("asked")
    };
    assert!(end().await);
    assert!(!end().await);
    assert_eq!(store.session("one").await.expect("a read"), None);
    let begun = store.start_session(&about, &started, "somehow").await;
    begun.expect("it begins");
    let much_later = Session {
        started_at: started.ends_at + TimeDelta::seconds(1),
        ends_at: started.ends_at + TimeDelta::hours(1),
        ..session("two", None)
    };
    let begun = store.start_session(&about, &much_later, "somehow").await;
    begun.expect("it begins");
    assert_eq!(
        store.session("one").await.expect("a read"),
        None,
        "it was over"
    );
}
