//! Asks Daily who took part and maps the people to the tracks by the tracks' file names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    contract::participants::{self, DailyParticipant, Rerun},
    model::{Participant, RunId, TaskName},
    workers::{Context, Made, Task, TaskError},
};

/// The task.
pub struct GetParticipants;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// The meeting session, if Daily knows one.
    pub mtg_session_id: Option<String>,
    /// Whether Daily told us about the recording. If not, nobody is listed, as in the legacy.
    pub recording_found: bool,
    /// The tracks to process, in order.
    pub track_keys: Vec<String>,
}

/// What it reports. Names stay in our store.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Where the participants are.
    pub participants_ref: String,
    /// How many there are.
    pub participant_count: usize,
    /// Positions of tracks whose file name tells no participant.
    pub unnamed_tracks: Vec<usize>,
    /// Why there are no names: step, attempt and cause.
    pub degraded: Option<String>,
}

impl Task for GetParticipants {
    const NAME: TaskName = TaskName::GetParticipants;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let mut degraded = None;
        let mut attendees = Vec::new();
        if let Some(session) = &input.mtg_session_id {
            match context.services.daily.participants(session).await {
                Ok(found) => attendees = found,
                Err(error) => degraded = Some(context.go_on_without(error)?),
            }
        }
        let mut unnamed_tracks = Vec::new();
        let mut people: Vec<Participant> = Vec::new();
        if input.recording_found {
            let attendees: Vec<_> = attendees
                .into_iter()
                .map(|attendee| DailyParticipant {
                    participant_id: attendee.participant_id,
                    user_name: attendee.user_name,
                    user_id: attendee.user_id,
                })
                .collect();
            let before = &context.run.subject.transcript.participants;
            let rerun = Rerun::KeepsParticipants;
            let matched = participants::matched(&attendees, &input.track_keys, before, rerun);
            people = matched.participants;
            unnamed_tracks = matched.unnamed_tracks;
        }
        context.intend_column("participants", &people);
        let output = Output {
            participants_ref: context.reference(),
            participant_count: people.len(),
            unnamed_tracks,
            degraded,
        };
        Made::with_document(output, people)
    }
}
