//! What may be said, what it comes to, and what is left to do.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::compare::{Class, Field, Severity, Strictness, Verdict};
use crate::model::{RecordingId, RunId};

fn at(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)
}

fn sample(number: usize, stratum: &str) -> Item {
    Item {
        id: format!("itm_sample_{number}"),
        kind: ItemKind::Sample,
        run: RunId::new(format!("run_{number}")),
        comparison: format!("cmp_{number}"),
        recording: RecordingId::new(format!("recording_{number}")),
        verdict: Verdict::Match,
        stratum: stratum.to_owned(),
        draw: format!("{:04}", number * 7919 % 10_000),
        about: None,
        same: false,
        candidate_left: number.is_multiple_of(2),
        made_at: at(0),
    }
}

fn difference(number: usize, severity: Severity, signature: &str) -> Item {
    let (field, class, strictness) = if severity.blocks() {
        (Field::LongSummary, Class::FactChanged, Strictness::Soft)
    } else {
        (Field::TopicsTitles, Class::Paraphrase, Strictness::Soft)
    };
    Item {
        id: format!("itm_{signature}_{number:03}"),
        kind: ItemKind::Difference,
        about: Some(Judgement {
            field,
            class,
            severity,
            strictness,
            signature: signature.to_owned(),
            pattern: "within its bounds".to_owned(),
            path: format!("/{field}"),
            differences: 1,
        }),
        ..sample(number, "2 people, below 15 min")
    }
}

fn side_by_side(number: usize, kind: ItemKind, same: bool) -> Item {
    Item {
        id: format!("itm_{}_{number}", kind.as_str()),
        kind,
        same,
        ..sample(number, "2 people, below 15 min")
    }
}

fn book(items: Vec<Item>) -> Book {
    Book {
        items,
        ..Book::default()
    }
}

fn wanted(on: &str, says: Says, by: &str) -> Wanted {
    Wanted {
        on: Target::parse(on),
        says,
        by: by.to_owned(),
        reason: "because".to_owned(),
        owner: "olga".to_owned(),
        days: Some(10),
        at_most: Some(100),
    }
}

/// Says it, if it may be said, as the store would.
fn say(book: &mut Book, wanted: &Wanted, day: i64) -> Result<(), Refused> {
    let size = decide(book, wanted)?.len();
    let number = book.acts.len();
    book.acts.push(Act {
        id: format!("act_{number:03}"),
        on: wanted.on.as_str().to_owned(),
        on_cluster: matches!(wanted.on, Target::Cluster(_)),
        says: wanted.says,
        by: wanted.by.clone(),
        reason: wanted.reason.clone(),
        owner: wanted.owner.clone(),
        until: wanted.days.map(|days| at(day + days)),
        at_most: wanted.at_most,
        size: i64::try_from(size).expect("a few"),
        at: at(day),
    });
    Ok(())
}

fn open(book: &mut Book, how_many: usize, by: &str) {
    let ids: Vec<String> = book.items.iter().map(|item| item.id.clone()).collect();
    book.opened
        .extend(ids.into_iter().take(how_many).map(|item| Opened {
            item,
            by: by.to_owned(),
        }));
}

fn word(book: &Book, item: &str, day: i64) -> &'static str {
    book.standings(at(day))[item].word()
}

fn many(severity: Severity, signature: &str, how_many: usize) -> Vec<Item> {
    (0..how_many)
        .map(|number| difference(number, severity, signature))
        .collect()
}

