use std::collections::BTreeMap;

use super::*;
use crate::model::{OutcomeStatus, TaskName, UsageKind};

const UI: &str = "https://reflector.example.test";

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/standup/expected")
        .join(name)
}

fn loaded(name: &str) -> Recorded {
    load(&case(name), Some(UI)).unwrap()
}

#[test]
fn every_recorded_run_of_the_pipeline_loads() {
    for name in [
        "base",
        "consent_denied",
        "silent_track",
        "all_tracks_wordless",
        "start0_track",
        "transcription_failure",
        "webhook_retry",
        "reprocess_zulip_patch",
    ] {
        let recorded = loaded(name);
        let subject = &recorded.subject;
        assert_eq!(subject.track_keys.len(), 3, "{name}");
        assert_eq!(subject.recording.track_keys.len(), 4, "{name}");
        assert_eq!(recorded.outcome.participants.len(), 3, "{name}");
        assert_eq!(recorded.outcome.waveform.len(), 254, "{name}");
        assert!(recorded.outcome.audio.is_none(), "{name}");
        assert_eq!(recorded.mp3.is_some(), name == "base", "{name}");
        assert_eq!(recorded.sources.len(), 4, "{name}");
        for (source, key) in recorded.sources.iter().zip(&subject.recording.track_keys) {
            assert_eq!(&source.key, key, "{name}");
        }
    }
}

#[test]
fn the_base_run_is_read_whole() {
    let Recorded {
        subject, outcome, ..
    } = loaded("base");
    assert_eq!(subject.transcript.title, None);
    assert_eq!(subject.transcript.zulip_message_id, None);
    assert_eq!(subject.transcript.user_id.as_deref(), Some("user-ana"));
    assert_eq!(
        subject.transcript.created_at,
        "2026-11-23T07:25:54.540832+00:00"
    );
    assert_eq!(subject.ui_base_url, UI);
    assert_eq!(subject.consents.len(), 2);
    let room = subject.room.unwrap();
    assert_eq!(room.zulip_stream.as_deref(), Some("meetings"));
    assert_eq!(room.webhook_secret.as_deref(), Some("fake-webhook-secret"));

    assert_eq!(outcome.status, OutcomeStatus::Ended);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.words.len(), 841);
    assert_eq!(outcome.topics.len(), 3);
    assert_eq!(outcome.duration_ms, Some(282_605.52));
    assert_eq!(
        outcome.title.as_deref(),
        Some("Billing Export, Launch Move to 11 November and api Load Test")
    );
    assert_eq!(outcome.events.len(), 10);
    assert_eq!(outcome.published.len(), 14);
    assert_eq!(outcome.deleted, [""; 0]);
    assert!(!outcome.audio_deleted);
    let keys: Vec<_> = outcome.objects.iter().map(|object| &object.key).collect();
    assert_eq!(keys, ["12b190d6-4278-47aa-be4c-1d6f72e05807/audio.mp3"]);
    assert_eq!(outcome.objects[0].size, 4_522_220);
}

#[test]
fn requests_keep_the_senders_headers_and_no_credentials() {
    let outcome = loaded("base").outcome;
    let zulip = outcome.zulip.unwrap();
    assert_eq!(zulip.method, "POST");
    assert_eq!(zulip.url, "https://zulip.example.test/api/v1/messages");
    let names: Vec<_> = zulip.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Content-Type"]);

    let webhook = outcome.webhook.unwrap();
    assert_eq!(
        webhook.url,
        "https://hooks.example.test/reflector?customer=42"
    );
    let names: Vec<_> = webhook.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "Content-Type",
            "User-Agent",
            "X-Webhook-Event",
            "X-Webhook-Retry",
            "X-Webhook-Signature"
        ]
    );
}

