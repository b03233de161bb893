//! Known changes to the recorded meeting, and the verdicts they must get.

use std::fmt::Write;

use serde_json::{Value, json};

use super::fixture::{recorded, standup};
use super::*;
use crate::model::{Outcome, OutcomeStatus, Topic, Word};

fn judged(change: impl FnOnce(&mut Outcome)) -> Comparison {
    let control = standup();
    let mut candidate = control.clone();
    change(&mut candidate);
    compare(&control, &candidate, &Policy::shipped())
}

/// Fields that are not a match, in order, as `title: differs`.
fn told(comparison: &Comparison) -> Vec<String> {
    let unequal = comparison
        .fields
        .iter()
        .filter(|result| result.verdict != FieldVerdict::Match);
    unequal
        .map(|result| format!("{}: {}", result.field, result.verdict))
        .collect()
}

/// Changes a text wherever the candidate says it: row, events, messages, post and webhook.
fn reword(candidate: &mut Outcome, from: &str, to: &str) {
    let swap = |text: &mut String| *text = text.replace(from, to);
    candidate.title.iter_mut().for_each(swap);
    candidate.short_summary.iter_mut().for_each(swap);
    candidate.long_summary.iter_mut().for_each(swap);
    for topic in &mut candidate.topics {
        swap(&mut topic.title);
        swap(&mut topic.summary);
    }
    for event in &mut candidate.events {
        event.data = serde_json::from_str(&event.data.to_string().replace(from, to)).expect("JSON");
    }
    candidate
        .published
        .iter_mut()
        .for_each(|message| swap(&mut message.payload));
    if let Some(webhook) = &mut candidate.webhook {
        swap(&mut webhook.body);
    }
    if let Some(zulip) = &mut candidate.zulip {
        let form =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        zulip.body = zulip.body.replace(&form(from), &form(to));
    }
}

fn change_body(candidate: &mut Outcome, change: impl FnOnce(&mut Value)) {
    let webhook = candidate.webhook.as_mut().expect("a webhook");
    let mut body: Value = serde_json::from_str(&webhook.body).expect("JSON");
    change(&mut body);
    webhook.body = python_compact(&body);
}

/// Python's compact JSON, as the control writes it.
fn python_compact(value: &Value) -> String {
    let mut text = String::new();
    for letter in value.to_string().chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").expect("a string takes all");
            }
        }
    }
    text
}

#[test]
fn an_outcome_matches_itself() {
    let comparison = judged(|_| {});
    assert_eq!(
        comparison.verdict,
        Verdict::Match,
        "{:?}",
        told(&comparison)
    );
    assert_eq!(comparison.fields.len(), Field::ALL.len());
    assert_eq!(comparison.policy, Policy::shipped().digest);
}

#[test]
fn two_real_runs_of_the_control_differ_only_in_the_edited_post() {
    let (first, again) = (standup(), recorded("reprocess_zulip_patch"));
    let comparison = compare(&first, &again, &Policy::shipped());
    assert_eq!(told(&comparison), ["zulip: differs"]);
    let zulip = comparison.field(Field::Zulip).expect("it");
    assert!(
        zulip.reason.starts_with("/method changed"),
        "{}",
        zulip.reason
    );
}

#[test]
fn what_varies_by_nature_is_no_difference() {
    let comparison = judged(|candidate| {
        for topic in &mut candidate.topics {
            topic.id = format!("other-{}", topic.id);
        }
        for event in candidate
            .events
            .iter_mut()
            .filter(|event| event.event == "TOPIC")
        {
            event.data["id"] = json!("another id");
        }
        change_body(candidate, |body| {
            body["event_id"] = json!("ffffffffffffffffffffffffffffffff");
            body["timestamp"] = json!("2026-12-01T00:00:00.000001+00:00");
        });
        for header in &mut candidate.webhook.as_mut().expect("a webhook").headers {
            if header.0 == "X-Webhook-Signature" {
                header.1 = "t=1,v1=00".to_owned();
            }
        }
    });
    assert_eq!(
        comparison.verdict,
        Verdict::Match,
        "{:?}",
        told(&comparison)
    );
}

