//! What the gate decides on: comparisons of shadow runs under the versions as they are, second runs
//! that say what noise is, and what is known beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use super::{About, ComparisonFacts, Store, reviews::read_book_until, selftests, time};
use crate::{
    compare::{self, Field, FieldVerdict, Verdict},
    gate::{
        self, Decision, Defect, Distance, Ended, FieldFacts, InForce, NoisePair, Pair, Reviews,
        SelfTest, Sides, Stratum, decide,
    },
    model::{GateVerdict, Origin, RecordingId, RunId},
    rollout::{Evidence, GateStands},
};

/// What is known beside comparisons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// What people looked at; none where nobody has.
    pub reviews: Option<Reviews>,
    /// Whether planted defects were caught; none where that was not tried.
    pub self_test: Option<SelfTest>,
    /// What people put up with.
    pub in_force: InForce,
}

/// Reads what is known beside comparisons. A test of the comparison under other versions says nothing.
async fn beside(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
    until: i64,
) -> anyhow::Result<Beside> {
    let tested = selftests::newest(tx, about, until).await?;
    let tested = tested.filter(|tested| tested.epoch == about.epoch);
    let book = read_book_until(tx, about, now, until).await?;
    let summary = book.summary(now);
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let size = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let met = summary.obligations.iter().filter(|one| one.met);
    Ok(Beside {
        reviews: (summary.recordings > 0).then(|| Reviews {
            open_s0: whole(summary.open_gravest),
            open_s1: whole(summary.open_severe - summary.open_gravest),
            rejected: whole(summary.blockers),
            done: size(met.count()),
            needed: size(summary.obligations.len()),
        }),
        self_test: tested.map(|test| SelfTest {
            defects: test
                .tested
                .scores
                .into_iter()
                .map(|score| Defect {
                    name: score.defect,
                    severity: gate_severity(score.severity),
                    caught: whole(score.caught),
                    of: whole(score.of),
                })
                .collect(),
        }),
        in_force: InForce {
            waivers: size(summary.waivers.len()),
            rules: size(summary.rules.len()),
        },
    })
}

/// How bad it is, in the gate's words.
pub const fn gate_severity(severity: compare::Severity) -> gate::Severity {
    match severity {
        compare::Severity::S0 => gate::Severity::S0,
        compare::Severity::S1 => gate::Severity::S1,
        compare::Severity::S2 => gate::Severity::S2,
        compare::Severity::S3 => gate::Severity::S3,
    }
}

impl Store {
    /// What the gate says of the evidence as it is, with the evidence's digest.
    pub async fn gate(
        &self,
        about: &About,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Evidence, Decision)> {
        let mut tx = self.begin().await.context("reading the evidence")?;
        let read = read(&mut tx, about, now).await?;
        tx.rollback().await.context("reading the evidence")?;
        Ok(read)
    }

