//! Who may do what over HTTP: every role at every route, and credentials that are no good.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use reqwest::{Method, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use switchyard::{
    access::{Action, Powers},
    controller::access::{SignIn, WantedToken},
    http::{Declared, Needs, declared},
    model::{Bounds, EnvironmentName, Role, SessionLimits},
};

use super::server::Server;

pub const PUBLIC: &str = "https://switchyard.example.test";

/// Tokens alone.
pub fn tokens_alone() -> SignIn {
    SignIn {
        public_url: PUBLIC.parse().expect("a URL"),
        hosts: vec!["switchyard.internal".to_owned()],
        proxies: Vec::new(),
        roles: Vec::new(),
        limits: SessionLimits {
            hours: 12,
            idle_minutes: 60,
        },
        provider: None,
    }
}

async fn guarded() -> Server {
    Server::signing_in(tokens_alone(), Bounds::default()).await
}

/// A client that goes nowhere by itself.
pub fn client() -> reqwest::Client {
    switchyard::app::prepare();
    let client = reqwest::Client::builder().redirect(Policy::none());
    client.build().expect("a client")
}

impl Server {
    pub fn asks(&self, method: &Method, path: &str) -> RequestBuilder {
        client().request(method.clone(), format!("{}{path}", self.root))
    }

    /// A token of that role in staging, in that name.
    pub async fn token(&self, name: &str, role: Role) -> String {
        self.token_with(name, Powers::in_environments(role, &[staging()]))
            .await
            .1
    }

    /// A token's id and the token.
    pub async fn token_with(&self, name: &str, powers: Powers) -> (String, String) {
        let wanted = WantedToken {
            label: "a test".to_owned(),
            owner: name.to_owned(),
            powers,
            days: 30,
            by: "tests".to_owned(),
        };
        let made = self.access.make_token(wanted).await.expect("it is asked");
        let made = made.expect("it is made");
        (made.id, made.secret)
    }

    pub async fn on_record(&self, action: &str) -> Vec<(String, String)> {
        let about = &self.access.about;
        let store = &self.access.store;
        let entries = store
            .recent_audit(&about.environment, &about.flag, 200)
            .await;
        let entries = entries.expect("entries").into_iter().rev();
        let entries = entries.filter(|sealed| sealed.entry.action == action);
        entries
            .map(|sealed| (sealed.entry.actor, sealed.entry.reason))
            .collect()
    }
}

fn staging() -> EnvironmentName {
    EnvironmentName::new("staging")
}

/// A request to a route, whose parts of the path are nobody's.
fn to(server: &Server, route: &Declared) -> RequestBuilder {
    let path = route
        .path
        .replace("{id}", "x")
        .replace("{task_id}", "x")
        .replace("{key}", "x");
    let method: Method = route.method.parse().expect("a method");
    let request = server.asks(&method, &path);
    if method == Method::POST {
        request.json(&json!({}))
    } else {
        request
    }
}

async fn problem(response: Response) -> Value {
    let kind = response.headers()["content-type"].to_str().expect("text");
    assert_eq!(kind, "application/problem+json");
    response.json().await.expect("JSON")
}

#[tokio::test]
async fn every_role_is_answered_at_every_route_as_the_table_says() {
    let server = guarded().await;
    let mut used = BTreeSet::from([Action::Override]);
    for role in Role::ALL {
        let token = server.token("ana", role).await;
        for route in declared() {
            let asked = to(&server, &route).bearer_auth(&token).send().await;
            let status = asked.expect("an answer").status().as_u16();
            match route.needs {
                Needs::May(action) => {
                    used.insert(action);
                    let expected = role >= action.least();
                    assert_eq!(status != 403, expected, "{role} {route:?}: {status}");
                    assert_ne!(status, 401, "{role} {route:?}");
                }
                Needs::SignedIn => assert!(![401, 403].contains(&status), "{role} {route:?}"),
                Needs::Nothing => {}
            }
        }
    }
    let all: BTreeSet<_> = Action::ALL.into_iter().collect();
    assert_eq!(used, all, "actions that no route asks for");
}

