//! Rules of routing, what shadow runs may use, and how buckets fall: every call that writes them.

use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{
    controller::Routing,
    cost::PriceTable,
    model::{Caps, Origin, Price, UsageKind},
    rollout::{
        Beside, Keys, Known, Owner, Percent, Phase, Position, Ratio, Says, Whose,
        ratio::Drawn,
        rules::{Change, Signed},
        salt,
    },
    store::{Arrival, NewHold, NotChanged, RouteRow, Spent, Store, Way, Wish},
};

use super::samples::{at, attempt, flag, new_run, staging, usage};
use crate::{database::Database, phases};

fn signed(ms: i64) -> Signed {
    Signed {
        by: "ana".to_owned(),
        reason: "to see".to_owned(),
        at: at(ms),
    }
}

fn say(whose: Whose, key: &str, says: Says) -> Change {
    let key = key.to_owned();
    Change::Say { whose, key, says }
}

fn spent(shed: Option<&str>) -> Spent {
    let now = at(0);
    Spent {
        day_began_at: now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc(),
        gpu_seconds: 60.5,
        tokens: 1e6,
        usd: 0.1,
        unpriced: true,
        shed: shed.map(str::to_owned),
        summed_at: now,
    }
}

fn hold(_: &Ratio) -> NewHold {
    NewHold {
        owner: "switchyard".to_owned(),
        reason: "buckets".to_owned(),
        expires_at: at(1000),
    }
}

fn ratio(drawn: u64, went_in: u64) -> Ratio {
    Ratio::of(Drawn {
        phase: Phase::Shadow,
        percent: Percent::from_hundredths(1000).expect("it is below 100"),
        drawn,
        went_in,
    })
}

/// Every call that writes rules, spending and ratios.
pub async fn write_rules(store: &Store) {
    let about = phases::about("staging");
    for change in [
        say(Whose::Room, "naïve ☕", Says::Exclude),
        say(Whose::Recording, "r", Says::Control),
        Change::Remove {
            whose: Whose::Recording,
            key: "r".to_owned(),
        },
    ] {
        let changed = store.change_rules(&about, &change, &signed(5), None).await;
        changed.expect("the store answers").expect("it is changed");
    }
    for shed in [None, Some("shed: naïve")] {
        let noted = store.note_spent(&staging(), &flag(), &spent(shed)).await;
        noted.expect("it is noted");
    }
    let ratios = [ratio(40, 5)];
    let placed = store.note_ratios(&about, &ratios, hold, at(6)).await;
    assert!(placed.expect("it is noted").is_empty());
}

pub async fn rules_are_changed_by_who_saw_them_as_they_are_and_every_change_is_on_record(
    database: &Database,
) {
    let store = database.store().await;
    let about = phases::about("staging");
    let pin = say(Whose::Room, "room", Says::Candidate);
    let change = |change: Change, seen| {
        let (store, about) = (store.clone(), about.clone());
        async move {
            let changed = store.change_rules(&about, &change, &signed(5), seen).await;
            changed.expect("the store answers")
        }
    };
    let row = change(pin.clone(), Some(0))
        .await
        .expect("nobody was first");
    assert_eq!((row.version, row.changed_by.as_deref()), (1, Some("ana")));
    let late = change(pin.clone(), Some(0))
        .await
        .expect_err("somebody was");
    assert!(
        late.to_string()
            .contains("at version 1 by now, changed by ana"),
        "{late}"
    );
    let exclude = say(Whose::Room, "room", Says::Exclude);
    change(exclude.clone(), Some(1)).await.expect("it was seen");
    let senseless = change(Change::Reach("inner".to_owned()), None).await;
    assert!(matches!(senseless, Err(NotChanged::Senseless(_))));

    let place = NewHold {
        owner: "bo".to_owned(),
        reason: "audit week".to_owned(),
        expires_at: at(9),
    };
    let id = store
        .place_hold(&about, &place, at(6))
        .await
        .expect("it holds");
    let held = change(pin.clone(), None).await.expect_err("it is held");
    assert!(held.to_string().contains("bo holds: audit week"), "{held}");
    change(exclude, None)
        .await
        .expect("less is no forward move");
    let released = store.release_hold(&about, &id, ("bo", ""), at(7)).await;
    assert!(released.expect("an answer"));
    let row = change(pin, None).await.expect("nobody holds");

    let standing = store.standing(&staging(), &flag(), at(8)).await;
    assert_eq!(standing.expect("it is read").rules, row);
    let entries = store.recent_audit(&about.environment, &about.flag, 9).await;
    let told: Vec<_> = entries
        .expect("entries")
        .into_iter()
        .filter(|sealed| sealed.entry.action == "routing")
        .map(|sealed| (sealed.entry.before, sealed.entry.after))
        .collect();
    let expected = [
        ("room room: exclude", "room room: candidate"),
        ("room room: exclude", "room room: exclude"),
        ("room room: candidate", "room room: exclude"),
        ("room room: nothing", "room room: candidate"),
    ];
    assert_eq!(told, expected.map(|(b, a)| (b.to_owned(), a.to_owned())));
    store
        .verify_audit()
        .await
        .expect("it is read")
        .expect("it is whole");
    store.close().await;
}