    /// The same with the facts it was decided on.
    pub async fn gate_with_facts(
        &self,
        about: &About,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(Evidence, Decision, gate::Facts)> {
        let mut tx = self.begin().await.context("reading the evidence")?;
        let read = read_facts(&mut tx, about, now, EVER).await?;
        tx.rollback().await.context("reading the evidence")?;
        Ok(read)
    }

    /// The newest reports of these runs, as JSON, for whoever shows what is only in them.
    pub async fn newest_reports(&self, runs: &[RunId]) -> anyhow::Result<Vec<String>> {
        let sql = "-- newest_reports
            select report from comparisons where run_id = $1
            order by compared_at desc, id limit 1";
        let mut reports = Vec::with_capacity(runs.len());
        for run in runs {
            let row = sqlx::query(sql)
                .bind(run.as_str())
                .fetch_optional(&self.pool)
                .await
                .context("reading a report")?;
            if let Some(row) = row {
                reports.push(row.try_get("report")?);
            }
        }
        Ok(reports)
    }
}

/// The evidence, and what the gate says of it.
pub(super) async fn read(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
) -> anyhow::Result<(Evidence, Decision)> {
    let (evidence, decision, _) = read_facts(tx, about, now, EVER).await?;
    Ok((evidence, decision))
}

/// Later than anything is noted.
const EVER: i64 = i64::MAX;

/// Reads what was noted `until` then; `now` is when it is decided.
pub(super) async fn read_facts(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    now: DateTime<Utc>,
    until: i64,
) -> anyhow::Result<(Evidence, Decision, gate::Facts)> {
    let mut hash = Sha256::new();
    hash.update(about.epoch.as_bytes());
    let mut facts = gate::Facts::default();
    let kept = pairs(tx, about, until, &mut facts, &mut hash).await?;
    differences(tx, about, &kept, &mut facts).await?;
    noise(tx, about, until, (&kept, &mut facts), &mut hash).await?;
    facts.known_strata = known_strata(tx, about, until).await?;
    let beside = beside(tx, about, now, until).await?;
    hash.update(format!("{beside:?}").as_bytes());
    (facts.reviews, facts.self_test, facts.in_force) =
        (beside.reviews, beside.self_test, beside.in_force);
    let decision = decide(&about.gate, &facts, now);
    let counts = &decision.counts;
    let evidence = Evidence {
        epoch: about.epoch.clone(),
        digest: hex::encode(&hash.finalize()[..8]),
        recordings: counts.recordings,
        replayed: counts.replayed,
        failures: counts.failures,
        candidate_failed: counts.candidate_failed,
        days: counts.days,
    };
    Ok((evidence, decision, facts))
}

/// The same for whoever decides on a move.
pub(super) fn stands(decision: &Decision) -> GateStands {
    let missing: Vec<&str> = decision
        .reasons
        .iter()
        .map(|reason| reason.missing.as_str())
        .filter(|missing| !missing.is_empty())
        .take(3)
        .collect();
    GateStands {
        verdict: decision.verdict,
        line: decision.line.clone(),
        missing: match decision.verdict {
            GateVerdict::Pass => String::new(),
            GateVerdict::Fail | GateVerdict::NotYet => missing.join("; "),
        },
        alarm: decision.alarm.clone(),
    }
}

/// A comparison, as the first query has it.
struct Compared {
    id: String,
    run: String,
    verdict: Verdict,
    recording: String,
    generation: i64,
    origin: Origin,
    at: DateTime<Utc>,
    facts: ComparisonFacts,
}

fn compared(row: &AnyRow) -> anyhow::Result<Compared> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let (verdict, origin) = (text("verdict")?, text("origin")?);
    Ok(Compared {
        id: text("id")?,
        run: text("run_id")?,
        verdict: Verdict::parse(&verdict).with_context(|| format!("`{verdict}` is no verdict"))?,
        recording: text("recording_id")?,
        generation: row.try_get("generation")?,
        origin: Origin::parse(&origin)
            .with_context(|| format!("`{origin}` is no origin of a run"))?,
        at: time(row.try_get("started_at")?),
        facts: ComparisonFacts::read(row)?,
    })
}

/// Reads the newest comparison of each shadow run, keeps the first run of each recording that says
/// something, and tells which comparison became which pair. A recording that is run again is no
/// further recording; nor does running it again take back how it went first.
async fn pairs(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    until: i64,
    facts: &mut gate::Facts,
    hash: &mut Sha256,
) -> anyhow::Result<HashMap<String, usize>> {
    let sql = "-- evidence
        select comparisons.id, comparisons.run_id, comparisons.verdict, runs.recording_id,
            runs.generation, runs.origin, runs.started_at, coalesce(f.compared, '') as compared,
            coalesce(f.tracks, 0) as tracks, f.audio_ms, coalesce(f.language, '') as language,
            f.control_ms, f.candidate_ms, f.control_usd, f.candidate_usd, f.effects_equal
        from comparisons join runs on runs.id = comparisons.run_id
            left join comparison_facts f on f.comparison_id = comparisons.id
        where runs.environment = $1 and runs.flag = $2 and runs.epoch is null
          and runs.origin <> 'rehearsal' and comparisons.epoch = $3
          and comparisons.compared_at <= $4
        order by comparisons.run_id, comparisons.compared_at desc, comparisons.id";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context("reading comparisons")?;
    let mut newest: Vec<Compared> = Vec::with_capacity(rows.len());
    for row in &rows {
        let one = compared(row)?;
        if newest.last().is_none_or(|last| last.run != one.run) {
            newest.push(one);
        }
    }
    // The databases do not agree on the order of texts.
    newest.sort_by(|one, other| {
        (&one.recording, one.generation, &one.run).cmp(&(
            &other.recording,
            other.generation,
            &other.run,
        ))
    });
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut counting: Vec<Compared> = Vec::new();
    for one in newest {
        match one.verdict {
            Verdict::ControlFailed | Verdict::BothFailed => facts.left_out.control_failed += 1,
            Verdict::NotComparable => facts.left_out.not_comparable += 1,
            Verdict::Pending => {}
            Verdict::Match
            | Verdict::WithinNoise
            | Verdict::Differs
            | Verdict::CandidateFailed
            | Verdict::TimedOut => {
                hash.update(format!("{} {}\n", one.id, one.verdict).as_bytes());
                if taken.insert(one.recording.clone()) {
                    counting.push(one);
                } else {
                    facts.left_out.repeats += 1;
                }
            }
        }
    }
    counting.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
    let mut kept = HashMap::with_capacity(counting.len());
    for one in counting {
        for field in &one.facts.compared {
            if let Some(seen) = facts.fields.get_mut(field) {
                seen.compared += 1;
            } else {
                let first = FieldFacts {
                    compared: 1,
                    ..FieldFacts::default()
                };
                facts.fields.insert(field.clone(), first);
            }
        }
        kept.insert(one.id.clone(), facts.pairs.len());
        facts.pairs.push(pair(one));
    }
    Ok(kept)
}

