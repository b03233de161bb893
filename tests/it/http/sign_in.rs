//! Signing in at a provider over real HTTP, with a token, and out; and every way it must not work.

mod refused;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, Response};
use serde_json::{Map, Value, json};
use switchyard::{
    controller::access::{Begin, Finish, Provider, SignIn},
    model::{Bounds, EnvironmentName, GroupRole, Role},
    providers::{Oidc, OidcSettings},
    sandbox::{Fault, FaultKind, Sandbox, Service, SignInAnswers, Signing},
};

use super::{
    access::{PUBLIC, client, tokens_alone},
    server::Server,
};
use crate::standup;

const RSA: &[u8] = include_bytes!("../../fixtures/sign-in/rsa.pk8");
const SESSION: &str = "__Host-switchyard";
const SIGNING_IN: &str = "__Host-switchyard-sign-in";

/// However busy the machine is.
const PATIENT: Duration = Duration::from_mins(1);

type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A server and the provider its people sign in at.
pub struct World {
    sandbox: Sandbox,
    pub server: Server,
}

fn roles() -> Vec<GroupRole> {
    let rule = |group: &str, role| GroupRole {
        group: format!("switchyard-{group}"),
        role,
        environments: vec![EnvironmentName::new("staging")],
    };
    vec![
        rule("viewers", Role::Viewer),
        rule("reviewers", Role::Reviewer),
        rule("operators", Role::Operator),
        rule("approvers", Role::Approver),
        rule("admins", Role::Admin),
    ]
}

impl World {
    pub async fn new() -> Self {
        Self::within(Bounds::default()).await
    }

    /// With other bounds of moves.
    pub async fn within(bounds: Bounds) -> Self {
        Self::set_up(PATIENT, Some("sandbox-secret"), bounds).await
    }

    /// With another secret than the provider knows, or none.
    async fn knowing_itself(secret: Option<&str>) -> Self {
        Self::waiting(PATIENT, secret).await
    }

    /// Where the provider may take so long to answer.
    async fn waiting(patience: Duration, secret: Option<&str>) -> Self {
        Self::set_up(patience, secret, Bounds::default()).await
    }

    async fn set_up(patience: Duration, secret: Option<&str>, bounds: Bounds) -> Self {
        let sandbox = standup::sandbox().await;
        let issuer = sandbox.url(Service::SignIn).to_string();
        let settings = OidcSettings {
            issuer: issuer.clone(),
            client_id: "switchyard".to_owned(),
            client_secret: secret.map(str::to_owned),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            name_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            redirect_url: format!("{PUBLIC}/sign-in/callback").parse().expect("a URL"),
            timeout: patience,
        };
        let oidc = Arc::new(Oidc::new(settings).expect("a provider"));
        let clock: Arc<OnceLock<Clock>> = Arc::default();
        let time = Arc::clone(&clock);
        let now: Clock = Arc::new(move || time.get().expect("it is set")());
        let (asked, time) = (Arc::clone(&oidc), Arc::clone(&now));
        let begin: Begin = Arc::new(move |challenge| {
            let (oidc, now) = (Arc::clone(&asked), time());
            Box::pin(async move { oidc.authorization_url(&challenge, now).await })
        });
        let time = Arc::clone(&now);
        let finish: Finish = Arc::new(move |code, challenge| {
            let (oidc, now) = (Arc::clone(&oidc), time());
            Box::pin(async move { oidc.identity(&code, &challenge, now).await })
        });
        let sign_in = SignIn {
            roles: roles(),
            provider: Some(Provider {
                issuer,
                begin,
                finish,
            }),
            ..tokens_alone()
        };
        let server = Server::signing_in(sign_in, bounds).await;
        let set = clock.set(Arc::clone(&server.access.clock));
        assert!(set.is_ok());
        sandbox.keep_time(now);
        Self { sandbox, server }
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser {
            world: self,
            cookies: BTreeMap::new(),
        }
    }

