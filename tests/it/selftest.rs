//! Known defects in each recorded run of the legacy pipeline.

use switchyard::{
    compare::{Policy, Verdict, compare},
    legacy::recorded,
    model::{Outcome, OutcomeStatus},
    selftest::{Defect, Tested, try_one, with_defect},
};

use crate::standup;

fn controls() -> Vec<(String, Outcome)> {
    let folder = standup::folder().join("expected");
    let cases = std::fs::read_dir(folder).expect("recorded cases");
    let mut controls: Vec<(String, Outcome)> = cases
        .map(|case| {
            let path = case.expect("a case").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let recorded = recorded::load(&path, None).expect("a recorded run");
            (name, recorded.outcome)
        })
        .collect();
    controls.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(controls.len(), 13);
    controls
}

#[test]
fn every_defect_is_caught_in_every_recorded_control_it_can_be_put_into() {
    let policy = Policy::shipped();
    let mut tested = Tested::default();
    for (case, control) in controls() {
        tested.add(&control, &policy);
        if control.status != OutcomeStatus::Ended {
            continue;
        }
        let same = compare(&control, &control, &policy);
        assert_eq!(same.verdict, Verdict::Match, "{case}: {:?}", same.reasons());
        for defect in Defect::ALL {
            let caught = try_one(*defect, &control, &policy);
            assert_ne!(caught, Some(false), "`{defect}` was not caught in {case}");
            if let Some(candidate) = with_defect(*defect, &control) {
                let found = compare(&control, &candidate, &policy).severity();
                let as_bad = *defect == Defect::Nothing
                    || found.is_some_and(|found| found <= defect.severity());
                assert!(as_bad, "`{defect}` in {case} was called {found:?}");
            }
        }
    }
    assert!(tested.passes());
    for score in &tested.scores {
        assert!(score.of > 0, "`{}` could be put into no recorded control", score.defect);
        assert_eq!(score.caught, score.of, "`{}`", score.defect);
    }
}
