use super::heard::Heard;
use super::*;
use crate::compare::fixture::standup;
use crate::compare::{Field, Policy, compare};
use crate::model::StepTiming;

/// The recorded meeting against a candidate with one of everything.
fn sample(change: impl FnOnce(&mut Outcome)) -> ReportData {
    let control = standup();
    let mut candidate = control.clone();
    change(&mut candidate);
    let cost = |pipeline, step: &str, what: &str, amount, unit: &str, cost| CostLine {
        pipeline,
        step: step.to_owned(),
        what: what.to_owned(),
        amount,
        unit: unit.to_owned(),
        cost,
    };
    ReportData {
        recording: "11111111-2222-4333-8444-000000000020".into(),
        environment: "staging".to_owned(),
        flag: "daily_diarization_pipeline".to_owned(),
        control_run: None,
        candidate_run: Some("run_0123456789abcdef0123456789abcdef".into()),
        compared_at: "2026-11-23 17:00 UTC".to_owned(),
        comparison: compare(&control, &candidate, &Policy::shipped()),
        control,
        candidate,
        costs: vec![
            cost(
                Pipeline::Control,
                "transcribe_track",
                "GPU seconds, parakeet",
                41.5,
                "s",
                Some(0.0249),
            ),
            cost(
                Pipeline::Candidate,
                "transcribe_track",
                "GPU seconds, parakeet",
                40.25,
                "s",
                Some(0.0242),
            ),
            cost(
                Pipeline::Candidate,
                "detect_topics",
                "tokens in, golden-model",
                5210.0,
                "tokens",
                None,
            ),
        ],
        currency: "USD".to_owned(),
        is_shadow: true,
        shared: Vec::new(),
        pinned: None,
        borne: Vec::new(),
        texts_deleted: None,
    }
}

/// The page of a report whose recording cannot be heard.
fn page_of(data: &ReportData) -> Result<String, minijinja::Error> {
    html::render(data, &html::Heard::nothing("nobody kept it"))
}

fn differing() -> ReportData {
    sample(|candidate| {
        let swap = |text: &mut String| *text = text.replace("in 17 minutes", "in 70 minutes");
        candidate.short_summary.iter_mut().for_each(swap);
        candidate.title = Some(
            "Billing Export, Launch on 11 November and <script>alert(1)</script> Load Test"
                .to_owned(),
        );
        candidate
            .words
            .iter_mut()
            .skip(20)
            .take(9)
            .for_each(|word| word.speaker = 2);
        candidate.words[40].text = "perhaps ".to_owned();
        candidate
            .waveform
            .iter_mut()
            .skip(40)
            .step_by(3)
            .for_each(|peak| *peak *= 0.93);
        candidate.topics[1].title = "Northwind Maintenance and Load Test Results".to_owned();
        candidate.topics[2].timestamp += 6.0;
        if let Some(webhook) = &mut candidate.webhook {
            webhook.body = webhook.body.replacen(
                "\"status\":\"ended\"",
                "\"status\":\"ended\",\"language\":\"en\"",
                1,
            );
        }
        candidate.duration_ms = candidate.duration_ms.map(|ms| ms + 7.5);
        for (step, wall_ms) in [("pad_track", 3100.0), ("detect_topics", 950.0)] {
            candidate.steps.push(StepTiming {
                step: step.to_owned(),
                wall_ms,
            });
        }
        candidate
            .steps
            .iter_mut()
            .for_each(|step| step.wall_ms *= 0.6);
    })
}

#[test]
fn the_page_stands_alone_and_escapes_what_people_said() {
    let page = page_of(&differing()).expect("the template is right");
    assert!(page.starts_with("<!doctype html>"));
    for outside in [
        "<script",
        "src=",
        "@import",
        "url(",
        "http://",
        "https://cdn",
    ] {
        assert!(!page.contains(outside), "the page has `{outside}`");
    }
    assert!(page.contains("&lt;script&gt;alert"));
}

#[test]
fn the_page_tells_verdict_reasons_and_marked_words() {
    let page = page_of(&differing()).expect("the template is right");
    assert!(page.contains("<title>Differs · 11111111"), "no title");
    assert!(page.contains("1 number changed"));
    assert!(page.contains("<del><span class=\"vh\">removed: </span>17<"));
    assert!(page.contains("<ins><span class=\"vh\">added: </span>70<"));
    assert!(page.contains("&#x2f;body&#x2f;transcript&#x2f;language"));
}

#[test]
fn every_link_in_the_page_leads_somewhere() {
    let page = page_of(&differing()).expect("the template is right");
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().expect("a name");
        assert!(
            page.contains(&format!("id=\"{target}\"")),
            "nothing is called {target}"
        );
    }
}