#[test]
fn what_may_not_be_said_is_refused_with_a_remedy() {
    let mut items = many(Severity::S1, "s1", 6);
    items.push(difference(0, Severity::S0, "s0"));
    items.push(sample(0, "alone"));
    items.push(side_by_side(0, ItemKind::Title, false));
    let mut book = book(items);
    open(&mut book, 4, "ana");
    let no = |change: &dyn Fn(&mut Wanted), on: &str, says: Says| {
        let mut wanted = wanted(on, says, "ana");
        change(&mut wanted);
        let refused = decide(&book, &wanted).expect_err("it may not be said");
        assert!(!refused.remedy.is_empty());
        refused.reason
    };
    let as_it_is = |_: &mut Wanted| {};
    assert!(no(&as_it_is, "itm_none", Says::Accept).contains("no item `itm_none`"));
    assert!(no(&as_it_is, "none", Says::Accept).contains("no cluster `none`"));
    assert!(no(&as_it_is, "s1", Says::Accept).contains("opened 4 of the 5"));
    assert!(no(&as_it_is, "itm_s0_000", Says::Waive).starts_with("S0 is never waived"));
    assert!(no(&as_it_is, "itm_sample_0", Says::Waive).contains("is not waived"));
    assert!(no(&as_it_is, "itm_title_0", Says::Accept).contains("which side is better"));
    assert!(no(&|wanted| wanted.by.clear(), "itm_s1_000", Says::Accept).contains("nobody"));
    assert!(no(&|wanted| wanted.reason.clear(), "itm_s1_000", Says::Reject).contains("no reason"));
    assert!(
        no(&|wanted| wanted.owner.clear(), "itm_s1_000", Says::Reject).contains("nobody is to")
    );
    assert!(no(&|wanted| wanted.owner.clear(), "itm_s1_000", Says::Waive).contains("an owner"));
    assert!(no(&|wanted| wanted.days = Some(31), "itm_s1_000", Says::Waive).contains("1 to 30"));
    assert!(no(&|wanted| wanted.days = None, "itm_s1_000", Says::Waive).contains("1 to 30"));
    assert!(
        no(
            &|wanted| wanted.at_most = Some(0),
            "itm_s1_000",
            Says::Waive
        )
        .contains("at most")
    );
}

#[test]
fn s1_is_waived_by_two_people_and_only_until_the_day() {
    let mut book = book(many(Severity::S1, "s1", 1));
    say(&mut book, &wanted("itm_s1_000", Says::Waive, "ana"), 0).expect("she may");
    assert_eq!(word(&book, "itm_s1_000", 1), "waived by one of two");
    assert_eq!(book.summary(at(1)).open_severe, 1);
    let again = say(&mut book, &wanted("itm_s1_000", Says::Waive, "ana"), 1);
    assert!(again.expect_err("once").reason.contains("takes two people"));
    say(&mut book, &wanted("itm_s1_000", Says::Waive, "ben"), 1).expect("he may");
    assert_eq!(word(&book, "itm_s1_000", 2), "waived");
    let summary = book.summary(at(2));
    assert_eq!((summary.open_severe, summary.waivers.len()), (0, 1));
    assert_eq!(summary.waivers[0].by, ["ana", "ben"]);
    assert_eq!(
        word(&book, "itm_s1_000", 10),
        "waived by one of two",
        "ana's is over"
    );
    assert_eq!(word(&book, "itm_s1_000", 12), "open");
}

#[test]
fn a_waiver_of_a_cluster_covers_so_many_items() {
    let mut book = book(many(Severity::S2, "s2", 6));
    open(&mut book, 5, "ana");
    let mut waiver = wanted("s2", Says::Waive, "ana");
    waiver.at_most = Some(4);
    say(&mut book, &waiver, 0).expect("she may");
    assert_eq!(word(&book, "itm_s2_003", 1), "waived");
    assert_eq!(word(&book, "itm_s2_004", 1), "open");
}

#[test]
fn the_newest_word_counts_whether_on_the_item_or_on_its_cluster() {
    let mut book = book(many(Severity::S1, "s1", 3));
    open(&mut book, 3, "ana");
    say(&mut book, &wanted("s1", Says::Accept, "ana"), 0).expect("she opened all three");
    assert_eq!(word(&book, "itm_s1_001", 1), "accepted");
    say(&mut book, &wanted("itm_s1_001", Says::Reject, "ben"), 1).expect("he may");
    assert_eq!(word(&book, "itm_s1_001", 2), "rejected");
    let summary = book.summary(at(2));
    assert_eq!((summary.open_severe, summary.blockers), (1, 1));
    say(&mut book, &wanted("itm_s1_001", Says::NeedsInfo, "ben"), 2).expect("he may");
    assert_eq!(word(&book, "itm_s1_001", 3), "needs info");
}

