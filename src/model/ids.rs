//! One newtype per kind of id, so that a run cannot be asked for by a recording's id.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as its owner wrote it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text, for SQL, URLs and logs.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self::new(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(id: &str) -> Result<Self, Self::Err> {
                Ok(Self::new(id))
            }
        }
    };
}

id! {
    /// A recording as Daily names it; both pipelines' runs of one meeting share it.
    RecordingId
}
id! {
    /// A row of Reflector's `transcript` table.
    TranscriptId
}
id! {
    /// A row of Reflector's `room` table.
    RoomId
}
id! {
    /// One pipeline working on one recording; ours, `run_` and 32 hex digits.
    RunId
}
id! {
    /// A workflow execution as Conductor (or the embedded engine) names it.
    WorkflowId
}
id! {
    /// An environment by its name in `switchyard.toml`, e.g. `staging`.
    EnvironmentName
}
id! {
    /// One migration: one legacy task being replaced by one workflow, e.g. `daily_diarization_pipeline`.
    FlagName
}
id! {
    /// The key of an object in a bucket, without the bucket.
    ObjectKey
}

impl RunId {
    /// A fresh id.
    pub fn random() -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        Self(format!("run_{}", &id[..20]))
    }
}
