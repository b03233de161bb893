//! Items, clusters and rules: read, judged, hidden, by links and forms alone.

use std::collections::BTreeSet;

use serde_json::json;
use switchyard::reviews::ItemKind;

use super::{main_of, titled, unescaped};
use crate::http::{server::Server, sign_in::World};

const SCRIPT: &str = include_str!("../../../../src/http/ui/assets/reviews.js");

#[tokio::test]
async fn the_queue_is_narrowed_and_leads_to_items_with_the_oldest_first() {
    let server = Server::without_engine().await;
    for number in 1..=3 {
        server
            .judged(&format!("run_{number}"), number, titled)
            .await;
    }
    let page = server.get("/reviews").await;
    assert_eq!(page.status, 200);
    page.says("3 missing")
        .says("What is open, what has waited longest first")
        .says("Title: fact changed");
    let severe = server
        .get("/reviews?severity=S1&field=title&kind=difference")
        .await;
    severe.says("1 to 3 of 3");
    let none = server.get("/reviews?severity=S0").await;
    none.says("Nothing is open of what you asked for");
    let wrong = server.get("/reviews?severity=S9").await;
    assert_eq!(wrong.status, 400);
    wrong.says("choose S0, S1, S2 or S3");
    let api = server.open("severity=S1&field=title&order=oldest").await;
    let positions: Vec<usize> = api
        .iter()
        .map(|id| severe.body.find(id).expect("the page has it as well"))
        .collect();
    assert!(positions.is_sorted(), "{positions:?}");
}

