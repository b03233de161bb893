//! Who is answered: this machine alone where nothing is configured, and else whoever signs in or shows
//! a token.

use reqwest::{Client, redirect::Policy};
use serde_json::Value;

use crate::program::{PROVIDER_SECRET, Site};

/// Has people sign in at the sandbox's provider, and programs show tokens.
fn guard(site: &Site) {
    site.has_people_sign_in(&["operator"]);
    let server = site.server_port;
    site.change(
        &format!("127.0.0.1:{server}\""),
        &format!("0.0.0.0:{server}\""),
    );
}

fn client() -> Client {
    let client = Client::builder().redirect(Policy::none());
    client.build().expect("a client")
}

async fn json(site: &Site, arguments: &[&str]) -> Value {
    let ended = site.start_with(arguments, &[PROVIDER_SECRET]).ended().await;
    ended.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_configuration_this_machine_alone_is_answered_and_that_is_said() {
    let site = Site::new();
    let serve = site.serve().await;
    serve
        .logs("nobody has to sign in, so this machine alone is answered")
        .await;
    drop(serve);
    let port = site.server_port;
    site.change(&format!("127.0.0.1:{port}"), &format!("0.0.0.0:{port}"));
    let said = site.run(&["serve"]).await.refused();
    assert!(
        said.contains("server.listen") && said.contains("add a section `access`"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_made_on_the_command_line_opens_the_api_until_it_is_revoked() {
    let site = Site::new();
    guard(&site);
    let serve = site.start_with(&["serve"], &[PROVIDER_SECRET]);
    serve.logs("programs send a token").await;
    let url = format!("http://127.0.0.1:{}/api/v1/phases", site.server_port);
    let status = async |token: &str| {
        let response = client().get(&url).bearer_auth(token).send().await;
        response.expect("an answer").status().as_u16()
    };
    assert_eq!(
        client()
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16(),
        401
    );
    let create = [
        "token", "create", "--label", "gate", "--role", "viewer", "--by", "ana", "--json",
    ];
    let made = json(&site, &create).await;
    let (id, token) = (
        made["id"].as_str().expect("an id"),
        made["token"].as_str().expect("a token"),
    );
    assert_eq!(made["may"], "viewer in test");
    assert_eq!(status(token).await, 200);
    let listed = json(&site, &["token", "list", "--json"]).await;
    assert_eq!(listed[0]["id"], id);
    assert!(listed[0]["used_at"].is_string(), "{listed}");
    json(&site, &["audit", "--json"]).await;
    let revoke = site.start_with(&["token", "revoke", id, "--by", "bo"], &[PROVIDER_SECRET]);
    assert!(revoke.ended().await.well().contains("is revoked"));
    assert_eq!(status(token).await, 401);
    let wrong = [
        "token", "create", "--label", "x", "--role", "viewer", "--in", "nowhere", "--by", "ana",
    ];
    let said = site
        .start_with(&wrong, &[PROVIDER_SECRET])
        .ended()
        .await
        .refused();
    assert!(said.contains("no environment `nowhere`"), "{said}");
    let entries = json(&site, &["audit", "--json"]).await;
    let actions: Vec<_> = entries.as_array().expect("a list").iter().collect();
    let actions: Vec<_> = actions
        .iter()
        .map(|entry| entry["action"].as_str().expect("text"))
        .collect();
    assert_eq!(actions, ["refused", "revoke", "token"]);
    let ended = serve.kill().await;
    let rows = site.path("switchyard.db-wal");
    let mut kept = std::fs::read(site.path("switchyard.db")).expect("the database");
    kept.extend(std::fs::read(rows).unwrap_or_default());
    let hidden = |bytes: &[u8]| {
        !bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes())
    };
    assert!(hidden(&kept), "the token is in the database");
    assert!(hidden(ended.stderr.as_bytes()), "the token is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_at_the_provider_and_check_knows_whether_it_is_there() {
    let site = Site::new();
    guard(&site);
    let found = async || {
        let ended = site
            .start_with(&["check", "--json"], &[PROVIDER_SECRET])
            .ended()
            .await;
        let all: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let all = all.as_array().expect("a list").clone();
        let found = all
            .into_iter()
            .find(|found| found["what"] == "sign-in provider");
        found.expect("it was asked")
    };
    let gone = found().await;
    assert_eq!(gone["ok"], false);
    assert!(
        gone["remedy"]
            .as_str()
            .is_some_and(|remedy| remedy.contains("access.oidc.issuer"))
    );
    let _sandbox = site.sandbox().await;
    assert_eq!(found().await["ok"], true);

    let serve = site.start_with(&["serve"], &[PROVIDER_SECRET]);
    serve.logs("people sign in at").await;
    let root = format!("http://127.0.0.1:{}", site.server_port);
    let begun = client()
        .get(format!("{root}/sign-in/provider?to=/evidence"))
        .send()
        .await;
    let begun = begun.expect("an answer");
    let header = |response: &reqwest::Response, name: &str| {
        response.headers()[name].to_str().expect("text").to_owned()
    };
    let cookie = header(&begun, "set-cookie");
    let there = client().get(format!("{}&login_hint=ola", header(&begun, "location")));
    let there = there.send().await.expect("the provider answers");
    let back = client().get(header(&there, "location"));
    let back = back.header("cookie", cookie.split(';').next().expect("a cookie"));
    let back = back.send().await.expect("an answer");
    assert_eq!(back.status().as_u16(), 303);
    assert_eq!(header(&back, "location"), "/evidence");
    let cookie = header(&back, "set-cookie");
    let cookie = cookie.split(';').next().expect("a cookie");
    let page = client()
        .get(format!("{root}/"))
        .header("cookie", cookie)
        .send()
        .await;
    let page = page.expect("an answer").text().await.expect("a page");
    assert!(page.contains("ola@example.test, operator"), "{page}");
    let ended = serve.kill().await;
    let secret = cookie.split_once('=').expect("a value").1;
    for secret in [secret, PROVIDER_SECRET.1, "code="] {
        assert!(!ended.stderr.contains(secret), "`{secret}` is in the log");
    }
}
