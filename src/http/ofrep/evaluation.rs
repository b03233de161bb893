//! One flag's value, as the protocol has it.

use serde_json::{Value, json};

use crate::{
    controller::{Basis, Weighed},
    model::FlagName,
    rollout::{Beside, Owner},
};

/// A flag there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// Whether the candidate serves.
    Serves,
    /// Whether it runs beside.
    Beside,
}

impl Flag {
    pub(super) const ALL: [Self; 2] = [Self::Serves, Self::Beside];

    fn key(self, migration: &FlagName) -> String {
        match self {
            Self::Serves => migration.to_string(),
            Self::Beside => format!("{migration}.beside"),
        }
    }

    /// Reads its key.
    pub(super) fn parse(key: &str, migration: &FlagName) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|flag| flag.key(migration) == key)
    }
}

/// The flag's value for what was weighed; in doubt it is the control's.
pub(super) fn evaluation(
    flag: Flag,
    migration: &FlagName,
    weighed: &Result<Weighed, &'static str>,
) -> Value {
    let key = flag.key(migration);
    let weighed = match weighed {
        Ok(weighed) => weighed,
        Err(doubt) => {
            let (variant, metadata) = (variant(flag, false), json!({ "reason": doubt }));
            return json!({ "key": key, "value": false, "reason": "ERROR", "variant": variant,
                "metadata": metadata });
        }
    };
    let value = match flag {
        Flag::Serves => weighed.serve == Owner::Candidate,
        Flag::Beside => weighed.beside == Beside::Candidate,
    };
    let reason = match weighed.basis {
        Basis::Bucket => "SPLIT",
        Basis::Pinned | Basis::Rule => "TARGETING_MATCH",
        Basis::Phase => "STATIC",
    };
    let mut metadata = json!({
        "phase": weighed.phase.as_str(),
        "percent": f64::from(weighed.percent.hundredths()) / 100.0,
        "version": weighed.version,
        "rules_version": weighed.rules_version,
        "pinned": weighed.basis == Basis::Pinned,
        "reason": weighed.reason,
    });
    if let Some(bucket) = weighed.bucket {
        metadata["bucket"] = bucket.into();
    }
    json!({ "key": key, "value": value, "reason": reason, "variant": variant(flag, value),
        "metadata": metadata })
}

const fn variant(flag: Flag, value: bool) -> &'static str {
    match (flag, value) {
        (Flag::Serves, false) => "control",
        (Flag::Serves | Flag::Beside, true) => "candidate",
        (Flag::Beside, false) => "none",
    }
}
