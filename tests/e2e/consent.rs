//! Consent: what people take back is deleted wherever it lies, and a source that goes for it is no
//! failure of the candidate's.

use std::collections::BTreeSet;

use serde_json::Value;
use switchyard::{
    compare::Verdict,
    controller::{Again, Retention, candidate_outcome},
    gate::Rules,
    gateway::{Gateway, Sweep, Withdrawal},
    legacy::recorded,
    model::{
        EnvironmentName, FlagName, Origin, OutcomeStatus, RecordingId, RetentionDays, RunId,
        RunState, TranscriptId,
    },
    report::terminal,
    retention::Class,
    sandbox::{Fault, FaultKind, Service},
    store::{About, Effects, NewRun, Run},
};

use crate::{
    program::{Site, case, until},
    reflector::Side,
    world::{Setup, Track, World, clock, fixtures, short_tracks},
};

const BUCKET: &str = "reflector-transcripts";

const DENIAL: &str = "insert into meeting_consent
        (id, meeting_id, user_id, consent_given, consent_timestamp)
    select 'denial', meeting_id, null, false, now() from recording";

/// What the control leaves when it has deleted the audio.
const AUDIO_DELETED: &str = "update transcript set status = 'ended', audio_deleted = true";

/// A world with Reflector's side. The recording's tracks are short unless others are given.
async fn scene(case: &'static str, tracks: Option<Vec<Track>>) -> Option<(World, Side)> {
    let side = Side::arrived(case).await?;
    let setup = Setup {
        case,
        tracks,
        // Longer than a test holds an answer back.
        patience: std::time::Duration::from_mins(1),
        ..Setup::default()
    };
    let world = World::start_with(setup, Some(&side)).await;
    // Each case has a recording id of its own, and all are the same meeting.
    let any = Some("any_recording");
    world.sandbox.vary(Service::Daily, any).expect("a variant");
    Some((world, side))
}

async fn end(world: World, side: Side) {
    world.end().await;
    side.remove().await;
}