#[test]
fn phases_are_added_up_under_the_tasks_that_took_them_over() {
    let outcome = loaded("base").outcome;
    let steps: BTreeMap<_, _> = outcome
        .steps
        .iter()
        .map(|step| (step.step.as_str(), step.wall_ms))
        .collect();
    let padding = steps[TaskName::PadTrack.as_str()];
    assert!((padding - 17_306.0).abs() < 1e-6, "{padding}");
    let mixing = steps[TaskName::MixdownTracks.as_str()];
    assert!((mixing - 28_100.0).abs() < 1e-6, "{mixing}");
    assert!(steps.contains_key("title_and_summaries"));
    assert_eq!(outcome.usage.len(), 1);
    assert_eq!(outcome.usage[0].kind, UsageKind::GpuSeconds);
    assert!((outcome.usage[0].amount - 1.609).abs() < 1e-9);
}

#[test]
fn a_denial_shows_what_was_deleted() {
    let Recorded {
        subject, outcome, ..
    } = loaded("consent_denied");
    assert!(outcome.audio_deleted);
    assert_eq!(outcome.deleted, subject.recording.track_keys);
    assert!(outcome.objects.is_empty());
    let answers: Vec<_> = subject
        .consents
        .iter()
        .map(|one| one.consent_given)
        .collect();
    assert_eq!(answers, [true, false, true]);
}

#[test]
fn a_failed_run_tells_why_and_what_it_left() {
    let outcome = loaded("transcription_failure").outcome;
    assert_eq!(outcome.status, OutcomeStatus::Error);
    assert_eq!(
        outcome.failure.as_deref(),
        Some("HTTPError: transcription answered 500")
    );
    let names: Vec<_> = outcome.events.iter().map(|event| &event.event).collect();
    assert_eq!(names, ["DURATION", "WAVEFORM", "STATUS"]);
    assert_eq!(outcome.objects.len(), 4);
    assert!(outcome.words.is_empty() && outcome.topics.is_empty());
    assert!(outcome.zulip.is_none() && outcome.webhook.is_none());
    assert!(outcome.usage.is_empty());
}

#[test]
fn a_wordless_run_has_no_texts() {
    let outcome = loaded("all_tracks_wordless").outcome;
    assert_eq!(outcome.status, OutcomeStatus::Ended);
    assert_eq!(outcome.webvtt.as_deref(), Some("WEBVTT\n"));
    assert_eq!(outcome.title, None);
    assert_eq!(outcome.long_summary, None);
    assert!(outcome.zulip.is_some() && outcome.webhook.is_some());
}

#[test]
fn a_rerun_knows_the_row_it_found() {
    let recorded = loaded("reprocess_zulip_patch");
    let transcript = &recorded.subject.transcript;
    assert_eq!(transcript.zulip_message_id, Some(4242));
    assert!(transcript.title.is_some());
    assert_eq!(transcript.participants.len(), 3);
    assert_eq!(recorded.outcome.zulip.unwrap().method, "PATCH");
    assert!(loaded("base").subject.transcript.participants.is_empty());
}

#[test]
fn the_first_of_several_webhooks_is_kept() {
    let webhook = loaded("webhook_retry").outcome.webhook.unwrap();
    let retry = webhook
        .headers
        .iter()
        .find(|(name, _)| name == "X-Webhook-Retry");
    assert_eq!(retry.map(|(_, value)| value.as_str()), Some("0"));
}

#[test]
fn the_base_url_is_read_off_the_webhook_or_has_to_be_given() {
    let recorded = load(&case("base"), None).unwrap();
    assert_eq!(recorded.subject.ui_base_url, UI);
    let error = load(&case("transcription_failure"), None).unwrap_err();
    assert!(matches!(error, RecordedError::NoBaseUrl), "{error}");
    let given = load(&case("base"), Some("http://localhost:3000/")).unwrap();
    assert_eq!(given.subject.ui_base_url, "http://localhost:3000");
}

/// A copy of the base run's small files in which one may be broken.
fn copy_of_base() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in [
        "db_before.json",
        "db_after.json",
        "s3.json",
        "requests.json",
        "events.json",
        "timings.json",
        "pubsub.jsonl",
        "zulip_1.body.txt",
        "webhook_1.body.json",
    ] {
        fs::copy(case("base").join(file), copy.path().join(file)).unwrap();
    }
    copy
}

