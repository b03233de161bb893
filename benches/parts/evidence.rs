//! A store that has compared ten thousand recordings.

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../../tests/support/database.rs"]
mod database;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../../tests/it/phases.rs"]
pub mod phases;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../../tests/it/store/samples.rs"]
mod samples;

use chrono::{DateTime, Utc};
use sqlx::Executor;

pub use database::{Database, Kind};

/// Recordings that were compared.
pub const PAIRS: i64 = 10_000;

/// When it is looked at; the newest recording has just arrived.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_760_954_400_000).expect("it is a time")
}

/// The newest reports are read for the time of their steps; they hold what was said.
fn stored_report(nth: i64) -> String {
    const READ: i64 = 25;
    let said = if nth < READ {
        "word ".repeat(60_000)
    } else {
        String::new()
    };
    format!(
        r#"{{"said": "{said}", "control": {{"steps": [{{"step": "transcribe_track", "wall_ms": 96000.0}}]}}, "candidate": {{"steps": [{{"step": "transcribe_track", "wall_ms": 94000.0}}]}}}}"#
    )
}

/// What the run of a recording is about.
fn subject(nth: i64) -> String {
    let subject = samples::subject(&format!("rec_{nth}"));
    serde_json::to_string(&subject).expect("it is JSON")
}

/// Compares that many recordings of 23 fields, every ten minutes one; one of twenty with a second run of the
/// control, one of four with a difference to look at.
pub async fn fill(database: &Database) {
    let mut connection = database.connect().await;
    let fields = phases::gate().fields;
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    for chunk in (0..PAIRS).collect::<Vec<i64>>().chunks(200) {
        let (mut runs, mut comparisons, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut of_fields, mut noise, mut items) = (Vec::new(), Vec::new(), Vec::new());
        for n in chunk {
            let at = now().timestamp_millis() - n * 600_000;
            runs.push(format!("('run_{n}', 'staging', 'daily_diarization_pipeline', 'rec_{n}', 't_{n}', 1, 'candidate', 'shadow', 'completed', '{}', '', {at}, {at}, {}, 'arrival')", subject(*n), at + 60_000));
            comparisons.push(format!(
                "('cmp_{n}', 'run_{n}', 'within_noise', 'p', '{}', {at}, 'epoch')",
                stored_report(*n)
            ));
            items.push(format!("('sample_{n}', 'staging', 'daily_diarization_pipeline', 'epoch', 'sample', 'run_{n}', 'cmp_{n}', 'rec_{n}', 'within_noise', 'any', 'd{n}', null, null, null, null, null, null, null, null, 0, 1, {at})"));
            if n % 4 == 0 {
                items.push(format!("('item_{n}', 'staging', 'daily_diarization_pipeline', 'epoch', 'difference', 'run_{n}', 'cmp_{n}', 'rec_{n}', 'within_noise', 'any', 'd{n}', 'long_summary', 'paraphrase', 'S3', 'soft', 'sig_{}', '/long_summary: text', '/long_summary', 1, 0, 1, {at})", n % 40));
            }
            facts.push(format!(
                "('cmp_{n}', '{}', {}, 600000, 'en', 60000, 50000, 0.02, 0.02, 1)",
                names.join(","),
                2 + n % 5
            ));
            for name in &names {
                let verdict = if name.contains("summar") && n % 4 == 0 {
                    "differs"
                } else {
                    "match"
                };
                of_fields.push(format!("('cmp_{n}', '{name}', '{verdict}', 0.3, 0)"));
                if n % 20 == 0 {
                    noise.push(format!("('cmp_{n}', 'mirror_{n}', 'mirror', '{name}', 'within_noise', 0.3, 0, 'within_noise', 0.3, 0, {at})"));
                }
            }
        }
        let tables = [
            (
                "runs (id, environment, flag, recording_id, transcript_id, generation, pipeline, phase, state, subject, cache_scope, started_at, start_tried_at, finished_at, origin)",
                runs,
            ),
            (
                "comparisons (id, run_id, verdict, policy_digest, report, compared_at, epoch)",
                comparisons,
            ),
            (
                "comparison_facts (comparison_id, compared, tracks, audio_ms, language, control_ms, candidate_ms, control_usd, candidate_usd, effects_equal)",
                facts,
            ),
            (
                "comparison_fields (comparison_id, field, verdict, distance, broken)",
                of_fields,
            ),
            (
                "noise_fields (comparison_id, other, kind, field, candidate_verdict, candidate_distance, candidate_broken, control_verdict, control_distance, control_broken, measured_at)",
                noise,
            ),
            (
                "review_items (id, environment, flag, epoch, kind, run_id, comparison_id, recording_id, verdict, stratum, draw, field, class, severity, strictness, signature, pattern, path, differences, same, candidate_left, made_at)",
                items,
            ),
        ];
        for (table, rows) in tables {
            let sql = format!("insert into {table} values {}", rows.join(", "));
            connection
                .execute(sqlx::AssertSqlSafe(sql))
                .await
                .expect("rows fit");
        }
    }
    // PostgreSQL does it by itself within a minute; what is filled in seconds is not known to its planner.
    if database.url.starts_with("postgres") {
        let done = connection.execute("analyze").await;
        done.expect("it counts its rows");
    }
}
