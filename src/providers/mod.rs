//! The services a meeting is sent to: Daily, transcription and a language model, and those that
//! are told of it: Zulip and customers' webhooks; those that are told of Switchyard: whoever hears what happens
//! to a migration, and a collector of traces; and the provider people sign in at. All over HTTP.
//!
//! Every call has a timeout, repeats what is worth repeating by its [`Retry`] policy and ends in
//! an [`Error`] that says whether the caller may try again. What others can see is asked for with
//! a proof of ownership and sent once; [`Error::fate`] says what may have come of it. No secret,
//! presigned URL, name or spoken word gets into an error or a log line.

mod collector;
mod daily;
mod embeddings;
mod error;
mod http;
mod llm;
mod notices;
mod oidc;
mod relays;
mod retry;
mod structured;
mod transcription;
mod webhook;
mod zulip;

pub use collector::{Collector, Taken};
pub use daily::{Attendee, Daily, Recording, RecordingStatus, Storage, Track, TrackKind};
pub use embeddings::Embeddings;
pub use error::{Cause, Error, Fate, Service};
pub use llm::{Answer, ChatRequest, Finish, Llm, Message, Role, TokenCount};
pub use notices::{Notifier, ZulipNotices};
pub use oidc::{Oidc, OidcSettings};
pub use retry::Retry;
pub use structured::{Form, NotStructured, Parsed, structured};
pub use transcription::{Transcript, Transcription};
pub use webhook::Webhook;
pub use zulip::{Sent, Zulip};
