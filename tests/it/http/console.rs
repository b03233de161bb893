//! The first page and the page where a migration is moved, through their forms.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use switchyard::{
    model::Bounds,
    rollout::{Layer, Percent, Position, Probe},
    store::NewHold,
};

use super::{
    server::{Answer, Server, after, noon},
    sign_in::{Browser, Page, World},
};
use crate::phases;

/// The page of the migration in these tests.
const PAGE: &str = "/phases/staging/daily_diarization_pipeline";

/// What somebody types before anything goes forward.
const NAME: &str = "staging/daily_diarization_pipeline";

fn some(percent: u16) -> Percent {
    Percent::from_hundredths(percent * 100).expect("a percentage")
}

impl Server {
    /// Sends a form of the migration's page, as somebody at this machine called ana.
    async fn act(&self, act: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.get(PAGE).await.csrf();
        let form = [&[("csrf", &*csrf), ("by", "ana")], fields].concat();
        self.send(&format!("{PAGE}/{act}"), &form).await
    }

    async fn stands(&self) -> Position {
        let about = phases::about("staging");
        let store = &self.shadow.store;
        let row = store.phase(&about.environment, &about.flag).await;
        row.expect("the store answers").position
    }

    /// Conductor has been well for long enough, and was looked at just now.
    async fn is_well(&self) {
        let about = phases::about("staging");
        let store = &self.shadow.store;
        let probe = Probe {
            name: "server",
            layer: Layer::Conductor,
            found: Ok("it answers".to_owned()),
        };
        let noted = store.note_probe(&about.environment, &probe, noon()).await;
        noted.expect("it is noted");
        self.wait(TimeDelta::minutes(31));
        let now = (self.shadow.clock)();
        let noted = store.note_probe(&about.environment, &probe, now).await;
        noted.expect("it is noted");
    }
}

/// Whether a page has anything to send to the migration's page.
fn has_forms(page: &str) -> bool {
    page.replace("&#x2f;", "/")
        .contains(&format!("action=\"{PAGE}/"))
}

