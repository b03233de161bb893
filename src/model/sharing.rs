//! Which services' answers may be shared between the control and a shadow run.

/// The header by which a shadow run's request says whose it is. It goes no further than our own
/// proxy.
pub const RUN_HEADER: &str = "x-switchyard-run";

/// The header that marks an answer which the control got before.
pub const REUSED_HEADER: &str = "x-switchyard-reused";

/// Whether a host name is one that only this machine answers to. A page on the web can point a name of
/// its own at 127.0.0.1, and the name it used is in the request.
pub fn is_loopback_name(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|ours| host.eq_ignore_ascii_case(ours))
}

/// A service whose answers may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SharedService {
    /// The language model.
    Llm,
    /// The transcription service.
    Transcription,
}

impl SharedService {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Llm, Self::Transcription];

    /// The name in SQL, JSON and paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Transcription => "transcription",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.as_str() == name)
    }
}
