use super::*;

fn signed() -> Signed {
    Signed {
        by: "ana".to_owned(),
        reason: "to see".to_owned(),
        at: DateTime::from_timestamp(1_760_954_400, 0).unwrap(),
    }
}

fn with(rules: &Rules, change: &Change) -> Rules {
    rules.with(change, &signed()).expect("it makes sense")
}

fn say(whose: Whose, key: &str, says: Says) -> Change {
    let key = key.to_owned();
    Change::Say { whose, key, says }
}

fn named(name: &str, rooms: &[&str]) -> Cohort {
    Cohort {
        name: name.to_owned(),
        rooms: Rooms::Named(rooms.iter().map(|room| RoomId::new(*room)).collect()),
    }
}

fn quiet() -> Cohort {
    Cohort {
        name: "quiet".to_owned(),
        rooms: Rooms::Of(RoomKind::WithoutWebhook),
    }
}

fn strata() -> Rules {
    let cohorts = vec![named("internal", &["a", "b"]), quiet()];
    with(&Rules::default(), &Change::Cohorts(cohorts))
}

fn reaching(name: &str) -> Rules {
    with(&strata(), &Change::Reach(name.to_owned()))
}

#[test]
fn a_room_is_of_the_first_cohort_that_holds_it() {
    for (room, without_webhook, cohort) in [
        (Some("a"), false, "internal"),
        (Some("a"), true, "internal"),
        (Some("z"), true, "quiet"),
        (Some("z"), false, "all"),
        (None, true, "all"),
    ] {
        let room = room.map(RoomId::new);
        let rules = strata();
        let turn = rules.turn(room.as_ref(), without_webhook);
        assert_eq!(turn.cohort, cohort, "{room:?}");
        assert!(turn.is_reached, "without a reach all are");
    }
}

#[test]
fn the_reach_takes_in_the_cohorts_up_to_it() {
    for (reach, internal, quiet, all) in [
        ("internal", true, false, false),
        ("quiet", true, true, false),
        ("all", true, true, true),
    ] {
        let rules = reaching(reach);
        let is_reached = |room: &str, without| rules.turn(Some(&room.into()), without).is_reached;
        let found = (
            is_reached("b", false),
            is_reached("z", true),
            is_reached("z", false),
        );
        assert_eq!(found, (internal, quiet, all), "{reach}");
    }
}

#[test]
fn a_recording_s_own_rule_goes_before_its_room_s() {
    let rules = with(&Rules::default(), &say(Whose::Room, "a", Says::Exclude));
    let rules = with(&rules, &say(Whose::Recording, "r", Says::Candidate));
    let said = |recording: &str, room: &str| {
        let said = rules.said(&recording.into(), Some(&room.into()));
        said.map(|rule| rule.says)
    };
    assert_eq!(said("r", "a"), Some(Says::Candidate));
    assert_eq!(said("q", "a"), Some(Says::Exclude));
    assert_eq!(said("q", "r"), None, "a room is no recording");
}

#[test]
fn what_is_said_of_a_key_replaces_what_was_said_before() {
    let rules = with(&Rules::default(), &say(Whose::Room, "a", Says::Exclude));
    let rules = with(&rules, &say(Whose::Room, "a", Says::Control));
    assert_eq!(rules.rules.len(), 1);
    let remove = Change::Remove {
        whose: Whose::Room,
        key: "a".to_owned(),
    };
    assert_eq!(rules.told(&remove), "room a: control");
    let rules = with(&rules, &remove);
    assert_eq!(rules, Rules::default());
    let gone = rules.with(&remove, &signed()).unwrap_err();
    assert!(gone.to_string().contains("`switchyard routing` lists"));
}

#[test]
fn a_change_that_lets_the_candidate_serve_more_is_told_from_all_others() {
    let none = Rules::default();
    let pinned = |says| with(&none, &say(Whose::Room, "a", says));
    let more = |cohorts| with(&reaching("internal"), &Change::Cohorts(cohorts));
    let swapped = vec![quiet(), named("internal", &["a", "b"])];
    for (what, before, after, is_wider) in [
        ("a pin", none.clone(), pinned(Says::Candidate), true),
        ("a pin less", pinned(Says::Candidate), none.clone(), false),
        ("an exclude", none.clone(), pinned(Says::Exclude), false),
        ("one less", pinned(Says::Exclude), none.clone(), true),
        (
            "from exclude to pin",
            pinned(Says::Exclude),
            pinned(Says::Control),
            false,
        ),
        (
            "the other pin",
            pinned(Says::Control),
            pinned(Says::Candidate),
            true,
        ),
        ("a reach", none.clone(), reaching("internal"), false),
        ("a wider one", reaching("internal"), reaching("quiet"), true),
        ("all again", reaching("quiet"), reaching("all"), true),
        ("a narrower one", reaching("all"), reaching("quiet"), false),
        (
            "a room more",
            reaching("internal"),
            more(vec![named("internal", &["a", "b", "c"])]),
            true,
        ),
        (
            "a room less",
            reaching("internal"),
            more(vec![named("internal", &["a"])]),
            false,
        ),
        ("another order", reaching("internal"), more(swapped), true),
        (
            "a cohort beyond",
            reaching("internal"),
            more(vec![named("internal", &["a", "b"])]),
            false,
        ),
        ("nothing", reaching("quiet"), reaching("quiet"), false),
    ] {
        assert_eq!(before.widen_to(&after), is_wider, "{what}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_remedy() {
    let refusal = |rules: &Rules, change: Change| {
        let refused = rules.with(&change, &signed());
        refused.expect_err("it makes no sense").to_string()
    };
    let cohorts = |cohorts| refusal(&reaching("quiet"), Change::Cohorts(cohorts));
    let unknown = refusal(&strata(), Change::Reach("inner".to_owned()));
    assert_eq!(
        unknown,
        "there is no cohort `inner`; there are internal, quiet, all"
    );
    assert!(cohorts(vec![named("other", &[])]).contains("set another reach first"));
    assert!(cohorts(vec![named("all", &[])]).contains("other than `all`"));
    assert!(cohorts(vec![quiet(), quiet()]).contains("name of its own"));
    let twice = vec![named("one", &["a"]), named("two", &["a"])];
    assert_eq!(
        cohorts(twice),
        "room `a` is in two cohorts; leave it in one"
    );
    let empty = refusal(&Rules::default(), say(Whose::Room, " ", Says::Control));
    assert!(empty.starts_with("the id "), "{empty}");
    let nobody = Signed {
        by: String::new(),
        ..signed()
    };
    let pin = say(Whose::Room, "a", Says::Control);
    assert!(Rules::default().with(&pin, &nobody).is_err());
}

#[test]
fn rules_are_read_as_they_are_written() {
    let rules = with(&reaching("quiet"), &say(Whose::Room, "a", Says::Candidate));
    let text = serde_json::to_string(&rules).unwrap();
    assert!(
        text.contains(r#"{"name":"quiet","rooms":"without_webhook"}"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
    assert_eq!(
        serde_json::from_str::<Rules>("{}").unwrap(),
        Rules::default()
    );
}
