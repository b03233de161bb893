//! Kills, halts and breaks things at random moments, and repairs them a little later.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use switchyard::sandbox::{Fault, FaultKind, Service};
use tokio_util::sync::CancellationToken;

use super::{dice::Dice, place::Place};

/// What was done, by kind.
#[derive(Default)]
pub struct Done(Mutex<BTreeMap<String, u32>>);

impl Done {
    fn count(&self, what: impl Into<String>) {
        let mut done = self.0.lock().expect("nobody panics with it");
        *done.entry(what.into()).or_default() += 1;
    }

    /// For people.
    pub fn told(&self) -> String {
        let done = self.0.lock().expect("nobody panics with it");
        let told: Vec<_> = done
            .iter()
            .map(|(what, times)| format!("{what} {times}"))
            .collect();
        told.join(", ")
    }
}

/// Goes on until told to stop; then everything runs and answers again.
pub async fn rage(place: &Place, mut dice: Dice, done: &Done, stop: CancellationToken) {
    loop {
        // When things break is what this test is about.
        let pause = dice.time(100, 2500);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        once(place, &mut dice, done).await;
    }
    place.sandbox.clear_faults();
}

async fn once(place: &Place, dice: &mut Dice, done: &Done) {
    match dice.below(100) {
        0..20 => {
            let worker = dice.pick(&["worker-1", "worker-2"]);
            let pause = dice.time(0, 1500);
            kill(place, worker, pause, done).await;
        }
        20..25 => {
            // One after the other, so that the second meets what the first left.
            for worker in ["worker-1", "worker-2"] {
                let pause = dice.time(0, 500);
                kill(place, worker, pause, done).await;
            }
        }
        25..33 => kill(place, "engine", dice.time(0, 2000), done).await,
        33..39 => kill(place, "serve", dice.time(0, 2000), done).await,
        39..45 => kill(place, "tap", dice.time(0, 2000), done).await,
        45..50 => kill(place, "objects", dice.time(0, 1000), done).await,
        50..56 => {
            done.count("kill redis");
            let pause = dice.time(0, 1500);
            let _down = place.redis_is_up.write().await;
            place.redis.crash().await;
            tokio::time::sleep(pause).await;
            place.redis.resume().await;
        }
        56..62 => {
            let pause = dice.time(0, 1500);
            let _down = place.postgres_is_up.write().await;
            if dice.chance(50) {
                done.count("kill postgres");
                place.postgres.kill().await;
            } else {
                done.count("crash postgres");
                place.postgres.crash().await;
            }
            tokio::time::sleep(pause).await;
            place.postgres.resume().await;
        }
        62..70 => {
            let worker = dice.pick(&["worker-1", "worker-2"]);
            done.count("halt a worker");
            place.roles.signal(worker, "-STOP").await;
            // Up to longer than the response timeout.
            tokio::time::sleep(dice.time(500, 9000)).await;
            place.roles.signal(worker, "-CONT").await;
        }
        _ => fault(place, dice, done).await,
    }
}

async fn kill(place: &Place, role: &str, pause: Duration, done: &Done) {
    done.count(format!(
        "kill {}",
        role.trim_end_matches(char::is_numeric)
            .trim_end_matches('-')
    ));
    place.roles.kill(role).await;
    tokio::time::sleep(pause).await;
    place.roles.start(role);
}

async fn fault(place: &Place, dice: &mut Dice, done: &Done) {
    let service = dice.pick(&[
        Service::Daily,
        Service::Transcription,
        Service::Llm,
        Service::Zulip,
        Service::Zulip,
        Service::Webhook,
        Service::Webhook,
    ]);
    let status = |status| FaultKind::Status {
        status,
        retry_after: None,
        body: None,
    };
    let times = 1 + u32::try_from(dice.below(5)).expect("it is small");
    let (what, kind) = match dice.below(7) {
        0 => ("answers cut off", FaultKind::Cut { after_bytes: 0 }),
        1 => ("answers cut", FaultKind::Cut { after_bytes: 60 }),
        2 => ("answers 500", status(500)),
        // A customer who answers 429 has refused, as in the legacy.
        3 if service != Service::Webhook => ("answers 429", status(429)),
        4 => {
            done.count("answers held back");
            place
                .sandbox
                .fault(Fault::always(service, FaultKind::Hang).times(times));
            tokio::time::sleep(dice.time(500, 3000)).await;
            place.sandbox.release();
            return;
        }
        5 => ("garbage", FaultKind::Garbage),
        _ => (
            "answers late",
            FaultKind::Delay {
                ms: 1 + dice.below(2500),
            },
        ),
    };
    done.count(what);
    place
        .sandbox
        .fault(Fault::always(service, kind).times(times));
}
