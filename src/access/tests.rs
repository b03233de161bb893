use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::model::{EnvironmentName, GroupRole, Role, SessionLimits};

fn staging() -> EnvironmentName {
    EnvironmentName::new("staging")
}

fn production() -> EnvironmentName {
    EnvironmentName::new("production")
}

fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

/// The documented table: for each action whether viewer, reviewer, operator, approver, admin may.
const MATRIX: [(&str, [bool; 5]); 18] = {
    const N: bool = false;
    const Y: bool = true;
    [
        ("view", [Y, Y, Y, Y, Y]),
        ("evaluate_flags", [Y, Y, Y, Y, Y]),
        ("read_reports", [N, Y, Y, Y, Y]),
        ("review", [N, Y, Y, Y, Y]),
        ("make_rules", [N, N, Y, Y, Y]),
        ("ask_route", [N, N, Y, Y, Y]),
        ("mend", [N, N, Y, Y, Y]),
        ("take_over", [N, N, Y, Y, Y]),
        ("hold", [N, N, Y, Y, Y]),
        ("move", [N, N, Y, Y, Y]),
        ("close_breaker", [N, N, Y, Y, Y]),
        ("replay", [N, N, Y, Y, Y]),
        ("read_settings", [N, N, Y, Y, Y]),
        ("test_notices", [N, N, Y, Y, Y]),
        ("override", [N, N, N, Y, Y]),
        ("approve", [N, N, N, Y, Y]),
        ("forget", [N, N, N, N, Y]),
        ("manage_tokens", [N, N, N, N, Y]),
    ]
};

#[test]
fn each_role_may_do_what_the_table_says_where_it_is_held_and_nothing_elsewhere() {
    assert_eq!(
        MATRIX.map(|(name, _)| name),
        Action::ALL.map(Action::as_str)
    );
    for (name, allowed) in MATRIX {
        let action: Action = name.parse().expect("an action");
        for (role, expected) in Role::ALL.into_iter().zip(allowed) {
            let powers = Powers::in_environments(role, &[staging()]);
            let told = powers.may(action, &staging());
            assert_eq!(told.is_ok(), expected, "{role} {action}");
            assert!(
                powers.may(action, &production()).is_err(),
                "{role} {action}"
            );
            assert_eq!(powers.reach(action).has(&staging()), expected);
            assert!(!powers.reach(action).has(&production()));
            let everywhere = Powers::everywhere(role);
            assert_eq!(everywhere.may(action, &production()).is_ok(), expected);
            assert_eq!(everywhere.reach(action).has(&production()), expected);
        }
        assert!(Powers::default().may(action, &staging()).is_err());
    }
}

#[test]
fn a_refusal_names_the_action_the_role_it_takes_and_the_one_there_is() {
    let viewer = Powers::in_environments(Role::Viewer, &[staging()]);
    let denied = viewer.may(Action::Move, &staging()).expect_err("refused");
    let told = denied.to_string();
    assert!(
        told.contains("the role operator in staging, and you are viewer there"),
        "{told}"
    );
    let told = viewer
        .may(Action::View, &production())
        .expect_err("refused");
    assert!(
        told.to_string()
            .contains("in production, and you have none there")
    );
    let narrow = Powers::everywhere(Role::Operator).only([Action::AskRoute]);
    let told = narrow.may(Action::Move, &staging()).expect_err("refused");
    assert!(
        told.to_string().contains("was not made to `move`"),
        "{told}"
    );
    assert_eq!(narrow.may(Action::AskRoute, &staging()), Ok(()));
}

#[test]
fn nobody_gives_away_more_than_they_have() {
    let admin = Powers::in_environments(Role::Admin, &[staging()]);
    let operator = |place: EnvironmentName| Powers::in_environments(Role::Operator, &[place]);
    assert!(admin.cover(&operator(staging())));
    assert!(!admin.cover(&operator(production())));
    assert!(!admin.cover(&Powers::everywhere(Role::Viewer)));
    assert!(Powers::everywhere(Role::Admin).cover(&admin));
    let narrow = Powers::everywhere(Role::Admin).only([Action::ManageTokens]);
    assert!(!narrow.cover(&operator(staging())));
    assert!(!narrow.cover(&operator(staging()).only([Action::Move])));
    assert!(narrow.cover(&operator(staging()).only([Action::ManageTokens])));
}

