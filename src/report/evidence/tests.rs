use insta::assert_snapshot;

use super::{
    Links, html, json, markdown,
    samples::{classes, facts, full, report, steps},
    terminal,
};
use crate::gate::Facts;

fn page(facts: &Facts) -> String {
    html::render(&report(facts, &steps(), &classes()), Links::Server)
        .expect("the template is right")
}

fn empty() -> super::EvidenceReport {
    report(&Facts::default(), &[], &[])
}

#[test]
fn the_terminal_has_the_verdict_first() {
    let report = report(&full(), &steps(), &classes());
    let plain = terminal::render(&report, false);
    assert_snapshot!("terminal", plain);
    let coloured = terminal::render(&report, true);
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(console::strip_ansi_codes(&coloured), plain);
    let widest = plain.lines().map(console::measure_text_width).max();
    assert!(
        plain
            .lines()
            .skip(6)
            .all(|line| console::measure_text_width(line) <= 100),
        "{widest:?}"
    );
}

#[test]
fn the_chat_gets_one_screen() {
    assert_snapshot!(
        "markdown",
        markdown::render(&report(&full(), &steps(), &classes()))
    );
    assert_snapshot!("markdown_of_nothing", markdown::render(&empty()));
}

#[test]
fn the_chat_gets_no_recording_and_no_run() {
    let text = markdown::render(&report(&full(), &steps(), &classes()));
    for named in ["rec_", "run_", "switchyard report"] {
        assert!(!text.contains(named), "{text}");
    }
}

#[test]
fn the_page_stands_alone() {
    let page = page(&full());
    assert!(page.starts_with("<!doctype html>"));
    for outside in [
        "<script", "src=", "@import", "url(", "http://", "https://", "<link",
    ] {
        assert!(!page.contains(outside), "the page has `{outside}`");
    }
}

#[test]
fn every_drawing_has_words() {
    let page = page(&full());
    let drawings = page.matches("<svg ").count();
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), drawings);
    let in_words = page.matches("As a table").count()
        + page.matches("In words").count()
        + page.matches("In numbers").count();
    assert_eq!(in_words, drawings);
}

