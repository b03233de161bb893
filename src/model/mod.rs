//! Facts several modules speak of: plain data, its parsing and its printing. No I/O, no clock.
//!
//! What surprises most: times of words and topics are **seconds** (as the transcription service
//! and Reflector's rows have them), while a transcript's duration is **milliseconds**.

mod access;
mod bounds;
mod caps;
pub mod digest;
mod gate;
mod health;
mod ids;
mod mirroring;
mod notice;
mod outcome;
mod recording;
mod retention;
mod run;
mod sharing;
mod step;
mod task;
mod timing;
mod transcript;
mod usage;
pub mod wilson;

pub use access::{GroupRole, NoRole, Role, SessionLimits};
pub use bounds::Bounds;
pub use caps::Caps;
pub use gate::{GateBounds, GateVerdict, NoiseFrom};
pub use health::HealthLimits;
pub use ids::{
    EnvironmentName, FlagName, ObjectKey, RecordingId, RoomId, RunId, TranscriptId, WorkflowId,
};
pub use mirroring::Mirroring;
pub use notice::{Gravity, NoticeKind};
pub use outcome::{
    AudioFacts, Event, HttpRequest, Object, Outcome, OutcomeStatus, Published, StepTiming,
};
pub use recording::{
    CalendarEvent, Consent, RecordingFacts, RoomFacts, Subject, TrackName, TranscriptFacts,
};
pub use retention::RetentionDays;
pub use run::{Origin, Pipeline, RunState};
pub use sharing::{REUSED_HEADER, RUN_HEADER, SharedService, is_loopback_name};
pub use step::StepStatus;
pub use task::TaskName;
pub use timing::Timing;
pub use transcript::{Participant, Topic, Word, text_of};
pub use usage::{Price, Usage, UsageKind};
