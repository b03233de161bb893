//! The texts around the summaries: what the model is given, and how its answers are put together.

use super::segments::segments;
use crate::model::{Participant, Topic};

/// One subject of the meeting and the paragraph written about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paragraph<'a> {
    /// A noun phrase.
    pub subject: &'a str,
    /// One paragraph.
    pub text: &'a str,
}

/// The meeting as the model reads it: one line per segment, `{name}: {text}`. Texts are not
/// trimmed, so words with a leading blank make two blanks after the colon.
pub fn transcript(topics: &[Topic], participants: &[Participant]) -> String {
    topics
        .iter()
        .flat_map(|topic| segments(&topic.words))
        .map(|segment| {
            let name = speaker_name(participants, segment.speaker);
            format!("{name}: {}", segment.text)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn speaker_name(participants: &[Participant], speaker: i64) -> String {
    participants
        .iter()
        .find(|participant| participant.speaker == Some(speaker))
        .map_or_else(
            || format!("Speaker {speaker}"),
            |participant| participant.name.clone(),
        )
}

/// The names a summary must use. None means that the model has to find them out itself.
pub fn participant_names(participants: &[Participant]) -> Vec<&str> {
    participants
        .iter()
        .map(|participant| participant.name.as_str())
        .filter(|name| !name.is_empty())
        .collect()
}

/// The meeting's text with the list of its participants below; unchanged without names.
pub fn with_participants(text: &str, names: &[impl AsRef<str>]) -> String {
    if names.is_empty() {
        return text.to_owned();
    }
    let list: Vec<String> = names
        .iter()
        .map(|name| format!("- {}", name.as_ref()))
        .collect();
    format!("{text}\n\n# Participants\n\n{}", list.join("\n"))
}

/// What the meeting's title is made of: one `- {title}` line per topic.
pub fn title_input(topics: &[Topic]) -> String {
    topics
        .iter()
        .map(|topic| format!("- {}", topic.title))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What the recap is made of: empty when the meeting has no subjects.
pub fn recap_input(paragraphs: &[Paragraph<'_>]) -> String {
    paragraphs
        .iter()
        .map(|paragraph| format!("{}: {}", paragraph.subject, paragraph.text))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The long summary in Markdown. It ends with one newline, unless there is nothing to say.
pub fn long_summary(recap: &str, paragraphs: &[Paragraph<'_>]) -> String {
    let mut lines = Vec::new();
    if !recap.is_empty() {
        lines.extend(["# Quick recap".to_owned(), String::new()]);
        lines.extend([recap.to_owned(), String::new()]);
    }
    if !paragraphs.is_empty() {
        lines.extend(["# Summary".to_owned(), String::new()]);
    }
    for paragraph in paragraphs {
        lines.push(format!("**{}**", paragraph.subject));
        lines.extend([paragraph.text.to_owned(), String::new()]);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Word;

    fn topic(title: &str, words: &[(&str, i64)]) -> Topic {
        Topic {
            id: "t".to_owned(),
            title: title.to_owned(),
            summary: String::new(),
            timestamp: 0.0,
            duration: 0.0,
            transcript: String::new(),
            words: words
                .iter()
                .map(|(text, speaker)| Word {
                    text: (*text).to_owned(),
                    start: 0.0,
                    end: 0.0,
                    speaker: *speaker,
                })
                .collect(),
        }
    }

    fn participant(name: &str, speaker: Option<i64>) -> Participant {
        Participant {
            id: name.to_owned(),
            speaker,
            name: name.to_owned(),
            user_id: None,
        }
    }

    #[test]
    fn lines_carry_the_speakers_names_and_untrimmed_texts() {
        let topics = [
            topic("A", &[(" Hi", 0), (" there.", 0), (" Yes", 1)]),
            topic("B", &[(" Go", 1)]),
        ];
        let people = [participant("Guest", None), participant("Ana", Some(0))];
        assert_eq!(
            transcript(&topics, &people),
            "Ana:  Hi there.\nSpeaker 1:  Yes\nSpeaker 1:  Go"
        );
    }

    #[test]
    fn names_are_listed_below_the_text_only_when_there_are_any() {
        let people = [
            participant("Ana", Some(0)),
            participant("", Some(1)),
            participant("Ben", Some(2)),
        ];
        let names = participant_names(&people);
        assert_eq!(
            with_participants("a: b", &names),
            "a: b\n\n# Participants\n\n- Ana\n- Ben"
        );
        assert_eq!(with_participants("a: b", &[] as &[&str]), "a: b");
    }

    #[test]
    fn titles_are_listed_one_a_line() {
        let topics = [topic("One", &[]), topic("Two", &[])];
        assert_eq!(title_input(&topics), "- One\n- Two");
    }

    #[test]
    fn a_summary_without_subjects_is_the_recap_alone() {
        assert_eq!(long_summary("R.", &[]), "# Quick recap\n\nR.\n");
        assert_eq!(recap_input(&[]), "");
        assert_eq!(long_summary("", &[]), "");
    }

    #[test]
    fn a_summary_has_a_paragraph_for_each_subject() {
        let paragraphs = [
            Paragraph {
                subject: "S1",
                text: "P1",
            },
            Paragraph {
                subject: "S2",
                text: "P2",
            },
        ];
        assert_eq!(
            long_summary("R.", &paragraphs),
            "# Quick recap\n\nR.\n\n# Summary\n\n**S1**\nP1\n\n**S2**\nP2\n"
        );
        assert_eq!(
            long_summary("", &paragraphs),
            "# Summary\n\n**S1**\nP1\n\n**S2**\nP2\n"
        );
        assert_eq!(recap_input(&paragraphs), "S1: P1\n\nS2: P2");
    }
}