#[test]
fn a_match_and_a_failed_candidate_have_a_page_too() {
    let page = page_of(&sample(|_| {})).expect("the template is right");
    assert!(page.contains("All 24 fields are the same."));
    let failed = sample(|candidate| {
        *candidate = Outcome {
            status: crate::model::OutcomeStatus::Error,
            failure: Some("transcribe_track, attempt 3: 500 from the service".to_owned()),
            ..Outcome::default()
        };
    });
    let page = page_of(&failed).expect("the template is right");
    assert!(page.contains("transcribe_track, attempt 3") && page.contains("Candidate failed"));
}

#[test]
fn a_withdrawn_candidate_is_told_in_a_sentence_and_not_as_a_failure() {
    let withdrawn = sample(|candidate| {
        *candidate = Outcome {
            status: crate::model::OutcomeStatus::Withdrawn,
            failure: Some("pad_track_0, attempt 1: the source is gone".to_owned()),
            ..Outcome::default()
        };
    });
    let told = "Consent was denied while the run was under way; nothing is left to compare.";
    let page = page_of(&withdrawn).expect("the template is right");
    assert!(page.contains(told) && page.contains("Not comparable"));
    assert!(!page.contains("failed."), "it is held against nobody");
    let plain = terminal::render(&withdrawn, false);
    assert!(
        plain.contains("? NOT COMPARABLE") && plain.contains(told),
        "{plain}"
    );
    let text = json::render(&withdrawn).expect("JSON");
    let read: ReportData = serde_json::from_str(&text).expect("it reads");
    assert_eq!(read, withdrawn);
    assert!(text.contains(crate::model::OutcomeStatus::WITHDRAWN));
}

#[test]
fn the_terminal_gets_colour_only_when_asked_and_never_meeting_text() {
    let data = differing();
    let plain = terminal::render(&data, false);
    assert!(!plain.contains('\u{1b}'));
    assert!(plain.contains("✗ DIFFERS"), "{plain}");
    for said in ["Northwind", "17 minutes", "Billing", "Chloe"] {
        assert!(!plain.contains(said), "{plain}");
    }
    let coloured = terminal::render(&data, true);
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(console::strip_ansi_codes(&coloured), plain);
    assert!(
        plain
            .lines()
            .all(|line| console::measure_text_width(line) <= 100),
        "{plain}"
    );
}

#[test]
fn the_json_report_reads_back() {
    let data = differing();
    let text = json::render(&data).expect("JSON");
    assert_eq!(
        serde_json::from_str::<ReportData>(&text).expect("it reads"),
        data
    );
}

#[test]
fn costs_without_a_price_are_unknown_and_not_nothing() {
    let data = sample(|_| {});
    assert!(
        data.total_cost(Pipeline::Control)
            .is_some_and(|cost| (cost - 0.0249).abs() < 1e-9)
    );
    let unpriced = ReportData {
        costs: Vec::new(),
        ..data
    };
    assert_eq!(unpriced.total_cost(Pipeline::Candidate), None);
}

#[test]
fn what_a_shadow_run_cost_on_top_is_said_with_its_share() {
    let data = sample(|_| {});
    let overhead = data.overhead().expect("it has a price");
    assert!(overhead.starts_with("shadow overhead 0."), "{overhead}");
    assert!(overhead.ends_with(" % of the control's"), "{overhead}");
    let live = ReportData {
        is_shadow: false,
        ..data
    };
    assert_eq!(live.overhead(), None);
}

#[test]
fn the_step_a_difference_comes_from_and_what_was_spared_are_told_everywhere() {
    let mut data = differing();
    data.pinned = Some(Pinned {
        steps: vec![
            crate::compare::StepFinding {
                step: crate::model::TaskName::DetectTopics,
                finding: crate::compare::Finding::Diverges,
                fields: Vec::new(),
                not_run: None,
            },
            crate::compare::StepFinding {
                step: crate::model::TaskName::GenerateTitle,
                finding: crate::compare::Finding::Inherits(vec![
                    crate::model::TaskName::DetectTopics,
                ]),
                fields: Vec::new(),
                not_run: None,
            },
        ],
        first: Some(crate::model::TaskName::DetectTopics),
    });
    data.shared = vec![SharedLine {
        service: "llm".to_owned(),
        asked: 14,
        reused: 13,
        tokens: 5210,
        gpu_seconds: 0.0,
    }];
    let page = page_of(&data).expect("a page");
    for told in [&terminal::render(&data, false), &page] {
        for expected in [
            "first step that diverges: detect_topics (given the control",
            "the difference comes from detect_topics",
            "13 of 14 answers were the control",
            "5210 tokens",
        ] {
            assert!(told.contains(expected), "{expected}");
        }
    }
    let text = json::render(&data).expect("JSON");
    assert_eq!(
        serde_json::from_str::<ReportData>(&text).expect("it reads"),
        data
    );
}

