//! Moves over HTTP: made, refused, waiting for others; holds; the trail.

use serde_json::{Value, json};
use switchyard::{
    model::Bounds,
    rollout::{
        Percent, Position,
        audit::{Chain, Sealed},
    },
};

use super::server::{Server, noon};
use crate::{phases, standup};

async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let request = standup::http().post(format!("{}/api/v1/{path}", server.root));
    let response = request.json(body).send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

async fn get(server: &Server, path: &str) -> Value {
    let request = standup::http().get(format!("{}/api/v1/{path}", server.root));
    let response = request.send().await.expect("an answer");
    response.json().await.expect("JSON")
}

fn to(step: &str, by: &str) -> Value {
    json!({ "to": step, "by": by, "override": ["all"], "reason": "a test" })
}

#[tokio::test]
async fn of_two_operators_one_moves_it_and_the_other_is_told_what_changed() {
    let server = Server::without_engine().await;
    let seen = |by: &str| {
        let mut wanted = to("parallel", by);
        wanted["seen"] = json!(0);
        wanted
    };
    let (ana, bo) = (seen("ana"), seen("bo"));
    let (one, other) = tokio::join!(
        post(&server, "phases/moves", &ana),
        post(&server, "phases/moves", &bo)
    );
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {other:?}");
    let lost = if one.0 == 409 { one.1 } else { other.1 };
    assert_eq!(lost["refusal"]["refused"], "moved");
    assert_eq!(lost["refusal"]["seen"], 0);
    assert_eq!(lost["refusal"]["version"], 1);
    assert_eq!(lost["refusal"]["position"], "parallel");
    let detail = lost["detail"].as_str().expect("a sentence");
    assert!(
        detail.contains("in parallel at version 1 by now"),
        "{detail}"
    );
    let listed = get(&server, "phases").await;
    assert_eq!(listed["phases"][0]["phase"], "parallel");
}

#[tokio::test]
async fn a_refused_move_says_every_precondition_with_value_bound_and_link() {
    let server = Server::without_engine().await;
    let wanted = json!({ "to": "parallel", "by": "ana" });
    let (status, told) = post(&server, "phases/moves", &wanted).await;
    assert_eq!(status, 409);
    let health = &told["refusal"]["preconditions"][1];
    let expected = json!({
        "check": "health",
        "state": "not_yet",
        "value": "not watched",
        "bound": "well for 30 min",
        "missing": "run `switchyard serve`, which watches Conductor",
        "link": "/api/v1/breaker",
    });
    assert_eq!(*health, expected);
    let plan = get(&server, "phases/plan").await;
    assert_eq!(
        (&plan["to"], &plan["ready"]),
        (&json!("parallel"), &json!(false))
    );
    let skipped = json!({ "to": "soak", "by": "ana" });
    let (status, told) = post(&server, "phases/moves", &skipped).await;
    assert_eq!(status, 409);
    assert_eq!(told["refusal"]["refused"], "no_step");
}

