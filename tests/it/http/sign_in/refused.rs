//! What must not sign anybody in, nor change anything in their name.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use switchyard::sandbox::Signing;
use url::Url;

use super::{PUBLIC, SESSION, World};

#[tokio::test]
async fn an_answer_that_is_forged_or_meant_otherwise_signs_nobody_in() {
    let world = World::new().await;
    let at = (world.server.access.clock)().timestamp();
    for (claims, signing, says) in [
        (
            json!({}),
            Signing::Forged,
            "none of the provider&#x27;s keys has signed it",
        ),
        (json!({}), Signing::Nothing, "it is no signed token"),
        (json!({}), Signing::Secret, "not signed in a way"),
        (
            json!({ "iss": "https://evil.example" }),
            Signing::Own,
            "somebody else made it",
        ),
        (
            json!({ "aud": "another" }),
            Signing::Own,
            "made for somebody else",
        ),
        (
            json!({ "nonce": "another" }),
            Signing::Own,
            "answers another sign-in",
        ),
        (
            json!({ "nonce": null }),
            Signing::Own,
            "answers another sign-in",
        ),
        (json!({ "exp": at - 100 }), Signing::Own, "its time is over"),
        (
            json!({ "iat": at - 3600 }),
            Signing::Own,
            "not made just now",
        ),
        (json!({ "email": null }), Signing::Own, "has no `email`"),
        (
            json!({ "email_verified": false }),
            Signing::Own,
            "never verified",
        ),
    ] {
        world.answers(&claims, signing);
        let mut browser = world.browser();
        let page = browser.signs_in("ada").await;
        page.refuses(403, says);
        assert!(!browser.cookies.contains_key(SESSION), "{says}");
        assert_eq!(browser.get("/api/v1/me").await.status, 401);
        // Tries are counted by address, and all of these come from one.
        world.server.wait(TimeDelta::minutes(2));
        let at_now = (world.server.access.clock)().timestamp();
        assert!(at_now > at);
    }
    world.answers(&json!({}), Signing::Own);
    assert_eq!(world.browser().signs_in("ada").await.status, 303);
}

#[tokio::test]
async fn a_state_is_good_once_in_its_own_browser_and_for_ten_minutes() {
    let world = World::new().await;
    let mut ola = world.browser();
    let back = ola.at_the_provider("ola").await;
    let mut other = world.browser();
    other
        .get(&back)
        .await
        .refuses(400, "browser did not begin that sign-in");
    let mut twin = ola.clone();
    assert_eq!(ola.get(&back).await.status, 303);
    twin.get(&back)
        .await
        .refuses(400, "was used already, or took too long");

    let mut late = world.browser();
    let back = late.at_the_provider("ola").await;
    world.server.wait(TimeDelta::minutes(10));
    late.get(&back)
        .await
        .refuses(400, "was used already, or took too long");

    // A code that was redeemed before, in another sign-in of the same browser.
    let mut again = world.browser();
    let first = again.at_the_provider("ola").await;
    assert_eq!(again.get(&first).await.status, 303);
    let second = again.at_the_provider("ola").await;
    let of = |back: &str, name: &str| {
        let url: Url = format!("{PUBLIC}{back}").parse().expect("a URL");
        let found = url.query_pairs().find(|(known, _)| known == name);
        found.expect("it is there").1.into_owned()
    };
    let replayed = second.replace(&of(&second, "code"), &of(&first, "code"));
    again
        .get(&replayed)
        .await
        .refuses(400, "provider does not take that code");

    let mut mixed = world.browser();
    let back = mixed.at_the_provider("ola").await;
    let back = back.replace("iss=http", "iss=https");
    mixed
        .get(&back)
        .await
        .refuses(400, "provider sent you back");
    let mut refused = world.browser();
    let page = refused
        .get("/sign-in/callback?error=access_denied%3Cscript%3E&state=x")
        .await;
    page.refuses(403, "did not sign you in: access_deniedscript");
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing_without_the_verifier() {
    let world = World::new().await;
    let mut ola = world.browser();
    let stolen = ola.at_the_provider("ola").await;
    let mut thief = world.browser();
    let own = thief.at_the_provider("stranger").await;
    let code = |back: &str| {
        let url: Url = format!("{PUBLIC}{back}").parse().expect("a URL");
        let found = url.query_pairs().find(|(known, _)| known == "code");
        found.expect("a code").1.into_owned()
    };
    let injected = own.replace(&code(&own), &code(&stolen));
    thief
        .get(&injected)
        .await
        .refuses(400, "provider does not take that code");
}

#[tokio::test]
async fn signing_in_anew_gives_a_new_secret_and_ends_the_old_one() {
    let world = World::new().await;
    let mut ola = world.browser();
    ola.cookies
        .insert(SESSION.to_owned(), "fixed-by-somebody-else".to_owned());
    ola.signs_in("ola").await;
    let first = ola.cookies[SESSION].clone();
    assert_ne!(first, "fixed-by-somebody-else");
    let mut old = ola.clone();
    let back = ola.at_the_provider("ada").await;
    ola.get(&back).await;
    assert_ne!(ola.cookies[SESSION], first);
    assert_eq!(ola.me().await["name"], "ada@example.test");
    assert_eq!(old.get("/api/v1/me").await.status, 401);
}

#[tokio::test]
async fn what_a_session_changes_comes_from_a_page_of_ours() {
    let world = World::new().await;
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    let csrf = ola.get("/").await.csrf();
    let hold = json!({ "reason": "a test", "hours": 1 });
    let post = async |headers: &[(&str, &str)]| {
        let request = world
            .server
            .asks(&Method::POST, "/api/v1/holds")
            .json(&hold);
        let mut request = request.header("cookie", ola.jar());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(post(&[]).await, 403, "no token");
    assert_eq!(post(&[("x-csrf-token", "0")]).await, 403, "a wrong one");
    assert_eq!(
        post(&[("x-csrf-token", &csrf), ("origin", "https://evil.example")]).await,
        403
    );
    assert_eq!(
        post(&[("x-csrf-token", &csrf), ("sec-fetch-site", "cross-site")]).await,
        403
    );
    assert_eq!(
        post(&[("x-csrf-token", &csrf), ("origin", PUBLIC)]).await,
        200
    );
    let other = {
        let mut vi = world.browser();
        vi.signs_in("vi").await;
        vi.get("/").await.csrf()
    };
    assert_eq!(
        post(&[("x-csrf-token", &other)]).await,
        403,
        "somebody else's"
    );
    let holds = world.server.on_record("hold").await;
    assert_eq!(
        holds,
        [("ola@example.test".to_owned(), "a test".to_owned())]
    );
    assert_eq!(ola.post("/sign-out", &[]).await.status, 403);
    assert_eq!(ola.post("/sign-out", &[("csrf", &other)]).await.status, 403);
    assert_eq!(ola.get("/api/v1/me").await.status, 200, "still there");
}

#[tokio::test]
async fn sign_ins_from_one_address_are_put_off_when_there_are_too_many() {
    let world = World::new().await;
    let mut browser = world.browser();
    for _ in 0..20 {
        let begun = browser.get("/sign-in/provider?to=/").await;
        assert_eq!(begun.status, 303);
    }
    browser
        .get("/sign-in/provider?to=/")
        .await
        .refuses(429, "tried too often");
    world.server.wait(TimeDelta::seconds(6));
    assert_eq!(browser.get("/sign-in/provider?to=/").await.status, 303);
}
