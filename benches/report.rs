//! What the report on 10,000 recordings takes: `cargo bench --bench report`. Prints seconds and size, and
//! leaves the pages in `target/report-bench` to be looked at.

use std::{fs, path::Path, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use switchyard::{
    gate::{
        Defect, Distance, Ended, Facts, FieldFacts, FieldKind, FieldRule, InForce, NoisePair, Pair,
        Reviews, Rules, SelfTest, Severity, Sides, Stratum, decide,
    },
    model::{GateBounds, Origin, RecordingId, RunId, StepTiming},
    report::evidence::{
        About, Change, ClassCount, EvidenceReport, Gathered, Held, History, How, Links, LookedAt,
        Material, StepsOfRun, Timeline, html, json, markdown,
    },
};

/// A number as recordings are counted.
fn count(all: usize) -> i64 {
    i64::try_from(all).expect("there are that few")
}

/// Steele, Lea and Flood's `SplitMix64`: the same draws everywhere.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 2_f64.powi(53)
    }

    /// Box and Muller.
    fn normal(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        deviation * radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_760_954_400_000).expect("it is a time")
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

fn pair(number: usize, draws: &mut Draws) -> Pair {
    let minutes = (20.0 * draws.normal(0.9).exp()).clamp(2.0, 240.0);
    let tracks = [1, 2, 2, 3, 4, 5, 6, 8];
    let draw = draws.uniform();
    let tracks = tracks
        .into_iter()
        .zip(1..)
        .find(|(_, at)| draw < f64::from(*at) / 8.0)
        .map_or(1, |(tracks, _)| tracks);
    let language = match draws.uniform() {
        draw if draw < 0.8 => "en",
        draw if draw < 0.92 => "es",
        draw if draw < 0.98 => "de",
        _ => "ja",
    };
    let control = 1000.0 * (25.0 + 7.0 * minutes) * draws.normal(0.15).exp();
    let slow = if draws.uniform() < 0.01 { 2.2 } else { 1.0 };
    let is_lost = draws.uniform();
    Pair {
        recording: RecordingId::new(format!("2f1c77a4-0000-4000-8000-{number:012}")),
        run: RunId::new(format!("run_{number:032x}")),
        at: now() - TimeDelta::minutes(10 * (10_000 - count(number))),
        origin: if draws.uniform() < 0.2 {
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
        broken: if draws.uniform() < 0.002 {
            vec!["webhook".to_owned()]
        } else {
            Vec::new()
        },
        outside: if draws.uniform() < 0.01 {
            vec!["title".to_owned(), "long_summary".to_owned()]
        } else {
            Vec::new()
        },
        compared: 18,
        took_ms: Some(Sides {
            control,
            candidate: slow * 0.93 * control * draws.normal(0.12).exp(),
        }),
        usd: Some(Sides {
            control: 0.004 * minutes,
            candidate: 0.0038 * minutes,
        }),
        audio_ms: Some(60_000.0 * minutes),
        effects_equal: Some(draws.uniform() > 0.002),
    }
}

/// So many recordings, each with a second run of the control: more than anybody will have.
fn facts(recordings: usize) -> Facts {
    let mut draws = Draws(7);
    let mut facts = Facts {
        pairs: (0..recordings)
            .map(|number| pair(number, &mut draws))
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
        let distance = |draws: &mut Draws, more: f64| {
            let value = (3.0 * margin + more + draws.normal(margin)).clamp(0.0, 1.0);
            Distance {
                value,
                broken: draws.uniform() < 0.002,
                differs: value > 5.0 * margin,
            }
        };
        let noise = facts.pairs.iter().map(|pair| NoisePair {
            recording: pair.recording.clone(),
            origin: pair.origin,
            candidate_control: distance(&mut draws, worse),
            candidate_again: distance(&mut draws, worse),
            control_again: distance(&mut draws, 0.0),
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

fn main() {
    // `cargo test --benches` asks for nothing but that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-bench");
    fs::create_dir_all(&folder).expect("the folder can be made");
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