#[test]
fn what_joins_an_accepted_cluster_far_beyond_its_size_is_open() {
    let mut book = book(many(Severity::S1, "s1", 4));
    open(&mut book, 4, "ana");
    say(&mut book, &wanted("s1", Says::Accept, "ana"), 0).expect("she opened all");
    book.items = many(Severity::S1, "s1", 10);
    assert_eq!(word(&book, "itm_s1_005", 1), "accepted");
    assert_eq!(word(&book, "itm_s1_006", 1), "open");
}

#[test]
fn acceptances_carry_over_while_the_cluster_stays_as_large_and_waivers_do_not() {
    let earlier = |says| Earlier {
        signature: "s1".to_owned(),
        says,
        by: "ana".to_owned(),
        size: 10,
    };
    let standing_of = |size: usize, says| {
        let mut book = book(many(Severity::S1, "s1", size));
        book.earlier = vec![earlier(says)];
        word(&book, "itm_s1_000", 1)
    };
    assert_eq!(standing_of(4, Says::Accept), "open");
    assert_eq!(standing_of(5, Says::Accept), "accepted before");
    assert_eq!(standing_of(15, Says::Accept), "accepted before");
    assert_eq!(standing_of(16, Says::Accept), "open");
    assert_eq!(standing_of(10, Says::Waive), "to reaffirm");
    assert_eq!(standing_of(10, Says::Reject), "open");
}

fn hiding(path: &str, class: Class) -> NewRule {
    NewRule {
        path: path.to_owned(),
        class,
        predicate: Predicate::Any,
        at_most: 3,
        days: 10,
        by: "ana".to_owned(),
        reason: "known".to_owned(),
    }
}

fn in_force(rule: &NewRule) -> Rule {
    Rule {
        id: "rul_1".to_owned(),
        path: rule.path.clone(),
        class: rule.class,
        predicate: rule.predicate,
        at_most: rule.at_most,
        by: rule.by.clone(),
        reason: rule.reason.clone(),
        made_at: at(0),
        until: at(rule.days),
    }
}

#[test]
fn a_rule_hides_up_to_its_cap_and_never_what_is_grave_or_hard() {
    let mut items = many(Severity::S3, "s3", 5);
    items.extend(many(Severity::S1, "s1", 1));
    let mut hard = difference(0, Severity::S3, "hard");
    if let Some(about) = &mut hard.about {
        about.strictness = Strictness::Hard;
    }
    items.push(hard);
    let mut grave = difference(0, Severity::S3, "grave");
    if let Some(about) = &mut grave.about {
        about.severity = Severity::S1;
    }
    items.push(grave);
    let mut book = book(items);
    let rule = hiding("/topics_titles/**", Class::Paraphrase);
    let told = preview(&rule, &book.items, at(1));
    assert_eq!((told.hidden, told.of, told.severe, told.hard), (3, 8, 1, 1));
    assert_eq!(
        preview(&rule, &book.items, at(31)).of,
        0,
        "that is too long ago"
    );
    book.rules = vec![in_force(&rule)];
    assert_eq!(word(&book, "itm_s3_002", 1), "hidden by a rule");
    assert_eq!(word(&book, "itm_s3_003", 1), "open", "the cap is reached");
    assert_eq!(word(&book, "itm_hard_000", 1), "open");
    assert_eq!(word(&book, "itm_grave_000", 1), "open");
    let summary = book.summary(at(1));
    assert_eq!((summary.rules.len(), summary.hidden[0]), (1, 3));
}

#[test]
fn rules_have_limits() {
    assert!(may_be_made(&hiding("/title", Class::Paraphrase), 0).is_ok());
    let refused =
        |rule: &NewRule, beside| may_be_made(rule, beside).expect_err("it may not").reason;
    let title = |change: &dyn Fn(&mut NewRule)| {
        let mut rule = hiding("/title", Class::Paraphrase);
        change(&mut rule);
        rule
    };
    assert!(refused(&hiding("/**", Class::Paraphrase), 0).contains("names no field"));
    assert!(refused(&hiding("title", Class::Paraphrase), 0).contains("no path"));
    for class in [
        Class::FactChanged,
        Class::PolarityChanged,
        Class::SideEffect,
    ] {
        assert!(refused(&hiding("/title", class), 0).contains("ever hidden"));
    }
    assert!(refused(&title(&|rule| rule.days = 31), 0).contains("1 to 30 days"));
    assert!(refused(&title(&|rule| rule.at_most = 1001), 0).contains("1 to 1000"));
    assert!(refused(&title(&|rule| rule.reason.clear()), 0).contains("on record"));
    assert!(refused(&title(&|_| ()), RULES_AT_MOST).contains("ten rules"));
    for text in ["any", "count<=3", "severity=S3"] {
        let predicate = Predicate::parse(text).expect("it reads");
        assert_eq!(predicate.to_string(), text);
    }
    for text in ["", "count<=0", "severity=S1", "severity=S0", "count>3"] {
        assert_eq!(Predicate::parse(text), None, "{text}");
    }
}