#[test]
fn title_and_summaries_may_come_in_another_order() {
    let comparison = judged(|candidate| {
        let at = candidate
            .events
            .iter()
            .position(|event| event.event == "FINAL_TITLE")
            .expect("a title");
        let short = candidate
            .events
            .iter()
            .position(|event| event.event == "FINAL_SHORT_SUMMARY")
            .expect("a summary");
        candidate.events.swap(at, short);
        let long = candidate
            .events
            .iter()
            .position(|event| event.event == "FINAL_LONG_SUMMARY")
            .expect("a summary");
        let short = candidate
            .events
            .iter()
            .position(|event| event.event == "FINAL_SHORT_SUMMARY")
            .expect("a summary");
        if short > long {
            candidate.events.swap(short, long);
        }
    });
    assert!(comparison.verdict.is_clean(), "{:?}", told(&comparison));
}

#[test]
fn topics_before_the_transcript_are_another_order() {
    let comparison = judged(|candidate| {
        let topic = candidate
            .events
            .iter()
            .position(|event| event.event == "TOPIC")
            .expect("a topic");
        candidate.events.swap(topic, topic - 1);
    });
    assert_eq!(told(&comparison), ["events: differs"]);
    let found = &comparison.field(Field::Events).expect("events").differences;
    assert!(
        found
            .iter()
            .any(|difference| difference.kind == DifferenceKind::Reordered)
    );
}

#[test]
fn a_changed_number_in_a_summary_differs_however_alike_the_text() {
    let comparison = judged(|candidate| reword(candidate, "in 17 minutes", "in 70 minutes"));
    assert_eq!(comparison.verdict, Verdict::Differs);
    let short = comparison.field(Field::ShortSummary).expect("the summary");
    assert_eq!(short.verdict, FieldVerdict::Differs);
    assert_eq!(short.reason, "1 number changed");
    assert_eq!(short.differences[0].kind, DifferenceKind::NumberChanged);
    assert_eq!(short.differences[0].control, Some(json!("17")));
    assert_eq!(short.differences[0].candidate, Some(json!("70")));
    assert_eq!(
        comparison.field(Field::LongSummary).expect("it").verdict,
        FieldVerdict::Differs
    );
}

#[test]
fn a_changed_name_and_a_lost_not_differ() {
    let comparison = judged(|candidate| {
        candidate.short_summary = candidate
            .short_summary
            .take()
            .map(|text| text.replace("Ben", "Dora"));
        candidate.long_summary = candidate
            .long_summary
            .take()
            .map(|text| text.replace("Chloe", "She"));
        candidate.topics[0].summary = candidate.topics[0]
            .summary
            .replace("will fix", "will not fix");
    });
    assert_eq!(
        comparison.field(Field::ShortSummary).expect("it").reason,
        "1 name changed"
    );
    // She is called Chloé in the list of participants.
    assert_eq!(
        comparison.field(Field::LongSummary).expect("it").reason,
        "1 name changed"
    );
    assert_eq!(
        comparison.field(Field::TopicsSummaries).expect("it").reason,
        "1 negation changed"
    );
}

#[test]
fn a_paraphrased_title_is_noise_everywhere_it_is_repeated() {
    let comparison = judged(|candidate| reword(candidate, "api Load Test", "api Load Tests"));
    assert_eq!(
        comparison.verdict,
        Verdict::WithinNoise,
        "{:?}",
        told(&comparison)
    );
    assert_eq!(
        told(&comparison),
        [
            "title: within_noise",
            "events: within_noise",
            "messages: within_noise",
            "zulip: within_noise",
            "webhook: within_noise",
        ]
    );
}

#[test]
fn a_webhook_that_says_another_title_than_the_row_differs() {
    let comparison = judged(|candidate| {
        change_body(candidate, |body| {
            body["transcript"]["title"] = json!("Standup");
        });
    });
    assert_eq!(told(&comparison), ["webhook: differs"]);
    let differences = &comparison.field(Field::Webhook).expect("it").differences;
    assert_eq!(differences[0].path, "/body/transcript/title");
}