#[tokio::test]
async fn whoever_shows_nothing_is_told_how_to_sign_in_at_every_route_but_those_it_takes() {
    let server = guarded().await;
    let mut open = Vec::new();
    for route in declared() {
        let response = to(&server, &route).send().await.expect("an answer");
        let status = response.status().as_u16();
        if route.needs == Needs::Nothing {
            open.push(format!("{} {}", route.method, route.path));
            assert_ne!(status, 401, "{route:?}");
        } else if route.path.starts_with("/api/") || route.path.starts_with("/ofrep/") {
            assert_eq!(status, 401, "{route:?}");
            assert_eq!(
                response.headers()["www-authenticate"],
                "Bearer realm=\"switchyard\""
            );
            let told = problem(response).await;
            assert!(
                told["detail"]
                    .as_str()
                    .is_some_and(|told| told.contains("/sign-in"))
            );
        } else {
            assert_eq!(status, 303, "{route:?}");
            let to = response.headers()["location"].to_str().expect("text");
            assert!(to.starts_with("/sign-in?to=%2F"), "{route:?}: {to}");
        }
    }
    let expected = [
        "GET /health",
        "GET /sign-in",
        "GET /sign-in/provider",
        "GET /sign-in/callback",
        "POST /sign-in/token",
        "GET /assets/style.css",
        "GET /assets/live.js",
        "GET /assets/reviews.js",
        "GET /assets/listen.js",
        "GET /assets/icon.svg",
    ];
    assert_eq!(open, expected);
}

async fn asked_with(server: &Server, shown: &str) -> (u16, Value) {
    let request = server.asks(&Method::GET, "/api/v1/phases");
    let response = request
        .header("authorization", shown)
        .send()
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

#[tokio::test]
async fn tokens_that_are_forged_expired_revoked_or_of_elsewhere_are_refused_on_record() {
    let server = guarded().await;
    let (id, good) = server
        .token_with("ana", Powers::everywhere(Role::Viewer))
        .await;
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(asked_with(&server, &bearer(&good)).await.0, 200);
    let mut other = good.clone();
    let last = if other.ends_with('0') { "1" } else { "0" };
    other.replace_range(other.len() - 1.., last);
    for shown in [
        bearer(&other),
        bearer(&good[..good.len() - 1]),
        bearer(&good.to_uppercase()),
        bearer(&id),
        bearer(""),
        format!("Basic {good}"),
    ] {
        let (status, told) = asked_with(&server, &shown).await;
        assert_eq!(status, 401, "{shown}");
        let detail = told["detail"].as_str().expect("a sentence");
        assert!(detail.contains("no token of ours"), "{detail}");
    }
    let production = Powers::in_environments(Role::Admin, &[EnvironmentName::new("production")]);
    let (_, elsewhere) = server.token_with("bo", production).await;
    let (status, told) = asked_with(&server, &bearer(&elsewhere)).await;
    assert_eq!(status, 403);
    let detail = told["detail"].as_str().expect("a sentence");
    assert!(
        detail.contains("the role viewer in staging, and you have none there"),
        "{detail}"
    );

    let (short, revoked) = server
        .token_with("cy", Powers::everywhere(Role::Viewer))
        .await;
    assert!(
        server
            .access
            .revoke_token(&short, "ada", "lost")
            .await
            .expect("asked")
    );
    let (status, told) = asked_with(&server, &bearer(&revoked)).await;
    assert_eq!(status, 401);
    assert!(
        told["detail"]
            .as_str()
            .is_some_and(|told| told.contains("was revoked"))
    );
    server.wait(TimeDelta::days(31));
    let (status, told) = asked_with(&server, &bearer(&good)).await;
    assert_eq!(status, 401);
    assert!(
        told["detail"]
            .as_str()
            .is_some_and(|told| told.contains("expired on 2026-04-01"))
    );

    let refused = server.on_record("refused").await;
    let of = |who: &str| refused.iter().filter(|(actor, _)| actor == who).count();
    assert_eq!(of("127.0.0.1"), 5, "no more than five at once: {refused:?}");
    assert_eq!([of("ana"), of("bo"), of("cy")], [1, 1, 1], "{refused:?}");
    let kept = server
        .access
        .store
        .verify_audit()
        .await
        .expect("it is read");
    assert!(kept.is_ok());
    let text = format!("{refused:?}{:?}", server.on_record("token").await);
    assert!(
        !text.contains(&good) && !text.contains(&revoked),
        "no token is on record"
    );
}

#[tokio::test]
async fn many_bad_tokens_are_put_off_and_a_good_one_from_there_is_not() {
    let server = guarded().await;
    let good = server.token("ana", Role::Viewer).await;
    let bad = format!("Bearer swy_{}", "0".repeat(64));
    for _ in 0..10 {
        assert_eq!(asked_with(&server, &bad).await.0, 401);
    }
    let request = server.asks(&Method::GET, "/api/v1/phases");
    let response = request
        .header("authorization", &bad)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 429);
    assert_eq!(response.headers()["retry-after"], "6");
    assert_eq!(asked_with(&server, &format!("Bearer {good}")).await.0, 200);
    server.wait(TimeDelta::seconds(6));
    assert_eq!(asked_with(&server, &bad).await.0, 401);
}