#[tokio::test]
async fn evidence_that_was_not_seen_is_shown_before_anything_moves() {
    let server = Server::without_engine().await;
    let some = Percent::from_hundredths(1000).expect("a percentage");
    let store = &server.shadow.store;
    phases::put(store, "staging", Position::Shadow(some), noon()).await;
    let wider = |evidence: &str| {
        let mut wanted = to("shadow", "ana");
        wanted["percent"] = json!("50");
        wanted["evidence"] = json!(evidence);
        wanted
    };
    let (status, told) = post(&server, "phases/moves", &wider("stale")).await;
    assert_eq!(status, 409);
    assert_eq!(told["refusal"]["refused"], "new_evidence");
    let digest = told["refusal"]["evidence"]["digest"]
        .as_str()
        .expect("a digest");
    let (status, _) = post(&server, "phases/moves", &wider(digest)).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_second_person_approves_and_the_first_cannot() {
    let two = Bounds {
        approvals: 1,
        ..Bounds::default()
    };
    let server = Server::within(two).await;
    let (status, told) = post(&server, "phases/moves", &to("parallel", "ana")).await;
    assert_eq!(status, 202);
    let id = told["request"].as_str().expect("a request");
    let open = get(&server, "requests").await;
    assert_eq!(open["requests"][0]["id"], id);
    let path = format!("requests/{id}/approvals");
    let (status, _) = post(&server, &path, &json!({ "by": "ana" })).await;
    assert_eq!(status, 409);
    let (status, told) = post(&server, &path, &json!({ "by": "bo" })).await;
    assert_eq!((status, &told["moved"]["version"]), (200, &json!(1)));
    let (status, _) = post(&server, &path, &json!({ "by": "cy" })).await;
    assert_eq!(status, 404, "it was made");
}

#[tokio::test]
async fn a_hold_stops_forward_moves_and_no_others_and_all_of_it_is_on_record() {
    let server = Server::without_engine().await;
    let store = &server.shadow.store;
    phases::put(store, "staging", Position::Parallel, noon()).await;
    let hold = json!({ "by": "bo", "reason": "audit week", "hours": 24 });
    let (status, placed) = post(&server, "holds", &hold).await;
    assert_eq!(status, 200);
    let id = placed["hold"].as_str().expect("an id");
    let mut forward = to("shadow", "ana");
    forward["percent"] = json!("10");
    let (status, told) = post(&server, "phases/moves", &forward).await;
    assert_eq!(status, 409);
    let refusal = &told["refusal"];
    assert_eq!(
        (&refusal["refused"], &refusal["owner"]),
        (&json!("held"), &json!("bo"))
    );
    let back = json!({ "to": "infrastructure", "by": "ana" });
    let (status, _) = post(&server, "phases/moves", &back).await;
    assert_eq!(status, 200, "back is always allowed");
    let (status, _) = post(
        &server,
        &format!("holds/{id}/release"),
        &json!({ "by": "bo" }),
    )
    .await;
    assert_eq!(status, 200);
    let (status, _) = post(
        &server,
        &format!("holds/{id}/release"),
        &json!({ "by": "bo" }),
    )
    .await;
    assert_eq!(status, 404);

    let trail = get(&server, "audit?limit=50").await;
    let actions: Vec<_> = trail["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .rev()
        .map(|entry| entry["action"].as_str().expect("an action").to_owned())
        .collect();
    assert_eq!(actions.first().map(String::as_str), Some("flip"));
    assert_eq!(
        actions[actions.len() - 2..],
        ["flip".to_owned(), "release".to_owned()]
    );
    assert!(actions.contains(&"hold".to_owned()) && actions.contains(&"override".to_owned()));
    let whole = get(&server, "audit/verification").await;
    assert_eq!(whole["whole"], true);
    let exported = server.get("/api/v1/audit/export").await;
    assert_eq!(exported.status, 200);
    let mut chain = Chain::default();
    for line in exported.body.lines() {
        let sealed: Sealed = serde_json::from_str(line).expect("an entry");
        chain.check(&sealed).expect("it follows");
    }
    assert_eq!(whole["entries"], chain.len());
    let later = server
        .get("/api/v1/audit/export?since=2100-01-01T00:00:00Z")
        .await;
    assert_eq!((later.status, later.body.as_str()), (200, ""));
    let wrong = server.get("/api/v1/audit/export?until=today").await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn what_cannot_be_understood_is_named() {
    let server = Server::without_engine().await;
    for (body, told) in [
        (
            json!({ "to": "nowhere", "by": "ana" }),
            "`nowhere` is no phase",
        ),
        (
            json!({ "to": "shadow", "by": "ana" }),
            "goes by a percentage",
        ),
        (json!({ "to": "parallel", "by": " " }), "`by`"),
        (
            json!({ "to": "parallel", "by": "ana", "seen": "one" }),
            "`seen`",
        ),
        (
            json!({ "to": "parallel", "by": "ana", "force": true }),
            "`force`",
        ),
        (
            json!({ "to": "parallel", "by": "ana", "override": ["health"] }),
            "send `reason`",
        ),
        (
            json!({ "to": "parallel", "by": "ana", "reason": "x", "override": ["settings"] }),
            "cannot be overridden",
        ),
    ] {
        let (status, answer) = post(&server, "phases/moves", &body).await;
        let detail = answer["detail"].as_str().expect("a sentence");
        assert_eq!(status, 400, "{detail}");
        assert!(detail.contains(told), "{detail}");
    }
    let (status, _) = post(&server, "holds", &json!({ "by": "bo", "reason": "x" })).await;
    assert_eq!(status, 400);
}
