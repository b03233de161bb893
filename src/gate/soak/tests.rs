use super::*;

fn start() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().expect("it is a time")
}

/// Ten a day.
fn at(number: usize) -> DateTime<Utc> {
    start() + TimeDelta::minutes(144 * count(number))
}

fn one(number: usize, end: ServedEnd) -> Served {
    Served {
        recording: RecordingId::new(format!("rec_{number}")),
        at: at(number),
        end,
        beside: None,
    }
}

fn all(ends: &[ServedEnd]) -> Vec<Served> {
    let each = ends.iter().enumerate();
    each.map(|(number, end)| one(number, *end)).collect()
}

fn decide(served: &[Served]) -> Soak {
    soak(&GateBounds::default(), served, at(served.len()))
}

#[test]
fn at_two_percent_it_takes_188_recordings_served_well_and_330_with_one_failure() {
    let served = all(&[ServedEnd::Well; 188]);
    assert_eq!(decide(&served).line, "PASS");
    let before = decide(&served[..187]);
    assert_eq!(before.verdict, GateVerdict::NotYet);
    assert_eq!(
        before.line,
        "NOT YET: 0 of 187 recordings served with a failure (at most 2.0 %, as it looks); 1 more recordings served well, about 1 day"
    );
    let mut ends = [ServedEnd::Well; 330];
    ends[3] = ServedEnd::Failed;
    assert_eq!(decide(&all(&ends)).verdict, GateVerdict::Pass);
    let before = decide(&all(&ends[..329]));
    assert_eq!(before.verdict, GateVerdict::NotYet);
    let half = decide(&all(&ends[..180]));
    assert_eq!(
        half.lines[0].bound,
        "330 recordings, to rule out failures at 2 % of them"
    );
    assert_eq!(
        half.lines[0].missing,
        "150 more recordings served well, about 15 days"
    );
    assert_eq!(
        (half.lines[0].who, half.lines[0].eta_days),
        (Some(Who::Time), Some(15))
    );
}

#[test]
fn nothing_served_is_never_enough_however_long_it_was_waited() {
    for ends in [
        Vec::new(),
        vec![ServedEnd::UnderWay; 500],
        vec![ServedEnd::Withdrawn; 500],
    ] {
        let served = all(&ends);
        let decided = soak(&GateBounds::default(), &served, start());
        assert_eq!(decided.verdict, GateVerdict::NotYet, "{}", decided.line);
        assert_eq!(decided.counts.counted, 0);
        assert!(!decided.lines[0].missing.is_empty());
    }
}

#[test]
fn what_failed_or_was_never_done_passes_nothing() {
    let failed = decide(&all(&[ServedEnd::Failed; 500]));
    assert_eq!(failed.verdict, GateVerdict::Fail);
    assert!(
        failed.line.starts_with("FAIL: 500 of 500"),
        "{}",
        failed.line
    );
    assert_eq!(failed.lines[0].who, Some(Who::Engineers));
    // Under way for more than a day, all but the last ten.
    let stuck = decide(&all(&[ServedEnd::UnderWay; 500]));
    assert_eq!(stuck.verdict, GateVerdict::Fail);
    assert_eq!(stuck.counts.under_way, 10);
}

#[test]
fn a_bound_that_is_no_number_passes_nothing() {
    let bounds = GateBounds {
        soak_failure_percent: f64::NAN,
        ..GateBounds::default()
    };
    let served = all(&[ServedEnd::Well; 1000]);
    assert_ne!(soak(&bounds, &served, at(1000)).verdict, GateVerdict::Pass);
}

#[test]
fn a_recording_counts_once_by_how_it_went_first() {
    let mut served = all(&[ServedEnd::Well; 188]);
    // Served again well after it had failed, and again after it had gone well.
    served.push(Served {
        at: at(300),
        ..one(7, ServedEnd::Failed)
    });
    let decided = soak(&GateBounds::default(), &served, at(301));
    assert_eq!((decided.counts.counted, decided.counts.failures), (188, 0));
    served[7].end = ServedEnd::Failed;
    served[188].end = ServedEnd::Well;
    let decided = soak(&GateBounds::default(), &served, at(301));
    assert_eq!((decided.counts.counted, decided.counts.failures), (188, 1));
    assert_eq!(decided.verdict, GateVerdict::NotYet);
}

#[test]
fn nothing_counts_before_what_began_earlier_has_ended() {
    let mut ends = [ServedEnd::Well; 200];
    ends[190] = ServedEnd::UnderWay;
    let decided = decide(&all(&ends));
    assert_eq!((decided.counts.counted, decided.counts.ended), (190, 199));
    assert_eq!(decided.verdict, GateVerdict::Pass);
    // A recording that takes long is no failure so far, and holds the others back.
    (ends[190], ends[150]) = (ServedEnd::Well, ServedEnd::UnderWay);
    let served = all(&ends);
    let decided = soak(&GateBounds::default(), &served, at(155));
    assert_eq!(decided.counts.counted, 150);
    assert_eq!(decided.verdict, GateVerdict::NotYet);
    assert!(
        decided.lines[0]
            .observed
            .ends_with("1 under way, 49 counted once those have ended"),
        "{}",
        decided.lines[0].observed
    );
    // After a day it is one.
    assert_eq!(decide(&served).counts.failures, 1);
}

#[test]
fn what_the_control_would_have_done_otherwise_is_a_failure_and_a_reworded_text_is_none() {
    let mut served = all(&[ServedEnd::Well; 188]);
    let beside = |hard: &[&str], soft: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Some(RunBeside {
            hard: list(hard),
            soft: list(soft),
        })
    };
    served[3].beside = beside(&[], &["title"]);
    let decided = decide(&served);
    assert_eq!(decided.verdict, GateVerdict::Pass);
    assert_eq!(decided.lines[1].state, LineState::Pass);
    served[4].beside = beside(&["words"], &[]);
    let decided = decide(&served);
    assert_eq!(decided.verdict, GateVerdict::NotYet);
    assert_eq!((decided.counts.failures, decided.counts.run_beside), (1, 2));
    assert_eq!(
        decided.lines[1].observed,
        "the control ran as well on 2 of 188, 1 with a difference that may not be, 1 with a text outside of its bounds; different: words"
    );
    for one in &mut served[10..20] {
        one.beside = beside(&["words", "duration"], &[]);
    }
    assert_eq!(decide(&served).verdict, GateVerdict::Fail);
}

#[test]
fn what_consent_took_away_says_nothing() {
    let mut ends = [ServedEnd::Well; 189];
    ends[5] = ServedEnd::Withdrawn;
    let decided = decide(&all(&ends));
    assert_eq!((decided.counts.counted, decided.counts.withdrawn), (188, 1));
    assert_eq!(decided.verdict, GateVerdict::Pass);
}
