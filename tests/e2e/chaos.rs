//! Promise 3 under everything at once: whatever is killed, halted or answers wrongly, each recording
//! is served, by one pipeline, and what others can see of it happens once.
//!
//! `SWITCHYARD_CHAOS_RUNS` says how many recordings arrive, `SWITCHYARD_CHAOS_SEED` repeats the luck
//! of an earlier time; where exactly a process is hit differs all the same.

mod dice;
mod ears;
mod judge;
mod load;
mod monkey;
mod place;
mod progress;
mod roles;
mod seen;
mod servers;

use std::{str::FromStr, sync::atomic::Ordering, time::Duration};

use tokio_util::sync::CancellationToken;

use self::{
    dice::Dice, ears::Heard, load::Meeting, monkey::Done, place::Place, progress::Progress,
};
use crate::reflector::Tables;

/// So many in CI.
const FEW: u64 = 12;

/// For how long things go on breaking once the last recording has arrived.
const LONGER: Duration = Duration::from_secs(6);

/// How long what is left may take when nothing breaks any more: two leases, and what waits for a
/// message that is nowhere.
const SETTLING: Duration = Duration::from_mins(5);

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let Ok(value) = text.parse() else {
        panic!("`{name}` is no number: {text}");
    };
    Some(value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_each_recording_is_served_by_one_pipeline_and_nothing_is_done_twice() {
    let seed = variable("SWITCHYARD_CHAOS_SEED").unwrap_or_else(|| {
        let random = uuid::Uuid::new_v4().as_u64_pair().0;
        // Short enough to be typed.
        random % 1_000_000
    });
    let count = variable("SWITCHYARD_CHAOS_RUNS").unwrap_or(FEW);
    println!("seed = {seed}");
    eprintln!(
        "again with: SWITCHYARD_CHAOS_SEED={seed} SWITCHYARD_CHAOS_RUNS={count} cargo test --test e2e chaos::"
    );
    let mut dice = Dice::new(seed);
    let tables = if dice.chance(50) {
        Tables::Inside
    } else {
        Tables::Apart
    };
    let Some(place) = Place::start(tables).await else {
        return;
    };
    let meetings = Meeting::all(count, &mut dice);
    load::arrive(&place, &meetings).await;

    let (done, heard, progress) = (Done::default(), Heard::default(), Progress::default());
    let stop = CancellationToken::new();
    // Two, so that things break while others are broken.
    let raging = async {
        tokio::join!(
            monkey::rage(&place, dice.fork(1), &done, stop.clone()),
            monkey::rage(&place, dice.fork(3), &done, stop.clone()),
        )
    };
    let serving = async {
        let under_way = async |published: usize| {
            published.saturating_sub(progress.settled.load(Ordering::Relaxed))
        };
        load::publish(&place, &meetings, dice.fork(2), under_way).await;
        // The schedule is this test's subject.
        tokio::time::sleep(LONGER).await;
        stop.cancel();
    };
    let all = async {
        tokio::join!(raging, serving);
        settle(&place, &meetings, &progress).await
    };
    let verdict = tokio::select! {
        verdict = all => verdict,
        () = heard.listen(&place) => unreachable!("it does not end"),
        () = progress.follow(&place) => unreachable!("it does not end"),
        () = place.roles.keep_up() => unreachable!("it does not end"),
    };
    println!(
        "{count} recordings, tables {tables:?}; {}; {} roles ended by themselves, {} runs dispatched again",
        done.told(),
        place.roles.revived.load(Ordering::Relaxed),
        progress.redispatched.load(Ordering::Relaxed),
    );
    let verdict = verdict.with(judge::judge(&place, &meetings, &progress, &heard).await);
    println!("{}", verdict.told());
    place.end().await;
    assert!(
        verdict.wrong.is_empty(),
        "seed {seed}, {count} recordings: {} wrongs\n{}",
        verdict.wrong.len(),
        verdict.wrong.join("\n")
    );
}

/// Waits until every recording is served, and quiet: nobody is at anything any more.
async fn settle(place: &Place, meetings: &[Meeting], progress: &Progress) -> judge::Verdict {
    let mut verdict = judge::Verdict::default();
    let settling = async {
        let mut looks = tokio::time::interval(Duration::from_millis(500));
        loop {
            looks.tick().await;
            let settled = progress.settled.load(Ordering::Relaxed);
            if settled >= meetings.len() && judge::is_quiet(place).await {
                return;
            }
        }
    };
    if tokio::time::timeout(SETTLING, settling).await.is_err() {
        verdict
            .wrong
            .push(format!("not settled after {SETTLING:?}"));
    }
    verdict
}
