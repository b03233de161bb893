//! Who serves.

use std::time::Duration;

use switchyard::{
    controller::intake::Budget,
    rollout::{Beside, Owner, Percent, Phase, Position},
    store::{RouteState, Store, Way, Wish},
};

use super::world::{World, request};
use crate::{
    database::{Database, Kind},
    phases,
    reflector::world::{Columns, World as Reflector, rows_at_dispatch, transcript},
    store::samples,
};

#[tokio::test]
async fn without_a_phase_the_control_serves_and_the_route_is_pinned() {
    let world = World::alone().await;
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Control);
    let route = world.route("t").await;
    assert_eq!(answer.pinned.unwrap().route, route);
    assert_eq!((route.generation, route.beside), (1, Beside::None));
    assert_eq!((route.phase, route.bucket), (Phase::Infrastructure, None));
    assert_eq!((route.way, route.state), (Way::Http, RouteState::Open));
    assert_eq!(route.track_keys, ["a", "b"]);
}

#[tokio::test]
async fn in_shadow_reflector_s_rows_are_kept_as_they_were_at_arrival() {
    let Some(mut reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    reflector.fill(&rows_at_dispatch("base")).await;
    let id = transcript("base");
    let world = World::alone().await.reading(&reflector);
    let world = world.in_phase(Position::Shadow(Percent::ALL)).await;
    let answer = world.ask("task", id.as_str(), Wish::Once).await;
    assert_eq!(answer.serve, Owner::Control);
    let route = world.route(id.as_str()).await;
    assert_eq!(route.beside, Beside::Candidate);
    let subject = route.subject.expect("it was read in time");
    assert_eq!(Some(subject.recording.id), route.recording_id);
    assert_eq!(subject.transcript.room_id, route.room_id);
    assert_eq!(subject.track_keys, ["a", "b"]);
    reflector.remove().await;
}

#[tokio::test]
async fn what_reflector_does_not_know_is_served_by_the_control_alone() {
    let Some(reflector) = Reflector::fresh(Columns::All).await else {
        return;
    };
    let world = World::alone().await.reading(&reflector);
    let all = Percent::ALL;
    for position in [
        Position::Shadow(all),
        Position::Cutover(all),
        Position::Draining,
    ] {
        world.flip(position).await;
        let transcript = format!("of-{position}");
        let answer = world.ask(&transcript, &transcript, Wish::Once).await;
        assert_eq!(answer.serve, Owner::Control, "{position}");
        assert_eq!(world.route(&transcript).await.beside, Beside::None);
    }
    reflector.remove().await;
}

#[tokio::test]
async fn a_reflector_that_is_gone_costs_neither_time_nor_recordings() {
    let mut world = World::alone()
        .await
        .in_phase(Position::Shadow(Percent::ALL))
        .await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:p@{}/r", silent.local_addr().unwrap());
    world.intake.reflector = Some(switchyard::legacy::reflector::Reflector::open(&url).unwrap());
    world.intake.budget.rows = Duration::from_millis(1);
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!(answer.serve, Owner::Control);
}

#[tokio::test]
async fn a_database_that_is_gone_ends_on_celery() {
    let world = World::alone().await.in_phase(Position::Draining).await;
    world.intake.store.close().await;
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!((answer.serve, answer.pinned), (Owner::Control, None));
    assert!(answer.reason.starts_with("in doubt: "), "{}", answer.reason);
}

#[tokio::test]
async fn a_database_that_is_locked_ends_on_celery_in_time() {
    let mut world = World::alone().await.in_phase(Position::Draining).await;
    world.intake.budget = Budget::default();
    let _lock = world.intake.store.begin().await.unwrap();
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!((answer.serve, answer.pinned), (Owner::Control, None));
    assert!(answer.reason.ends_with("in time"), "{}", answer.reason);
}

#[tokio::test]
async fn a_postgresql_that_is_blocked_ends_on_celery_in_time() {
    let Some(database) = Database::fresh(Kind::Postgres).await else {
        return;
    };
    let mut world = World::alone().await;
    world.intake.store = database.store().await;
    world.flip(Position::Draining).await;
    world.intake.budget = Budget::default();
    let mut other = database.connect().await;
    for sql in [
        "begin",
        "lock table phases, routes in access exclusive mode",
    ] {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
    let began = std::time::Instant::now();
    let answer = world.ask("task", "t", Wish::Once).await;
    println!("answered after {:?}", began.elapsed());
    assert_eq!((answer.serve, answer.pinned), (Owner::Control, None));
    assert!(answer.reason.ends_with("in time"), "{}", answer.reason);
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    let answer = world.ask("task", "t", Wish::Once).await;
    assert_eq!(
        answer.serve,
        Owner::Candidate,
        "nothing was pinned in doubt"
    );
    world.intake.store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_task_is_answered_as_before_whatever_the_phase_is_now() {
    let world = World::alone().await;
    world.ask("task", "t", Wish::Again).await;
    world.flip(Position::Draining).await;
    for task in ["task", "task", "another"] {
        let answer = world.ask(task, "t", Wish::Once).await;
        assert_eq!(answer.serve, Owner::Control, "{task}");
        assert!(!answer.pinned.unwrap().is_new);
    }
    // It is under way, so that nobody can want it again.
    let answer = world.ask("wanted", "t", Wish::Again).await;
    assert_eq!(answer.serve, Owner::Control);
    assert_eq!(world.routes("t").await.len(), 1);
}

#[tokio::test]
async fn a_reprocessing_that_is_wanted_is_routed_anew_once_the_earlier_is_over() {
    let world = World::alone().await;
    world.ask("first", "t", Wish::Once).await;
    let store = &world.intake.store;
    let now = (world.intake.clock)();
    let route = world.route("t").await;
    assert!(store.end_route(&route, None, now).await.unwrap());
    assert!(!store.end_route(&route, None, now).await.unwrap());
    world.flip(Position::Draining).await;

    let webhook = world.ask("second", "t", Wish::Once).await;
    assert_eq!(webhook.serve, Owner::Control);
    let wanted = world.ask("third", "t", Wish::Again).await;
    assert_eq!(wanted.serve, Owner::Candidate);
    let route = wanted.pinned.unwrap().route;
    assert_eq!((route.generation, route.task_id.as_str()), (2, "third"));
    // Each task keeps the answer it was given.
    for (task, owner) in [
        ("first", Owner::Control),
        ("second", Owner::Control),
        ("third", Owner::Candidate),
    ] {
        let answer = world.ask(task, "t", Wish::Once).await;
        assert_eq!(answer.serve, owner, "{task}");
    }
}

/// Two stores on one database, as two processes have.
async fn of_many_at_once_one_is_new(kind: Kind) {
    let Some(database) = Database::fresh(kind).await else {
        return;
    };
    let stores = [database.store().await, database.store().await];
    let arrive = |store: Store, task: String| async move {
        let request = request(&task, "t", Wish::Once);
        let arrival = switchyard::store::Arrival {
            environment: samples::staging(),
            flag: samples::flag(),
            task_id: request.task_id,
            transcript: request.transcript,
            bucket_name: request.bucket_name,
            track_keys: request.track_keys,
            wish: request.wish,
            way: Way::Tap,
        };
        let keys = switchyard::rollout::Keys::Unknown;
        store
            .arrive(&arrival, &keys, None, "salt", samples::at(5))
            .await
            .unwrap()
    };
    let mut asking = Vec::new();
    for number in 0..12 {
        let store = stores[number % 2].clone();
        // Some ask for the same task, some by another.
        let task = format!("task-{}", number / 3);
        asking.push(tokio::spawn(arrive(store, task)));
    }
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.route == answers[0].route)
    );
    assert_eq!(database.rows("routes").await.len(), 1);
    assert_eq!(database.rows("arrivals").await.len(), 4);
    for store in stores {
        store.close().await;
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_one_makes_the_route_on_sqlite() {
    of_many_at_once_one_is_new(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_one_makes_the_route_on_postgresql() {
    of_many_at_once_one_is_new(Kind::Postgres).await;
}

async fn a_phase_is_changed_by_who_saw_it(kind: Kind) {
    let Some(database) = Database::fresh(kind).await else {
        return;
    };
    let store = database.store().await;
    let about = phases::about("staging");
    let first = store.phase(&about.environment, &about.flag).await.unwrap();
    let stands = (first.position, first.version, first.changed_at);
    assert_eq!(stands, (Position::Infrastructure, 0, None));
    let at = samples::at(7);
    let percent = |hundredths| Percent::from_hundredths(hundredths).unwrap();
    for (position, seen, is_made) in [
        (Position::Shadow(percent(1000)), 1, false),
        (Position::Shadow(percent(1000)), 0, true),
        (Position::Cutover(percent(100)), 0, false),
        (Position::Cutover(percent(100)), 1, true),
    ] {
        let made = phases::flip(&store, &about, &phases::to(position, seen), at).await;
        assert_eq!(made.is_ok(), is_made, "{made:?}");
    }
    let last = store.phase(&about.environment, &about.flag).await.unwrap();
    let stands = (last.position, last.version);
    assert_eq!(stands, (Position::Cutover(percent(100)), 2));
    assert_eq!(last.changed_by.as_deref(), Some("ana"));
    assert_eq!(last.changed_at, Some(at));
    let audit = store.recent_audit(&about.environment, &about.flag, 9).await;
    let told: Vec<_> = audit
        .unwrap()
        .into_iter()
        .map(|sealed| (sealed.entry.before, sealed.entry.after))
        .collect();
    let expected = [
        ("shadow 10 %", "cutover 1 %"),
        ("infrastructure", "shadow 10 %"),
    ];
    assert_eq!(told, expected.map(|(b, a)| (b.to_owned(), a.to_owned())));
    assert_eq!(store.verify_audit().await.unwrap(), Ok(2));
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_phase_is_changed_only_by_who_saw_it_as_it_is_on_sqlite() {
    a_phase_is_changed_by_who_saw_it(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_phase_is_changed_only_by_who_saw_it_as_it_is_on_postgresql() {
    a_phase_is_changed_by_who_saw_it(Kind::Postgres).await;
}
