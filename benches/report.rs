//! What the report on 10,000 recordings takes: `cargo bench --bench report`. Once from a store (a SQLite
//! file; PostgreSQL where `SWITCHYARD_TEST_POSTGRES` names a server) to the page, as `switchyard report
//! --html` makes it; and from made-up facts that show everything a page can hold. Prints seconds and
//! size, and leaves the pages in `target/tmp/report-bench` to be looked at.

#[path = "parts/draws.rs"]
mod draws;
#[path = "parts/evidence.rs"]
mod evidence;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use switchyard::{
    controller::{Mover, Recent},
    gate::{
        Defect, Distance, Ended, Facts, FieldFacts, FieldKind, FieldRule, InForce, NoisePair, Pair,
        Reviews, Rules, SelfTest, Severity, Sides, Stratum, decide,
    },
    model::{Bounds, GateBounds, Origin, RecordingId, RunId, StepTiming},
    report::evidence::{
        About, Beside, Change, ClassCount, EvidenceReport, Gathered, Held, History, How, Links,
        LookedAt, Material, StepsOfRun, Timeline, html, json, markdown,
    },
    rollout::Surroundings,
    store::Store,
};

use draws::{Dice, normal};
use evidence::{Database, Kind, PAIRS, fill, now, phases};

/// What the page may take, from the store on.
const TARGET: Duration = Duration::from_secs(5);

/// A number as recordings are counted.
fn count(all: usize) -> i64 {
    i64::try_from(all).expect("there are that few")
}

const HARD: [(&str, &str); 12] = [
    ("status", "Status"),
    ("duration", "Duration"),
    ("waveform", "Waveform"),
    ("words", "Words"),
    ("word_times", "Word times"),
    ("speakers", "Speakers"),
    ("participants", "Participants"),
    ("events", "Events"),
    ("webhook", "Webhook"),
    ("zulip", "Zulip message"),
    ("files", "Stored files"),
    ("consent", "Consent"),
];
const SOFT: [(&str, &str, f64); 6] = [
    ("transcript", "Transcript", 0.02),
    ("topic_titles", "Topic titles", 0.10),
    ("topic_summaries", "Topic summaries", 0.05),
    ("title", "Title", 0.10),
    ("short_summary", "Short summary", 0.05),
    ("long_summary", "Long summary", 0.05),
];

fn rules() -> Rules {
    let rule = |name: &str, label: &str, kind| FieldRule {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        dry_run: 0,
    };
    let hard = HARD.map(|(name, label)| rule(name, label, FieldKind::Hard));
    let soft = SOFT.map(|(name, label, margin)| rule(name, label, FieldKind::Soft(margin)));
    Rules {
        bounds: GateBounds::default(),
        fields: hard.into_iter().chain(soft).collect(),
    }
}

fn pair(number: usize, dice: &mut Dice) -> Pair {
    let minutes = (20.0 * normal(dice, 0.9).exp()).clamp(2.0, 240.0);
    let tracks = [1, 2, 2, 3, 4, 5, 6, 8];
    let draw = dice.share();
    let tracks = tracks
        .into_iter()
        .zip(1..)
        .find(|(_, at)| draw < f64::from(*at) / 8.0)
        .map_or(1, |(tracks, _)| tracks);
    let language = match dice.share() {
        draw if draw < 0.8 => "en",
        draw if draw < 0.92 => "es",
        draw if draw < 0.98 => "de",
        _ => "ja",
    };
    let control = 1000.0 * (25.0 + 7.0 * minutes) * normal(dice, 0.15).exp();
    let slow = if dice.share() < 0.01 { 2.2 } else { 1.0 };
    let is_lost = dice.share();
    Pair {
        recording: RecordingId::new(format!("2f1c77a4-0000-4000-8000-{number:012}")),
        run: RunId::new(format!("run_{number:032x}")),
        at: now() - TimeDelta::minutes(10 * (10_000 - count(number))),
        origin: if dice.share() < 0.2 {
            Origin::Replay
        } else {
            Origin::Arrival
        },
        stratum: Stratum::of(tracks, Some(60_000.0 * minutes), language),
        candidate: match is_lost {
            draw if draw < 0.001 => Ended::Failed,
            draw if draw < 0.0015 => Ended::TimedOut,
            _ => Ended::Well,
        },
        broken: if dice.share() < 0.002 {
            vec!["webhook".to_owned()]
        } else {
            Vec::new()
        },
        outside: if dice.share() < 0.01 {
            vec!["title".to_owned(), "long_summary".to_owned()]
        } else {
            Vec::new()
        },
        compared: 18,
        took_ms: Some(Sides {
            control,
            candidate: slow * 0.93 * control * normal(dice, 0.12).exp(),
        }),
        usd: Some(Sides {
            control: 0.004 * minutes,
            candidate: 0.0038 * minutes,
        }),
        audio_ms: Some(60_000.0 * minutes),
        effects_equal: Some(dice.share() > 0.002),
    }
}