#[tokio::test]
async fn the_first_page_shows_every_migration_with_what_stops_it_and_who_changed_it() {
    let server = Server::without_engine().await;
    let store = &server.shadow.store;
    phases::put(store, "staging", Position::Shadow(some(10)), noon()).await;
    phases::put(store, "production", Position::Parallel, noon()).await;
    let hold = NewHold {
        owner: "bo".to_owned(),
        reason: "audit week".to_owned(),
        expires_at: after(3600),
    };
    let about = phases::about("staging");
    let placed = store.place_hold(&about, &hold, noon());
    placed.await.expect("it is placed");
    server.running("run_a", 1).await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    page.says(&format!(r#"<a href="{PAGE}">shadow 10 %</a>"#))
        .says("the control serves; the candidate runs beside 10 % of recordings")
        .says("NOT YET</span>")
        .says("Closed</span>")
        .says("by bo: audit week")
        .says(r#"<a href="/runs">1</a>"#)
        .says("by ana")
        .says(r#"<a href="/" aria-current="page">Overview</a>"#)
        .says(r#"<p class="lead">parallel</p>"#)
        .says("its own console asks it, and moves it");
    let [staging, production] =
        [">staging</th>", ">production</th>"].map(|name| page.body.find(name).expect("a column"));
    assert!(staging < production, "ours comes first");
    assert_eq!(
        server
            .get("/phases/production/daily_diarization_pipeline")
            .await
            .status,
        404,
        "it is moved elsewhere"
    );
}

#[tokio::test]
async fn every_precondition_is_shown_with_its_number_and_bound_and_what_it_rests_on() {
    let server = Server::without_engine().await;
    let store = &server.shadow.store;
    phases::put(store, "staging", Position::Parallel, noon()).await;
    let page = server.get(PAGE).await;
    assert_eq!(page.status, 200);
    page.says("Runs in parallel")
        .says("0 ended well, 0 failed")
        .says("10 ended well, failures fewer than 1 in 10")
        .says("replay 10 more recordings")
        .says(r#"<a href="/replays">Replays</a>"#)
        .says(r#"<a href="/breaker">Health</a>"#)
        .says("2 of 4 preconditions not met.")
        .says("The candidate runs beside 10 % of recordings.")
        .says(r#"<li aria-current="step">parallel</li>"#)
        .says("moved from infrastructure to parallel")
        .says("Go back to infrastructure");
}

#[tokio::test]
async fn a_refused_move_says_which_precondition_is_missing_and_keeps_what_was_typed() {
    let server = Server::without_engine().await;
    let typed = [
        ("to", "parallel"),
        ("seen", "0"),
        ("evidence", ""),
        ("reason", "because <b>I</b> say so"),
        ("confirm", NAME),
    ];
    let page = server.act("moves", &typed).await;
    assert_eq!(page.status, 409);
    page.says("The migration stays where it is")
        .says("Conductor&#x27;s health: it is not watched, and has to be well for 30 min")
        .says("because &lt;b&gt;I&lt;/b&gt; say so</textarea>")
        .says(&format!(r#"name="confirm" type="text" value="{NAME}""#))
        .says(r#"name="by" type="text" value="ana""#);
    assert!(
        !page.body.contains("data-every"),
        "what was typed stays as it is"
    );
    assert_eq!(server.stands().await, Position::Infrastructure);

    // The same, with the name of another.
    let mut wrong = typed;
    wrong[4].1 = "production/daily_diarization_pipeline";
    let page = server.act("moves", &wrong).await;
    assert_eq!(page.status, 400);
    page.says(&format!("type `{NAME}`"))
        .says("say so</textarea>");
    // Without a reason nothing goes forward.
    let mut silent = typed;
    silent[3].1 = " ";
    let page = server.act("moves", &silent).await;
    assert_eq!(page.status, 400);
    page.says("The reason is empty; write why");
}

#[tokio::test]
async fn what_somebody_takes_upon_themselves_lets_it_go_forward_and_is_on_record() {
    let server = Server::without_engine().await;
    let page = server
        .act(
            "moves",
            &[
                ("to", "parallel"),
                ("seen", "0"),
                ("takes", "health"),
                ("takes", "order"),
                ("reason", "a drill"),
                ("confirm", NAME),
            ],
        )
        .await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert_eq!(page.header("location"), format!("{PAGE}?done=moved"));
    assert_eq!(server.stands().await, Position::Parallel);
    let taken = server.on_record("override").await;
    assert_eq!(taken.len(), 2);
    server
        .get(PAGE)
        .await
        .says("took upon themselves health until");
    let never = [
        ("to", "shadow"),
        ("percent", "10"),
        ("seen", "1"),
        ("takes", "settings"),
        ("reason", "a drill"),
        ("confirm", NAME),
    ];
    let page = server.act("moves", &never).await;
    assert_eq!(page.status, 400);
    page.says("`settings` cannot be overridden");
}

#[tokio::test]
async fn a_page_that_is_older_than_the_last_move_moves_nothing() {
    let server = Server::without_engine().await;
    let store = &server.shadow.store;
    phases::put(store, "staging", Position::Parallel, noon()).await;
    let page = server
        .act(
            "moves",
            &[
                ("to", "shadow"),
                ("percent", "10"),
                ("seen", "0"),
                ("reason", "a test"),
                ("confirm", NAME),
            ],
        )
        .await;
    assert_eq!(page.status, 409);
    page.says("The migration is in parallel at version 1 by now, not at version 0")
        .says("ask again if it is still wanted");
}

#[tokio::test]
async fn going_back_asks_for_nothing_and_goes_nowhere_but_back() {
    let server = Server::without_engine().await;
    let store = &server.shadow.store;
    phases::put(store, "staging", Position::Cutover(some(5)), noon()).await;
    server
        .get(PAGE)
        .await
        .says("Go back to shadow 100 %")
        .says("The control serves everybody again.")
        .says("takeover RUN");
    let forward = server.act("rollback", &[("to", "soak")]).await;
    assert_eq!(forward.status, 409);
    forward.says("cutover soak is not before that");
    let same = server
        .act("rollback", &[("to", "cutover"), ("percent", "5")])
        .await;
    assert_eq!(same.status, 409);
    let back = server
        .act("rollback", &[("to", "shadow"), ("percent", "100")])
        .await;
    assert_eq!(back.status, 303, "{}", back.body);
    assert_eq!(back.header("location"), format!("{PAGE}?done=rolled-back"));
    assert_eq!(server.stands().await, Position::Shadow(Percent::ALL));
    // A step without a percentage takes none, whatever its field holds.
    let back = server
        .act("rollback", &[("to", "parallel"), ("percent", "100")])
        .await;
    assert_eq!(back.status, 303, "{}", back.body);
    assert_eq!(server.stands().await, Position::Parallel);
}

#[tokio::test]
async fn a_hold_is_placed_stops_forward_moves_and_is_released() {
    let server = Server::without_engine().await;
    let wrong = server
        .act("holds", &[("reason", "audit week"), ("hours", "9999")])
        .await;
    assert_eq!(wrong.status, 400);
    wrong
        .says("1 to 2160")
        .says("audit week</textarea>")
        .says(r#"value="9999""#);
    let placed = server
        .act("holds", &[("reason", "audit week"), ("hours", "24")])
        .await;
    assert_eq!(placed.header("location"), format!("{PAGE}?done=held"));
    let page = server.get(&format!("{PAGE}?done=held")).await;
    page.says("The hold is in force.")
        .says("ana holds: audit week");
    let refused = server
        .act(
            "moves",
            &[
                ("to", "parallel"),
                ("seen", "0"),
                ("takes", "health"),
                ("reason", "a test"),
                ("confirm", NAME),
            ],
        )
        .await;
    assert_eq!(refused.status, 409);
    refused
        .says("Held by ana: audit week; ask ana, or release the hold below.")
        .says(r##"href="#to-parallel""##);
    let holds = server.get("/api/v1/holds").await.json();
    let id = holds["holds"][0]["id"].as_str().expect("an id");
    let release = format!("holds/{id}/release");
    let released = server.act(&release, &[("reason", "it is over")]).await;
    assert_eq!(released.header("location"), format!("{PAGE}?done=released"));
    let again = server.act(&release, &[]).await;
    assert_eq!(again.status, 409);
    again.says("That hold is not in force any more.");
    assert_eq!(
        server.on_record("release").await,
        [("ana".to_owned(), "it is over".to_owned())]
    );
}

#[tokio::test]
async fn a_form_that_no_page_of_ours_made_changes_nothing() {
    let server = Server::without_engine().await;
    let hold = [("by", "bo"), ("reason", "a test"), ("hours", "1")];
    let path = format!("{PAGE}/holds");
    let csrf = server.get(PAGE).await.csrf();
    let with = |csrf| [&[("csrf", csrf)], &hold[..]].concat();
    assert_eq!(server.send(&path, &hold).await.status, 403, "no token");
    assert_eq!(server.send(&path, &with("0")).await.status, 403, "wrong");
    let other = Server::without_engine().await.get(PAGE).await.csrf();
    let sent = server.send(&path, &with(&other)).await;
    assert_eq!(sent.status, 403, "another program's");
    // Not as a form, where nobody signs in: nobody looked at its token.
    let request = server.asks(&Method::POST, &path);
    let body = format!("csrf={csrf}&by=bo&reason=a+test&hours=1");
    let plain = request.header("content-type", "text/plain").body(body);
    let status = plain.send().await.expect("an answer").status().as_u16();
    assert_eq!(status, 400);
    let request = server
        .asks(&Method::POST, &path)
        .json(&json!({ "by": "bo" }));
    let status = request.send().await.expect("an answer").status().as_u16();
    assert_eq!(status, 400);
    let unknown = [&with(&csrf)[..], &[("force", "yes")]].concat();
    let answer = server.send(&path, &unknown).await;
    assert_eq!(answer.status, 400);
    answer.says("unknown field `force`");
    assert_eq!(server.on_record("hold").await, []);
    assert_eq!(server.send(&path, &with(&csrf)).await.status, 303);
}

#[tokio::test]
async fn a_page_says_that_something_was_done_in_its_own_words_and_no_others() {
    let server = Server::without_engine().await;
    let page = server.get(&format!("{PAGE}?done=moved")).await;
    page.says("The migration was moved.");
    for forged in ["Send+money", "%3Cb%3Emoved", "moved.", "MOVED", ""] {
        let page = server.get(&format!("{PAGE}?done={forged}")).await;
        assert_eq!(page.status, 200, "{forged}");
        assert!(!page.body.contains("class=\"said\""), "{forged}");
        assert!(!page.body.contains("money"), "{forged}");
    }
}

/// Sends a form of the migration's page as somebody who is signed in.
async fn act(browser: &mut Browser<'_>, act: &str, fields: &[(&str, &str)]) -> Page {
    let csrf = browser.get(PAGE).await.csrf();
    let form = [&[("csrf", &*csrf)], fields].concat();
    browser.post(&format!("{PAGE}/{act}"), &form).await
}

const FORWARD: [(&str, &str); 4] = [
    ("to", "parallel"),
    ("seen", "0"),
    ("reason", "it is time"),
    ("confirm", NAME),
];

#[tokio::test]
async fn one_asks_another_approves_and_nobody_does_both() {
    let two = Bounds {
        approvals: 1,
        ..Bounds::default()
    };
    let world = World::within(two).await;
    let server = &world.server;
    server.is_well().await;
    let mut apo = world.browser();
    apo.signs_in("apo").await;
    let mut ada = world.browser();
    ada.signs_in("ada").await;
    let asked = act(&mut apo, "moves", &FORWARD).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    assert_eq!(asked.location, format!("{PAGE}?done=requested"));
    assert_eq!(server.stands().await, Position::Infrastructure);
    let about = phases::about("staging");
    let open = server.shadow.store.open_requests(&about).await;
    let id = open.expect("the store answers")[0].id.clone();

    let page = apo.get(PAGE).await;
    assert!(
        page.body
            .contains("You asked for it; somebody else has to approve it.")
    );
    assert!(!page.body.contains("Approve the move"), "{}", page.body);
    let approval = format!("requests/{id}/approval");
    let own = act(&mut apo, &approval, &[]).await;
    own.refuses(409, "somebody else has to approve it");
    assert_eq!(server.stands().await, Position::Infrastructure);

    let page = ada.get(PAGE).await;
    assert!(
        page.body
            .contains("apo@example.test asks to move to parallel")
    );
    assert!(
        page.body
            .contains("The evidence is the same as when it was asked for.")
    );
    assert!(page.body.contains("Approve the move to parallel"));
    let approved = act(&mut ada, &approval, &[]).await;
    assert_eq!(approved.status, 303, "{}", approved.body);
    assert_eq!(approved.location, format!("{PAGE}?done=moved"));
    assert_eq!(server.stands().await, Position::Parallel);
    let flips = server.on_record("flip").await;
    assert_eq!(flips[0].0, "apo@example.test");
    assert_eq!(server.on_record("approve").await[0].0, "ada@example.test");
    let again = act(&mut ada, &approval, &[]).await;
    again.refuses(409, "made or taken back meanwhile");
}

#[tokio::test]
async fn a_request_that_is_taken_back_is_approved_by_nobody() {
    let two = Bounds {
        approvals: 1,
        ..Bounds::default()
    };
    let world = World::within(two).await;
    world.server.is_well().await;
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    assert_eq!(act(&mut ola, "moves", &FORWARD).await.status, 303);
    let about = phases::about("staging");
    let open = world.server.shadow.store.open_requests(&about).await;
    let id = open.expect("the store answers")[0].id.clone();
    // An operator asks and takes back, and does not approve.
    let page = ola.get(PAGE).await;
    assert!(!page.body.contains("/approval"), "{}", page.body);
    let mine = act(&mut ola, &format!("requests/{id}/approval"), &[]).await;
    assert_eq!(mine.status, 403);
    let back = act(&mut ola, &format!("requests/{id}/withdrawal"), &[]).await;
    assert_eq!(back.location, format!("{PAGE}?done=withdrawn"));
    let mut apo = world.browser();
    apo.signs_in("apo").await;
    let late = act(&mut apo, &format!("requests/{id}/approval"), &[]).await;
    assert_eq!(late.status, 409);
    assert_eq!(world.server.stands().await, Position::Infrastructure);
}

#[tokio::test]
async fn a_viewer_sees_everything_has_nothing_to_press_and_is_refused() {
    let world = World::new().await;
    let store = &world.server.shadow.store;
    phases::put(store, "staging", Position::Shadow(some(10)), noon()).await;
    let mut vi = world.browser();
    vi.signs_in("vi").await;
    let page = vi.get(PAGE).await;
    assert_eq!(page.status, 200);
    for told in [
        "Comparisons in shadow",
        "takes the role operator in staging; you are viewer here",
        "Going back asks for nothing",
    ] {
        assert!(page.body.contains(told), "{told}: {}", page.body);
    }
    assert!(!has_forms(&page.body), "{}", page.body);
    for (action, fields) in [
        ("moves", &FORWARD[..]),
        ("rollback", &[("to", "parallel")]),
        ("holds", &[("reason", "a test"), ("hours", "1")]),
        ("holds/x/release", &[]),
        ("requests/x/approval", &[]),
        ("requests/x/withdrawal", &[]),
    ] {
        let answer = act(&mut vi, action, fields).await;
        assert_eq!(answer.status, 403, "{action}: {}", answer.body);
    }
    assert_eq!(world.server.stands().await, Position::Shadow(some(10)));
    // An operator has the forms, and no box to take anything upon themselves.
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    let page = ola.get(PAGE).await;
    assert!(has_forms(&page.body) && !page.body.contains("name=\"takes\""));
    let mut taking = FORWARD.to_vec();
    taking[0].1 = "shadow";
    taking[1].1 = "1";
    taking.extend([("percent", "50"), ("takes", "shadow_pairs")]);
    let refused = act(&mut ola, "moves", &taking).await;
    refused.refuses(403, "To `override`");
    assert!(refused.body.contains("it is time</textarea>"));
    assert_eq!(world.server.on_record("override").await, []);
}

#[tokio::test]
async fn another_persons_form_is_no_form_of_mine() {
    let world = World::new().await;
    let mut ola = world.browser();
    ola.signs_in("ola").await;
    let mut apo = world.browser();
    apo.signs_in("apo").await;
    let theirs = apo.get(PAGE).await.csrf();
    let path = format!("{PAGE}/holds");
    let hold = [("reason", "a test"), ("hours", "1")];
    assert_eq!(ola.post(&path, &hold).await.status, 403);
    let form = [&[("csrf", &*theirs)], &hold[..]].concat();
    assert_eq!(ola.post(&path, &form).await.status, 403);
    // Nor does anybody act in a name they type.
    let named = [&hold[..], &[("by", "bo")]].concat();
    let placed = act(&mut ola, "holds", &named).await;
    assert_eq!(placed.status, 303, "{}", placed.body);
    assert_eq!(
        world.server.on_record("hold").await,
        [("ola@example.test".to_owned(), "a test".to_owned())]
    );
}