#[test]
fn groups_add_up_and_unknown_ones_give_nothing() {
    let rule = |group: &str, role, environments: &[EnvironmentName]| GroupRole {
        group: group.to_owned(),
        role,
        environments: environments.to_vec(),
    };
    let rules = [
        rule("everybody", Role::Viewer, &[]),
        rule("ops", Role::Operator, &[staging()]),
        rule("chiefs", Role::Admin, &[production()]),
    ];
    let of = |groups: &[&str]| {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        powers_of(&groups, &rules)
    };
    assert!(of(&["strangers", "Ops"]).is_empty());
    let both = of(&["everybody", "ops"]);
    assert_eq!(both.role_in(&staging()), Some(Role::Operator));
    assert_eq!(both.role_in(&production()), Some(Role::Viewer));
    assert_eq!(both.to_string(), "viewer everywhere, operator in staging");
}

#[test]
fn a_session_ends_by_age_and_by_rest_and_a_token_by_its_date_or_at_once() {
    let limits = SessionLimits {
        hours: 12,
        idle_minutes: 60,
    };
    let at = |minutes: i64| noon() + TimeDelta::minutes(minutes);
    let stands = |seen: i64, now: i64| session_stands(noon(), at(seen), limits, at(now));
    assert_eq!(stands(0, 59), Ok(at(720)));
    assert_eq!(stands(0, 60), Err(Over::Idle));
    assert_eq!(stands(700, 719), Ok(at(720)));
    assert_eq!(stands(719, 720), Err(Over::Old));
    assert_eq!(token_stands(at(1), None, at(0)), Ok(()));
    assert_eq!(token_stands(at(1), None, at(1)), Err(Spent::Expired(at(1))));
    assert_eq!(token_stands(at(9), Some(at(0)), at(1)), Err(Spent::Revoked));
}

#[test]
fn tries_come_back_one_by_one_and_each_has_their_own() {
    let pace = Pace {
        at_once: 3,
        every: TimeDelta::seconds(10),
    };
    let mut meter = Meter::new(pace);
    let at = |seconds: i64| noon() + TimeDelta::seconds(seconds);
    for _ in 0..3 {
        assert_eq!(meter.take("a", at(0)), Ok(()));
    }
    assert_eq!(meter.take("a", at(0)), Err(TimeDelta::seconds(10)));
    assert_eq!(meter.take("b", at(0)), Ok(()));
    assert_eq!(meter.wait("a", at(4)), Some(TimeDelta::seconds(6)));
    assert_eq!(meter.take("a", at(10)), Ok(()));
    assert_eq!(meter.take("a", at(10)), Err(TimeDelta::seconds(10)));
    assert_eq!(meter.wait("a", at(1000)), None);
    for who in 0..20_000 {
        assert_eq!(meter.take(&format!("{who}"), at(1000)), Ok(()));
    }
}

#[test]
fn only_a_page_of_ours_is_gone_on_to() {
    for good in ["/", "/runs/run_1", "/evidence?x=1&y=%20"] {
        assert_eq!(local_path(good), good);
    }
    for bad in [
        "",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/a\r\nb",
        "/a b",
        "runs",
        "/sign-in?to=/",
        "/sign-out",
        "/api/v1/runs",
    ] {
        assert_eq!(local_path(bad), "/", "{bad:?}");
    }
}

#[test]
fn what_looks_like_a_token_is_asked_about_and_nothing_else() {
    let good = format!("swy_{}", "0a".repeat(32));
    assert!(has_token_shape(&good));
    for bad in [
        "",
        "swy_",
        &good[..60],
        &good.replace("0a", "zz"),
        &format!("{good}0"),
    ] {
        assert!(!has_token_shape(bad), "{bad}");
    }
}

#[test]
fn the_table_in_the_docs_is_the_table_of_the_code() {
    let page = include_str!("../../docs/access.md");
    assert!(
        page.contains(&Action::table()),
        "docs/access.md wants:\n{}",
        Action::table()
    );
}