/// So many recordings, each with a second run of the control: more than anybody will have.
fn facts(recordings: usize) -> Facts {
    let mut dice = Dice::new(7);
    let mut facts = Facts {
        pairs: (0..recordings)
            .map(|number| pair(number, &mut dice))
            .collect(),
        ..Facts::default()
    };
    facts.known_strata = facts
        .pairs
        .iter()
        .map(|pair| pair.stratum.clone())
        .collect();
    facts.known_strata.sort();
    facts.known_strata.dedup();
    facts.known_strata.push(Stratum::of(8, Some(5e6), "fr"));
    for (name, _) in HARD {
        let is_broken = |pair: &&Pair| pair.broken.iter().any(|field| field == name);
        let seen = FieldFacts {
            compared: count(recordings),
            differs: count(facts.pairs.iter().filter(is_broken).count()),
            noise: Vec::new(),
        };
        facts.fields.insert(name.to_owned(), seen);
    }
    for (at, (name, _, margin)) in SOFT.into_iter().enumerate() {
        let worse = [0.0, 0.2, 0.0, 0.4, 1.4, 0.8][at] * margin;
        let distance = |dice: &mut Dice, more: f64| {
            let value = (3.0 * margin + more + normal(dice, margin)).clamp(0.0, 1.0);
            Distance {
                value,
                broken: dice.share() < 0.002,
                differs: value > 5.0 * margin,
            }
        };
        let noise = facts.pairs.iter().map(|pair| NoisePair {
            recording: pair.recording.clone(),
            origin: pair.origin,
            candidate_control: distance(&mut dice, worse),
            candidate_again: distance(&mut dice, worse),
            control_again: distance(&mut dice, 0.0),
            candidate_twice: None,
        });
        let noise: Vec<NoisePair> = noise.collect();
        let seen = FieldFacts {
            compared: count(recordings),
            differs: count(
                noise
                    .iter()
                    .filter(|pair| pair.candidate_control.differs)
                    .count(),
            ),
            noise,
        };
        facts.fields.insert(name.to_owned(), seen);
    }
    facts.left_out.control_failed = 31;
    facts.reviews = Some(Reviews {
        open_s0: 0,
        open_s1: 2,
        rejected: 0,
        done: 41,
        needed: 60,
    });
    let defect = |name: &str, severity, caught| Defect {
        name: name.to_owned(),
        severity,
        caught,
        of: 200,
    };
    facts.self_test = Some(SelfTest {
        defects: vec![
            defect("5 % of words dropped", Severity::S1, 200),
            defect("two speakers swapped", Severity::S1, 199),
            defect("one number changed", Severity::S1, 184),
            defect("a sentence negated", Severity::S1, 196),
            defect("a topic dropped", Severity::S2, 171),
        ],
    });
    facts.in_force = InForce {
        waivers: 2,
        rules: 1,
    };
    facts
}

fn steps() -> Vec<StepsOfRun> {
    let step = |name: &str, s: f64| StepTiming {
        step: name.to_owned(),
        wall_ms: 1000.0 * s,
    };
    let mut run = StepsOfRun::default();
    run.control.steps = vec![
        step("get_participants", 0.4),
        step("pad_track", 14.0),
        step("mixdown_tracks", 11.0),
        step("transcribe_track", 96.0),
        step("detect_topics", 31.0),
        step("generate_title", 2.1),
        step("generate_summary", 12.0),
        step("post_zulip", 0.5),
    ];
    run.candidate.steps = vec![
        step("get_recording", 0.2),
        step("get_participants", 0.4),
        step("pad_track", 3.0),
        step("mixdown_tracks", 6.5),
        step("generate_waveform", 0.9),
        step("transcribe_track", 94.0),
        step("merge_transcripts", 0.1),
        step("detect_topics", 17.0),
        step("generate_title", 2.0),
        step("generate_summary", 12.5),
        step("finalize", 0.2),
        step("post_zulip", 0.4),
    ];
    vec![run]
}

fn classes() -> Vec<ClassCount> {
    let class = |class: &str, severity, count| ClassCount {
        class: class.to_owned(),
        severity,
        count,
    };
    vec![
        class("paraphrase", Severity::S3, 4120),
        class("asr variation", Severity::S3, 1890),
        class("boundary shift", Severity::S2, 410),
        class("omission", Severity::S2, 96),
        class("fact changed", Severity::S1, 37),
        class("side effect", Severity::S0, 1),
    ]
}