#[test]
fn everything_that_is_to_be_looked_at_is_counted() {
    let kinds = [ItemKind::Title, ItemKind::Summary];
    let mut items: Vec<Item> = (0..40)
        .map(|number| sample(number, if number < 38 { "usual" } else { "long" }))
        .collect();
    for kind in kinds {
        items.extend((0..40).map(|number| side_by_side(number, kind, number % 4 == 0)));
    }
    items.extend(many(Severity::S1, "s1", 2));
    items.extend(many(Severity::S3, "s3", 3));
    let mut book = book(items);
    let done_of = |book: &Book, name: &str| {
        let summary = book.summary(at(5));
        let mut all = summary.obligations.into_iter();
        let one = all.find(|one| one.name == name).expect("it is there");
        (one.done, one.needed, one.met)
    };
    assert_eq!(done_of(&book, "severe"), (0, 2, false));
    assert_eq!(done_of(&book, "clusters"), (0, 1, false));
    assert_eq!(done_of(&book, "random"), (0, 30, false));
    assert_eq!(done_of(&book, "strata"), (0, 7, false));
    assert_eq!(done_of(&book, "blind_titles"), (10, 20, false));
    assert!(!book.summary(at(5)).is_done());

    open(&mut book, 1000, "ana");
    for cluster in ["s1", "s3"] {
        say(&mut book, &wanted(cluster, Says::Accept, "ana"), 1).expect("she opened all");
    }
    let sampled: Vec<String> = book.sampled(30, 5).into_iter().map(str::to_owned).collect();
    assert!(sampled.len() >= 30 && sampled.contains(&"itm_sample_38".to_owned()));
    for item in &sampled {
        say(&mut book, &wanted(item, Says::Accept, "ana"), 1).expect("she may");
    }
    for kind in kinds {
        let asked: Vec<Item> = book.asked(kind, 20).into_iter().cloned().collect();
        assert!(asked.iter().all(|item| !item.same) && asked.len() == 20);
        for item in asked {
            book.choices.push(Chosen {
                item: item.id,
                by: "ana".to_owned(),
                choice: Choice::Tie,
                at: at(1),
            });
        }
    }
    let summary = book.summary(at(5));
    assert!(summary.is_done(), "{:?}", summary.obligations);
    assert!(book.queue(Some("ana"), at(5)).is_empty());
    let most = summary.missed_at_most.expect("30 were looked at");
    assert!((most - 0.0827).abs() < 0.001, "{most}");
}

#[test]
fn a_candidate_that_loses_side_by_sides_does_not_meet_the_obligation() {
    let mut book = book(
        (0..30)
            .map(|n| side_by_side(n, ItemKind::Title, false))
            .collect(),
    );
    for number in 0..20 {
        let choice = if number < 12 {
            Choice::Candidate
        } else {
            Choice::Control
        };
        book.choices.push(Chosen {
            item: format!("itm_title_{number}"),
            by: "ana".to_owned(),
            choice,
            at: at(1),
        });
    }
    let summary = book.summary(at(2));
    let titles = summary
        .obligations
        .iter()
        .find(|one| one.name == "blind_titles");
    let titles = titles.expect("it is there");
    assert_eq!(
        (titles.done, titles.met),
        (20, false),
        "12 of 20 is 42 % at least"
    );
    assert!(
        summary
            .titles
            .at_least
            .is_some_and(|least| least < BLIND_LEAST)
    );
}