    fn answers(&self, claims: &Value, signing: Signing) {
        let claims: Map<String, Value> = claims.as_object().expect("an object").clone();
        self.sandbox
            .sign_in_answers(SignInAnswers { claims, signing });
    }
}

/// Somebody with a cookie jar.
#[derive(Clone)]
pub struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
}

/// What a page said.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub body: String,
}

impl Page {
    #[track_caller]
    pub fn refuses(&self, status: u16, says: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.body.contains(says), "{says:?} in {}", self.body);
    }

    /// What a form of the page sends back.
    pub fn csrf(&self) -> String {
        let (_, rest) = self
            .body
            .split_once("name=\"csrf\" value=\"")
            .expect("a form");
        rest.split('"').next().expect("a value").to_owned()
    }
}

impl Browser<'_> {
    fn jar(&self) -> String {
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        cookies.collect::<Vec<_>>().join("; ")
    }

    async fn keep(&mut self, response: Response) -> Page {
        for set in response.headers().get_all("set-cookie") {
            let set = set.to_str().expect("text");
            assert!(
                set.contains("; Path=/; HttpOnly; SameSite=Lax; Secure"),
                "{set}"
            );
            let (name, rest) = set.split_once('=').expect("a cookie");
            let value = rest.split(';').next().expect("a value");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = response.headers().get("location");
        Page {
            status: response.status().as_u16(),
            location: location
                .map_or("", |to| to.to_str().expect("text"))
                .to_owned(),
            body: response.text().await.expect("a body"),
        }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.world.server.asks(&Method::GET, path);
        let response = request.header("cookie", self.jar()).send().await;
        self.keep(response.expect("an answer")).await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let request = self.world.server.asks(&Method::POST, path).form(form);
        let response = request.header("cookie", self.jar()).send().await;
        self.keep(response.expect("an answer")).await
    }

    /// Goes to the provider as that person; the address they are sent back to, without our host.
    async fn at_the_provider(&mut self, person: &str) -> String {
        let begun = self.get("/sign-in/provider?to=/evidence").await;
        assert_eq!(begun.status, 303, "{}", begun.body);
        let there = format!("{}&login_hint={person}", begun.location);
        let answer = client()
            .get(there)
            .send()
            .await
            .expect("the provider answers");
        let back = answer.headers()["location"].to_str().expect("text");
        back.strip_prefix(PUBLIC).expect("back to us").to_owned()
    }

    pub async fn signs_in(&mut self, person: &str) -> Page {
        let back = self.at_the_provider(person).await;
        self.get(&back).await
    }

    async fn me(&mut self) -> Value {
        let page = self.get("/api/v1/me").await;
        serde_json::from_str(&page.body).expect("JSON")
    }
}

#[tokio::test]
async fn somebody_signs_in_is_known_by_name_and_role_and_signs_out() {
    let world = World::new().await;
    let mut ola = world.browser();
    let first = ola.get("/").await;
    assert_eq!((first.status, &*first.location), (303, "/sign-in?to=%2F"));
    let page = ola.get("/sign-in?to=%2Fevidence").await;
    assert!(
        page.body.contains("Sign in with 127.0.0.1"),
        "{}",
        page.body
    );
    let page = ola.signs_in("ola").await;
    assert_eq!(
        (page.status, &*page.location),
        (303, "/evidence"),
        "{}",
        page.body
    );
    assert!(!ola.cookies.contains_key(SIGNING_IN), "it is used");
    let me = ola.me().await;
    assert_eq!(me["name"], "ola@example.test");
    assert_eq!(me["role"], "operator");
    assert_eq!(me["signed_in_with"], "session");
    let page = ola.get("/").await;
    assert!(
        page.body.contains("ola@example.test, operator"),
        "{}",
        page.body
    );
    assert_eq!(ola.get("/sign-in?to=/evidence").await.location, "/evidence");

    // The same cookie in somebody else's hands, after its owner has gone.
    let mut thief = ola.clone();
    let csrf = page.csrf();
    let out = ola.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(
        (out.status, &*out.location),
        (303, "/sign-in?signed_out=yes")
    );
    assert!(!ola.cookies.contains_key(SESSION));
    assert_eq!(thief.get("/api/v1/me").await.status, 401);
    assert_eq!(thief.get("/").await.status, 303);
    let record = world.server.on_record("sign_in").await;
    assert_eq!(record[0].0, "ola@example.test");
    assert_eq!(
        world.server.on_record("sign_out").await[0].0,
        "ola@example.test"
    );
}

