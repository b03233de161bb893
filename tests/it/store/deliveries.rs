//! The outbox of notices: claimed by one, noted by whoever claimed, told together where it is a storm.

use chrono::TimeDelta;
use serde_json::json;
use switchyard::{
    model::NoticeKind,
    store::{Came, DeliveryState, Store},
};

use super::samples::{at, staging};
use crate::{database::Database, phases::about};

async fn tell(store: &Store, text: &str, ms: i64, targets: &[&str]) -> String {
    let document = json!({ "n": 1 });
    let told = (NoticeKind::Hold, text, &document);
    store
        .tell(&about("staging"), told, at(ms))
        .await
        .expect("it is noted");
    let new = store.new_notices(&staging()).await.expect("a list");
    let mine = new.into_iter().find(|notice| notice.text == text);
    let id = mine.expect("it is new").id;
    assert!(store.give_out(&id, targets, at(ms)).await.expect("it is"));
    assert!(
        !store
            .give_out(&id, targets, at(ms))
            .await
            .expect("it is not")
    );
    id
}

/// Every call that writes what people are told.
pub async fn write_deliveries(store: &Store) {
    let environment = staging();
    let one = tell(store, "one", 9_100, &["ops", "hook"]).await;
    let claim = store.claim_delivery(&environment, ("ops", None), ("p", at(9_200)), at(9_110));
    assert_eq!(
        claim
            .await
            .expect("an answer")
            .expect("it is due")
            .notice
            .id,
        one
    );
    let came = Came::Again {
        at: at(9_300),
        in_doubt: true,
        why: "no answer",
    };
    let noted = store.note_delivery((&one, "ops"), "p", &came, at(9_120));
    assert!(noted.await.expect("it is"));
    let claim = store.claim_delivery(
        &environment,
        ("hook", Some(&one)),
        ("p", at(9_200)),
        at(9_120),
    );
    claim.await.expect("an answer").expect("it is due");
    let noted = store.note_delivery((&one, "hook"), "p", &Came::Sent, at(9_130));
    assert!(noted.await.expect("it is"));
    tell(store, "two", 9_140, &["hook", "gone"]).await;
    tell(store, "three", 9_150, &["hook"]).await;
    let sum = |notices: &[switchyard::store::Notice]| (format!("{}", notices.len()), json!({}));
    let summed = store
        .sum_up(&about("staging"), "hook", sum, at(9_160))
        .await;
    assert_eq!(summed.expect("it is"), 2);
    let given_up = store.give_up_unknown(&environment, &["ops", "hook"], at(9_170), at(9_180));
    assert_eq!(given_up.await.expect("it is"), 1);
    let about = about("staging");
    for said in ["a", "b"] {
        let document = json!({});
        let told = (NoticeKind::Soak, said, &document);
        let told = store.tell_change(&about, ("soak", said), Some(told), None, at(9_190));
        assert!(told.await.expect("it is"));
    }
    let document = json!({});
    let told = (NoticeKind::Test, "a test", &document);
    let id = store.tell_target(&about, "ops", told, at(9_195)).await;
    id.expect("it is noted");
}

pub async fn a_delivery_is_claimed_by_one_until_it_is_noted_or_its_time_is_over(
    database: &Database,
) {
    let store = database.store().await;
    let id = tell(&store, "one", 0, &["ops"]).await;
    let environment = staging();
    let claim = |holder: &'static str, ms: i64| {
        store.claim_delivery(&environment, ("ops", None), (holder, at(ms + 100)), at(ms))
    };
    let all = futures_util::future::join_all((0..8).map(|_| claim("one", 10))).await;
    let got = all
        .into_iter()
        .filter_map(|claim| claim.expect("an answer"));
    let got: Vec<_> = got.collect();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].attempts, got[0].in_doubt), (1, false));
    assert!(claim("other", 110).await.expect("an answer").is_none());
    let taken = claim("other", 111)
        .await
        .expect("an answer")
        .expect("its time is over");
    assert_eq!((taken.attempts, taken.in_doubt), (2, true));
    let late = store.note_delivery((&id, "ops"), "one", &Came::Sent, at(112));
    assert!(!late.await.expect("an answer"), "it is another's by now");
    let noted = store.note_delivery((&id, "ops"), "other", &Came::Sent, at(113));
    assert!(noted.await.expect("an answer"));
    let delivery = store.delivery(&id, "ops").await.expect("an answer");
    assert_eq!(delivery.expect("it is there").state, DeliveryState::Sent);
    assert!(claim("other", 1_000).await.expect("an answer").is_none());
    store.close().await;
}

pub async fn a_change_is_told_by_one_of_those_who_see_it(database: &Database) {
    let store = database.store().await;
    let about = about("staging");
    let document = json!({});
    let say = |said: &'static str, ms: i64| {
        let told = (NoticeKind::Soak, said, &document);
        store.tell_change(&about, ("soak", said), Some(told), None, at(ms))
    };
    for (said, ms) in [("fail", 1), ("pass", 2), ("fail", 3)] {
        let all = futures_util::future::join_all((0..5).map(|_| say(said, ms))).await;
        let told = all
            .into_iter()
            .filter(|told| *told.as_ref().expect("an answer"));
        assert_eq!(told.count(), 1);
        assert!(!say(said, ms).await.expect("an answer"));
    }
    assert_eq!(
        store.new_notices(&staging()).await.expect("a list").len(),
        3
    );
    let said = store.said(&about, "soak").await.expect("an answer");
    assert_eq!(said, Some(("fail".to_owned(), at(3))));
    store.close().await;
}

pub async fn a_storm_is_taken_by_one_and_each_notice_told_once(database: &Database) {
    let store = database.store().await;
    for number in 0..6 {
        tell(&store, &number.to_string(), number, &["ops"]).await;
    }
    let about = about("staging");
    let sum = |notices: &[switchyard::store::Notice]| {
        let texts: Vec<_> = notices.iter().map(|notice| notice.text.as_str()).collect();
        (texts.join(","), json!({ "gravity": "critical" }))
    };
    let (one, other) = tokio::join!(
        store.sum_up(&about, "ops", sum, at(10)),
        store.sum_up(&about, "ops", sum, at(10)),
    );
    assert_eq!(one.expect("an answer") + other.expect("an answer"), 6);
    let environment = staging();
    let claim = store.claim_delivery(&environment, ("ops", None), ("p", at(100)), at(11));
    let claimed = claim.await.expect("an answer").expect("the summary");
    assert_eq!(claimed.notice.text, "0,1,2,3,4,5");
    assert_eq!(claimed.notice.gravity().as_str(), "critical");
    let noted = store.note_delivery((&claimed.notice.id, "ops"), "p", &Came::Sent, at(12));
    assert!(noted.await.expect("an answer"));
    let backlog = store.backlog(&staging(), "ops", at(0), at(1_000)).await;
    let backlog = backlog.expect("an answer");
    assert_eq!((backlog.due, backlog.lately), (0, 1));
    let later = at(0) + TimeDelta::hours(1);
    let backlog = store.backlog(&staging(), "ops", later, later).await;
    assert_eq!(backlog.expect("an answer").lately, 0);
    store.close().await;
}