#[test]
fn a_side_says_whose_it_is_only_with_what_was_drawn() {
    assert_eq!(Side::Left.choice(true), Choice::Candidate);
    assert_eq!(Side::Left.choice(false), Choice::Control);
    assert_eq!(Side::Right.choice(false), Choice::Candidate);
    assert_eq!(Side::Tie.choice(true), Choice::Tie);
    let item = side_by_side(0, ItemKind::Summary, false);
    let told = serde_json::to_string(&item).expect("JSON");
    assert!(!told.contains("left") && !told.contains("draw"), "{told}");
}

/// The example of Cohen (1960) as usually told: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no.
#[test]
fn kappa_is_agreement_beyond_chance() {
    let (yes, no) = (Choice::Candidate, Choice::Control);
    let pairs = [
        vec![(yes, yes); 20],
        vec![(yes, no); 5],
        vec![(no, yes); 10],
        vec![(no, no); 15],
    ];
    let found = kappa(&pairs.concat()).expect("there are pairs");
    assert!((found - 0.4).abs() < 1e-9, "{found}");
    assert_eq!(kappa(&[]), None);
    assert_eq!(kappa(&[(yes, yes)]), None, "chance agrees as well");
}

#[test]
fn the_queue_is_narrowed_and_what_waited_longest_can_come_first() {
    let mut items = many(Severity::S3, "s3", 2);
    items.push(difference(7, Severity::S1, "s1"));
    items.push(side_by_side(0, ItemKind::Title, false));
    items[2].made_at = at(2);
    let book = book(items);
    let ids = |sought: Sought| -> Vec<String> {
        let queue = book.sought(None, &sought, at(5));
        queue.into_iter().map(|(item, _)| item.id.clone()).collect()
    };
    let all = ["itm_s1_007", "itm_s3_000", "itm_s3_001", "itm_title_0"];
    assert_eq!(ids(Sought::default()), all);
    let oldest = Sought {
        order: Order::Oldest,
        ..Sought::default()
    };
    let expected = ["itm_title_0", "itm_s3_000", "itm_s3_001", "itm_s1_007"];
    assert_eq!(ids(oldest), expected);
    for (sought, expected) in [
        (
            Sought {
                severity: Some(Severity::S1),
                ..Sought::default()
            },
            &["itm_s1_007"][..],
        ),
        (
            Sought {
                field: Some(Field::TopicsTitles),
                ..Sought::default()
            },
            &["itm_s3_000", "itm_s3_001"],
        ),
        (
            Sought {
                cluster: Some("s1".to_owned()),
                ..Sought::default()
            },
            &["itm_s1_007"],
        ),
        (
            Sought {
                kind: Some(ItemKind::Title),
                ..Sought::default()
            },
            &["itm_title_0"],
        ),
        (
            Sought {
                kind: Some(ItemKind::Title),
                severity: Some(Severity::S1),
                ..Sought::default()
            },
            &[],
        ),
    ] {
        assert_eq!(ids(sought.clone()), expected, "{sought:?}");
    }
}

#[test]
fn what_a_verdict_would_come_to_is_what_it_comes_to() {
    let mut book = book(many(Severity::S1, "s1", 6));
    let mut waive = wanted("s1", Says::Waive, "ana");
    waive.at_most = Some(4);
    assert!(foresee(&book, &waive, at(1)).is_err(), "nobody opened any");
    open(&mut book, 5, "ana");
    open(&mut book, 5, "bo");
    let settled = |book: &Book| {
        let standings = book.standings(at(1));
        standings.values().filter(|one| one.is_settled()).count()
    };
    // S1 takes two people, and the waiver covers four.
    for (by, after) in [("ana", 0), ("bo", 4)] {
        waive.by = by.to_owned();
        let before = settled(&book);
        let foreseen = foresee(&book, &waive, at(1)).expect("it may be said");
        let expected = Foreseen {
            items: 6,
            settled_before: before,
            settled_after: after,
            severe_open: 6 - after,
        };
        assert_eq!(foreseen, expected);
        assert_eq!(settled(&book), before, "nothing is noted");
        say(&mut book, &waive, 1).expect("it may be said");
        assert_eq!(settled(&book), after);
    }
}