#[tokio::test]
async fn every_person_of_the_provider_has_the_role_of_their_group_and_strangers_have_none() {
    let world = World::new().await;
    for (person, role) in [
        ("vi", "viewer"),
        ("rey", "reviewer"),
        ("ola", "operator"),
        ("apo", "approver"),
        ("ada", "admin"),
    ] {
        let mut browser = world.browser();
        browser.signs_in(person).await;
        assert_eq!(browser.me().await["role"], role, "{person}");
    }
    let mut stranger = world.browser();
    let page = stranger.signs_in("stranger").await;
    page.refuses(403, "no group of yours has a role here");
    assert!(!stranger.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn a_provider_that_signs_with_a_new_rsa_key_is_asked_for_it() {
    let world = World::new().await;
    assert_eq!(world.browser().signs_in("ada").await.status, 303);
    world.answers(&json!({}), Signing::Rsa(RSA.to_vec()));
    world.server.wait(TimeDelta::seconds(11));
    assert_eq!(world.browser().signs_in("ola").await.status, 303);
    assert_eq!(world.browser().signs_in("ola").await.status, 303);
    let keys = world.sandbox.requests_to(Service::SignIn);
    let keys = keys
        .iter()
        .filter(|request| request.path == "/keys")
        .count();
    assert_eq!(keys, 2, "once at first, and once for the new one");
}

#[tokio::test]
async fn a_provider_that_is_gone_slow_or_lying_leaves_sessions_and_tokens_be() {
    let world = World::waiting(Duration::from_secs(3), Some("sandbox-secret")).await;
    let mut ola = world.browser();
    assert_eq!(ola.signs_in("ola").await.status, 303);
    let token = world.server.token("bot", Role::Viewer).await;
    for kind in [
        FaultKind::Hang,
        FaultKind::Status {
            status: 503,
            retry_after: None,
            body: None,
        },
        FaultKind::Garbage,
        FaultKind::Cut { after_bytes: 0 },
    ] {
        world.sandbox.clear_faults();
        let mut late = world.browser();
        let back = late.at_the_provider("ola").await;
        world.sandbox.fault(Fault::always(Service::SignIn, kind));
        late.get(&back)
            .await
            .refuses(502, "sign-in provider is of no help");
        assert!(!late.cookies.contains_key(SESSION));
        // What is known of it is asked for again after an hour.
        world.server.wait(TimeDelta::minutes(61));
        assert_eq!(ola.get("/api/v1/me").await.status, 401, "an hour of rest");
        let mut new = world.browser();
        let page = new.get("/sign-in/provider?to=/").await;
        page.refuses(502, "sign-in provider is of no help");
        assert!(
            page.body.contains("name=\"token\""),
            "a token does it as well"
        );
        world.sandbox.clear_faults();
        assert_eq!(ola.signs_in("ola").await.status, 303);
        world
            .sandbox
            .fault(Fault::always(Service::SignIn, FaultKind::Hang));
        assert_eq!(ola.get("/api/v1/me").await.status, 200);
        let me = world
            .server
            .asks(&Method::GET, "/api/v1/me")
            .bearer_auth(&token);
        assert_eq!(me.send().await.expect("an answer").status().as_u16(), 200);
    }
}

#[tokio::test]
async fn a_client_the_provider_does_not_know_is_told_to_an_admin_and_pkce_alone_does() {
    let world = World::knowing_itself(Some("wrong")).await;
    let page = world.browser().signs_in("ola").await;
    page.refuses(502, "an admin checks `access.oidc.client_id`");
    let world = World::knowing_itself(None).await;
    assert_eq!(world.browser().signs_in("ola").await.status, 303);
}

#[tokio::test]
async fn a_session_ends_by_rest_and_by_age_and_follows_what_its_groups_are() {
    let world = World::new().await;
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    for _ in 0..23 {
        world.server.wait(TimeDelta::minutes(30));
        assert_eq!(ola.get("/api/v1/me").await.status, 200);
    }
    world.server.wait(TimeDelta::minutes(30));
    let page = ola.get("/api/v1/me").await;
    page.refuses(401, "has lasted as long as one may");
    let mut vi = world.browser();
    vi.signs_in("vi").await;
    world.server.wait(TimeDelta::minutes(60));
    vi.get("/api/v1/me")
        .await
        .refuses(401, "nobody used your session");
    let record = world.server.on_record("sign_out").await;
    assert_eq!(record.len(), 2, "{record:?}");
}

#[tokio::test]
async fn a_token_signs_a_browser_in_for_as_long_as_it_is_good() {
    let world = World::new().await;
    let (id, token) = {
        let powers = switchyard::access::Powers::in_environments(
            Role::Reviewer,
            &[EnvironmentName::new("staging")],
        );
        world.server.token_with("rey", powers).await
    };
    let mut rey = world.browser();
    let page = rey.get("/sign-in?to=/evidence").await;
    let form = |csrf: &str, token: &str| {
        [
            ("csrf", csrf),
            ("token", token),
            ("to", "https://evil.example"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let csrf = page.csrf();
    let send = async |browser: &mut Browser<'_>, csrf: &str, token: &str| {
        let form = form(csrf, token);
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        browser.post("/sign-in/token", &form).await
    };
    assert_eq!(send(&mut rey, "0", &token).await.status, 403);
    assert_eq!(
        send(&mut world.browser(), &csrf, &token).await.status,
        403,
        "another browser"
    );
    send(&mut rey, &csrf, "swy_nonsense")
        .await
        .refuses(403, "no token of ours");
    let page = send(&mut rey, &csrf, &token).await;
    assert_eq!((page.status, &*page.location), (303, "/"), "{}", page.body);
    let me = rey.me().await;
    assert_eq!(
        (&me["name"], &me["role"]),
        (&json!("rey"), &json!("reviewer"))
    );
    let revoked = world.server.access.revoke_token(&id, "ada", "lost").await;
    assert!(revoked.expect("asked"));
    rey.get("/api/v1/me").await.refuses(401, "was revoked");
}

#[tokio::test]
async fn a_stream_ends_when_its_listener_has_to_show_again_who_they_are() {
    let world = World::new().await;
    let token = world.server.token("vi", Role::Viewer).await;
    world
        .server
        .wait(TimeDelta::days(30) - TimeDelta::seconds(1));
    let request = world
        .server
        .asks(&Method::GET, "/api/v1/events")
        .bearer_auth(token);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    let heard = tokio::time::timeout(Duration::from_secs(10), response.text()).await;
    let heard = heard.expect("it ends").expect("it is whole");
    assert!(
        heard.contains("event: snapshot") && !heard.contains("event: end"),
        "{heard}"
    );
}

#[tokio::test]
async fn the_sign_in_page_runs_no_script_and_keeps_to_itself() {
    let world = World::new().await;
    let response = world
        .server
        .asks(&Method::GET, "/sign-in")
        .send()
        .await
        .expect("an answer");
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["referrer-policy"], "same-origin");
    let page = response.text().await.expect("a page");
    assert!(
        page.contains("<label for=\"token\">") && !page.contains("<script"),
        "{page}"
    );
}