#[test]
fn an_extra_webhook_key_and_a_missing_signature_differ() {
    let comparison = judged(|candidate| {
        change_body(candidate, |body| {
            body["transcript"]["language"] = json!("en");
        });
        let headers = &mut candidate.webhook.as_mut().expect("a webhook").headers;
        headers.retain(|(name, _)| name != "X-Webhook-Signature");
    });
    assert_eq!(told(&comparison), ["webhook: differs"]);
    let webhook = comparison.field(Field::Webhook).expect("it");
    let found: Vec<_> = webhook
        .differences
        .iter()
        .map(|found| (found.path.as_str(), found.kind))
        .collect();
    assert_eq!(
        found,
        [
            ("/headers/x-webhook-signature", DifferenceKind::OnlyControl),
            ("/body/transcript/language", DifferenceKind::OnlyCandidate),
        ]
    );
}

#[test]
fn the_same_values_in_other_bytes_differ() {
    let comparison = judged(|candidate| {
        let webhook = candidate.webhook.as_mut().expect("a webhook");
        let body: Value = serde_json::from_str(&webhook.body).expect("JSON");
        webhook.body = serde_json::to_string_pretty(&body).expect("JSON");
        candidate.published[0].payload = candidate.published[0].payload.replace(": ", ":");
    });
    assert_eq!(told(&comparison), ["messages: differs", "webhook: differs"]);
    let bytes = |field| comparison.field(field).expect("it").differences[0].kind;
    assert_eq!(bytes(Field::Webhook), DifferenceKind::BytesChanged);
    assert_eq!(bytes(Field::Messages), DifferenceKind::BytesChanged);
}

#[test]
fn a_swapped_speaker_differs_though_every_word_is_right() {
    let comparison = judged(|candidate| {
        for word in candidate.words.iter_mut().take(12) {
            word.speaker = 1 - word.speaker.min(1);
        }
    });
    assert_eq!(
        told(&comparison),
        ["speakers: differs", "words_by_speaker: differs"]
    );
    let speakers = comparison.field(Field::Speakers).expect("it");
    assert_eq!(speakers.differences.len(), 12);
    assert_eq!(speakers.differences[0].path, "/words/0/speaker");
}

#[test]
fn speakers_under_each_others_names_differ_though_no_word_is_lost() {
    let comparison = judged(|candidate| {
        for word in &mut candidate.words {
            word.speaker = match word.speaker {
                0 => 1,
                1 => 0,
                other => other,
            };
        }
    });
    assert_eq!(told(&comparison), ["speakers: differs"]);
    let speakers = comparison.field(Field::Speakers).expect("it");
    let value = |name: &str| {
        let number = speakers.measured.iter().find(|number| number.name == name);
        number.and_then(|number| number.value).expect("a value")
    };
    assert!(value("label_permutation") > 0.0);
    assert!(value("attribution_error") <= 0.0);
}

#[test]
fn a_sentence_given_to_somebody_else_is_measured_as_such() {
    let control = standup();
    let changes = |pair: &[Word]| pair[0].speaker != pair[1].speaker;
    let first = control
        .words
        .windows(2)
        .position(changes)
        .expect("a change")
        + 1;
    let next = control.words[first..]
        .windows(2)
        .position(changes)
        .expect("a change")
        + 1;
    let comparison = judged(|candidate| {
        for word in &mut candidate.words[first..first + next] {
            word.speaker = candidate_speaker(word.speaker);
        }
    });
    let speakers = comparison.field(Field::Speakers).expect("it");
    let error = speakers
        .measured
        .iter()
        .find(|number| number.name == "attribution_error")
        .and_then(|number| number.value)
        .expect("a value");
    let moved = next as f64 / control.words.len() as f64;
    assert!(
        error > 0.5 * moved && error <= moved * 1.1,
        "{error} of {moved}"
    );
}

/// Another of the three who speak.
const fn candidate_speaker(speaker: i64) -> i64 {
    (speaker + 1) % 3
}

