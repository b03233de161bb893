//! The services a meeting is sent to: Daily, transcription and a language model, over HTTP.
//!
//! Every call has a timeout, repeats what is worth repeating by its [`Retry`] policy and ends in
//! an [`Error`] that says whether the caller may try again. No secret, presigned URL, name or
//! spoken word gets into an error or a log line.

mod daily;
mod error;
mod http;
mod llm;
mod retry;
mod structured;
mod transcription;

pub use daily::{Attendee, Daily, Recording, RecordingStatus, Storage, Track, TrackKind};
pub use error::{Cause, Error, Service};
pub use llm::{Answer, ChatRequest, Finish, Llm, Message, Role, TokenCount};
pub use retry::Retry;
pub use structured::{Form, NotStructured, Parsed, structured};
pub use transcription::{Transcript, Transcription};
