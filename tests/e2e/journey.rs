//! A whole migration, from its first day to its last, on a real Celery and a real Conductor.

use chrono::DateTime;
use serde_json::Value;
use switchyard::{
    config::Config,
    model::{EnvironmentName, RunState},
    rollout::Owner,
    store::RouteRow,
};

use crate::{outage::Story, program::until};

/// Days are nothing here; what people do in them is.
const BOUNDS: &str = "rollout = { healthy_min = 0, parallel_runs = 1, shadow_pairs = 1, dwell_hours = 0, \
                      step_runs = 1, soak_days = 0, quiet_days = 0, legacy_quiet_days = 0 }";

impl Story {
    /// A person moves the migration, with more words where it takes more.
    async fn moves(&self, step: &[&str], more: &[&str]) -> String {
        let by = ["--by", "ana"];
        let words = [&["phase", "set"], step, &by, more].concat();
        self.beside.run(&words).await
    }

    /// A recording arrives, is routed, and ends; who served it.
    async fn serves(&mut self) -> RouteRow {
        let recording = self.arrives().await;
        self.route_of(&recording).await;
        self.nothing_is_left().await;
        self.route_of(&recording).await
    }

    /// Waits until a run beside the control is compared with it; the verdict.
    async fn is_compared(&self, route: &RouteRow) -> String {
        let run = route.run_id.as_ref().expect("a run is beside it");
        until("the two are compared", async || {
            let newest = self.store.newest_verdict(run).await.expect("a read");
            newest.map(|(verdict, _)| verdict)
        })
        .await
    }

    /// Prints what the trail and the routes say, in order of time.
    async fn timeline(&self) {
        let (environment, flag) = (EnvironmentName::new("test"), Config::flag());
        let trail = self.store.recent_audit(&environment, &flag, 500).await;
        let mut lines: Vec<_> = trail
            .expect("a read")
            .into_iter()
            .map(|sealed| {
                let entry = sealed.entry;
                let line = format!(
                    "{} {}: {} -> {}{}",
                    entry.actor,
                    entry.action,
                    entry.before,
                    entry.after,
                    if entry.reason.is_empty() {
                        String::new()
                    } else {
                        format!(" ({})", entry.reason)
                    },
                );
                (entry.at, line)
            })
            .collect();
        let routes = self.store.recent_routes(&environment, 100).await;
        for route in routes.expect("a read") {
            let line = format!(
                "a recording for the {}: {}",
                route.owner.as_str(),
                route.reason
            );
            lines.push((route.arrived_at.timestamp_millis(), line));
        }
        lines.sort();
        let first = lines.first().map_or(0, |line| line.0);
        let began = DateTime::from_timestamp_millis(first).expect("a time");
        println!("timeline, from {}", began.format("%Y-%m-%d %H:%M:%S UTC"));
        for (at, line) in lines {
            #[expect(clippy::cast_precision_loss, reason = "a test does not take so long")]
            let seconds = (at - first) as f64 / 1000.0;
            println!("{seconds:>8.1} s  {line}");
        }
    }
}