#[test]
fn what_a_model_calls_alike_passes_nothing_and_fails_nothing() {
    let control = standup();
    let mut candidate = control.clone();
    reword(&mut candidate, "in 17 minutes", "in 70 minutes");
    let told_by = |cosine: Option<f64>| {
        let meanings: Meanings = [Field::Title, Field::ShortSummary, Field::LongSummary]
            .into_iter()
            .filter_map(|field| cosine.map(|cosine| (field, cosine)))
            .collect();
        compare_with(&control, &candidate, &Policy::shipped(), &meanings)
    };
    let without = told_by(None);
    for cosine in [1.0, 0.0, -1.0] {
        let with = told_by(Some(cosine));
        assert_eq!(told(&with), told(&without));
        let short = with.field(Field::ShortSummary).expect("it");
        assert_eq!(short.verdict, FieldVerdict::Differs);
        let number = short.measured.iter().find(|number| number.name == "cosine");
        let number = number.expect("it is told");
        assert_eq!((number.value, number.bound), (Some(cosine), None));
    }
    let bounded = include_str!("../../comparisons/daily_diarization_pipeline.json").replacen(
        r#""at_least": { "similarity": 0.45 }"#,
        r#""at_least": { "similarity": 0.45, "cosine": 0.5 }"#,
        1,
    );
    let error = Policy::parse("a policy", &bounded).expect_err("a cosine cannot be bounded");
    assert!(error.problem.contains("cosine"), "{error}");
}

#[test]
fn one_misheard_word_is_noise_and_one_misheard_number_is_not() {
    let misheard = |from: &'static str, to: &'static str| {
        let comparison = judged(move |candidate| {
            let word = candidate
                .words
                .iter_mut()
                .find(|word| word.text.trim() == from)
                .expect("the word");
            word.text = word.text.replace(from, to);
        });
        comparison.field(Field::Words).expect("it").verdict
    };
    assert_eq!(misheard("staging.", "stages."), FieldVerdict::WithinNoise);
    assert_eq!(misheard("48,200", "48,300"), FieldVerdict::Differs);
    assert_eq!(misheard("Canada.", "Canadian"), FieldVerdict::WithinNoise);
}

#[test]
fn one_late_track_differs_in_time_alone() {
    let comparison = judged(|candidate| {
        for word in candidate.words.iter_mut().filter(|word| word.speaker == 2) {
            word.start += 0.08;
            word.end += 0.08;
        }
        candidate
            .words
            .sort_by(|left, right| left.start.total_cmp(&right.start));
    });
    let times = comparison.field(Field::WordTimes).expect("it");
    assert_eq!(times.verdict, FieldVerdict::Differs);
    assert!(
        times
            .reason
            .contains("offset 0.08 s must be at most 0.05 s"),
        "{}",
        times.reason
    );
}

#[test]
fn a_dropped_topic_differs_although_one_more_or_fewer_is_tolerated() {
    let comparison = judged(|candidate| {
        let last: Topic = candidate.topics.pop().expect("a topic");
        candidate.topics[1].words.extend(last.words);
    });
    let count = comparison.field(Field::TopicsCount).expect("it");
    assert_eq!(count.verdict, FieldVerdict::Differs);
    assert_eq!(count.reason, "the same words were cut differently");
    assert_eq!(
        comparison
            .field(Field::TopicsBoundaries)
            .expect("it")
            .verdict,
        FieldVerdict::Differs
    );
    assert_eq!(
        comparison.field(Field::TopicsTitles).expect("it").verdict,
        FieldVerdict::WithinNoise
    );
}

#[test]
fn a_shifted_waveform_differs_and_a_rounded_one_is_noise() {
    let shifted = judged(|candidate| candidate.waveform.rotate_right(1));
    assert_eq!(told(&shifted), ["waveform: differs"]);
    let rounded = judged(|candidate| {
        candidate
            .waveform
            .iter_mut()
            .step_by(9)
            .for_each(|peak| *peak -= 0.01);
    });
    assert_eq!(told(&rounded), ["waveform: within_noise"]);
}

#[test]
fn a_mix_that_lost_a_second_or_a_channel_differs() {
    let comparison = judged(|candidate| {
        let audio = candidate.audio.as_mut().expect("audio");
        audio.envelope.drain(100..110);
        audio.samples -= 48_000;
        candidate.duration_ms = candidate.duration_ms.map(|ms| ms - 1000.0);
    });
    assert_eq!(
        comparison.field(Field::Audio).expect("it").verdict,
        FieldVerdict::Differs
    );
    assert_eq!(
        comparison.field(Field::Duration).expect("it").verdict,
        FieldVerdict::Differs
    );
    let mono = judged(|candidate| candidate.audio.as_mut().expect("audio").channels = 1);
    assert_eq!(told(&mono), ["audio: differs"]);
}

