//! Fields that are equal or not.

use serde_json::{Value, json};

use super::Finding;
use crate::compare::difference::{Difference, DifferenceKind};
use crate::compare::metrics::{json as json_metric, objects as objects_metric};
use crate::model::{Outcome, OutcomeStatus};

pub(super) fn status(control: &Outcome, candidate: &Outcome) -> Finding {
    if [control.status, candidate.status].contains(&OutcomeStatus::Withdrawn) {
        return Finding::not_comparable(OutcomeStatus::WITHDRAWN);
    }
    exact(
        "/status",
        &json!(control.status),
        &json!(candidate.status),
        "the runs ended differently",
    )
}

pub(super) fn audio_deleted(control: &Outcome, candidate: &Outcome) -> Finding {
    let (left, right) = (json!(control.audio_deleted), json!(candidate.audio_deleted));
    exact("/audio_deleted", &left, &right, "the audio's mark differs")
}

/// By speaker, since rows of a list have no order of their own.
pub(super) fn participants(control: &Outcome, candidate: &Outcome) -> Finding {
    let listed = |outcome: &Outcome| {
        let mut all = outcome.participants.clone();
        all.sort_by(|left, right| (left.speaker, &left.id).cmp(&(right.speaker, &right.id)));
        json!(all)
    };
    exact(
        "/participants",
        &listed(control),
        &listed(candidate),
        "participants differ",
    )
}

/// As a set: the legacy deletes in no fixed order.
pub(super) fn deletions(control: &Outcome, candidate: &Outcome) -> Finding {
    let missing = crate::compare::metrics::facts::missing(&control.deleted, &candidate.deleted);
    let extra = crate::compare::metrics::facts::missing(&candidate.deleted, &control.deleted);
    let one = |key: &&str, kind| Difference {
        path: "/deleted".to_owned(),
        kind,
        control: (kind == DifferenceKind::OnlyControl).then(|| json!(key)),
        candidate: (kind == DifferenceKind::OnlyCandidate).then(|| json!(key)),
    };
    let differences: Vec<Difference> = missing
        .iter()
        .map(|key| one(key, DifferenceKind::OnlyControl))
        .chain(
            extra
                .iter()
                .map(|key| one(key, DifferenceKind::OnlyCandidate)),
        )
        .collect();
    counted(
        differences,
        &format!(
            "{} keys not deleted, {} deleted beyond the control's",
            missing.len(),
            extra.len()
        ),
    )
}

pub(super) fn objects(control: &Outcome, candidate: &Outcome) -> Finding {
    let found = objects_metric::departure(&control.objects, &candidate.objects);
    let path = |name: &str| format!("/objects/{}", name.replace('~', "~0").replace('/', "~1"));
    let mut differences: Vec<Difference> = Vec::new();
    differences.extend(
        found
            .missing
            .iter()
            .map(|name| Difference::between(path(name), Some(json!(name)), None)),
    );
    differences.extend(
        found
            .extra
            .iter()
            .map(|name| Difference::between(path(name), None, Some(json!(name)))),
    );
    differences.extend(found.retyped.iter().map(|(name, left, right)| {
        Difference::between(
            path(name) + "/content_type",
            Some(json!(left)),
            Some(json!(right)),
        )
    }));
    let told = format!(
        "{} objects missing, {} too many, {} of another content type",
        found.missing.len(),
        found.extra.len(),
        found.retyped.len()
    );
    counted(differences, &told)
}

fn exact(path: &str, control: &Value, candidate: &Value, told: &str) -> Finding {
    let differences: Vec<Difference> = json_metric::differences(control, candidate, &[])
        .into_iter()
        .map(|found| {
            Difference::between(
                format!("{path}{}", found.path),
                found.control,
                found.candidate,
            )
        })
        .collect();
    counted(differences, told)
}

fn counted(differences: Vec<Difference>, told: &str) -> Finding {
    Finding {
        equal: differences.is_empty(),
        broken: if differences.is_empty() {
            Vec::new()
        } else {
            vec![told.to_owned()]
        },
        numbers: vec![("differences", Some(differences.len() as f64))],
        differences,
        ..Finding::default()
    }
}
