//! Mirrors that nobody asked for: begun within the day's bounds, of those who may be, once.

use chrono::{DateTime, Utc};
use serde_json::json;
use switchyard::{
    app::ByItself,
    compare::Comparison,
    model::{Mirroring, Origin, RunId, RunState},
    rollout::{Percent, Position},
    store::{
        Attempt, ComparisonFacts, Effects, Mirror, MirrorOutcome, MirrorState, NewRun, Output,
        StoredComparison,
    },
};

use super::{
    ANOTHER_RUN, never, original,
    site::{Ending, Site, Worker},
};
use crate::{phases, reflector::world::recorded};

/// Everything is mirrored, whoever answered.
fn all() -> Mirroring {
    Mirroring {
        percent: 100.0,
        reverse_percent: 100.0,
        unanswered: true,
        ..Mirroring::default()
    }
}

async fn look(site: &Site, settings: &Mirroring) -> ByItself {
    let looked = site.mirrors().by_itself(settings, &never()).await;
    looked.expect("it looks")
}

async fn ended(site: &Site, settings: &Mirroring) -> Mirror {
    match look(site, settings).await {
        ByItself::Ended(mirror) => *mirror,
        other => panic!("no mirror: {other:?}"),
    }
}

async fn paused(site: &Site, settings: &Mirroring) -> String {
    match look(site, settings).await {
        ByItself::Paused(why) => why,
        other => panic!("not paused: {other:?}"),
    }
}

fn now(site: &Site) -> DateTime<Utc> {
    (site.app.clock)()
}

async fn put(site: &Site, position: Position) {
    phases::put(&site.app.store, "test", position, now(site)).await;
}

/// A run of the recorded meeting that ended well.
async fn ran(site: &Site, effects: Effects) -> RunId {
    let (store, about) = (&site.app.store, site.app.about().expect("it is known"));
    let new = NewRun {
        id: RunId::new("run_1"),
        environment: about.environment.clone(),
        flag: about.flag.clone(),
        generation: 1,
        phase: "shadow".to_owned(),
        subject: recorded("base").subject,
        cache_scope: String::new(),
        control_id: None,
        effects,
        origin: Origin::Arrival,
    };
    assert!(store.insert_run(&new, now(site)).await.expect("it is"));
    let attempt = Attempt {
        task_id: "task".to_owned(),
        task_ref: "get_participants".to_owned(),
        task_name: "get_participants".to_owned(),
        attempt: 1,
        worker: "worker".to_owned(),
        started_at: now(site),
        finished_at: None,
        status: "running".to_owned(),
        cause: None,
    };
    let begun = store.begin_attempt(&new.id, &attempt).await;
    begun.expect("it begins");
    let participants = Output {
        task_ref: "get_participants".to_owned(),
        input_hash: "hash".to_owned(),
        output: json!({}),
        document: Some(json!(recorded("base").outcome.participants)),
    };
    let kept = store.check_in(&new.id, "task", &participants, &[], &[], now(site));
    kept.await.expect("it is kept");
    let ended = store.finish_run(&new.id, RunState::Completed, None, now(site));
    assert!(ended.await.expect("it ends"));
    new.id
}

