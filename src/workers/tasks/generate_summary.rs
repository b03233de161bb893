//! Has the meeting summarised: its subjects, a paragraph on each, and a recap of it all.
//!
//! As in the legacy, a model that cannot say who speaks, or of what, leaves the recap alone and is
//! no failure; the run says so.

use minijinja::context as values;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Topics;
use crate::{
    contract::{
        events::RunEvent,
        summary::{self, Paragraph},
    },
    model::{Participant, RunId, TaskName},
    workers::{
        Context, Made, Task, TaskError,
        analysis::{Analyst, Misfits, Temper},
    },
};

/// The task.
pub struct GenerateSummary;

/// What the workflow gives it.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// The run.
    pub run_id: RunId,
    /// Where the topics are.
    pub topics_ref: String,
    /// Where the participants are.
    pub participants_ref: String,
}

/// What it reports. The summaries stay in our store.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    /// Where the summaries are; none where there are no topics.
    pub summary_ref: Option<String>,
    /// How many subjects the meeting was found to have.
    pub subject_count: usize,
    /// Why nobody or nothing was found: step, attempt and cause.
    pub degraded: Option<String>,
}

/// What stays in our store.
#[derive(Clone, Serialize, Deserialize)]
pub struct Summaries {
    /// One paragraph.
    pub short_summary: String,
    /// Markdown.
    pub long_summary: String,
    /// How many subjects it is built of.
    pub subject_count: usize,
    /// What it had to do without, and why.
    #[serde(default)]
    pub degraded: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Subjects {
    /// The meeting's main subjects, at most six.
    subjects: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct People {
    /// Everybody who takes part.
    participants: Vec<Person>,
    /// How many of them speak.
    total_speakers: i64,
    /// Names that are only mentioned.
    #[serde(default)]
    mentioned_only: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Person {
    /// The name.
    name: String,
    /// Whether the person speaks.
    #[serde(default = "yes")]
    is_speaker: bool,
}

const fn yes() -> bool {
    true
}

const TEMPER: Temper = Temper {
    temperature: 0.4,
    max_tokens: 2048,
};

impl Task for GenerateSummary {
    const NAME: TaskName = TaskName::GenerateSummary;
    type Input = Input;
    type Output = Output;

    async fn run(input: Input, context: &Context) -> Result<Made<Output>, TaskError> {
        let Topics { topics, .. } = context.document(&input.topics_ref).await?;
        if topics.is_empty() {
            return Ok(Made::small(Output {
                summary_ref: None,
                subject_count: 0,
                degraded: None,
            }));
        }
        let participants: Vec<Participant> = context.document(&input.participants_ref).await?;
        let analyst = &Analyst::new(context, TEMPER);
        let summariser = Summariser { analyst, context };
        let question = json!({
            "words": topics.iter().map(|topic| &topic.words).collect::<Vec<_>>(),
            "topics": topics.iter().map(|topic| &topic.title).collect::<Vec<_>>(),
            "participants": participants,
            "by": analyst.identity(),
        });
        // What was made without subjects or speakers may turn out better another time.
        let is_whole = |summaries: &Summaries| summaries.degraded.is_none();
        let summaries = context
            .remember_if("summary", &question, is_whole, || {
                let transcript = summary::transcript(&topics, &participants);
                summariser.summarise(transcript, &participants)
            })
            .await?;
        if !summaries.short_summary.is_empty() {
            context.intend_column("short_summary", &summaries.short_summary);
            context.intend_event(&RunEvent::FinalShortSummary(
                summaries.short_summary.clone(),
            ));
        }
        context.intend_column("long_summary", &summaries.long_summary);
        context.intend_event(&RunEvent::FinalLongSummary(summaries.long_summary.clone()));
        let output = Output {
            summary_ref: Some(context.reference()),
            subject_count: summaries.subject_count,
            degraded: summaries.degraded.clone(),
        };
        Made::with_document(output, summaries)
    }
}

struct Summariser<'a> {
    analyst: &'a Analyst<'a>,
    context: &'a Context,
}

impl Summariser<'_> {
    async fn summarise(
        &self,
        transcript: String,
        participants: &[Participant],
    ) -> Result<Summaries, TaskError> {
        let prompts = &self.context.services.prompts;
        let mut degraded = None;
        let mut people: Vec<String> = summary::participant_names(participants)
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        if people.is_empty() {
            match self.find_people(&transcript).await {
                Ok(found) => people = found,
                Err(error) => degraded = Some(self.context.go_on_without(error)?),
            }
        }
        let names = if people.is_empty() {
            String::new()
        } else {
            prompts.fill("names.txt", values! { names => people.join(", ") })?
        };
        let transcript = summary::with_participants(&transcript, &people);

        let subjects = match self.find_subjects(&transcript, &names).await {
            Ok(subjects) => subjects,
            Err(error) => {
                degraded = Some(self.context.go_on_without(error)?);
                Vec::new()
            }
        };
        let mut entries = Vec::new();
        for subject in subjects {
            let values = values! { subject => subject.as_str(), names => names.as_str() };
            let query = prompts.fill("subject_detail.txt", values.clone())?;
            let details = self.analyst.analyse(&query, &transcript).await?;
            let query = prompts.fill("subject_paragraph.txt", values)?;
            let paragraph = self.analyst.analyse(&query, &details).await?;
            entries.push((subject, paragraph));
        }
        let entries: Vec<_> = entries
            .iter()
            .map(|(subject, text)| Paragraph { subject, text })
            .collect();
        let query = prompts.fill("recap.txt", values! { names })?;
        let recap = self
            .analyst
            .analyse(&query, &summary::recap_input(&entries))
            .await?;
        Ok(Summaries {
            long_summary: summary::long_summary(&recap, &entries),
            short_summary: recap,
            subject_count: entries.len(),
            degraded,
        })
    }

    /// Names of those who speak, found in the text itself.
    async fn find_people(&self, transcript: &str) -> Result<Vec<String>, TaskError> {
        let query = self
            .context
            .services
            .prompts
            .fill("participants.txt", values! {})?;
        let people: People = self
            .analyst
            .structured(&query, transcript, Misfits::Kept)
            .await?;
        Ok(people
            .participants
            .into_iter()
            .filter(|person| person.is_speaker)
            .map(|person| person.name)
            .collect())
    }

    /// The main subjects.
    async fn find_subjects(&self, transcript: &str, names: &str) -> Result<Vec<String>, TaskError> {
        let query = self
            .context
            .services
            .prompts
            .fill("subjects.txt", values! { names })?;
        let found: Subjects = self
            .analyst
            .structured(&query, transcript, Misfits::Kept)
            .await?;
        Ok(found.subjects)
    }
}