pub async fn of_two_who_change_the_rules_at_once_one_is_told_to_look_again(database: &Database) {
    let stores = [database.store().await, database.store().await];
    let change = |store: Store, room: &'static str| async move {
        let about = phases::about("staging");
        let change = say(Whose::Room, room, Says::Exclude);
        let changed = store
            .change_rules(&about, &change, &signed(5), Some(0))
            .await;
        changed.expect("the store answers")
    };
    let [one, other] = stores.clone();
    let (one, other) = tokio::join!(
        tokio::spawn(change(one, "one")),
        tokio::spawn(change(other, "other"))
    );
    let outcomes = [one.expect("no panic"), other.expect("no panic")];
    let refused = outcomes.iter().filter_map(|one| one.as_ref().err());
    let refused: Vec<_> = refused.collect();
    assert!(matches!(
        refused[..],
        [NotChanged::Changed {
            seen: 0,
            version: 1,
            ..
        }]
    ));
    for store in stores {
        store.close().await;
    }
}

async fn arrive(store: &Store, recording: &str, room: &str, now: DateTime<Utc>) -> RouteRow {
    let arrival = Arrival {
        environment: staging(),
        flag: flag(),
        task_id: format!("task-of-{recording}"),
        transcript: format!("transcript-of-{recording}").as_str().into(),
        bucket_name: "b".to_owned(),
        track_keys: Vec::new(),
        wish: Wish::Once,
        way: Way::Tap,
    };
    let keys = Keys::Known(Known {
        recording: recording.into(),
        room: Some(room.into()),
        without_webhook: false,
    });
    let salt = salt(&staging(), &flag());
    let pinned = store.arrive(&arrival, &keys, None, &salt, now).await;
    pinned.expect("it is pinned").route
}

pub async fn a_flip_and_a_rule_count_for_the_next_arrival_of_every_router(database: &Database) {
    let mut routers = Vec::new();
    for _ in 0..4 {
        routers.push(database.store().await);
    }
    // Each reads them when something arrives, so that there is nothing to wait for.
    for (round, (position, owner)) in [
        (Position::Cutover(Percent::ALL), Owner::Candidate),
        (Position::Shadow(Percent::ALL), Owner::Control),
        (Position::Soak, Owner::Candidate),
    ]
    .into_iter()
    .enumerate()
    {
        phases::put(&routers[round], "staging", position, at(1)).await;
        for (number, router) in routers.iter().enumerate() {
            let route = arrive(router, &format!("r{round}{number}"), "room", at(2)).await;
            assert_eq!(route.owner, owner, "{position}, router {number}");
        }
    }
    let exclude = say(Whose::Room, "room", Says::Exclude);
    let about = phases::about("staging");
    let changed = routers[0]
        .change_rules(&about, &exclude, &signed(5), None)
        .await;
    changed.expect("the store answers").expect("it is changed");
    for (number, router) in routers.iter().enumerate() {
        let route = arrive(router, &format!("excluded{number}"), "room", at(6)).await;
        assert_eq!((route.owner, route.beside), (Owner::Control, Beside::None));
        assert!(
            route
                .reason
                .ends_with("the room is excluded by ana: to see")
        );
    }
    for router in routers {
        router.close().await;
    }
}

fn routing(store: &Store, caps: Caps, now: DateTime<Utc>) -> Routing {
    let price = Price {
        kind: UsageKind::GpuSeconds,
        of: None,
        usd: 0.5,
        per: 1.0,
        why: "a test".to_owned(),
    };
    Routing {
        about: phases::about("staging"),
        store: store.clone(),
        prices: std::sync::Arc::new(PriceTable {
            prices: vec![price],
        }),
        caps,
        clock: std::sync::Arc::new(move || now),
    }
}