/// A shadow run that was compared under the versions as they are.
async fn compared(site: &Site) {
    let run = ran(site, Effects::Shadow).await;
    let comparison = StoredComparison {
        id: "cmp_1".to_owned(),
        run_id: run,
        verdict: "within_noise".to_owned(),
        policy_digest: "policy".to_owned(),
        epoch: site.app.about().expect("it is known").epoch,
        report: json!({}),
        compared_at: now(site),
        fields: Vec::new(),
        facts: ComparisonFacts::default(),
    };
    let kept = site.app.store.insert_comparison(&comparison).await;
    kept.expect("it is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compared_recording_is_mirrored_by_itself_once_and_within_the_day_s_number() {
    let Some(mut site) = Site::after_a_run().await else {
        return;
    };
    let before = site.outside().await;
    let _worker = Worker::new(&site, Ending::AsRecorded).await.start();
    let why = paused(&site, &all()).await;
    assert!(why.contains("the migration is in infrastructure"), "{why}");
    put(&site, Position::Shadow(Percent::ALL)).await;
    assert_eq!(look(&site, &all()).await, ByItself::Nothing);
    compared(&site).await;
    let none = Mirroring {
        percent: 0.0,
        ..all()
    };
    assert_eq!(look(&site, &none).await, ByItself::Nothing);
    let mirror = ended(&site, &all()).await;
    assert_eq!(mirror.outcome, Some(MirrorOutcome::Compared));
    assert_eq!((&mirror.original, &mirror.reverse_of), (&original(), &None));
    assert_eq!(mirror.state, MirrorState::Removed);
    assert_eq!(site.outside().await, before);
    assert_eq!(look(&site, &all()).await, ByItself::Nothing, "it has one");
    let one = Mirroring {
        per_day: 1,
        ..all()
    };
    assert_eq!(paused(&site, &one).await, "1 of 1 mirrors were begun today");
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_by_itself_waits_for_other_runs_and_one_that_died_is_taken_to_its_end() {
    let Some(mut site) = Site::after_a_run().await else {
        return;
    };
    put(&site, Position::Shadow(Percent::ALL)).await;
    compared(&site).await;
    site.world.change(ANOTHER_RUN).await;
    let why = paused(&site, &all()).await;
    assert!(why.contains("at work on `another`"), "{why}");
    site.world
        .change("delete from transcript where id = 'another'")
        .await;
    // Somebody begins it, and dies.
    let mirrors = site.mirrors();
    let mut mirror = mirrors.plan(&original()).await.expect("it is planned");
    mirrors.step(&mut mirror, &never()).await.expect("a step");
    drop(mirrors);
    let why = paused(&site, &all()).await;
    assert!(why.contains("is under way"), "{why}");
    site.later();
    let _worker = Worker::new(&site, Ending::AsRecorded).await.start();
    let finished = ended(&site, &all()).await;
    assert_eq!(finished.transcript, mirror.transcript);
    assert_eq!(finished.outcome, Some(MirrorOutcome::Compared));
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_of_which_somebody_denied_or_nobody_answered_is_passed_over() {
    let Some(mut site) = Site::after_a_run().await else {
        return;
    };
    put(&site, Position::Shadow(Percent::ALL)).await;
    compared(&site).await;
    site.world.change("delete from meeting_consent").await;
    let strict = Mirroring {
        unanswered: false,
        ..all()
    };
    assert_eq!(look(&site, &strict).await, ByItself::Nothing);
    let mirrors = site.app.store.mirrors(&site.app.name, 9).await;
    assert!(mirrors.expect("a list").is_empty());
    assert_eq!(site.queued().await, Vec::<String>::new());
    // It is not tried again, whatever is allowed later.
    assert_eq!(look(&site, &all()).await, ByItself::Nothing);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_runs_beside_what_the_candidate_served_and_is_what_it_is_held_to() {
    let Some(mut site) = Site::after_a_run().await else {
        return;
    };
    let before = site.outside().await;
    let _worker = Worker::new(&site, Ending::AsRecorded).await.start();
    put(&site, Position::Cutover(Percent::ALL)).await;
    let run = ran(&site, Effects::Live).await;
    assert_eq!(
        look(&site, &all()).await,
        ByItself::Nothing,
        "of no versions"
    );
    let (store, about) = (&site.app.store, site.app.about().expect("it is known"));
    let noted = store.note_versions(&about.environment, &about.epoch).await;
    assert_eq!(noted.expect("it is noted"), 1);
    let mirror = ended(&site, &all()).await;
    assert_eq!(
        mirror.outcome,
        Some(MirrorOutcome::Compared),
        "{:?}",
        mirror.reason
    );
    assert_eq!(mirror.reverse_of, Some(run.clone()));
    let comparison: Comparison =
        serde_json::from_value(mirror.comparison.expect("it was compared")).expect("it is one");
    let words = comparison
        .fields
        .iter()
        .find(|field| field.field.to_string() == "words");
    // The candidate of this test heard nothing, and the control did.
    assert!(
        words.is_some_and(|words| words.reason.contains("candidate") || !words.measured.is_empty())
    );
    let kept = store.run(&run).await.expect("a read").expect("it is there");
    assert_eq!(kept.control_id, mirror.control_id);
    let waiting = store.runs_to_compare(&about.environment).await;
    let waiting = waiting.expect("a list");
    assert!(
        waiting.iter().any(|one| one.id == run),
        "it is compared next"
    );
    assert_eq!(site.outside().await, before);
    assert_eq!(look(&site, &all()).await, ByItself::Nothing, "once");
    site.remove().await;
}