#[tokio::test]
async fn what_somebody_does_is_in_their_name_and_nobody_elses() {
    let one_more = Bounds {
        approvals: 1,
        ..Bounds::default()
    };
    let server = Server::signing_in(tokens_alone(), one_more).await;
    let ana = server.token("ana", Role::Approver).await;
    let also_ana = server.token("ana", Role::Admin).await;
    let bo = server.token("bo", Role::Approver).await;
    let post = async |token: &str, path: &str, body: Value| {
        let request = server.asks(&Method::POST, path).bearer_auth(token);
        let response = request.json(&body).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.expect("JSON"))
    };
    let mut wanted =
        json!({ "to": "parallel", "override": ["all"], "reason": "a test", "by": "bo" });
    let (status, told) = post(&ana, "/api/v1/phases/moves", wanted.clone()).await;
    assert_eq!(status, 400, "{told}");
    assert!(
        told["detail"]
            .as_str()
            .is_some_and(|told| told.contains("signed in as `ana`"))
    );
    wanted.as_object_mut().expect("an object").remove("by");
    let (status, told) = post(&ana, "/api/v1/phases/moves", wanted).await;
    assert_eq!(status, 202, "{told}");
    let path = format!(
        "/api/v1/requests/{}/approvals",
        told["request"].as_str().expect("an id")
    );
    assert_eq!(
        post(&also_ana, &path, json!({})).await.0,
        409,
        "another token of the same person"
    );
    assert_eq!(post(&bo, &path, json!({})).await.0, 200);
    let flips = server.on_record("flip").await;
    assert_eq!(flips[0].0, "ana");
}

#[tokio::test]
async fn an_override_takes_more_than_a_move() {
    let server = guarded().await;
    let token = server.token("ola", Role::Operator).await;
    let wanted = json!({ "to": "parallel", "override": ["all"], "reason": "a test" });
    let request = server
        .asks(&Method::POST, "/api/v1/phases/moves")
        .bearer_auth(token);
    let response = request.json(&wanted).send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 403);
    let told = problem(response).await;
    assert!(
        told["detail"]
            .as_str()
            .is_some_and(|told| told.contains("to `override`")),
        "{told}"
    );
    assert_eq!(server.on_record("override").await, []);
}

#[tokio::test]
async fn what_lies_in_other_environments_is_not_told_from_what_is_not_there() {
    let server = guarded().await;
    server.running("run_ours", 1).await;
    server.run_in("production", "run_theirs", 2).await;
    let token = server.token("rey", Role::Reviewer).await;
    let get = async |path: &str| {
        let request = server.asks(&Method::GET, path).bearer_auth(&token);
        let response = request.send().await.expect("an answer");
        (
            response.status().as_u16(),
            response.text().await.expect("a body"),
        )
    };
    let (_, list) = get("/api/v1/runs").await;
    assert!(list.contains("run_ours") && !list.contains("run_theirs"));
    let (_, page) = get("/runs").await;
    assert!(page.contains("run_ours") && !page.contains("run_theirs"));
    for path in [
        "/api/v1/runs/run_theirs",
        "/runs/run_theirs",
        "/api/v1/runs/run_theirs/events",
        "/api/v1/runs/run_theirs/report",
        "/runs/run_theirs/report",
    ] {
        assert_eq!(get(path).await.0, 404, "{path}");
    }
    let everywhere = server
        .token_with("ada", Powers::everywhere(Role::Viewer))
        .await
        .1;
    let request = server
        .asks(&Method::GET, "/api/v1/runs/run_theirs")
        .bearer_auth(everywhere);
    assert_eq!(
        request.send().await.expect("an answer").status().as_u16(),
        200
    );
}