/// What nobody has to take upon themselves is met; the evidence of a whole week is, and is said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_goes_its_whole_way_and_each_recording_is_served_once() {
    let Some(mut story) = Story::set_up(BOUNDS).await else {
        return;
    };
    // Infrastructure: Conductor is watched, and nobody depends on it.
    story.arrives().await;
    // What it is about nobody asks Reflector for yet.
    let newest = async |story: &Story| {
        let environment = EnvironmentName::new("test");
        let routes = story.store.recent_routes(&environment, 1).await;
        routes.expect("a read").pop()
    };
    until("the first is routed", async || newest(&story).await).await;
    story.nothing_is_left().await;
    let first = newest(&story).await.expect("it was routed");
    assert_eq!(
        (first.owner, &first.run_id),
        (Owner::Control, &None),
        "{}",
        first.reason
    );

    // Parallel: on what has ended.
    story.moves(&["parallel"], &[]).await;
    let id = first.transcript_id.as_str();
    let dispatched = story
        .beside
        .json(&["dispatch", "--transcript", id, "--wait"])
        .await;
    assert_eq!(dispatched["state"], "completed", "{dispatched}");

    // Shadow: of some recordings, then of all.
    story.moves(&["shadow", "--percent", "10"], &[]).await;
    let some = story.serves().await;
    assert_eq!(some.owner, Owner::Control, "{}", some.reason);
    story.moves(&["shadow", "--percent", "100"], &[]).await;
    let all = story.serves().await;
    assert_eq!(all.owner, Owner::Control, "{}", all.reason);
    assert_eq!(story.is_compared(&all).await, "within_noise");

    // The day is rehearsed before it comes.
    let rehearsal = ["rehearse", "--transcript", id, "--by", "ana"];
    let rehearsal = story.beside.json(&rehearsal).await;
    assert_eq!(rehearsal["passed"], true, "{rehearsal:#}");

    // Cutover: a few recordings are no evidence, so somebody has to answer for it.
    let refused = story
        .beside
        .fails(&["phase", "set", "cutover", "--percent", "1", "--by", "ana"])
        .await;
    assert!(refused.contains("evidence"), "{refused}");
    let knows = ["--override", "evidence", "--reason", "a story has no weeks"];
    story.moves(&["cutover", "--percent", "1"], &knows).await;
    story.serves().await;
    let few = [
        "--override",
        "step_runs",
        "--reason",
        "few rooms are among one percent",
    ];
    story.moves(&["cutover", "--percent", "25"], &few).await;
    story.serves().await;
    let few = [
        "--override",
        "step_runs",
        "--reason",
        "one room may not be among a quarter",
    ];
    story.moves(&["cutover", "--percent", "100"], &few).await;
    let served = story.serves().await;
    assert_eq!(served.owner, Owner::Candidate, "{}", served.reason);
    let run = served.run_id.as_ref().expect("a run");
    let run = story.store.run(run).await.expect("a read").expect("a run");
    assert_eq!(run.state, RunState::Completed, "{:?}", run.failure);

    // Conductor dies, Celery takes over, Conductor comes back with nothing in its memory.
    story
        .breaks("outage", |story| story.conductor.signal("KILL"))
        .await;
    story.conductor.resume().await;
    story.recovers("recovery").await;
    let after = story.serves().await;
    assert_eq!(after.owner, Owner::Candidate, "{}", after.reason);

    cleans_up(&mut story).await;
    story.timeline().await;
    let verified: Value = story.beside.json(&["audit", "--verify"]).await;
    assert_eq!(verified["whole"], true, "{verified}");
    story.everything_was_served_once().await;
}

/// What Celery has ends, what it did is exported, and it is gone.
async fn cleans_up(story: &mut Story) {
    story.moves(&["soak"], &[]).await;
    let few = ["--override", "served", "--reason", "a story has no weeks"];
    story.moves(&["draining"], &few).await;
    story.moves(&["archived"], &[]).await;
    let export = story.beside.site.path("export.jsonl");
    let export = export.to_str().expect("a path");
    story
        .beside
        .run(&["cleanup", "export", export, "--by", "ana"])
        .await;
    let asked = story.moves(&["removed"], &["--confirm", "test"]).await;
    let requests = story.beside.json(&["phase", "requests"]).await;
    let request = requests[0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{asked}: {requests}"));
    story
        .beside
        .run(&["phase", "approve", request, "--by", "ben"])
        .await;
    let stands = story.beside.json(&["phase"]).await;
    assert_eq!(stands[0]["phase"], "cleanup", "{stands}");
    let last = story.serves().await;
    assert_eq!(last.owner, Owner::Candidate, "{}", last.reason);
    let run = last.run_id.as_ref().expect("a run").as_str();
    let refused = story
        .beside
        .fails(&["takeover", run, "--by", "ana", "--reason", "a try"])
        .await;
    assert!(refused.contains("Celery is removed"), "{refused}");
}