fn pair(one: Compared) -> Pair {
    let of = |control: Option<f64>, candidate: Option<f64>| {
        let both = control.zip(candidate);
        both.map(|(control, candidate)| Sides { control, candidate })
    };
    let facts = one.facts;
    Pair {
        recording: RecordingId::new(one.recording),
        run: RunId::new(one.run),
        at: one.at,
        origin: one.origin,
        stratum: Stratum::of(facts.tracks, facts.audio_ms, &facts.language),
        candidate: match one.verdict {
            Verdict::CandidateFailed => Ended::Failed,
            Verdict::TimedOut => Ended::TimedOut,
            _ => Ended::Well,
        },
        // Taken back by the fields that differ, if any are known.
        broken: match one.verdict {
            Verdict::Differs => vec![Field::Status.to_string()],
            _ => Vec::new(),
        },
        outside: Vec::new(),
        compared: i64::try_from(facts.compared.len()).unwrap_or(i64::MAX),
        took_ms: of(facts.control_ms, facts.candidate_ms),
        usd: of(facts.control_usd, facts.candidate_usd),
        audio_ms: facts.audio_ms,
        effects_equal: facts.effects_equal,
    }
}

/// Which fields differ, and how.
async fn differences(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    kept: &HashMap<String, usize>,
    facts: &mut gate::Facts,
) -> anyhow::Result<()> {
    let sql = "-- evidence_differences
        select fields.comparison_id, fields.field, fields.broken
        from comparisons join runs on runs.id = comparisons.run_id
            join comparison_fields fields on fields.comparison_id = comparisons.id
        where runs.environment = $1 and runs.flag = $2 and runs.epoch is null
          and comparisons.epoch = $3 and fields.verdict = 'differs'
        order by fields.comparison_id, fields.field";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .fetch_all(&mut **tx)
        .await
        .context("reading which fields differ")?;
    let mut known: BTreeSet<usize> = BTreeSet::new();
    for row in &rows {
        let id: String = row.try_get("comparison_id")?;
        if let Some(at) = kept.get(&id).copied().filter(|at| known.insert(*at)) {
            facts.pairs[at].broken.clear();
        }
        let Some(pair) = kept.get(&id).map(|at| &mut facts.pairs[*at]) else {
            continue;
        };
        let field: String = row.try_get("field")?;
        if let Some(seen) = facts.fields.get_mut(&field) {
            seen.differs += 1;
        }
        if row.try_get::<i64, _>("broken")? == 1 {
            pair.broken.push(field);
        } else {
            pair.outside.push(field);
        }
    }
    Ok(())
}

fn distance(row: &AnyRow, side: &str) -> anyhow::Result<Distance> {
    let verdict: String = row.try_get(format!("{side}_verdict").as_str())?;
    let value: Option<f64> = row.try_get(format!("{side}_distance").as_str())?;
    let broken: i64 = row.try_get(format!("{side}_broken").as_str())?;
    Ok(Distance {
        value: value.unwrap_or(f64::NAN),
        broken: broken == 1,
        differs: verdict == FieldVerdict::Differs.as_str(),
    })
}

