//! What the gate does in the long run, and what reading it costs: `cargo bench --bench gate`.
//!
//! Made-up migrations, each looked at after every recording: how often it promotes, and after how many
//! recordings, by how often the candidate fails, and by how much further its texts are from the control
//! than the control from itself. Then the time to read and decide on 10,000 comparisons, on SQLite and,
//! where `SWITCHYARD_TEST_POSTGRES` names a server, on PostgreSQL.

#[path = "parts/draws.rs"]
mod draws;
#[path = "parts/evidence.rs"]
mod evidence;

use std::time::Instant;

use switchyard::{
    gate::{ALPHA, Bet, Wealth, clean_needed, log_likelihood_ratio, threshold},
    model::wilson,
    store::Store,
};

use draws::{Dice, normal};
use evidence::{Database, Kind, PAIRS, fill, now, phases};

/// The share that got there, and the median of when.
fn told(at: &[Option<u64>]) -> String {
    let mut all: Vec<u64> = at.iter().map(|at| at.unwrap_or(u64::MAX)).collect();
    all.sort_unstable();
    let there = at.iter().flatten().count();
    let share = 100.0 * there as f64 / at.len() as f64;
    match all[all.len() / 2] {
        u64::MAX => format!("{share:5.1} %, median   -"),
        median => format!("{share:5.1} %, median {median:3}"),
    }
}

const MIGRATIONS: usize = 20_000;

fn hard(dice: &mut Dice) {
    let (bound, longest) = (0.05, 2_000);
    println!(
        "failures, to be ruled out at 5 %: {MIGRATIONS} migrations of up to {longest} recordings"
    );
    let needed: Vec<u64> = (0..400)
        .map_while(|failures| clean_needed(failures, bound, ALPHA))
        .take_while(|needed| *needed <= longest)
        .collect();
    for rate in [0.05, 0.03, 0.02, 0.01, 0.005] {
        let (mut ours, mut wald, mut interval) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..MIGRATIONS {
            let mut failures = 0_u64;
            let mut at = [None; 3];
            let mut has_failed = false;
            for n in 1..=longest {
                failures += u64::from(dice.share() < rate);
                let index = usize::try_from(failures).unwrap_or(usize::MAX);
                let is_enough = needed.get(index).is_some_and(|needed| n >= *needed);
                let ratio = log_likelihood_ratio(failures, n, 0.01, bound);
                has_failed |= ratio <= -(0.95_f64 / 0.05).ln();
                let is_there = [
                    is_enough,
                    !has_failed && ratio >= (0.95_f64 / 0.05).ln(),
                    n >= 20 && wilson::lower(n - failures, n) >= 1.0 - bound,
                ];
                for (at, is_there) in at.iter_mut().zip(is_there) {
                    if is_there && at.is_none() {
                        *at = Some(n);
                    }
                }
                if at.iter().all(Option::is_some) {
                    break;
                }
            }
            ours.push(at[0]);
            wald.push(at[1]);
            interval.push(at[2]);
        }
        println!(
            "  true {:4.1} %: passes {} | Wald's test {} | Wilson's interval {}",
            100.0 * rate,
            told(&ours),
            told(&wald),
            told(&interval)
        );
    }
}

fn soft(dice: &mut Dice) {
    let (migrations, longest) = (4_000, 600);
    println!(
        "texts, by mean excess over the control's own noise: {migrations} migrations of up to {longest} mirrors"
    );
    for (name, margin, deviation) in [
        ("words", 0.02, 0.012),
        ("summary", 0.05, 0.08),
        ("title", 0.10, 0.15),
    ] {
        for (what, excess) in [("none", 0.0), ("half", margin / 2.0), ("at it", margin)] {
            let (mut passes, mut alarms) = (Vec::new(), Vec::new());
            for _ in 0..migrations {
                let mut pass = Wealth::new(Bet::Below(margin), 10.0 * margin);
                let mut alarm = Wealth::new(Bet::Above(0.0), 10.0 * margin);
                let (mut cleared, mut alarmed) = (None, None);
                for n in 1..=longest {
                    let value = excess + normal(dice, deviation) - normal(dice, deviation);
                    pass.see(value);
                    alarm.see(value);
                    if pass.log() >= threshold(ALPHA) && cleared.is_none() {
                        cleared = Some(n);
                    }
                    if alarm.log() >= threshold(ALPHA) && alarmed.is_none() {
                        alarmed = Some(n);
                    }
                }
                passes.push(cleared);
                alarms.push(alarmed);
            }
            println!(
                "  {name:7} margin {margin:.2}, excess {what:5}: passes {} | alarms {}",
                told(&passes),
                told(&alarms)
            );
        }
    }
}

async fn reading() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(database) = Database::fresh(kind).await else {
            continue;
        };
        let store = Store::open(&database.url).await.expect("it opens");
        fill(&database).await;
        let about = phases::about("staging");
        let begun = Instant::now();
        let (evidence, decision) = store.gate(&about, now()).await.expect("it is read");
        println!(
            "  {kind:?}: {} recordings read and decided on in {:.0} ms: {}",
            evidence.recordings,
            begun.elapsed().as_secs_f64() * 1000.0,
            decision.verdict
        );
        store.close().await;
        database.remove().await;
    }
}

fn main() {
    // `cargo test --benches` asks for nothing but that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    hard(&mut Dice::new(1));
    soft(&mut Dice::new(2));
    println!("reading {PAIRS} comparisons");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(reading());
}