#[test]
fn each_word_leads_to_the_sound_at_its_time_also_without_a_script() {
    let data = differing();
    let heard = html::Heard {
        control: html::Side::Silent("it was deleted".to_owned()),
        candidate: html::Side::Plays("audio/candidate".to_owned()),
    };
    let told = html::render(&data, &heard).expect("a page");
    assert!(told.contains("Cannot be heard: it was deleted."));
    let links = told.matches("<a href=\"audio&#x2f;candidate#t=").count();
    let words = data.control.words.len();
    assert!(links >= words, "{links} links for {words} words");
    let first = &data.control.words[0];
    let link = format!("#t={:.2}\">{}</a>", first.start, first.text.trim());
    assert!(told.contains(&link), "{link}");
    assert_eq!(told.matches("<script").count(), 1);
    for outside in ["@import", "url(", "http://", "https://cdn"] {
        assert!(!told.contains(outside) || outside == "http://", "{outside}");
    }
    let silent = page_of(&data).expect("a page");
    assert!(silent.contains("Nothing can be heard: nobody kept it."));
    assert!(!silent.contains("#t=") && !silent.contains("<audio"));
}

#[test]
fn what_people_bear_is_on_the_page_and_the_terminal_and_its_reason_on_the_page_alone() {
    let mut data = differing();
    let borne = |how, reason: &str| Borne {
        field: "Title".to_owned(),
        class: "paraphrase".to_owned(),
        severity: Severity::S3,
        how,
        by: vec!["ana".to_owned(), "bo".to_owned()],
        until: "2026-12-01 12:00 UTC".to_owned(),
        reason: reason.to_owned(),
    };
    data.borne = vec![
        borne(BorneHow::Waived, "it said <Northwind> twice"),
        borne(BorneHow::Hidden("rul_1".to_owned()), ""),
    ];
    let page = page_of(&data).expect("a page");
    let plain = terminal::render(&data, false);
    for told in [
        "Title, paraphrase (S3): waived until 2026-12-01 12:00 UTC by ana and bo",
        "Title, paraphrase (S3): hidden by rule rul_1 until",
    ] {
        assert!(page.contains(told) && plain.contains(told), "{plain}");
    }
    assert!(page.contains("it said &lt;Northwind&gt; twice"));
    assert!(!plain.contains("Northwind"), "{plain}");
    let text = json::render(&data).expect("JSON");
    assert_eq!(
        serde_json::from_str::<ReportData>(&text).expect("it reads"),
        data
    );
}

/// Everything a blind page is made of, as text.
fn told(pairs: &[beside::Pair]) -> String {
    serde_json::to_string(pairs).expect("JSON")
}

#[test]
fn a_field_seen_blind_is_the_same_the_other_way_round_and_names_no_side() {
    let data = sample(|candidate| {
        candidate.title = Some("A title with 70 in it".to_owned());
        candidate.words[5].text = " zanzibar".to_owned();
        candidate.words[9].speaker = 1 - candidate.words[9].speaker.min(1);
        candidate.topics[0].title = "Something else".to_owned();
        candidate.deleted.push("a/key".to_owned());
    });
    let mut shown = 0;
    for field in Field::ALL.iter().copied() {
        let left = beside::blind(&data, field, None, true);
        let right = beside::blind(&data, field, None, false);
        assert_eq!(left.len(), right.len(), "{field}");
        for (one, other) in left.iter().zip(&right) {
            assert_eq!(
                (&one.left, &one.right),
                (&other.right, &other.left),
                "{field}"
            );
            assert_eq!(one.label, other.label);
        }
        let text = told(&left).to_lowercase();
        let kinds = [
            r#""kind":"deleted"#,
            r#""kind":"inserted"#,
            r#""kind":"moved"#,
        ];
        for word in ["control", "candidate"].into_iter().chain(kinds) {
            assert!(!text.contains(word), "{word} in {field}: {text}");
        }
        shown += usize::from(left.iter().any(|pair| !pair.same));
    }
    assert!(shown >= 4, "{shown} fields show a difference");
}

#[test]
fn turns_that_differ_come_after_the_one_before_them_with_where_each_word_is_heard() {
    let data = sample(|candidate| candidate.words[40].text = " zanzibar".to_owned());
    let heard = Heard {
        control: heard::Side::Silent("gone".to_owned()),
        candidate: heard::Side::Plays("/runs/x/audio/candidate".to_owned()),
    };
    let shown = beside::of_field(&data, Field::Words, None, &heard);
    let text = serde_json::to_string(&shown).expect("JSON");
    let start = data.candidate.words[40].start;
    let place = format!("/runs/x/audio/candidate#t={start:.2}");
    assert!(text.contains(&place), "{place} in {text}");
    let all = serde_json::to_value(&shown).expect("JSON");
    let turns = all["turns"].as_array().expect("turns");
    let changed = turns.iter().filter(|turn| turn["changed"] == true).count();
    assert!(
        (1..=3).contains(&changed) && turns.len() <= 2 * changed,
        "{text}"
    );
}
