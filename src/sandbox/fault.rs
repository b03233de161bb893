//! Failures on demand.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Service, record::Call};

/// Which requests fail, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Whose requests.
    pub service: Service,
    /// Only those whose method and path contain this, e.g. `PATCH /` or `participants`.
    #[serde(default)]
    pub path: Option<String>,
    /// Only those about this, as the log tells: `track 1`, `topic.json 2`, `recording`.
    #[serde(default)]
    pub about: Option<String>,
    /// How many that fit are let through first.
    #[serde(default)]
    pub skip: u32,
    /// How many fail after that; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// How.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// How a request fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Another answer.
    Status {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Its body; `{}` when absent.
        #[serde(default)]
        body: Option<Value>,
    },
    /// No answer until released.
    Hang,
    /// An answer `ms` milliseconds late.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Status 200 with a web page.
    Garbage,
    /// Status 200 with the first half of the true answer.
    BrokenJson,
    /// The connection is cut after so many bytes of the answer, 0 for before it.
    Cut {
        /// Bytes, headers included.
        after_bytes: u64,
    },
}

impl Fault {
    /// Every request to the service fails.
    pub const fn always(service: Service, kind: FaultKind) -> Self {
        Self {
            service,
            path: None,
            about: None,
            skip: 0,
            times: None,
            kind,
        }
    }

    /// The next `times` requests fail.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only requests about this fail.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    fn fits(&self, call: &Call, about: &str) -> bool {
        let line = || format!("{} {}", call.method, call.path);
        self.service == call.service
            && self.path.as_ref().is_none_or(|part| line().contains(part))
            && self.about.as_ref().is_none_or(|part| about.contains(part))
    }
}

/// The faults that are set.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn all(&self) -> &[Fault] {
        &self.0
    }

    /// What becomes of a request, counting it.
    pub(super) fn take(&mut self, call: &Call, about: &str) -> Option<FaultKind> {
        for fault in &mut self.0 {
            if !fault.fits(call, about) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            match &mut fault.times {
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    return Some(fault.kind.clone());
                }
                None => return Some(fault.kind.clone()),
            }
        }
        None
    }
}
