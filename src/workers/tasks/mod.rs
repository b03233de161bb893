//! The fifteen tasks, one file each; together they are the pipeline.

mod cleanup_consent;
mod detect_topics;
mod finalize;
mod finished;
mod generate_dynamic_fork_tasks;
mod generate_summary;
mod generate_title;
mod generate_waveform;
mod get_participants;
mod get_recording;
mod merge_transcripts;
mod mixdown_tracks;
mod pad_track;
mod post_zulip;
mod send_webhook;
mod transcribe_track;

pub use cleanup_consent::CleanupConsent;
pub use detect_topics::{DetectTopics, Topics};
pub use finalize::Finalize;
pub use generate_dynamic_fork_tasks::GenerateDynamicForkTasks;
pub use generate_summary::{GenerateSummary, Summaries};
pub use generate_title::{GenerateTitle, Title};
pub use generate_waveform::GenerateWaveform;
pub use get_participants::GetParticipants;
pub use get_recording::GetRecording;
pub use merge_transcripts::MergeTranscripts;
pub use mixdown_tracks::{Mix, MixdownTracks};
pub use pad_track::PadTrack;
pub use post_zulip::PostZulip;
pub use send_webhook::SendWebhook;
pub use transcribe_track::TranscribeTrack;