pub async fn over_a_cap_nothing_runs_beside_until_the_next_day(database: &Database) {
    let store = database.store().await;
    phases::put(&store, "staging", Position::Shadow(Percent::ALL), at(0)).await;
    let run = new_run("run_shadow", "used");
    store.insert_run(&run, at(1)).await.expect("a run");
    let task = attempt("task-1", "transcribe_track_0", 1, 2);
    store
        .begin_attempt(&run.id, &task)
        .await
        .expect("it begins");
    let seconds = [usage(UsageKind::GpuSeconds, "whisper", 61.0)];
    let noted = store.note_usage(&run.id, "transcribe_track_0", "task-1", &seconds);
    noted.await.expect("it is metered");
    // What others made somebody use, or serves users, is not a shadow run's.
    let mut elsewhere = new_run("run_elsewhere", "elsewhere");
    elsewhere.environment = "production".into();
    elsewhere.origin = Origin::Manual;
    store.insert_run(&elsewhere, at(1)).await.expect("a run");
    let noted = store.note_usage(&elsewhere.id, "t", "task-2", &seconds);
    noted.await.expect("it is metered");

    let none = routing(&store, Caps::default(), at(3)).tick().await;
    let none = none.expect("it is summed");
    assert_eq!((none.gpu_seconds, none.usd, none.shed), (61.0, 30.5, None));
    let caps = |max_gpu_seconds| Caps {
        max_gpu_seconds: Some(max_gpu_seconds),
        ..Caps::default()
    };
    routing(&store, caps(61.5), at(3))
        .tick()
        .await
        .expect("it is summed");
    let before = arrive(&store, "before", "room", at(4)).await;
    assert_eq!(
        (before.beside, before.drawn),
        (Beside::Candidate, Some(true))
    );
    routing(&store, caps(60.0), at(5))
        .tick()
        .await
        .expect("it is summed");
    let over = arrive(&store, "over", "room", at(6)).await;
    assert_eq!(
        (over.beside, over.bucket, over.drawn),
        (Beside::None, None, None)
    );
    assert_eq!(
        over.reason,
        "phase shadow: shed: shadow runs have used 61 of 60 GPU seconds today"
    );
    let lifted = routing(&store, Caps::default(), at(7)).tick().await;
    lifted.expect("it is summed");
    let lifted = arrive(&store, "lifted", "room", at(8)).await;
    assert_eq!(lifted.beside, Beside::Candidate, "there is no cap any more");
    let over = routing(&store, caps(60.0), at(9)).tick().await;
    assert!(over.expect("it is summed").shed.is_some());
    let tomorrow = at(9) + TimeDelta::days(1);
    let next = arrive(&store, "next", "room", tomorrow).await;
    assert_eq!(
        next.beside,
        Beside::Candidate,
        "of the next day nothing is used"
    );
    let spent = routing(&store, caps(60.0), tomorrow).tick().await;
    assert!(spent.expect("it is summed").gpu_seconds < 0.1);
    store.close().await;
}

pub async fn buckets_that_do_not_fall_as_they_should_hold_the_migration_once(database: &Database) {
    let store = database.store().await;
    let ten = Percent::from_hundredths(1000).expect("it is below 100");
    phases::put(&store, "staging", Position::Shadow(ten), at(0)).await;
    let salt = salt(&staging(), &flag());
    let is_in = |recording: &String| switchyard::rollout::bucket(&salt, recording) < 1000;
    // Only those that are inside arrive: nobody draws lots like that.
    let inside: Vec<_> = (0..200)
        .map(|number| format!("r{number}"))
        .filter(is_in)
        .collect();
    for (ms, recording) in (1..).zip(&inside[..5]) {
        arrive(&store, recording, "room", at(ms)).await;
    }
    let routing = routing(&store, Caps::default(), at(100));
    let about = phases::about("staging");
    let placed = routing.look_at_ratios().await.expect("it looks");
    let holds = store.holds(&about).await.expect("holds");
    assert_eq!(placed, [holds[0].id.clone()]);
    assert_eq!(holds[0].owner, "switchyard");
    assert!(
        holds[0]
            .reason
            .contains("shadow 10 %: 5 of 5 recordings went in, 100.0 %"),
        "{}",
        holds[0].reason
    );
    let told = store.new_notices(&staging()).await;
    assert!(
        told.expect("notices")
            .iter()
            .any(|notice| notice.kind.as_str() == "hold")
    );
    let released = store
        .release_hold(&about, &placed[0], ("bo", "found"), at(101))
        .await;
    assert!(released.expect("an answer"));
    assert!(
        routing.look_at_ratios().await.expect("it looks").is_empty(),
        "once"
    );
    let stored = store.ratios(&about).await.expect("ratios").remove(0);
    assert_eq!(stored.hold_id.as_deref(), Some(placed[0].as_str()));

    // The others come as well, and all is as it should be.
    let others = (0..60).map(|number| format!("r{number}"));
    for (ms, recording) in (110..).zip(others.filter(|one| !is_in(one))) {
        arrive(&store, &recording, "room", at(ms)).await;
    }
    assert!(routing.look_at_ratios().await.expect("it looks").is_empty());
    let stored = store.ratios(&about).await.expect("ratios").remove(0);
    assert_eq!(stored.hold_id, None);
    store.close().await;
}