fn recorded(case: &str, file: &str) -> Value {
    let path = fixtures().join("standup/expected").join(case).join(file);
    let text = std::fs::read_to_string(path).expect("it is recorded");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Puts what the recording has beside the tracks that are there already.
async fn put_the_rest(world: &World, keys: impl IntoIterator<Item = String>) {
    let there = keys_of(world).await;
    let bucket = &world.subject.recording.bucket_name;
    for key in keys.into_iter().filter(|key| !there.contains(key)) {
        let put = world.objects.put_bytes(bucket, &key, b"raw".to_vec(), None);
        put.await.expect("it is put");
    }
}

async fn keys_of(world: &World) -> BTreeSet<String> {
    let objects = world.all_objects().await;
    objects.into_iter().map(|object| object.key).collect()
}

async fn keys_below(world: &World, prefix: &str) -> BTreeSet<String> {
    let mut keys = keys_of(world).await;
    keys.retain(|key| key.starts_with(prefix));
    keys
}

/// Starts a run and does something to the world when it is under way and has read no track yet.
async fn run_interrupted(world: &World, effects: Effects, meanwhile: impl Future) -> Run {
    let held = Fault::always(Service::Daily, FaultKind::Hang).times(1);
    world.sandbox.fault(held);
    let dispatched = world.dispatch_as(effects, Again::Resume).await;
    until("Daily is asked", async || {
        (world.requests_to(Service::Daily) > 0).then_some(())
    })
    .await;
    meanwhile.await;
    world.sandbox.release();
    world.ended(dispatched.run()).await
}

async fn delete_the_source(world: &World) {
    for key in &world.subject.track_keys {
        let bucket = &world.subject.recording.bucket_name;
        let deleted = world.objects.delete(bucket, key).await;
        deleted.expect("it is deleted");
    }
}

fn gateway(world: &World, side: &Side) -> Gateway {
    side.gateway(&world.store, &world.objects, &world.sandbox, clock())
}

async fn sweep(gateway: &Gateway) -> Sweep {
    let environment = EnvironmentName::new("test");
    let sweep = gateway.sweep_once(&environment, BUCKET).await;
    sweep.expect("the databases answer")
}

/// What was deleted, by run.
fn deleted(sweep: &Sweep) -> Vec<(&RunId, Withdrawal, u64)> {
    let swept = sweep.swept.iter();
    swept
        .map(|swept| (&swept.run_id, swept.why, swept.objects))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_run_deletes_what_the_legacy_deleted_and_nothing_else() {
    const CASE: &str = "consent_denied";
    let Some((world, mut side)) = scene(CASE, None).await else {
        return;
    };
    let objects = recorded(CASE, "s3.json");
    let keys = |when: &str| -> BTreeSet<String> {
        let objects = objects[when].as_array().expect("a list").iter();
        let key = |object: &Value| object["key"].as_str().expect("a key").to_owned();
        objects.map(key).collect()
    };
    put_the_rest(&world, keys("before")).await;
    let folder = side.data.path().join(world.subject.transcript.id.as_str());
    std::fs::create_dir(&folder).expect("a folder");
    for name in ["audio.mp3", "audio.wav"] {
        std::fs::write(folder.join(name), "sound").expect("a file");
    }

    let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
    let run = world.ended(dispatched.run()).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    assert_eq!(keys_of(&world).await, keys("after"));
    let files = std::fs::read_dir(&folder).expect("the folder");
    let files: Vec<_> = files.map(|file| file.expect("it").file_name()).collect();
    assert_eq!(files, ["audio.json"]);

    let expected = recorded(CASE, "db_after.json");
    let row = side.row("transcript").await;
    assert_eq!(row["audio_deleted"], true);
    // These differ in every run, as `cutover` says with the reason of each.
    let varying = ["topics", "events", "duration", "search_vector_en"];
    for (column, value) in expected["transcript"][0].as_object().expect("a row") {
        if !varying.contains(&column.as_str()) {
            assert_eq!(row[column], *value, "{column}");
        }
    }
    let mut recording = side.row("recording").await;
    recording["workflow_id"] = Value::Null;
    assert_eq!(recording, expected["recording"][0]);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_that_comes_while_a_live_run_is_under_way_is_honoured() {
    let Some((world, mut side)) = scene("base", Some(short_tracks())).await else {
        return;
    };
    let raw = world.subject.recording.track_keys.clone();
    put_the_rest(&world, raw.clone()).await;
    let run = run_interrupted(&world, Effects::Live, side.change(DENIAL)).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    assert_eq!(side.row("transcript").await["audio_deleted"], true);
    let mut own = world.subject.track_keys.clone();
    own.sort();
    assert_eq!(Vec::from_iter(keys_of(&world).await), own);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_that_comes_while_a_shadow_run_is_under_way_takes_its_own_copies_only() {
    let Some((world, mut side)) = scene("base", Some(short_tracks())).await else {
        return;
    };
    put_the_rest(&world, world.subject.recording.track_keys.clone()).await;
    let before = keys_of(&world).await;
    let run = run_interrupted(&world, Effects::Shadow, side.change(DENIAL)).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    assert_eq!(keys_of(&world).await, before);
    let outcome = candidate_outcome(&world.store, &run).await;
    let outcome = outcome.expect("an outcome");
    assert!(outcome.audio_deleted);
    let mut raw = world.subject.recording.track_keys.clone();
    raw.sort();
    assert_eq!(outcome.deleted, raw);
    assert_eq!(side.row("transcript").await["audio_deleted"], Value::Null);
    end(world, side).await;
}

/// The source goes while a run is under way, and rows say something of it or nothing.
async fn source_gone(effects: Effects, sql: Option<&str>) -> Option<(World, Side, Run)> {
    let (world, mut side) = scene("base", Some(short_tracks())).await?;
    let run = run_interrupted(&world, effects, async {
        if let Some(sql) = sql {
            side.change(sql).await;
        }
        delete_the_source(&world).await;
    })
    .await;
    assert_eq!(run.state, RunState::Failed);
    Some((world, side, run))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_goes_for_consent_says_nothing_about_the_candidate() {
    for (effects, sql) in [
        (Effects::Shadow, DENIAL),
        (Effects::Shadow, AUDIO_DELETED),
        (Effects::Live, DENIAL),
    ] {
        let Some((world, mut side, run)) = source_gone(effects, Some(sql)).await else {
            return;
        };
        let failure = run.failure.clone().unwrap_or_default();
        assert!(failure.starts_with("pad_track_"), "{failure}");
        assert!(failure.ends_with(OutcomeStatus::WITHDRAWN), "{failure}");
        let attempts = world.attempts(&run.id).await;
        let tries = attempts
            .iter()
            .filter(|attempt| attempt.task_ref == "pad_track_0");
        assert!(tries.count() <= 1, "it is not tried again");

        let report = world.compared(&run).await;
        assert_eq!(report.candidate.status, OutcomeStatus::Withdrawn);
        assert_eq!(report.comparison.verdict, Verdict::NotComparable);
        assert!(!report.comparison.verdict.counts());
        let fields = &report.comparison.fields;
        assert_eq!(fields.len(), 1, "only how the sides ended");
        assert_eq!(fields[0].reason, OutcomeStatus::WITHDRAWN);
        let told = terminal::render(&report, false);
        assert!(told.contains("Consent was denied while the run was under way"));
        let kept = serde_json::to_value(&report).expect("JSON");
        assert_eq!(kept["candidate"]["status"], "withdrawn");

        if effects == Effects::Live {
            let status = until("users are told", async || {
                let status = side.row("transcript").await["status"].clone();
                (status != "processing").then_some(status)
            })
            .await;
            assert_eq!(status, "error", "as the legacy ends it");
        }
        // What it had made before goes too.
        let sweep = sweep(&gateway(&world, &side)).await;
        assert_eq!(sweep.swept.len(), 1);
        assert_eq!(keys_of(&world).await, BTreeSet::new());
        end(world, side).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_goes_without_a_word_is_a_failure_like_any_other() {
    for effects in [Effects::Shadow, Effects::Live] {
        let Some((world, side, run)) = source_gone(effects, None).await else {
            return;
        };
        assert_eq!(run.withdrawn_at, None);
        let failure = run.failure.clone().unwrap_or_default();
        assert!(failure.contains("status 404"), "{failure}");
        let report = world.compared(&run).await;
        assert_eq!(report.candidate.status, OutcomeStatus::Error);
        assert_eq!(report.comparison.verdict, Verdict::CandidateFailed);
        assert_eq!(deleted(&sweep(&gateway(&world, &side)).await), []);
        end(world, side).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_control_deletes_goes_from_the_shadow_and_nothing_else_does() {
    let Some((mut world, mut side)) = scene("base", Some(short_tracks())).await else {
        return;
    };
    let run = world.completed(Again::Resume).await;
    let own = format!("shadow/{}/", run.id);
    let copies = keys_below(&world, &own).await;
    assert!(!copies.is_empty(), "a shadow run keeps its mix");
    // Another recording's run, which Reflector has no rows of since its control is a folder.
    let raw = world.subject.clone();
    world.subject.recording.id = RecordingId::new("another");
    world.subject.transcript.id = TranscriptId::new("another");
    let other = world.completed(Again::Resume).await;
    world.subject = raw;
    for key in [
        format!("shadow/{}x/audio.mp3", run.id),
        format!("{}/audio.mp3", run.transcript_id),
    ] {
        let put = world.objects.put_bytes(BUCKET, &key, vec![0], None).await;
        put.expect("it is put");
    }
    let all = keys_of(&world).await;
    let gateway = gateway(&world, &side);
    assert_eq!(deleted(&sweep(&gateway).await), [], "nobody took it back");

    side.change(AUDIO_DELETED).await;
    world.cut_the_object_store_off();
    let failed = sweep(&gateway).await;
    assert_eq!(deleted(&failed), []);
    assert_eq!(failed.unfinished.len(), 1);
    assert_eq!(failed.unfinished[0].run_id, run.id);
    world.let_the_object_store_back();
    assert_eq!(keys_of(&world).await, all);

    let swept = sweep(&gateway).await;
    let gone = copies.len() as u64;
    let why = Withdrawal::AudioDeleted;
    assert_eq!(deleted(&swept), [(&run.id, why, gone)]);
    assert!(swept.swept[0].bytes > 0);
    let left: BTreeSet<_> = all.difference(&copies).cloned().collect();
    assert_eq!(keys_of(&world).await, left);
    let others = keys_below(&world, &format!("shadow/{}/", other.id)).await;
    assert!(!others.is_empty());
    let again = sweep(&gateway).await;
    assert_eq!(deleted(&again), [(&run.id, why, 0)]);
    assert_eq!(keys_of(&world).await, left);
    // Texts stay, as they stay with the legacy.
    let outcome = candidate_outcome(&world.store, &run).await;
    assert!(outcome.expect("an outcome").title.is_some());
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_puts_after_a_sweep_is_swept_by_the_next() {
    let Some((world, mut side)) = scene("base", Some(short_tracks())).await else {
        return;
    };
    let run = world.completed(Again::Resume).await;
    side.change(DENIAL).await;
    let gateway = gateway(&world, &side);
    assert_eq!(deleted(&sweep(&gateway).await).len(), 1);
    let late = format!("shadow/{}/late.webm", run.id);
    let put = world.objects.put_bytes(BUCKET, &late, vec![0], None).await;
    put.expect("it is put");
    assert_eq!(
        deleted(&sweep(&gateway).await),
        [(&run.id, Withdrawal::Denied, 1)]
    );
    end(world, side).await;
}

/// A run that failed after it had padded its tracks, and was swept.
async fn failed_and_swept(effects: Effects) -> Option<(World, Side, Run)> {
    let (world, mut side) = scene("base", Some(short_tracks())).await?;
    let refused = FaultKind::Status {
        status: 401,
        retry_after: None,
        body: None,
    };
    let refused = Fault::always(Service::Transcription, refused);
    world.sandbox.fault(refused);
    let dispatched = world.dispatch_as(effects, Again::Resume).await;
    let run = world.ended(dispatched.run()).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(run.withdrawn_at, None);
    world.sandbox.clear_faults();
    side.change(DENIAL).await;
    let swept = sweep(&gateway(&world, &side)).await;
    assert_eq!(deleted(&swept).len(), 1);
    assert!(swept.swept[0].objects > 0, "its padded tracks");
    Some((world, side, run))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_that_was_swept_reads_the_recording_anew_while_it_is_there() {
    for effects in [Effects::Shadow, Effects::Live] {
        let Some((world, side, run)) = failed_and_swept(effects).await else {
            return;
        };
        let dispatched = world.dispatch_as(effects, Again::Resume).await;
        let again = world.ended(dispatched.run()).await;
        assert_eq!(again.id, run.id);
        assert_eq!(again.state, RunState::Completed, "{:?}", again.failure);
        end(world, side).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_that_was_swept_is_withdrawn_once_the_recording_is_gone() {
    let Some((world, side, run)) = failed_and_swept(Effects::Shadow).await else {
        return;
    };
    delete_the_source(&world).await;
    let (again, failure) = world.failed(Again::Resume).await;
    assert_eq!(again.id, run.id);
    assert!(failure.contains(OutcomeStatus::WITHDRAWN), "{failure}");
    let report = world.compared(&again).await;
    assert_eq!(report.comparison.verdict, Verdict::NotComparable);
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transcript_its_owner_deleted_takes_the_runs_copies_with_it() {
    let Some((world, mut side)) = scene("base", Some(short_tracks())).await else {
        return;
    };
    let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
    let run = world.ended(dispatched.run()).await;
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
    let left = format!("runs/{}/left.webm", run.id);
    let put = world.objects.put_bytes(BUCKET, &left, vec![0; 7], None);
    put.await.expect("it is put");
    let gateway = gateway(&world, &side);
    assert_eq!(deleted(&sweep(&gateway).await), []);
    side.change("delete from transcript; delete from recording")
        .await;
    let swept = sweep(&gateway).await;
    assert_eq!(deleted(&swept), [(&run.id, Withdrawal::Gone, 1)]);
    assert_eq!(swept.swept[0].bytes, 7);
    assert!(!keys_of(&world).await.contains(&left));
    // Its texts went with its row, so ours follow, young as they are.
    world.compared(&run).await;
    let about = About {
        environment: run.environment.clone(),
        flag: run.flag.clone(),
        epoch: "epoch".to_owned(),
        after: None,
        gate: Rules::default(),
    };
    let retention = Retention {
        about,
        store: world.store.clone(),
        days: RetentionDays::default(),
        holder: "test".to_owned(),
        clock: clock(),
    };
    let deleted = retention.delete("ana").await.expect("an answer");
    let deleted = deleted.expect("nobody else is at it");
    assert_eq!(
        deleted
            .iter()
            .map(|proof| (proof.class, proof.things, proof.left_over))
            .collect::<Vec<_>>(),
        [(Class::Texts, 1, Some(0)), (Class::Controls, 1, Some(0))]
    );
    let outputs = world.store.outputs(&run.id).await.expect("a list");
    assert!(outputs.is_empty());
    end(world, side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_deleted_keeps_neither_the_rest_nor_the_deliveries() {
    for is_refused in [true, false] {
        let Some((world, mut side)) = scene("base", Some(short_tracks())).await else {
            return;
        };
        let raw = world.subject.recording.track_keys.clone();
        put_the_rest(&world, raw.clone()).await;
        side.change(DENIAL).await;
        if is_refused {
            // No store takes a request for it.
            let mut keys = vec![String::new()];
            keys.extend(raw.clone());
            let keys = serde_json::to_string(&keys).expect("JSON");
            side.change(&format!("update recording set track_keys = '{keys}'"))
                .await;
        } else {
            // Fails in every attempt: a folder is no file.
            let folder = side.data.path().join(world.subject.transcript.id.as_str());
            std::fs::create_dir_all(folder.join("audio.mp3")).expect("a folder");
        }
        let dispatched = world.dispatch_as(Effects::Live, Again::Resume).await;
        let run = world.ended(dispatched.run()).await;
        assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);
        let left = keys_of(&world).await;
        assert!(!raw.iter().any(|key| left.contains(key)), "{left:?}");
        let row = side.row("transcript").await;
        assert_eq!(row["audio_deleted"], Value::Null);
        assert_eq!(row["status"], "ended");
        assert_eq!(world.requests_to(Service::Zulip), 1);
        assert_eq!(world.requests_to(Service::Webhook), 1);
        let output = world.store.output(&run.id, "cleanup_consent").await;
        let output = output.expect("a read").expect("a checkpoint").output;
        assert_eq!(output["audio_deleted"], false, "{output}");
        let attempts = world.attempts(&run.id).await;
        let tries = attempts
            .iter()
            .filter(|attempt| attempt.task_ref == "cleanup_consent");
        assert_eq!(tries.count(), 1, "its checkpoint was made once");
        end(world, side).await;
    }
}

/// A run of the recorded meeting that has ended, and an object below its prefix.
async fn ended_run(site: &Site, generation: i64, effects: Effects, state: RunState) -> String {
    let recorded = recorded::load(&case(), None).expect("a record");
    let id = RunId::new(format!("run_{generation}"));
    let new = NewRun {
        id: id.clone(),
        environment: EnvironmentName::new("test"),
        flag: FlagName::new("daily_diarization_pipeline"),
        generation,
        phase: "shadow".to_owned(),
        subject: recorded.subject,
        cache_scope: String::new(),
        control_id: None,
        effects,
        origin: Origin::Arrival,
    };
    let store = site.store().await;
    let now = clock()();
    assert!(store.insert_run(&new, now).await.expect("it is written"));
    let ended = store.finish_run(&id, state, Some("for some reason"), now);
    assert!(ended.await.expect("it is written"));
    store.close().await;
    let place = match effects {
        Effects::Shadow => "shadow",
        Effects::Live => "runs",
    };
    let key = format!("{place}/{id}/audio.mp3");
    let client = site.objects_client();
    let made = client.create_bucket_if_missing(BUCKET).await;
    made.expect("a bucket");
    let put = client.put_bytes(BUCKET, &key, vec![0; 5], None).await;
    put.expect("it is put");
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_role_and_the_command_sweep_and_the_role_tells_of_failures() {
    let Some(mut side) = Side::arrived("base").await else {
        return;
    };
    let place = Site::new();
    let bucket_store = place.objects().await;
    let legacy = "[environments.test.legacy]
            database_url = { env = \"SITE_REFLECTOR\" }
            redis_url = { env = \"SITE_REDIS\" }

            [environments.test.objects]";
    place.change("[environments.test.objects]", legacy);
    let (database, redis) = (side.database.url.clone(), side.redis.url.clone());
    let variables = [("SITE_REFLECTOR", &*database), ("SITE_REDIS", &*redis)];
    let first = ended_run(&place, 1, Effects::Shadow, RunState::Completed).await;

    let nothing = place.start_with(&["sweep"], &variables).ended().await;
    let told = "No ended run keeps sound that has to go.\n";
    assert_eq!(nothing.well(), told);
    side.change(DENIAL).await;
    let swept = place
        .start_with(&["sweep"], &variables)
        .ended()
        .await
        .well();
    let words: Vec<_> = swept.split_whitespace().collect();
    let row = [
        "RUN", "OBJECTS", "BYTES", "WHY", "run_1", "1", "5", "consent", "denied",
    ];
    assert_eq!(words, row);
    let client = place.objects_client();
    assert!(!client.exists(BUCKET, &first).await.expect("an answer"));
    let again = place.start_with(&["sweep", "--json"], &variables).ended();
    let again = again.await.json();
    assert_eq!(again["swept"][0]["objects"], 0);
    assert_eq!(again["unfinished"], serde_json::json!([]));

    let second = ended_run(&place, 2, Effects::Live, RunState::Failed).await;
    let worker = place.start_with(&["worker"], &variables);
    worker.logs("told users that run `run_2` failed").await;
    worker.logs("deleted 1 objects of run `run_2`").await;
    assert!(!client.exists(BUCKET, &second).await.expect("an answer"));
    assert_eq!(side.row("transcript").await["status"], "error");
    worker.kill().await;
    bucket_store.kill().await;
    side.remove().await;
}