#[tokio::test]
async fn an_item_shows_both_sides_with_the_changed_facts_marked_and_leads_on_once_judged() {
    let server = Server::without_engine().await;
    for number in 1..=2 {
        server
            .judged(&format!("run_{number}"), number, titled)
            .await;
    }
    let query = "severity=S1&field=title&kind=difference";
    let items = server.open(&format!("{query}&order=oldest")).await;
    let here = format!("/reviews/items/{}?{query}", items[0]);
    let page = server.get(&here).await;
    assert_eq!(page.status, 200);
    page.says("Title: fact changed")
        .says("1 of 2 open")
        .says(r#"<mark class="fact"><span class="vh">only here: </span>17</mark>"#)
        .says(r#"<mark class="fact"><span class="vh">only here: </span>70</mark>"#);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && policy.contains("media-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");

    // A rejection without a reason is refused where it was asked for, with what was typed.
    let csrf = page.csrf();
    let verdict = format!("/reviews/items/{}/verdict?{query}", items[0]);
    let refused = server
        .send(
            &verdict,
            &[("csrf", &csrf), ("says", "reject"), ("owner", "cy")],
        )
        .await;
    assert_eq!(refused.status, 409);
    refused
        .says("No reason is given; write why")
        .says(r#"name="owner" type="text" value="cy""#);
    let said = server
        .send(
            &verdict,
            &[("csrf", &csrf), ("says", "accept"), ("owner", "")],
        )
        .await;
    assert_eq!(said.status, 303);
    let next = said.header("location");
    assert!(
        next.starts_with(&format!("/reviews/items/{}?", items[1])),
        "{next}"
    );
    assert!(next.contains(&format!("judged={}", items[0])), "{next}");
    server
        .get(next)
        .await
        .says("accepted by local operator")
        .says("1 of 1 open");
    // Nobody is led in circles: after the last comes the queue.
    let last = format!("/reviews/items/{}/verdict?{query}", items[1]);
    let said = server
        .send(&last, &[("csrf", &csrf), ("says", "accept")])
        .await;
    assert!(
        said.header("location").starts_with("/reviews?"),
        "{}",
        said.header("location")
    );
    server
        .get(said.header("location"))
        .await
        .says("Nothing is open");
}

#[tokio::test]
async fn a_blind_page_is_the_same_whoever_stands_left() {
    let server = Server::without_engine().await;
    let mut ids = Vec::new();
    for number in 1..=12 {
        ids.push(
            server
                .judged(&format!("run_{number}"), number, titled)
                .await,
        );
    }
    let store = &server.shadow.store;
    let reviews = switchyard::store::About {
        epoch: server.shadow.epoch(),
        ..crate::phases::about("staging")
    };
    server.get("/reviews").await;
    let now = (server.shadow.clock)();
    let book = store.review_book(&reviews, now).await.expect("a book");
    for (kind, query) in [(ItemKind::Title, ""), (ItemKind::Difference, "?blind=yes")] {
        let mut shapes = BTreeSet::new();
        let mut drawn = BTreeSet::new();
        let about_title = |item: &&switchyard::reviews::Item| {
            let about = item.about.as_ref();
            about.is_none_or(|about| about.field.as_str() == "title" && about.severity.blocks())
        };
        for item in book.of_kind(kind).filter(about_title) {
            drawn.insert(item.candidate_left);
            let path = format!("/reviews/items/{}{query}", item.id);
            let page = server.get(&path).await;
            assert_eq!(page.status, 200, "{}", page.body);
            let main = unescaped(&main_of(&page));
            for word in ["control", "candidate", "legacy", "only in", "fact"] {
                let told = main.to_lowercase().replace("class=\"fact", "");
                assert!(!told.contains(word), "{word}: {main}");
            }
            let (left, right) = if item.candidate_left {
                ("70", "17")
            } else {
                ("17", "70")
            };
            let at = |number: &str| main.find(&format!("</span>{number}</mark>"));
            assert!(
                at(left).expect("shown") < at(right).expect("shown"),
                "{main}"
            );
            // What differs from page to page is the item's own, its place, and the two texts.
            let shape = main
                .replace(&item.id, "ITEM")
                .replace(&format!("</span>{left}</mark>"), "LEFT")
                .replace(&format!("</span>{right}</mark>"), "RIGHT");
            let lines = shape.lines().filter(|line| {
                let is_nav = ["rel=\"prev\"", "rel=\"next\"", " open</span>"];
                !is_nav.iter().any(|part| line.contains(part))
            });
            shapes.insert(lines.collect::<Vec<_>>().join("\n"));
        }
        assert_eq!(drawn.len(), 2, "both ways were drawn");
        assert_eq!(shapes.len(), 1, "{shapes:#?}");
    }
}

#[tokio::test]
async fn whose_a_side_was_is_told_once_somebody_has_chosen_and_to_nobody_before() {
    let server = Server::without_engine().await;
    server.judged("run_1", 1, titled).await;
    let items = server.open("kind=title").await;
    let here = format!("/reviews/items/{}", items[0]);
    let page = server.get(&here).await;
    let csrf = page.csrf();
    let choice = format!("{here}/choice");
    let nothing = server.send(&choice, &[("csrf", &csrf)]).await;
    assert_eq!(nothing.status, 400);
    nothing.says("No side is chosen");
    let chosen = server
        .send(&choice, &[("csrf", &csrf), ("side", "left")])
        .await;
    assert_eq!((chosen.status, chosen.header("location")), (303, &*here));
    server
        .get(&here)
        .await
        .says("You found better: the")
        .says("Left stands the");
    let again = server
        .send(&choice, &[("csrf", &csrf), ("side", "right")])
        .await;
    assert_eq!(again.status, 409);
    again.says("knows by now whose is which");
    // Another reviewer sees it as it was.
    let other = server.get(&format!("{here}?by=bo")).await;
    assert!(
        !main_of(&other).contains("You found better"),
        "{}",
        other.body
    );
}

#[tokio::test]
async fn a_difference_seen_blind_leads_to_its_verdict_with_what_was_found_better() {
    let server = Server::without_engine().await;
    server.judged("run_1", 1, titled).await;
    let items = server.open("severity=S1&field=title&kind=difference").await;
    let blind = server
        .get(&format!("/reviews/items/{}?blind=yes", items[0]))
        .await;
    blind.says("Your choice is not kept").says("chose=left");
    let open = server
        .get(&format!("/reviews/items/{}?chose=tie", items[0]))
        .await;
    open.says("You found better: neither")
        .says("only your verdict below counts");
}

#[tokio::test]
async fn a_verdict_for_a_cluster_is_foreseen_and_asks_for_what_was_opened() {
    let server = Server::without_engine().await;
    for number in 1..=3 {
        server
            .judged(&format!("run_{number}"), number, titled)
            .await;
    }
    let clusters = server.get("/api/v1/reviews/clusters").await.json();
    let clusters = clusters["clusters"].as_array().expect("a list");
    let titles = clusters.iter().find(|one| one["field"] == "title");
    let signature = titles.expect("one")["signature"].as_str().expect("text");
    server.get("/reviews/clusters").await.says(signature);
    let here = format!("/reviews/clusters/{signature}");
    let page = server.get(&here).await;
    page.says("0 of the 3 it takes to speak for all")
        .says("<dt>Recordings</dt><dd>3</dd>");
    let csrf = page.csrf();
    let say = format!("{here}/verdict");
    let accept = [("csrf", &*csrf), ("says", "accept"), ("reason", "as good")];
    let refused = server.send(&say, &accept).await;
    assert_eq!(refused.status, 409);
    refused.says("has opened 0 of the 3 items");
    for id in server.open(&format!("cluster={signature}")).await {
        server.get(&format!("/reviews/items/{id}")).await;
    }
    let foreseen = server
        .send(&say, &[&accept[..], &[("preview", "yes")]].concat())
        .await;
    assert_eq!(foreseen.status, 200);
    foreseen.says("is about 3 items, of which 0 are settled now and 3 would be");
    let told = server.get(&format!("/api/v1{here}")).await.json();
    assert_eq!((&told["settled"], &told["acts"]), (&json!(0), &json!([])));
    let body =
        json!({ "on": signature, "says": "accept", "by": "local operator", "preview": "yes" });
    let api = crate::standup::http().post(format!("{}/api/v1/reviews/verdicts", server.root));
    let api = api.json(&body).send().await.expect("an answer");
    let api: serde_json::Value = api.json().await.expect("JSON");
    assert_eq!(api["preview"]["settled_after"], 3, "{api}");
    let said = server.send(&say, &accept).await;
    assert_eq!(said.status, 303, "{}", said.body);
    server
        .get(said.header("location"))
        .await
        .says("The verdict is noted")
        .says("<dt>Settled</dt><dd>3</dd>");
    let nowhere = server.get("/reviews/clusters/none").await;
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn a_rule_is_previewed_made_and_removed_by_forms() {
    let server = Server::without_engine().await;
    let page = server.get("/reviews/rules").await;
    page.says("No rule hides anything")
        .says("Nothing is waived");
    let csrf = page.csrf();
    let rule = [
        ("csrf", &*csrf),
        ("by", "ana"),
        ("path", "/title/**"),
        ("class", "paraphrase"),
        ("only", "any"),
        ("at_most", "5"),
        ("days", "3"),
        ("reason", "known"),
    ];
    let preview = server
        .send(
            "/reviews/rules",
            &[&rule[..], &[("preview", "yes")]].concat(),
        )
        .await;
    assert_eq!(preview.status, 200);
    preview
        .says("It would have hidden 0 of 0 differences")
        .says("value=\"/title/**\"");
    server
        .get("/reviews/rules")
        .await
        .says("No rule hides anything");
    let made = server.send("/reviews/rules", &rule).await;
    assert_eq!(
        (made.status, made.header("location")),
        (303, "/reviews/rules?done=rule-made")
    );
    let listed = server.get("/reviews/rules?done=rule-made").await;
    listed
        .says("The rule is in force")
        .says("/title/**")
        .says("ana: known");
    let api = server.get("/api/v1/reviews/rules").await.json();
    let id = api["rules"][0]["rule"]["id"].as_str().expect("an id");
    let removal = format!("/reviews/rules/{id}/removal");
    let removed = server
        .send(&removal, &[("csrf", &csrf), ("by", "ana")])
        .await;
    assert_eq!(removed.status, 303);
    let gone = server
        .send(&removal, &[("csrf", &csrf), ("by", "ana")])
        .await;
    assert_eq!(gone.status, 404);
    let mut grave = rule;
    grave[3].1 = "fact_changed";
    let refused = server.send("/reviews/rules", &grave).await;
    assert_eq!(refused.status, 409);
    refused.says("Nothing of this class is ever hidden");
}

/// Each key is a link, a button, a summary or a field of the page, which do the same without a script.
#[tokio::test]
async fn keys_press_what_is_on_the_page_and_can_be_switched_off() {
    for never in [
        "fetch",
        "XMLHttpRequest",
        "submit(",
        "location",
        "innerHTML",
        "eval",
    ] {
        assert!(!SCRIPT.contains(never), "{never}");
    }
    assert!(SCRIPT.lines().count() < 50, "it is thin");
    let server = Server::without_engine().await;
    for number in 1..=3 {
        server
            .judged(&format!("run_{number}"), number, titled)
            .await;
    }
    let query = "severity=S1&field=title&kind=difference";
    let items = server.open(&format!("{query}&order=oldest")).await;
    let second = &items[1];
    for (path, keys) in [
        ("/reviews".to_owned(), "?j"),
        (format!("/reviews/items/{second}?{query}"), "1234?bcjkn"),
        (
            format!("/reviews/items/{second}?{query}&blind=yes"),
            "123?bjk",
        ),
    ] {
        let page = server.get(&path).await;
        let mut found: Vec<&str> = Vec::new();
        for tag in page.body.split('<').filter(|tag| tag.contains("data-key=")) {
            let name = tag.split([' ', '>']).next().unwrap_or_default();
            assert!(
                ["a", "button", "summary", "textarea"].contains(&name),
                "{tag}"
            );
            let key = tag
                .split("data-key=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            let key = key.expect("a key");
            assert!(
                tag.contains(&format!("aria-keyshortcuts=\"{key}\"")),
                "{tag}"
            );
            found.push(key);
        }
        found.sort_unstable();
        assert_eq!(found.concat(), keys, "{path}");
        page.says(r#"<input id="keys-on" type="checkbox">"#);
    }
    let script = server.get("/assets/reviews.js").await;
    assert_eq!(script.body, SCRIPT);
}

#[tokio::test]
async fn reviewing_takes_a_reviewer_rules_take_an_operator_and_forms_come_from_our_pages() {
    let world = World::new().await;
    world.server.judged("run_1", 1, titled).await;
    let mut rey = world.browser();
    rey.signs_in("rey").await;
    let listed = rey.get("/api/v1/reviews/items?kind=difference").await;
    let listed: serde_json::Value = serde_json::from_str(&listed.body).expect("JSON");
    let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
    let here = format!("/reviews/items/{id}");
    let mut vi = world.browser();
    vi.signs_in("vi").await;
    let queue = vi.get("/reviews").await;
    assert_eq!(queue.status, 200);
    assert!(queue.body.contains("takes the role reviewer") && !queue.body.contains(&id));
    for path in [&*here, "/reviews/clusters"] {
        vi.get(path).await.refuses(403, "takes the role reviewer");
    }

    let page = rey.get(&here).await;
    assert_eq!(page.status, 200);
    let csrf = page.csrf();
    let verdict = format!("{here}/verdict");
    for form in [
        &[("says", "accept")][..],
        &[("says", "accept"), ("csrf", "0")],
    ] {
        rey.post(&verdict, form)
            .await
            .refuses(403, "did not come from a page of ours");
    }
    // Whoever is signed in acts as nobody else, whatever the address says.
    let said = rey
        .post(
            &format!("{verdict}?by=ana"),
            &[("says", "accept"), ("csrf", &csrf)],
        )
        .await;
    assert_eq!(said.status, 303, "{}", said.body);
    let record = world.server.on_record("review_accept").await;
    assert_eq!(record[0].0, "rey@example.test");
    let rules = rey.get("/reviews/rules").await;
    assert!(!rules.body.contains("Make a rule"), "{}", rules.body);
    rey.post("/reviews/rules", &[("csrf", &csrf)])
        .await
        .refuses(403, "takes the role operator");
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    assert!(ola.get("/reviews/rules").await.body.contains("Make a rule"));
}