#[test]
fn an_encoder_that_is_a_little_longer_is_noise() {
    let comparison =
        judged(|candidate| candidate.duration_ms = candidate.duration_ms.map(|ms| ms + 7.5));
    assert_eq!(told(&comparison), ["duration: within_noise"]);
}

#[test]
fn a_leftover_object_and_an_unwanted_deletion_differ() {
    let comparison = judged(|candidate| {
        let mut leftover = candidate.objects[0].clone();
        leftover.key = "file_pipeline/x/tracks/padded_0.webm".to_owned();
        candidate.objects.push(leftover);
        candidate.deleted.push("example/track".to_owned());
    });
    assert_eq!(
        told(&comparison),
        ["objects: differs", "deletions: differs"]
    );
}

#[test]
fn a_post_to_another_stream_differs() {
    let comparison = judged(|candidate| {
        let zulip = candidate.zulip.as_mut().expect("a post");
        zulip.body = zulip.body.replace("to=meetings", "to=general");
    });
    assert_eq!(told(&comparison), ["zulip: differs"]);
    assert_eq!(
        comparison.field(Field::Zulip).expect("it").differences[0].path,
        "/form/to"
    );
}

#[test]
fn a_webhook_the_candidate_did_not_send_is_lost_and_one_the_control_hid_is_not_comparable() {
    assert_eq!(
        told(&judged(|candidate| candidate.webhook = None)),
        ["webhook: differs"]
    );
    let (mut control, candidate) = (standup(), standup());
    control.webhook = None;
    control.audio = None;
    let comparison = compare(&control, &candidate, &Policy::shipped());
    assert_eq!(
        told(&comparison),
        ["audio: not_comparable", "webhook: not_comparable"]
    );
    assert_eq!(comparison.verdict, Verdict::NotComparable);
    let policy = Policy::shipped().without(&[Field::Webhook, Field::Audio]);
    assert_eq!(
        compare(&control, &candidate, &policy).verdict,
        Verdict::Match
    );
}

#[test]
fn a_failed_candidate_is_not_compared_field_by_field() {
    let comparison = judged(|candidate| {
        candidate.status = OutcomeStatus::Error;
        candidate.words.clear();
    });
    assert_eq!(comparison.verdict, Verdict::CandidateFailed);
    assert_eq!(told(&comparison), ["status: differs"]);
    assert_eq!(comparison.fields.len(), 1);
}

#[test]
fn text_out_of_silence_differs() {
    let (mut control, mut candidate) = (standup(), standup());
    control.words.clear();
    candidate.words.truncate(3);
    let comparison = compare(&control, &candidate, &Policy::shipped());
    let words = comparison.field(Field::Words).expect("it");
    assert_eq!(words.verdict, FieldVerdict::Differs);
    assert!(
        words.reason.starts_with("text out of silence"),
        "{}",
        words.reason
    );
}

#[test]
fn reasons_never_quote_the_meeting() {
    let comparison = judged(|candidate| {
        reword(candidate, "Northwind", "Zanzibar");
        reword(candidate, "17 minutes", "71 minutes");
        candidate.topics.swap(0, 1);
    });
    for result in &comparison.fields {
        for secret in ["Northwind", "Zanzibar", "17", "71", "Ben", "minutes"] {
            assert!(
                !result.reason.contains(secret),
                "{}: {}",
                result.field,
                result.reason
            );
        }
    }
    let reasons = comparison.reasons();
    assert!(
        reasons
            .windows(2)
            .all(|pair| pair[0].verdict >= pair[1].verdict)
    );
}

#[test]
fn a_comparison_reads_back_from_json() {
    let comparison = judged(|candidate| reword(candidate, "17 minutes", "18 minutes"));
    let text = serde_json::to_string(&comparison).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Comparison>(&text).expect("it reads"),
        comparison
    );
}