#[test]
fn what_is_not_known_is_said_where_it_would_stand() {
    let page = html::render(&empty(), Links::Command).expect("the template is right");
    for said in [
        "No recording counts so far.",
        "The control ran a second time on no recording",
        "times are known of no recording",
        "The times of steps are known of no recording.",
        "No recording arrived so far.",
        "Nothing tells of what kinds the differences are.",
        "No defects were planted",
        "Nobody has looked at differences.",
        "None: no recording fails",
        "no recordings so far",
    ] {
        assert!(page.contains(said), "`{said}` is missing");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn a_page_of_everything_has_no_number_that_is_none() {
    let page = page(&full());
    assert!(!page.contains("NaN") && !page.contains(">inf") && !page.contains("\"inf"));
    for said in [
        "NO-GO with 2 waivers and 1 rule",
        "rec_0011",
        "the candidate did not end in time",
    ] {
        assert!(page.contains(said), "`{said}` is missing");
    }
}

#[test]
fn the_worst_come_first_and_lead_to_their_reports() {
    let report = report(&facts(), &[], &[]);
    let worst: Vec<(&str, &str)> = report
        .worst
        .iter()
        .map(|bad| (bad.run.as_str(), bad.why.as_str()))
        .collect();
    assert_eq!(
        worst,
        [
            ("run_0011", "the candidate did not end in time"),
            ("run_0029", "fails by Words"),
            ("run_0033", "outside of the declared bounds: Title"),
            ("run_0035", "2.5 times the control's time"),
        ]
    );
    let of = |links| html::render(&report, links).expect("the template is right");
    assert!(of(Links::Server).contains("href=\"&#x2f;runs&#x2f;run_0011&#x2f;report\""));
    assert!(of(Links::Beside).contains("href=\"runs&#x2f;run_0011.html\""));
    assert!(of(Links::Command).contains("<code>switchyard report run_0011</code>"));
}

#[test]
fn programs_get_the_same() {
    let report = report(&full(), &steps(), &classes());
    let read: serde_json::Value =
        serde_json::from_str(&json::render(&report).expect("JSON")).expect("it reads");
    assert_eq!(read["decision"]["verdict"], "fail");
    assert_eq!(read["soft"][0]["name"], "title");
    assert_eq!(read["worst"].as_array().map(Vec::len), Some(4));
    assert_eq!(read["classes"][0]["class"], "paraphrase");
    assert_eq!(read["steps"]["steps"][2]["candidate_s"], 32.5);
    assert_eq!(read["times"]["recordings"], 40);
}

#[test]
fn control_characters_of_html_in_names_are_text() {
    let mut facts = facts();
    facts.known_strata[0].language = "<script>alert(1)</script>".to_owned();
    let page = page(&facts);
    assert!(!page.contains("<script"));
}

/// The recorded meeting, and a candidate that says much of it otherwise.
#[test]
fn the_chat_hears_nothing_of_the_meeting() {
    use crate::{
        compare::{FieldVerdict, Policy, compare, fixture::standup},
        gate::{FieldKind, FieldRule},
    };
    let control = standup();
    let mut candidate = control.clone();
    candidate.title = Some("Quarterly numbers".to_owned());
    candidate.long_summary = candidate.long_summary.map(|text| text.replace("17", "71"));
    candidate
        .words
        .iter_mut()
        .skip(5)
        .step_by(7)
        .for_each(|word| word.speaker += 1);
    let comparison = compare(&control, &candidate, &Policy::shipped());
    let mut facts = facts();
    let differing = comparison
        .fields
        .iter()
        .filter(|field| field.verdict == FieldVerdict::Differs);
    facts.pairs[3].broken = differing.map(|field| field.field.to_string()).collect();
    assert!(facts.pairs[3].broken.len() > 2);
    let mut rules = super::samples::rules();
    rules
        .fields
        .extend(facts.pairs[3].broken.iter().map(|name| FieldRule {
            name: name.clone(),
            label: name.clone(),
            kind: FieldKind::Hard,
            dry_run: 0,
        }));
    let decision = crate::gate::decide(&rules, &facts, super::samples::now());
    let report = super::EvidenceReport::of(super::Material {
        about: &super::samples::about(),
        rules: &rules,
        facts: &facts,
        decision: &decision,
        steps: &steps(),
        classes: &classes(),
        looked_at: &super::LookedAt::default(),
        timeline: &super::Timeline::default(),
        beside: &super::Beside::default(),
        earlier: None,
    });
    let texts = [
        markdown::render(&report),
        terminal::render(&report, false),
        html::render(&report, Links::Server).expect("the template is right"),
        json::render(&report).expect("JSON"),
    ];
    let said: Vec<String> = control
        .words
        .windows(4)
        .map(|words| {
            words
                .iter()
                .map(|word| word.text.trim())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .chain(control.participants.iter().map(|one| one.name.clone()))
        .chain(control.topics.iter().map(|topic| topic.title.clone()))
        .chain(control.title.clone())
        .chain(["Northwind".to_owned(), "Quarterly numbers".to_owned()])
        .collect();
    assert!(said.len() > 500, "the meeting was not read");
    for text in texts {
        let heard = said.iter().find(|one| text.contains(one.as_str()));
        assert_eq!(heard, None);
    }
}

#[test]
fn what_changed_is_told_alike_everywhere_and_names_nobody_in_the_chat() {
    let mut report = report(&full(), &steps(), &classes());
    let mut then = report.decision.clone();
    then.verdict = crate::model::GateVerdict::NotYet;
    then.counts.recordings = 28;
    let earlier = super::Earlier {
        at: "2026-03-13 12:00 UTC".to_owned(),
        decided: Some((report.about.versions.clone(), then)),
        new: vec![super::NewSort {
            field: "Title".to_owned(),
            class: "fact changed".to_owned(),
            severity: crate::gate::Severity::S1,
            pattern: "/title:number".to_owned(),
            signature: "0123".to_owned(),
            recordings: 2,
        }],
    };
    let changes = super::Changes::of(&earlier, &report.about.versions, &report.decision);
    report.changes = Some(changes);
    let page = html::render(&report, Links::Server).expect("the template is right");
    let chat = markdown::render(&report);
    let plain = terminal::render(&report, false);
    for said in [
        "hanged since 2026-03-13 12:00 UTC",
        "It was NOT YET and is NO-GO now.",
        "Counts: recordings 28 → 40.",
        "New sorts of differences: Title, fact changed (S1) in 2.",
    ] {
        for told in [&page, &chat, &plain] {
            assert!(told.contains(said), "{said} in {told}");
        }
    }
    assert!(page.contains("&#x2f;title:number") && !chat.contains("title:number"));
    let told: serde_json::Value =
        serde_json::from_str(&json::render(&report).expect("JSON")).expect("it reads");
    assert_eq!(told["changes"]["counts"][0]["then"], 28);
    assert_eq!(told["changes"]["verdict_then"], "not_yet");
    assert_eq!(told["changes"]["new"][0]["recordings"], 2);
}

#[test]
fn what_happened_is_drawn_in_words_and_in_numbers() {
    let page = page(&full());
    for said in [
        "phase shadow 50 %",
        "ada: it looks &lt;good&gt;",
        "breaker open",
        "grace: the weekend",
        "versions 0123456789abcdef",
        "40 runs compared",
    ] {
        assert!(page.contains(said), "`{said}` is missing");
    }
    let of = |facts: &Facts| {
        let report = report(facts, &[], &[]);
        serde_json::to_value(&report.timeline).expect("JSON")
    };
    let told = of(&full());
    let bars = told["outcomes"].as_array().expect("a list");
    let all: i64 = bars
        .iter()
        .flat_map(|bar| ["same", "differs", "failed"].map(|how| bar[how].as_i64().unwrap_or(0)))
        .sum();
    assert_eq!(all, 40);
    assert_eq!(of(&Facts::default())["phases"][0]["what"], "parallel");
}

#[test]
fn a_count_and_its_share_each_stay_on_one_line() {
    let page = page(&full());
    assert!(page.contains("1\u{a0}of\u{a0}39 ("), "a count may break");
}

#[test]
fn what_is_put_up_with_and_preferred_is_listed_one_by_one_and_never_in_the_chat() {
    let report = report(&full(), &steps(), &classes());
    let page = html::render(&report, Links::Server).expect("the template is right");
    let page = page.replace("&#x2f;", "/");
    for said in [
        "31 paraphrase (S3)",
        "waiver of itm_0123",
        "ada and grace; owned by lin",
        "rule rul_0123: paraphrase at /title/** (any), hides 12 of at most 50",
        "Titles, not told whose is which: candidate better 6, equal 9, control better 5",
        "at least 53.1",
    ] {
        assert!(page.contains(said), "`{said}` is missing");
    }
    let chat = markdown::render(&report);
    for person in ["ada", "grace", "lin;"] {
        assert!(!chat.contains(person), "{chat}");
    }
}
