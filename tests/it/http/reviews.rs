//! Reviews over HTTP: what is open, what may be said, what is hidden from whom.

use serde_json::{Value, json};

use super::server::Server;
use crate::standup;

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

#[tokio::test]
async fn what_is_open_is_listed_opened_judged_and_done() {
    let server = Server::without_engine().await;
    let run = server.running("reviewed", 1).await;
    server.compare(&run).await;
    let summary = get(&server, "reviews").await;
    assert_eq!(
        (&summary["done"], &summary["summary"]["recordings"]),
        (&json!(false), &json!(1))
    );
    let items = get(&server, "reviews/items").await;
    let items = items["items"].as_array().expect("a list");
    let sample = items
        .iter()
        .find(|item| item["kind"] == "sample")
        .expect("the recording");
    let id = sample["id"].as_str().expect("an id");
    let (status, shown) = post(
        &server,
        &format!("reviews/items/{id}/open"),
        &json!({ "by": "ana" }),
    )
    .await;
    assert_eq!((status, &shown["standing"]["state"]), (200, &json!("open")));
    let (status, told) = post(
        &server,
        "reviews/verdicts",
        &json!({ "on": id, "says": "waive", "by": "ana", "reason": "so" }),
    )
    .await;
    assert_eq!(status, 409);
    assert!(
        told["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("accept or reject it"))
    );
    let said = json!({ "on": id, "says": "accept", "by": "ana" });
    assert_eq!(post(&server, "reviews/verdicts", &said).await.0, 200);
    let items = get(&server, "reviews/items").await;
    let items = items["items"].as_array().expect("a list");
    assert!(items.iter().all(|item| item["id"] != id));
    let audit = get(&server, "audit").await;
    assert_eq!(audit["entries"][0]["action"], "review_accept", "{audit}");
    assert_eq!(get(&server, "selftest").await["selftest"], Value::Null);
}

#[tokio::test]
async fn a_rule_is_previewed_made_listed_and_removed_and_nonsense_is_told() {
    let server = Server::without_engine().await;
    let mut rule = json!({
        "path": "/title/**", "class": "paraphrase", "at_most": 5, "days": 3,
        "by": "ana", "reason": "known", "preview": "yes",
    });
    let (status, told) = post(&server, "reviews/rules", &rule).await;
    assert_eq!((status, &told["preview"]["hidden"]), (200, &json!(0)));
    rule.as_object_mut().expect("an object").remove("preview");
    let (_, made) = post(&server, "reviews/rules", &rule).await;
    let id = made["rule"].as_str().expect("an id");
    let listed = get(&server, "reviews/rules").await;
    assert_eq!(listed["rules"][0]["rule"]["id"], id);
    let removal = format!("reviews/rules/{id}/removal");
    assert_eq!(
        post(&server, &removal, &json!({ "by": "ana" })).await.0,
        200
    );
    assert_eq!(
        post(&server, &removal, &json!({ "by": "ana" })).await.0,
        404
    );
    rule["class"] = json!("fact_changed");
    assert_eq!(post(&server, "reviews/rules", &rule).await.0, 409);
    rule["class"] = json!("nonsense");
    assert_eq!(post(&server, "reviews/rules", &rule).await.0, 400);
    let choice = json!({ "by": "ana", "side": "left" });
    assert_eq!(
        post(&server, "reviews/items/itm_none/choice", &choice)
            .await
            .0,
        409
    );
    let says = json!({ "on": "itm_none", "says": "perhaps", "by": "ana" });
    assert_eq!(post(&server, "reviews/verdicts", &says).await.0, 400);
}

#[tokio::test]
async fn a_report_lists_what_is_waived_and_what_a_rule_hides_in_it() {
    let server = Server::without_engine().await;
    let run = server.running("reviewed", 1).await;
    server.compare(&run).await;
    let items = get(&server, "reviews/items").await;
    let items = items["items"].as_array().expect("a list");
    let found = items.iter().find(|item| item["about"]["severity"] == "S1");
    let id = found.expect("a severe one")["id"].as_str().expect("an id");
    // It takes two to bear what is severe.
    for (by, borne) in [("ana", 0), ("bo", 1)] {
        let open = format!("reviews/items/{id}/open");
        assert_eq!(post(&server, &open, &json!({ "by": by })).await.0, 200);
        let waiver = json!({
            "on": id, "says": "waive", "by": by, "reason": "mended on Monday",
            "owner": "cy", "days": 5, "at_most": 1,
        });
        let (status, told) = post(&server, "reviews/verdicts", &waiver).await;
        assert_eq!(status, 200, "{told}");
        let report = server.get("/api/v1/runs/reviewed/report").await.json();
        let all = report["borne"].as_array().expect("a list");
        assert_eq!(all.len(), borne, "{all:?}");
    }
    let report = server.get("/api/v1/runs/reviewed/report").await.json();
    assert_eq!(report["borne"][0]["how"]["as"], "waived");
    assert_eq!(report["borne"][0]["by"], json!(["ana", "bo"]));
    let page = server.get("/runs/reviewed/report").await;
    page.says("Waivers and rules").says("mended on Monday");
}
