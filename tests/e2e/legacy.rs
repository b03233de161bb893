//! The miniature of the legacy pipeline is what it is taken for.

use crate::miniature::{python, run_py};

/// Beside `base`, which `live` runs: cases of the pipeline and of the tasks after it that end
/// differently, and quickly.
const CASES: [&str; 3] = ["consent_denied", "post_webhook_410", "post_zulip_failure"];

#[test]
fn the_miniature_does_what_the_real_legacy_was_recorded_doing() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let Some(mut command) = run_py(out.path()) else {
        return;
    };
    let output = command.arg("cases").args(CASES).output();
    let output = output.expect("the cases run");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.matches(": equal;").count(), CASES.len(), "{said}");
}

#[test]
fn the_comparison_with_what_was_recorded_sees_a_change() {
    let Some(mut command) = python() else { return };
    let output = command.args(["-m", "unittest"]).output();
    let output = output.expect("the tests run");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
}
