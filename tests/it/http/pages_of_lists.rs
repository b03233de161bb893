//! Lists, page by page.

use serde_json::Value;
use switchyard::store::NewHold;

use super::server::{Server, after};

/// All pages of a list, by the links that lead from each to the next.
async fn pages(server: &Server, first: &str, name: &str, id: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut path = first.to_owned();
    loop {
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let told = answer.json();
        let items = told[name].as_array().expect("a list");
        let text = |item: &Value| {
            item[id]
                .as_str()
                .map_or_else(|| item[id].to_string(), str::to_owned)
        };
        pages.push(items.iter().map(text).collect());
        let link = answer.header("link");
        let Some(next) = told["next"].as_str() else {
            assert_eq!(link, "", "{path}");
            return pages;
        };
        let (target, relation) = link.split_once("; ").expect("a link");
        assert_eq!(relation, "rel=\"next\"");
        target.trim_matches(['<', '>']).clone_into(&mut path);
        assert!(path.ends_with(&format!("cursor={next}")), "{link}");
        assert!(pages.len() < 20, "it does not end");
    }
}

#[tokio::test]
async fn runs_are_listed_whole_however_short_a_page_is() {
    let server = Server::without_engine().await;
    for number in 1..=5 {
        server.running(&format!("run_{number}"), number).await;
    }
    let path = "/api/v1/runs?limit=2";
    let found = pages(&server, path, "runs", "run_id").await;
    assert_eq!(
        found,
        [
            vec!["run_5", "run_4"],
            vec!["run_3", "run_2"],
            vec!["run_1"]
        ]
    );
    // What comes between two pages is on neither, and moves nothing.
    let first = server.get(path).await.json();
    server.running("run_6", 6).await;
    let next = first["next"].as_str().expect("more");
    let second = server.get(&format!("{path}&cursor={next}")).await.json();
    assert_eq!(second["runs"][0]["run_id"], "run_3");
}

#[tokio::test]
async fn holds_and_the_trail_are_listed_page_by_page() {
    let server = Server::without_engine().await;
    let about = &server.access.about;
    for number in 1..=5 {
        let hold = NewHold {
            owner: "ana".to_owned(),
            reason: format!("reason {number}"),
            expires_at: after(7200),
        };
        let placed = server.shadow.store.place_hold(about, &hold, after(number));
        placed.await.expect("it is placed");
    }
    let found = pages(&server, "/api/v1/holds?limit=3", "holds", "reason").await;
    assert_eq!(
        found,
        [
            vec!["reason 1", "reason 2", "reason 3"],
            vec!["reason 4", "reason 5"]
        ]
    );
    let found = pages(&server, "/api/v1/audit?limit=2", "entries", "seq").await;
    assert_eq!(found, [vec!["5", "4"], vec!["3", "2"], vec!["1"]]);
}
