//! What is over its time, proof of what went, and what people were told, over HTTP: the same as on the
//! command line.

use chrono::TimeDelta;
use serde_json::{Value, json};
use switchyard::model::RunState;

use super::server::{Server, after};
use crate::standup;

async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let request = standup::http().post(format!("{}/api/v1/{path}", server.root));
    let response = request.json(body).send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

#[tokio::test]
async fn texts_go_after_their_time_and_the_report_says_so_on_every_page() {
    let server = Server::without_engine().await;
    let (run, store) = (server.running("run_a", 1).await, &server.shadow.store);
    let ended = store.finish_run(&run, RunState::Completed, None, after(60));
    assert!(ended.await.expect("it ends"));
    server.compare(&run).await;
    let before = server.get(&format!("/api/v1/runs/{run}/report")).await;
    assert!(before.json()["control"]["title"].is_string());

    let plan = server.get("/api/v1/retention/plan").await.json();
    assert!(
        plan["classes"]
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one["due"] == 0))
    );
    server.wait(TimeDelta::days(31));
    let plan = server.get("/api/v1/retention/plan").await.json();
    assert_eq!(plan["classes"][0]["class"], "texts");
    assert_eq!(plan["classes"][0]["due"], 1);
    let (status, told) = post(&server, "retention/run", &json!({ "by": "ana" })).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["proofs"][0]["left_over"], 0);
    let proofs = server.get("/api/v1/retention/proofs").await.json();
    assert_eq!(proofs["proofs"].as_array().map(Vec::len), Some(2));
    assert!(proofs["proofs"].to_string().contains("\"by\":\"ana\""));

    let report = server.get(&format!("/api/v1/runs/{run}/report")).await;
    let report = report.json();
    assert_eq!(
        report["texts_deleted"]["at"],
        after(31 * 86_400).format("%Y-%m-%d").to_string()
    );
    assert!(report["control"]["title"].is_null());
    assert_eq!(
        report["comparison"]["verdict"],
        before.json()["comparison"]["verdict"]
    );
    let page = server.get(&format!("/runs/{run}/report")).await;
    assert_eq!(page.status, 200);
    page.says("Texts were deleted on");
    let (status, told) = post(&server, "retention/run", &json!({ "by": "" })).await;
    assert_eq!(status, 400, "{told}");
}

#[tokio::test]
async fn what_people_were_told_is_listed_and_an_unknown_target_is_named() {
    let server = Server::without_engine().await;
    let hold = json!({ "by": "ana", "reason": "audit week", "hours": 2 });
    let (status, told) = post(&server, "holds", &hold).await;
    assert_eq!(status, 200, "{told}");
    let list = server.get("/api/v1/notices").await.json();
    assert_eq!(list["notices"][0]["kind"], "hold");
    assert_eq!(list["notices"][0]["deliveries"], json!([]));
    let (status, told) = post(
        &server,
        "notices/targets/pager/test",
        &json!({ "by": "ana" }),
    )
    .await;
    assert_eq!(status, 404);
    let detail = told["detail"].as_str().expect("a text");
    assert!(
        detail.contains("`pager`") && detail.contains("none"),
        "{detail}"
    );
}
