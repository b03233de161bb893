use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000 + second, 0).expect("it is a time")
}

fn attempted(task_id: &str, task_ref: &str, number: i64, ok: bool, from: i64) -> Attempted {
    Attempted {
        task_id: task_id.to_owned(),
        task_ref: task_ref.to_owned(),
        task: "transcribe_track".to_owned(),
        number,
        worker: "worker-1".to_owned(),
        status: if ok { "completed" } else { "failed" }.to_owned(),
        cause: (!ok).then(|| "status 500".to_owned()),
        started_at: at(from),
        finished_at: Some(at(from + 5)),
    }
}

fn material() -> Material {
    Material {
        environment: EnvironmentName::new("staging"),
        flag: FlagName::new("pipeline"),
        transcript: TranscriptId::new("t1"),
        recording: Some(RecordingId::new("r1")),
        routed: Some(Routed {
            generation: 1,
            arrivals: vec![Arrived {
                task_id: "celery-1".to_owned(),
                way: "tap".to_owned(),
                at: at(0),
            }],
            at: at(0),
            owner: "control",
            beside: "candidate",
            phase: "shadow".to_owned(),
            percent: "10 %".to_owned(),
            bucket: Some(17),
            reason: "shadow covers it".to_owned(),
            over_at: Some(at(60)),
        }),
        control: Some(Control {
            id: "ctl_1".to_owned(),
            is_well: true,
            failure: None,
            taken_at: at(61),
            steps_ms: Some(50_000),
        }),
        run: Some(Ran {
            id: RunId::new("run_1"),
            generation: 1,
            workflow: Some("wf".to_owned()),
            is_shadow: true,
            origin: "arrival",
            state: "completed",
            failure: None,
            started_at: at(2),
            finished_at: Some(at(40)),
            attempts: vec![
                attempted("a", "transcribe_track_0", 1, false, 3),
                attempted("b", "transcribe_track_1", 1, true, 4),
                attempted("c", "transcribe_track_0", 2, true, 10),
            ],
            effects: Vec::new(),
            comparisons: vec![Compared {
                id: "cmp_1".to_owned(),
                verdict: "match".to_owned(),
                policy: "digest".to_owned(),
                at: at(62),
            }],
        }),
    }
}

/// Each span as `name parent from-to status`, times in seconds.
fn told(trace: &Trace) -> Vec<String> {
    let name_of = |id: SpanId| {
        let found = trace.spans.iter().find(|span| span.id == id);
        found.map_or("?", |span| span.name.as_str())
    };
    let seconds = |time: DateTime<Utc>| (time - at(0)).num_seconds();
    trace
        .spans
        .iter()
        .map(|span| {
            let status = match &span.status {
                Status::Unset => "",
                Status::Ok => " ok",
                Status::Failed(why) => &format!(" failed: {why}"),
            };
            let parent = span.parent.map_or("-", name_of);
            let (from, to) = (seconds(span.start), seconds(span.end));
            format!("{} < {parent} {from}-{to}{status}", span.name)
        })
        .collect()
}

#[test]
fn a_shadowed_recording_is_one_tree() {
    assert_eq!(
        told(&Trace::of(&material())),
        [
            "recording < - 0-62",
            "arrival < recording 0-0",
            "route < recording 0-0",
            "control < recording 0-60 ok",
            "candidate < recording 2-40 ok",
            "transcribe_track < candidate 3-15 ok",
            "attempt < transcribe_track 3-8 failed: status 500",
            "attempt < transcribe_track 10-15 ok",
            "transcribe_track < candidate 4-9 ok",
            "attempt < transcribe_track 4-9 ok",
            "comparison < recording 62-62",
        ]
    );
}

#[test]
fn everything_of_a_shadow_run_says_so_and_nothing_of_the_control() {
    let trace = Trace::of(&material());
    for span in &trace.spans {
        let shadow = span.attributes.iter().find(|(name, _)| *name == "shadow");
        let shadow = shadow.map(|(_, value)| value.clone());
        let expected = match span.name.as_str() {
            "arrival" | "route" | "control" => None,
            _ => Some(Value::Truth(true)),
        };
        assert_eq!(shadow, expected, "{}", span.name);
    }
    let mut live = material();
    if let Some(run) = &mut live.run {
        run.is_shadow = false;
    }
    let live = Trace::of(&live);
    let claims = live.spans.iter().flat_map(|span| &span.attributes);
    assert!(
        !claims
            .into_iter()
            .any(|claim| *claim == ("shadow", Value::Truth(true)))
    );
}

#[test]
fn ids_are_the_same_each_time_and_differ_between_spans() {
    let (once, again) = (Trace::of(&material()), Trace::of(&material()));
    assert_eq!(once, again);
    let mut ids: Vec<SpanId> = once.spans.iter().map(|span| span.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), once.spans.len());
    let mut other = material();
    other.transcript = TranscriptId::new("t2");
    assert_ne!(Trace::of(&other).id, once.id);
}

#[test]
fn a_run_without_a_route_and_a_route_without_a_run_have_traces_of_their_own() {
    let mut run_alone = material();
    run_alone.routed = None;
    let trace = Trace::of(&run_alone);
    assert_eq!(told(&trace)[1], "control < recording 61-61 ok");
    let mut route_alone = material();
    (route_alone.run, route_alone.control) = (None, None);
    let alone = Trace::of(&route_alone);
    assert_eq!(told(&alone)[3], "control < recording 0-60");
    assert_ne!(trace.id, alone.id);
}

#[test]
fn a_later_comparison_is_told_alone() {
    let mut later = material();
    if let Some(run) = &mut later.run {
        let mut second = run.comparisons[0].clone();
        second.id = "cmp_2".to_owned();
        run.comparisons.push(second);
    }
    let trace = Trace::of(&later).only_comparisons(&["cmp_2".to_owned()]);
    assert_eq!(trace.spans.len(), 1);
    assert_eq!(trace.id, Trace::of(&material()).id);
    assert_eq!(trace.spans[0].parent, Some(trace.id.span("recording", "")));
}

#[test]
fn a_share_of_traces_is_sampled_and_always_the_same() {
    let id = |number: i64| {
        let transcript = TranscriptId::new(format!("t{number}"));
        let (environment, flag) = (EnvironmentName::new("e"), FlagName::new("f"));
        TraceId::of(&environment, &flag, Of::Route(&transcript, 1))
    };
    let sampled = |percent: f64| (0..4000).filter(|n| id(*n).is_sampled(percent)).count();
    assert_eq!(sampled(0.0), 0);
    assert_eq!(sampled(100.0), 4000);
    let quarter = sampled(25.0);
    assert!((900..1100).contains(&quarter), "{quarter}");
    // Whoever is in a tenth is in a quarter.
    assert!((0..4000).all(|n| !id(n).is_sampled(10.0) || id(n).is_sampled(25.0)));
}

#[test]
fn a_run_that_is_told_of_before_its_end_is_not_judged() {
    let mut open = material();
    if let Some(run) = &mut open.run {
        (run.state, run.finished_at) = ("running", None);
        run.attempts[2].finished_at = None;
        run.attempts[2].status = "running".to_owned();
        run.comparisons.clear();
    }
    let told = told(&Trace::of(&open));
    assert_eq!(told[4], "candidate < recording 2-10");
    assert_eq!(told[5], "transcribe_track < candidate 3-10");
    assert_eq!(told[7], "attempt < transcribe_track 10-10");
}