/// Second runs of control and candidate, in the order in which they were measured. The first mirror of
/// a recording counts.
async fn noise(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    until: i64,
    (kept, facts): (&HashMap<String, usize>, &mut gate::Facts),
    hash: &mut Sha256,
) -> anyhow::Result<()> {
    let sql = "-- evidence_noise
        select noise.comparison_id, noise.other, noise.kind, noise.field,
            noise.candidate_verdict, noise.candidate_distance, noise.candidate_broken,
            coalesce(noise.control_verdict, '') as control_verdict, noise.control_distance,
            coalesce(noise.control_broken, 0) as control_broken,
            fields.verdict as own_verdict, fields.distance as own_distance,
            fields.broken as own_broken
        from comparisons join runs on runs.id = comparisons.run_id
            join noise_fields noise on noise.comparison_id = comparisons.id
            join comparison_fields fields
                on fields.comparison_id = noise.comparison_id and fields.field = noise.field
        where runs.environment = $1 and runs.flag = $2 and comparisons.epoch = $3
          and noise.candidate_verdict <> 'not_comparable'
          and fields.verdict <> 'not_comparable'
          and coalesce(noise.control_verdict, '') <> 'not_comparable'
          and noise.measured_at <= $4
        order by noise.measured_at, noise.comparison_id, noise.other, noise.field";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(about.epoch.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context("reading how far the control differs from itself")?;
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut twice: BTreeMap<(String, String), Distance> = BTreeMap::new();
    let mut others: BTreeSet<(String, String)> = BTreeSet::new();
    for row in &rows {
        let (id, field): (String, String) = (row.try_get("comparison_id")?, row.try_get("field")?);
        let Some(pair) = kept.get(&id).map(|at| &facts.pairs[*at]) else {
            continue;
        };
        others.insert((id.clone(), row.try_get("other")?));
        let key = (id, field.clone());
        if row.try_get::<String, _>("kind")? == "repeat" {
            let own = distance(row, "candidate")?;
            twice
                .entry((pair.recording.to_string(), field))
                .or_insert(own);
            continue;
        }
        if !seen.insert(key) {
            continue;
        }
        let mirrored = NoisePair {
            recording: pair.recording.clone(),
            origin: pair.origin,
            candidate_control: distance(row, "own")?,
            candidate_again: distance(row, "candidate")?,
            control_again: distance(row, "control")?,
            candidate_twice: None,
        };
        facts.fields.entry(field).or_default().noise.push(mirrored);
    }
    for (name, field) in &mut facts.fields {
        for pair in &mut field.noise {
            let key = (pair.recording.to_string(), name.clone());
            pair.candidate_twice = twice.get(&key).copied();
        }
    }
    for (id, other) in others {
        hash.update(format!("{id} beside {other}\n").as_bytes());
    }
    Ok(())
}

/// Every kind of recording that was ever compared here, under whatever versions.
async fn known_strata(
    tx: &mut Transaction<'static, Any>,
    about: &About,
    until: i64,
) -> anyhow::Result<Vec<Stratum>> {
    let sql = "-- known_strata
        select distinct f.tracks, f.language,
            cast(case when f.audio_ms is null then -1 when f.audio_ms < 900000 then 0
                when f.audio_ms < 3600000 then 900000 else 3600000 end as bigint) as least_ms
        from comparison_facts f join comparisons on comparisons.id = f.comparison_id
            join runs on runs.id = comparisons.run_id
        where runs.environment = $1 and runs.flag = $2 and runs.epoch is null
          and runs.origin <> 'rehearsal'
          and comparisons.verdict in
            ('match', 'within_noise', 'differs', 'candidate_failed', 'timed_out')
          and comparisons.compared_at <= $3
        union select tracks, language, least_ms from strata_seen
        where environment = $1 and flag = $2 and seen_at <= $3";
    let rows = sqlx::query(sql)
        .bind(about.environment.as_str())
        .bind(about.flag.as_str())
        .bind(until)
        .fetch_all(&mut **tx)
        .await
        .context("reading what kinds of recordings arrived")?;
    let each = rows.iter().map(|row| {
        let least_ms: i64 = row.try_get("least_ms")?;
        let language: String = row.try_get("language")?;
        let audio_ms = (least_ms >= 0).then_some(least_ms as f64);
        Ok(Stratum::of(row.try_get("tracks")?, audio_ms, &language))
    });
    let strata: BTreeSet<Stratum> = each.collect::<anyhow::Result<_>>()?;
    Ok(strata.into_iter().collect())
}
