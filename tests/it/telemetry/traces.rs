//! Traces reach a collector whole and once, whatever it does meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use opentelemetry_proto::tonic::trace::v1::Span;
use switchyard::{
    controller::Traces,
    model::{RunId, RunState, WorkflowId},
    rollout::{Keys, Percent, Position, salt},
    store::{Arrival, ComparisonFacts, StoredComparison, Way, Wish},
};

use super::Site;
use crate::{
    collector::{Collector, Takes, attributes, tree},
    phases,
    store::samples::{attempt, control, flag, new_run, staging, subject},
};

/// A site whose traces go to a collector of its own.
struct World {
    site: Site,
    traces: Traces,
    collector: Collector,
}

impl World {
    async fn new(more: &str) -> Self {
        let collector = Collector::serve().await;
        let url = &collector.url;
        let site = Site::new(&format!(
            "[telemetry.traces]\nurl = \"{url}\"\ntimeout_s = 1\n{more}"
        ))
        .await;
        let traces = site.app.traces().expect("settings are right");
        Self {
            traces: traces.expect("there is a collector"),
            site,
            collector,
        }
    }

    async fn tick(&self) -> anyhow::Result<usize> {
        self.traces.tick().await
    }

    /// A recording that arrives twice, is shadowed, fails once at a step, and is compared.
    async fn shadowed(&self, name: &str) -> RunId {
        let (store, now) = (&self.site.app.store, self.site.now());
        let second = |seconds: i64| now + TimeDelta::seconds(seconds);
        let version = store
            .standing(&staging(), &flag(), now)
            .await
            .expect("it is read");
        if version.phase.version == 0 {
            phases::put(store, "staging", Position::Shadow(Percent::ALL), now).await;
        }
        let subject = subject(name);
        let salt = salt(&staging(), &flag());
        let mut route = None;
        for (task, way, at) in [("celery-1", Way::Tap, 0), ("celery-2", Way::Http, 1)] {
            let arrival = Arrival {
                environment: staging(),
                flag: flag(),
                task_id: format!("{task}-of-{name}"),
                transcript: subject.transcript.id.clone(),
                bucket_name: "daily-recordings".to_owned(),
                track_keys: vec!["a".to_owned()],
                wish: Wish::Once,
                way,
            };
            let keys = Keys::of(&subject);
            let pinned = store
                .arrive(&arrival, &keys, Some(&subject), &salt, second(at))
                .await;
            route = Some(pinned.expect("it is pinned").route);
        }
        let route = route.expect("it arrived");
        let new = new_run(&format!("run_of_{name}"), name);
        let made = store.insert_run_of(&new, Some(&route), second(2)).await;
        assert!(made.expect("it is written"));
        let workflow = WorkflowId::new("workflow-1");
        store.mark_running(&new.id, &workflow).await.expect("it is");
        for (task, task_ref, number, from, ended) in [
            ("1", "get_recording", 1, 3, ("completed", None)),
            ("2", "pad_track_0", 1, 5, ("failed", Some("status 500"))),
            ("3", "pad_track_0", 2, 9, ("completed", None)),
        ] {
            let mut begun = attempt(&format!("{task}-of-{name}"), task_ref, number, 0);
            begun.task_name = task_ref.trim_end_matches("_0").to_owned();
            begun.started_at = second(from);
            store.begin_attempt(&new.id, &begun).await.expect("it is");
            let (status, cause) = ended;
            let ended = store.end_attempt(&begun.task_id, status, cause, second(from + 2));
            ended.await.expect("it is");
        }
        let ended = store.finish_run(&new.id, RunState::Completed, None, second(20));
        assert!(ended.await.expect("it is"));
        let mut kept = control(&format!("control_of_{name}"));
        kept.taken_at = second(30);
        store.insert_control(&kept).await.expect("it is kept");
        let over = store.end_route(&route, Some(&kept.id), second(30)).await;
        assert!(over.expect("it is"));
        store.attach_controls(&staging()).await.expect("it is");
        self.compare(&new.id, &format!("cmp_of_{name}"), 31).await;
        new.id
    }

    async fn compare(&self, run: &RunId, id: &str, second: i64) {
        let comparison = StoredComparison {
            id: id.to_owned(),
            run_id: run.clone(),
            verdict: "within_noise".to_owned(),
            policy_digest: "digest".to_owned(),
            epoch: "epoch".to_owned(),
            report: serde_json::json!({}),
            compared_at: self.site.now() + TimeDelta::seconds(second),
            fields: Vec::new(),
            facts: ComparisonFacts::default(),
        };
        let store = &self.site.app.store;
        store.insert_comparison(&comparison).await.expect("it is");
    }