#[tokio::test]
async fn a_token_made_over_http_may_no_more_than_its_maker_and_acts_in_their_name() {
    let server = guarded().await;
    let admin = server.token("ada", Role::Admin).await;
    let post = async |path: &str, body: Value| {
        let request = server.asks(&Method::POST, path).bearer_auth(&admin);
        let response = request.json(&body).send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.expect("JSON"))
    };
    let too_much = json!({ "label": "x", "role": "viewer", "environments": ["production"] });
    assert_eq!(post("/api/v1/tokens", too_much).await.0, 403);
    let other = json!({ "label": "x", "role": "viewer", "by": "bo" });
    assert_eq!(post("/api/v1/tokens", other).await.0, 400);
    let wanted = json!({ "label": "helper", "role": "operator", "only": ["ask_route"], "days": 1 });
    let (status, made) = post("/api/v1/tokens", wanted).await;
    assert_eq!(status, 200, "{made}");
    let token = made["token"].as_str().expect("a token");
    let me = server
        .asks(&Method::GET, "/api/v1/me")
        .bearer_auth(token)
        .send()
        .await;
    let me: Value = me.expect("an answer").json().await.expect("JSON");
    assert_eq!(me["name"], "ada");
    assert_eq!(me["may"], json!(["ask_route"]));
    let (_, theirs) = server
        .token_with("bo", Powers::everywhere(Role::Viewer))
        .await;
    let list = server
        .asks(&Method::GET, "/api/v1/tokens")
        .bearer_auth(&admin)
        .send()
        .await;
    let list = list.expect("an answer").text().await.expect("a body");
    assert!(
        list.contains("helper") && !list.contains("\"bo\""),
        "{list}"
    );
    assert!(!list.contains(token) && !list.contains(&theirs));
    let path = format!(
        "/api/v1/tokens/{}/revocation",
        made["id"].as_str().expect("an id")
    );
    assert_eq!(post(&path, json!({ "reason": "a test" })).await.0, 200);
    assert_eq!(post(&path, json!({})).await.0, 404, "it was revoked");
    assert_eq!(asked_with(&server, &format!("Bearer {token}")).await.0, 401);
}

#[tokio::test]
async fn only_names_of_ours_are_answered_and_nobody_has_to_sign_in_where_nothing_is_configured() {
    let server = guarded().await;
    for (host, expected) in [
        ("switchyard.example.test", 200),
        ("switchyard.internal:8480", 200),
        ("localhost", 200),
        ("evil.example", 421),
    ] {
        let request = server.asks(&Method::GET, "/sign-in").header("host", host);
        let status = request.send().await.expect("an answer").status().as_u16();
        assert_eq!(status, expected, "{host}");
    }
    let open = Server::without_engine().await;
    let page = open.get("/").await;
    page.says("Nobody has to sign in here: whoever is at this machine is the local operator.");
    let me = open.get("/api/v1/me").await.json();
    assert_eq!(me["signed_in_with"], "nothing");
    assert_eq!(me["may"].as_array().map(Vec::len), Some(Action::ALL.len()));
    let told = open.get("/sign-in").await;
    assert_eq!(told.status, 200, "it leads to the first page");
}

#[tokio::test]
async fn a_page_elsewhere_changes_nothing_where_nobody_has_to_sign_in() {
    let server = Server::without_engine().await;
    let hold = json!({ "by": "bo", "reason": "a test", "hours": 1 });
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = server
            .asks(&Method::POST, "/api/v1/holds")
            .header(name, value);
        let response = request.json(&hold).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 403, "{name}: {value}");
    }
    let form = [("by", "bo"), ("reason", "a test"), ("hours", "1")];
    let request = server.asks(&Method::POST, "/api/v1/holds").form(&form);
    assert_eq!(
        request.send().await.expect("an answer").status().as_u16(),
        403
    );
    let own = server.root.clone();
    let request = server
        .asks(&Method::POST, "/api/v1/holds")
        .header("origin", own);
    let response = request
        .header("sec-fetch-site", "same-origin")
        .json(&hold)
        .send()
        .await;
    assert_eq!(response.expect("an answer").status().as_u16(), 200);
}