/// Two phases, a Conductor that is gone now and then, a hold, and three versions.
fn history(facts: &Facts) -> History {
    let change = |hours: i64, before: &str, after: &str| Change {
        at: now() - TimeDelta::hours(hours),
        before: before.to_owned(),
        after: after.to_owned(),
        by: "ada".to_owned(),
        reason: "as planned".to_owned(),
    };
    let breaker = (1..20).flat_map(|at| {
        [
            change(1700 - 80 * at, "closed", "open"),
            change(1695 - 80 * at, "open", "recovering"),
            change(1690 - 80 * at, "recovering", "closed"),
        ]
    });
    let gathered = |versions: &str, first, last| Gathered {
        versions: versions.to_owned(),
        first: now() - TimeDelta::hours(first),
        last: now() - TimeDelta::hours(last),
        runs: 3000,
    };
    History {
        moves: vec![
            change(1900, "infrastructure", "parallel"),
            change(1600, "parallel", "shadow 10 %"),
            change(800, "shadow 10 %", "shadow 100 %"),
        ],
        phase: "shadow 100 %".to_owned(),
        breaker: breaker.collect(),
        breaker_now: Some("closed".to_owned()),
        holds: vec![Held {
            from: now() - TimeDelta::hours(500),
            to: Some(now() - TimeDelta::hours(300)),
            owner: "grace".to_owned(),
            reason: "holidays".to_owned(),
        }],
        versions: vec![
            gathered("89abcdef01234567", 1900, 1400),
            gathered("0123456789abcdef", 1300, 700),
            gathered("76543210fedcba98", 600, 1),
        ],
        runs: facts
            .pairs
            .iter()
            .map(|pair| {
                let how = match (pair.candidate, pair.outside.is_empty()) {
                    (Ended::Well, true) => How::Same,
                    (Ended::Well, false) => How::Differs,
                    (Ended::Failed | Ended::TimedOut, _) => How::Failed,
                };
                (pair.at, how)
            })
            .collect(),
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("the folder can be written to");
    println!("  {name:24} {:>8.1} kB", text.len() as f64 / 1000.0);
}

/// What a program that starts with a store full of comparisons takes to the page.
async fn from_the_store(folder: &Path) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let Some(database) = Database::fresh(kind).await else {
            continue;
        };
        let store = Store::open(&database.url).await.expect("it opens");
        fill(&database).await;
        store.close().await;
        let begun = Instant::now();
        let store = Store::open(&database.url).await.expect("it opens");
        let mover = Mover {
            about: phases::about("staging"),
            store,
            bounds: Bounds::default(),
            around: Arc::new(|| {
                Box::pin(async {
                    Surroundings {
                        may_serve: Ok(()),
                        celery_waiting: Some(0),
                    }
                })
            }),
            prices: Arc::default(),
            clock: Arc::new(now),
            looked: Recent::default(),
        };
        let report = mover.evidence_report(None).await.expect("it is made");
        let made = begun.elapsed();
        let page = html::render(&report, Links::Server).expect("the template is right");
        let took = begun.elapsed();
        println!(
            "{kind:?}: {PAIRS} recordings from the store to the report {:.2} s, to the page {:.2} s; target {} s: {}",
            made.as_secs_f64(),
            took.as_secs_f64(),
            TARGET.as_secs(),
            if took < TARGET { "met" } else { "MISSED" }
        );
        write(
            folder,
            &format!("store-{kind:?}.html").to_lowercase(),
            &page,
        );
        mover.store.close().await;
        database.remove().await;
    }
}

fn main() {
    // `cargo test --benches` asks for nothing but that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-bench");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(from_the_store(&folder));
    let about = About {
        environment: "staging".to_owned(),
        flag: "daily_diarization_pipeline".to_owned(),
        at: "2025-10-20 10:00 UTC".to_owned(),
        versions: "0123456789abcdef".to_owned(),
        digest: "fedcba9876543210".to_owned(),
    };
    let rules = rules();
    for recordings in [10_000, 60, 0] {
        let facts = if recordings == 0 {
            Facts::default()
        } else {
            facts(recordings)
        };
        let begun = Instant::now();
        let decision = decide(&rules, &facts, now());
        let decided = begun.elapsed();
        let (steps, classes) = if recordings == 0 {
            (Vec::new(), Vec::new())
        } else {
            (steps(), classes())
        };
        let report = EvidenceReport::of(Material {
            about: &about,
            rules: &rules,
            facts: &facts,
            decision: &decision,
            steps: &steps,
            classes: &classes,
            looked_at: &LookedAt::default(),
            timeline: &Timeline::of(&history(&facts), now()),
            beside: &Beside::default(),
            earlier: None,
        });
        let made = begun.elapsed();
        let page = html::render(&report, Links::Server).expect("the template is right");
        println!(
            "{recordings} recordings: decided in {:.2} s, reported by {:.2} s, on the page by {:.2} s",
            decided.as_secs_f64(),
            made.as_secs_f64(),
            begun.elapsed().as_secs_f64()
        );
        write(&folder, &format!("{recordings}.html"), &page);
        let text = json::render(&report).expect("it is JSON");
        write(&folder, &format!("{recordings}.json"), &text);
        write(
            &folder,
            &format!("{recordings}.md"),
            &markdown::render(&report),
        );
    }
    println!("in {}", folder.display());
}
