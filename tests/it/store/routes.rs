//! Phases and routes: every call that writes them.

use switchyard::{
    rollout::{Keys, Percent, Position, salt},
    store::{Arrival, RouteRow, RouteState, Store, Way, Wish},
};

use crate::phases;

use super::samples::{at, control, flag, new_run, staging, subject};

async fn arrive(
    store: &Store,
    task: &str,
    recording: Option<&str>,
    wish: Wish,
    ms: i64,
) -> RouteRow {
    let subject = recording.map(subject);
    let transcript = format!("transcript-of-{}", recording.unwrap_or("nobody"));
    let arrival = Arrival {
        environment: staging(),
        flag: flag(),
        task_id: task.to_owned(),
        transcript: transcript.as_str().into(),
        bucket_name: "daily-recordings".to_owned(),
        track_keys: vec!["a".to_owned(), "naïve ☕".to_owned()],
        wish,
        way: Way::Tap,
    };
    let keys = subject.as_ref().map_or(Keys::Unknown, Keys::of);
    let salt = salt(&staging(), &flag());
    let pinned = store.arrive(&arrival, &keys, subject.as_ref(), &salt, at(ms));
    pinned.await.expect("it is pinned").route
}

async fn put(store: &Store, position: Position, ms: i64) {
    phases::put(store, "staging", position, at(ms)).await;
}

/// Every call that writes phases, routes and arrivals.
pub async fn write_routes(store: &Store) {
    put(store, Position::Shadow(Percent::ALL), 0).await;
    let beside = arrive(store, "task-1", Some("routed"), Wish::Once, 1).await;
    arrive(store, "task-2", Some("routed"), Wish::Once, 2).await;
    let new = new_run("run_routed", "routed");
    assert!(store.insert_run(&new, at(3)).await.expect("it is"));
    let run = store.unclaimed_run(&beside, &"routed".into()).await;
    let run = run.expect("it is read").expect("it is there");
    assert!(store.note_route_run(&beside, &run).await.expect("it is"));
    let claimed = store.unclaimed_run(&beside, &"routed".into()).await;
    assert!(claimed.expect("it is read").is_none());
    let control = control("control_routed");
    store.insert_control(&control).await.expect("it is kept");
    let ended = store.end_route(&beside, Some(&control.id), at(4)).await;
    assert!(ended.expect("it is"));
    assert_eq!(store.attach_controls(&staging()).await.expect("it is"), 1);
    assert_eq!(store.attach_controls(&staging()).await.expect("it is"), 0);
    let again = arrive(store, "task-3", Some("routed"), Wish::Again, 5).await;
    assert_eq!(again.generation, 2);
    assert!(store.drop_beside(&again, "gone").await.expect("it is"));

    put(store, Position::Draining, 1).await;
    let taken = arrive(store, "task-4", Some("taken"), Wish::Once, 6).await;
    assert!(store.confirm_route(&taken, at(7)).await.expect("it is"));
    assert!(!store.lapse_route(&taken, "late").await.expect("it is not"));
    let lapsed = arrive(store, "task-5", None, Wish::Once, 8).await;
    assert_eq!(
        store
            .offered_routes(&staging(), 9)
            .await
            .expect("one")
            .len(),
        1
    );
    assert!(store.lapse_route(&lapsed, "lapsed").await.expect("it is"));
    assert!(
        !store
            .confirm_route(&lapsed, at(9))
            .await
            .expect("it is not")
    );

    let found = store.routes_to_start(&staging(), 9).await.expect("one");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].task_id, "task-4");
    let open = store.open_routes(&staging(), 9).await.expect("three");
    assert!(open.iter().all(|route| route.state == RouteState::Open));
    assert_eq!(open.len(), 3);
}
