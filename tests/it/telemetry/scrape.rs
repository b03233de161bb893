//! What a scrape costs where there is much to count.

use std::time::{Duration, Instant};

use switchyard::{controller::Metrics, model::Caps};

use super::Site;
use crate::database::{Database, Kind};

/// Recordings in the store.
const MANY: i64 = 10_000;

/// Prometheus gives up after ten seconds; this is a tenth, on a machine that does other things too.
const BOUND: Duration = Duration::from_secs(5);

/// So many recordings that were routed, shadowed and compared, with all that goes with them.
fn history(epoch: &str) -> Vec<String> {
    let counted =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {MANY})");
    let text = "x".repeat(1500);
    let flag = "'daily_diarization_pipeline'";
    // 2 March 2026, noon, minus a minute for each.
    let at = "(1772452800000 - i * 60000)";
    let mut all = vec![
        format!(
            "insert into runs (id, environment, flag, recording_id, transcript_id, generation,
                 pipeline, phase, state, subject, cache_scope, started_at, start_tried_at,
                 finished_at, origin)
             {counted} select 'run_' || i, 'staging', {flag}, 'rec_' || i, 't_' || i, 1,
                 'candidate', 'shadow', case when i % 50 = 0 then 'failed' else 'completed' end,
                 '{text}', '', {at}, {at}, {at} + 50000, 'arrival' from n"
        ),
        format!(
            "insert into routes (environment, flag, transcript_id, generation, recording_id,
                 bucket_name, track_keys, owner, beside, phase, percent, reason, way, task_id,
                 state, arrived_at, run_id, over_at)
             {counted} select 'staging', {flag}, 't_' || i, 1, 'rec_' || i, 'b', '[]', 'control',
                 'candidate', 'shadow', 10000, 'why', 'tap', 'task_' || i, 'over', {at},
                 'run_' || i, {at} + 50000 from n"
        ),
        format!(
            "insert into comparisons (id, run_id, verdict, policy_digest, report, compared_at, epoch)
             {counted} select 'cmp_' || i, 'run_' || i,
                 case when i % 50 = 0 then 'candidate_failed' else 'match' end, 'digest',
                 '{text}', {at} + 51000, '{epoch}' from n"
        ),
        format!(
            "insert into comparison_facts (comparison_id, compared, tracks, audio_ms, language,
                 control_ms, candidate_ms)
             {counted} select 'cmp_' || i, 'title,words', 3, 600000, 'en', 50000, 40000 from n"
        ),
    ];
    for field in ["title", "words", "topics", "short_summary", "long_summary"] {
        all.push(format!(
            "insert into comparison_fields (comparison_id, field, verdict, broken)
             {counted} select 'cmp_' || i, '{field}', 'match', 0 from n"
        ));
    }
    for step in 0..15 {
        all.push(format!(
            "insert into attempts (task_id, run_id, task_ref, task_name, attempt, worker,
                 started_at, finished_at, status)
             {counted} select 'a{step}_' || i, 'run_' || i, 'step_{step}', 'step_{step}', 1, 'w',
                 {at}, {at} + 1000,
                 case when i % 50 = 0 then 'failed' else 'completed' end from n"
        ));
    }
    all
}

async fn check(kind: Kind) {
    let Some(database) = Database::fresh(kind).await else {
        return;
    };
    let site = Site::new("").await;
    let mut mover = site.app.mover().expect("settings are right");
    mover.store = database.store().await;
    {
        let mut connection = database.connect().await;
        for sql in history(&mover.about.epoch) {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("it is written");
        }
    }
    let (about, store) = (mover.about.clone(), mover.store.clone());
    let began = Instant::now();
    let readings = store
        .readings(&about, site.now())
        .await
        .expect("it is read");
    let counting = began.elapsed();
    assert!(readings.len() > 20);
    let metrics = Metrics::new(mover, Caps::default());
    let began = Instant::now();
    let mut first = metrics.text().await.expect("it is told");
    // On a busy machine it takes longer than Prometheus waits: then it is there the next time.
    for _ in 0..10 {
        if first.contains("switchyard_store_up 1\n") {
            break;
        }
        first = metrics.text().await.expect("it is told");
    }
    let cold = began.elapsed();
    let began = Instant::now();
    let second = metrics.text().await.expect("it is told");
    let warm = began.elapsed();
    println!("{kind:?}: counting {counting:?}, all with the gate {cold:?}, kept {warm:?}");
    for line in [
        "switchyard_store_up 1",
        "switchyard_runs_ended_total{effects=\"shadow\",environment=\"staging\",flag=\"daily_diarization_pipeline\",origin=\"arrival\",state=\"completed\"} 9800",
        "switchyard_comparisons_total{environment=\"staging\",flag=\"daily_diarization_pipeline\",verdict=\"match\"} 9800",
        "switchyard_step_failures_total{environment=\"staging\",flag=\"daily_diarization_pipeline\",kind=\"failed\",task=\"step_3\"} 200",
        "switchyard_evidence_recordings{count=\"compared\",environment=\"staging\",flag=\"daily_diarization_pipeline\"} 10000",
    ] {
        assert!(first.contains(line), "{line}\n{first}");
    }
    assert!(counting < BOUND, "{counting:?}");
    // Read at the same moment: the second scrape asked nobody.
    let moment = |text: &str| {
        let found = text
            .lines()
            .find(|line| line.starts_with("switchyard_store_read_seconds "));
        found.map(str::to_owned)
    };
    assert_eq!(moment(&first), moment(&second));
    assert!(warm < cold, "{warm:?}");
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn ten_thousand_recordings_are_counted_in_time_and_once_on_sqlite() {
    check(Kind::Sqlite).await;
}

#[tokio::test]
async fn ten_thousand_recordings_are_counted_in_time_and_once_on_postgres() {
    check(Kind::Postgres).await;
}