    /// The spans of the one request that came.
    fn spans(&self) -> Vec<Span> {
        let got = self.collector.got();
        assert_eq!(got.len(), 1);
        got[0].spans()
    }
}

#[tokio::test]
async fn a_shadowed_recording_is_told_span_by_span() {
    let world = World::new("headers = { x-scope = KEY }").await;
    world.shadowed("standup").await;
    let begin = world.site.now();
    world.site.pass(TimeDelta::minutes(1));
    assert_eq!(world.tick().await.expect("it is told"), 1);
    let request = world.collector.got().remove(0);
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    assert_eq!(request.headers["x-scope"], "hush");
    let resource = request.read().resource_spans.remove(0).resource;
    let resource = attributes(&resource.expect("there is one").attributes);
    assert_eq!(resource["service.name"], "switchyard");
    assert_eq!(resource["deployment.environment.name"], "staging");
    let spans = request.spans();
    let traces: BTreeSet<_> = spans.iter().map(|span| span.trace_id.clone()).collect();
    assert_eq!(traces.len(), 1);
    assert!(
        spans
            .iter()
            .all(|span| span.trace_id.len() == 16 && span.span_id.len() == 8)
    );
    let seconds = |nanos: u64| {
        let zero = u64::try_from(begin.timestamp_millis()).expect("it is later") * 1_000_000;
        (nanos - zero) / 1_000_000_000
    };
    let timed: Vec<String> = tree(&spans)
        .into_iter()
        .zip(&spans)
        .map(|(name, span)| {
            let (from, to) = (span.start_time_unix_nano, span.end_time_unix_nano);
            format!("{name} {}-{}", seconds(from), seconds(to))
        })
        .collect();
    assert_eq!(
        timed,
        [
            "recording < - 0-31",
            "arrival < recording 0-0",
            "arrival < recording 1-1",
            "route < recording 0-0",
            "control < recording ok 0-30",
            "candidate < recording ok 2-20",
            "get_recording < candidate ok 3-5",
            "attempt < get_recording ok 3-5",
            "pad_track < candidate ok 5-11",
            "attempt < pad_track failed 5-7",
            "attempt < pad_track ok 9-11",
            "comparison < recording 31-31",
        ]
    );
    let of: Vec<BTreeMap<_, _>> = spans
        .iter()
        .map(|span| attributes(&span.attributes))
        .collect();
    assert_eq!(of[0]["transcript.id"], "transcript-of-standup");
    assert_eq!(of[0]["recording.id"], "standup");
    assert_eq!(of[0]["run.id"], "run_of_standup");
    assert_eq!(of[1]["arrival.way"], "tap");
    assert_eq!(of[2]["celery.task_id"], "celery-2-of-standup");
    assert_eq!(of[3]["route.owner"], "control");
    assert_eq!(of[3]["route.beside"], "candidate");
    assert_eq!(of[3]["route.percent"], "100");
    assert_eq!(of[5]["workflow.id"], "workflow-1");
    assert_eq!(of[8]["task.attempts"], "2");
    assert_eq!(of[9]["worker.id"], "worker-1");
    assert_eq!(of[11]["comparison.verdict"], "within_noise");
    let shadow: Vec<bool> = of
        .iter()
        .map(|of| of.get("shadow").is_some_and(|is| is == "true"))
        .collect();
    let t = true;
    let f = false;
    assert_eq!(shadow, [t, f, f, f, f, t, t, t, t, t, t, t]);
    let failed = spans[9].status.as_ref().expect("it is judged");
    assert_eq!(failed.message, "status 500");

    assert_eq!(world.tick().await.expect("nothing is left"), 0);
    assert!(world.collector.got().is_empty());
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_told_later_with_the_same_ids() {
    let world = World::new("").await;
    world.shadowed("standup").await;
    world.site.pass(TimeDelta::minutes(1));
    let mut told = Vec::new();
    for takes in [
        Takes::Nothing(503),
        Takes::Forever,
        Takes::Nothing(401),
        Takes::Nothing(404),
    ] {
        world.collector.takes(takes);
        assert!(world.tick().await.is_err(), "{takes:?}");
        told.push(world.spans());
    }
    world.collector.takes(Takes::All);
    assert_eq!(world.tick().await.expect("it is told"), 1);
    told.push(world.spans());
    assert!(told.iter().all(|spans| *spans == told[0]));
    assert_eq!(world.tick().await.expect("nothing is left"), 0);
}

#[tokio::test]
async fn what_a_collector_will_never_take_holds_nothing_up() {
    for takes in [Takes::Nothing(400), Takes::AllBut(3)] {
        let world = World::new("").await;
        world.shadowed("standup").await;
        world.site.pass(TimeDelta::minutes(1));
        world.collector.takes(takes);
        world.tick().await.expect("it is given up");
        world.spans();
        assert_eq!(world.tick().await.expect("nothing is left"), 0);
        assert!(world.collector.got().is_empty(), "{takes:?}");
    }
}

#[tokio::test]
async fn after_two_days_of_silence_a_recording_is_not_told_of_any_more() {
    let world = World::new("").await;
    world.shadowed("standup").await;
    world.site.pass(TimeDelta::hours(49));
    assert_eq!(world.tick().await.expect("nothing is told"), 0);
    assert!(world.collector.got().is_empty());
}

#[tokio::test]
async fn a_later_comparison_follows_alone_below_the_same_recording() {
    let world = World::new("").await;
    let run = world.shadowed("standup").await;
    world.site.pass(TimeDelta::minutes(1));
    world.tick().await.expect("it is told");
    let whole = world.spans();
    world.compare(&run, "cmp_later", 2).await;
    assert_eq!(world.tick().await.expect("it is told"), 1);
    let later = world.spans();
    assert_eq!(tree(&later), ["comparison < ?"]);
    assert_eq!(later[0].trace_id, whole[0].trace_id);
    assert_eq!(later[0].parent_span_id, whole[0].span_id);
    assert_eq!(world.tick().await.expect("nothing is left"), 0);
}

#[tokio::test]
async fn of_several_processes_one_tells_and_a_restart_tells_nothing_again() {
    let world = World::new("").await;
    world.shadowed("standup").await;
    world.site.pass(TimeDelta::minutes(1));
    let other = world.site.app.traces().expect("settings are right");
    let other = other.expect("there is a collector");
    assert_eq!(world.tick().await.expect("it is told"), 1);
    world.shadowed("retro").await;
    assert_eq!(other.tick().await.expect("it waits"), 0);
    world.site.pass(TimeDelta::minutes(2));
    assert_eq!(other.tick().await.expect("it is told"), 1);
    let got = world.collector.got();
    let names: Vec<_> = got
        .iter()
        .map(|request| attributes(&request.spans()[0].attributes)["recording.id"].clone())
        .collect();
    assert_eq!(names, ["standup", "retro"]);
}

#[tokio::test]
async fn what_is_not_sampled_is_left_out_whole() {
    let world = World::new("sample_percent = 50").await;
    let names: Vec<String> = (0..12).map(|number| format!("meeting-{number}")).collect();
    for name in &names {
        world.shadowed(name).await;
    }
    world.site.pass(TimeDelta::minutes(1));
    let told = world.tick().await.expect("it is told");
    assert!((1..12).contains(&told), "{told}");
    let roots = world.spans();
    let roots = roots.iter().filter(|span| span.name == "recording");
    assert_eq!(roots.count(), told);
    assert_eq!(world.tick().await.expect("nothing is left"), 0);
}

#[tokio::test]
async fn a_recording_the_control_serves_alone_is_told_without_a_candidate() {
    let world = World::new("").await;
    let (store, now) = (&world.site.app.store, world.site.now());
    let arrival = Arrival {
        environment: staging(),
        flag: flag(),
        task_id: "celery-1".to_owned(),
        transcript: "alone".into(),
        bucket_name: "daily-recordings".to_owned(),
        track_keys: vec!["a".to_owned()],
        wish: Wish::Once,
        way: Way::Tap,
    };
    let salt = salt(&staging(), &flag());
    let pinned = store
        .arrive(&arrival, &Keys::Unknown, None, &salt, now)
        .await;
    let route = pinned.expect("it is pinned").route;
    assert_eq!(world.tick().await.expect("it is not over"), 0);
    let over = store
        .end_route(&route, None, now + TimeDelta::seconds(9))
        .await;
    assert!(over.expect("it is"));
    world.site.pass(TimeDelta::minutes(1));
    assert_eq!(world.tick().await.expect("it is told"), 1);
    assert_eq!(
        tree(&world.spans()),
        [
            "recording < -",
            "arrival < recording",
            "route < recording",
            "control < recording",
        ]
    );
}

#[tokio::test]
async fn the_self_check_says_whether_the_collector_takes_traces() {
    let world = World::new("headers = { x-scope = KEY }").await;
    let found = async || {
        let config = world.site.app.config.clone();
        let all = switchyard::app::check(config, None).await;
        let found = all.into_iter().find(|found| found.what == "traces");
        found.expect("it was looked at")
    };
    assert!(found().await.ok);
    assert_eq!(world.collector.got()[0].spans(), []);
    world.collector.takes(Takes::Nothing(401));
    let refused = found().await;
    assert!(!refused.ok && refused.found.contains("401"), "{refused:?}");
    let remedy = refused.remedy.unwrap_or_default();
    assert!(remedy.contains("`telemetry.traces.url`"), "{remedy}");
    assert!(!refused.found.contains("hush"));
}