#[test]
fn a_copy_without_mp3_and_tracks_loads() {
    let copy = copy_of_base();
    let recorded = load(copy.path(), None).unwrap();
    assert_eq!(recorded.mp3, None);
    assert!(recorded.sources.is_empty());
    assert_eq!(recorded.outcome, loaded("base").outcome);
}

#[test]
fn a_missing_file_is_named() {
    for file in ["db_after.json", "pubsub.jsonl", "zulip_1.body.txt"] {
        let copy = copy_of_base();
        fs::remove_file(copy.path().join(file)).unwrap();
        let error = load(copy.path(), None).unwrap_err().to_string();
        assert!(error.contains(file), "{error}");
    }
}

#[test]
fn a_broken_field_is_named_and_not_quoted() {
    let copy = copy_of_base();
    let path = copy.path().join("db_after.json");
    let mut rows: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    rows["transcript"][0]["topics"][1]["words"][7]["start"] = "what Ana said".into();
    fs::write(&path, rows.to_string()).unwrap();
    assert_eq!(
        load(copy.path(), None).unwrap_err().to_string(),
        "`db_after.json` of the recorded outcome: `transcript[0].topics[1].words[7]` should be \
         a word with text, start, end and speaker"
    );
}

#[test]
fn a_run_that_is_not_over_is_refused() {
    let copy = copy_of_base();
    let path = copy.path().join("db_after.json");
    let mut rows: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    rows["transcript"][0]["status"] = "processing".into();
    fs::write(&path, rows.to_string()).unwrap();
    let error = load(copy.path(), None).unwrap_err().to_string();
    assert!(error.contains("transcript[0].status"), "{error}");
}

#[test]
fn text_that_is_no_json_is_named_with_its_line() {
    let copy = copy_of_base();
    fs::write(copy.path().join("s3.json"), "{\n oops").unwrap();
    let error = load(copy.path(), None).unwrap_err().to_string();
    assert!(
        error.contains("`s3.json`") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn a_record_of_the_post_tasks_alone_is_refused() {
    let error = load(&case("post_webhook_410"), Some(UI)).unwrap_err();
    assert!(matches!(error, RecordedError::Read { file, .. } if file == "s3.json"));
}

#[test]
fn a_hollow_file_is_an_error_that_names_it() {
    for file in [
        "db_before.json",
        "db_after.json",
        "s3.json",
        "requests.json",
        "events.json",
        "timings.json",
        "pubsub.jsonl",
    ] {
        for hollow in ["null", "{}", "7", "[7]", "[{}]", "\"text\""] {
            let copy = copy_of_base();
            fs::write(copy.path().join(file), hollow).unwrap();
            let error = load(copy.path(), Some(UI)).unwrap_err().to_string();
            assert!(error.contains(file), "{file} as {hollow}: {error}");
        }
    }
}

#[test]
fn a_calendar_event_is_found_through_the_meeting() {
    let copy = copy_of_base();
    let path = copy.path().join("db_before.json");
    let mut rows: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    rows["meeting"][0]["calendar_event_id"] = "event-1".into();
    fs::write(&path, rows.to_string()).unwrap();
    let error = load(copy.path(), None).unwrap_err().to_string();
    assert!(error.contains("calendar_event"), "{error}");

    rows["calendar_event"] = serde_json::json!([{
        "id": "event-1", "ics_uid": "uid-1", "title": "Standup", "start_time": null,
        "end_time": null, "attendees": null
    }]);
    fs::write(&path, rows.to_string()).unwrap();
    let event = load(copy.path(), None)
        .unwrap()
        .subject
        .calendar_event
        .unwrap();
    assert_eq!(event.ics_uid, "uid-1");
    assert_eq!(event.title.as_deref(), Some("Standup"));
    assert_eq!(event.attendees, None);
}
