//! What one run of a pipeline makes of a meeting: like every other run of it, and never quite the
//! same. A recogniser hears a filler now and then otherwise and times wobble, so a topic begins a
//! word earlier or later; a model words everything anew, and leaves a number out at times.

use chrono::{DateTime, Utc};
use switchyard::{
    contract::{
        chunks::{self, Rule},
        events::{RunEvent, Status},
        summary::{self, Paragraph},
        webhook, webvtt, zulip,
    },
    model::{AudioFacts, Object, Outcome, OutcomeStatus, Topic, Word, text_of},
};

use super::meeting::{Matter, Meeting};
use crate::dice::Dice;

/// How often one word of speech is heard otherwise.
const MISHEARD: f64 = 0.0015;

/// What run number `draw` makes of a meeting.
pub(super) fn drawn(meeting: &Meeting, draw: u64) -> Outcome {
    let mut dice = Dice::new(meeting.seed.wrapping_mul(1_000_003) ^ draw.wrapping_mul(7_919));
    let words = heard(meeting, &mut dice);
    let topics = topics(meeting, &words, draw, &mut dice);
    let mut told = meeting.matters.iter();
    let title = format!(
        "{} {} and {}",
        dice.one_of(&[
            "Planning the",
            "Update on the",
            "Review of the",
            "Talk about the"
        ]),
        told.next().map_or("", |matter| matter.noun),
        told.next().map_or("", |matter| matter.noun),
    );
    let recap = recap(meeting, &mut dice);
    let texts: Vec<(String, String)> = meeting
        .matters
        .iter()
        .map(|matter| {
            (
                heading(matter, &mut dice),
                paragraph(matter, meeting.left_out, &mut dice),
            )
        })
        .collect();
    let paragraphs: Vec<Paragraph<'_>> = texts
        .iter()
        .map(|(subject, text)| Paragraph { subject, text })
        .collect();
    let long_summary = summary::long_summary(&recap, &paragraphs);
    let is_denied = meeting
        .subject
        .consents
        .iter()
        .any(|one| !one.consent_given);
    let mut outcome = Outcome {
        status: OutcomeStatus::Ended,
        participants: meeting.people.clone(),
        webvtt: Some(webvtt::of_topics(&topics).expect("words are in order")),
        words,
        topics,
        title: Some(title),
        short_summary: Some(recap),
        long_summary: Some(long_summary),
        duration_ms: Some(300_000.0),
        waveform: (0_u32..255).map(|at| f64::from(at % 50) / 100.0).collect(),
        audio: Some(audio(&mut dice)),
        deleted: if is_denied {
            meeting.subject.track_keys.clone()
        } else {
            Vec::new()
        },
        audio_deleted: is_denied,
        objects: if is_denied {
            Vec::new()
        } else {
            vec![Object {
                bucket: "transcripts".to_owned(),
                key: format!("{}/audio.mp3", meeting.subject.transcript.id),
                content_type: "binary/octet-stream".to_owned(),
                size: 1_200_000,
            }]
        },
        ..Outcome::default()
    };
    tell(&mut outcome, meeting);
    outcome
}

/// All words.
fn heard(meeting: &Meeting, dice: &mut Dice) -> Vec<Word> {
    const FILLERS: [&str; 5] = ["um", "uh", "so", "well", "okay"];
    let mut words = Vec::new();
    let mut at = 2.0;
    for sentence in &meeting.said {
        let mut texts: Vec<String> = Vec::new();
        for said in &sentence.words {
            if dice.happens(MISHEARD) {
                texts.push(dice.one_of(&FILLERS).to_owned());
            }
            if FILLERS.contains(&said.as_str()) && dice.happens(0.02) {
                texts.push(dice.one_of(&FILLERS).to_owned());
            } else {
                texts.push(said.clone());
            }
        }
        let until = at + 0.4 * sentence.words.len() as f64;
        let long = (until - at) / texts.len() as f64;
        for (number, text) in texts.into_iter().enumerate() {
            let wobble = 0.02 * dice.share();
            let start = at + long * number as f64 + wobble;
            words.push(Word {
                text: format!(" {text}"),
                start: (start * 100.0).round() / 100.0,
                end: ((start + 0.8 * long) * 100.0).round() / 100.0,
                speaker: i64::try_from(sentence.speaker).expect("few people"),
            });
        }
        at = until + 0.3;
    }
    words
}

fn topics(meeting: &Meeting, words: &[Word], draw: u64, dice: &mut Dice) -> Vec<Topic> {
    let said: Vec<usize> = meeting
        .said
        .iter()
        .flat_map(|sentence| sentence.words.iter().map(|_| sentence.matter))
        .collect();
    let mut topics = Vec::new();
    let mut from = 0;
    for words in chunks::chunks(words, Rule::LEGACY) {
        // What was talked of early in it, as it was said: a word heard more or fewer makes no other topic.
        let middle = said.get(300 * topics.len() + 60).or(said.last());
        let matter = &meeting.matters[middle.copied().unwrap_or(0)];
        from += words.len();
        topics.push(Topic {
            id: format!("{draw}-{from}"),
            title: heading(matter, dice),
            summary: two_sentences(matter, meeting.left_out, dice),
            timestamp: words[0].start,
            duration: 0.0,
            transcript: text_of(words),
            words: words.to_vec(),
        });
    }
    topics
}

fn heading(matter: &Matter, dice: &mut Dice) -> String {
    let noun = matter.noun;
    match dice.below(5) {
        0 => format!("Review of the {noun} and next steps"),
        1 => format!("State of the {noun} and next steps"),
        2 => format!("The {noun} and what is next"),
        3 => format!("Next steps for the {noun}"),
        _ => format!("Review of the {noun}, owners and next steps"),
    }
}

/// What was counted, worded anew.
fn counted(matter: &Matter, left_out: f64, dice: &mut Dice) -> String {
    let Matter {
        noun,
        counted,
        wrong,
        count,
        percent,
        ..
    } = matter;
    if dice.happens(left_out) {
        return format!("The {noun} had {count} {counted}, many of them {wrong}.");
    }
    match dice.below(4) {
        0 => {
            format!("The {noun} had {count} {counted}, and {percent} percent of them were {wrong}.")
        }
        1 => format!("Of the {count} {counted} in the {noun}, {percent} percent were {wrong}."),
        2 => format!(
            "{count} {counted} were found in the {noun}, {percent} percent of them {wrong}."
        ),
        _ => format!(
            "There were {count} {counted} in the {noun}, of which {percent} percent were {wrong}."
        ),
    }
}

fn decided(matter: &Matter, dice: &mut Dice) -> String {
    let Matter {
        owner,
        other,
        day,
        task,
        ..
    } = matter;
    let done = match dice.below(3) {
        0 => format!("{owner} will {task} until {day}, as {other} asked"),
        1 => format!("as {other} asked, {owner} is going to {task} until {day}"),
        _ => format!("{owner} will {task} by {day}, which {other} asked for"),
    };
    match (matter.agreed, dice.below(2)) {
        (true, 0) => format!("Everybody agreed that {done}."),
        (true, _) => format!("The group agreed that {done}."),
        (false, 0) => format!("The group did not agree that {done}."),
        (false, _) => format!("Not everybody agreed that {done}."),
    }
}

fn two_sentences(matter: &Matter, left_out: f64, dice: &mut Dice) -> String {
    format!(
        "{} {}",
        counted(matter, left_out, dice),
        decided(matter, dice)
    )
}

fn paragraph(matter: &Matter, left_out: f64, dice: &mut Dice) -> String {
    let noun = matter.noun;
    let opening = match dice.below(4) {
        0 => format!("Most of the {noun} was new to those who came."),
        1 => format!("What became of the {noun} took a good part of the time."),
        2 => format!("The state of the {noun} was described in some detail."),
        _ => format!("There was much to say of the {noun}."),
    };
    format!("{opening} {}", two_sentences(matter, left_out, dice))
}

fn recap(meeting: &Meeting, dice: &mut Dice) -> String {
    let names: Vec<&str> = meeting
        .people
        .iter()
        .map(|person| person.name.split(' ').next().unwrap_or_default())
        .collect();
    let verb = dice.one_of(&["talked about", "went through", "looked at", "discussed"]);
    let nouns: Vec<&str> = meeting.matters.iter().map(|matter| matter.noun).collect();
    let last = dice.one_of(&[
        "They shared the work among them.",
        "The work was shared out at the end.",
        "At the end each of them took a part of the work.",
    ]);
    format!(
        "{}, {} and {} {verb} the {}, the {} and the {}. {last}",
        names[0], names[1], names[2], nouns[0], nouns[1], nouns[2]
    )
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a shape, not a measurement"
)]
fn audio(dice: &mut Dice) -> AudioFacts {
    let level = |at: i32| 0.2 + 0.15 * (f64::from(at) * 0.37).sin() * (f64::from(at) * 0.011).cos();
    AudioFacts {
        sample_rate: 48_000,
        channels: 2,
        samples: 14_400_000,
        envelope: (0..3000)
            .map(|at| (level(at) + 0.001 * dice.share()) as f32)
            .collect(),
    }
}

/// Events, messages, post and webhook, as they follow from the rest.
fn tell(outcome: &mut Outcome, meeting: &Meeting) {
    let now: DateTime<Utc> = "2026-03-02T13:00:00Z".parse().expect("it is a time");
    let (subject, id) = (&meeting.subject, &meeting.subject.transcript.id);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut all = vec![
        RunEvent::Duration(300_000.0),
        RunEvent::Waveform(outcome.waveform.clone()),
        RunEvent::Transcript(text_of(&outcome.words)),
    ];
    all.extend(outcome.topics.iter().cloned().map(RunEvent::Topic));
    all.extend([
        RunEvent::FinalTitle(text(&outcome.title)),
        RunEvent::FinalShortSummary(text(&outcome.short_summary)),
        RunEvent::FinalLongSummary(text(&outcome.long_summary)),
        RunEvent::Status(Status::Ended),
    ]);
    outcome.events = all.iter().map(RunEvent::event).collect();
    outcome.published = all
        .iter()
        .flat_map(|event| event.published(id, subject.transcript.user_id.as_deref()))
        .collect();
    let row = webhook::Row {
        title: outcome.title.as_deref(),
        short_summary: outcome.short_summary.as_deref(),
        long_summary: outcome.long_summary.as_deref(),
        webvtt: outcome.webvtt.as_deref(),
        duration_ms: 300_000.0,
        topics: &outcome.topics,
        participants: &outcome.participants,
        status: "ended",
    };
    let body = webhook::body("event", now, subject, &row).expect("it can be printed");
    let room = subject.room.as_ref().expect("it has a room");
    let url = webhook::target(subject).expect("it has a webhook");
    let request = webhook::request(url, body, room.webhook_secret.as_deref(), 0, now);
    let content = zulip::content(&zulip::Message {
        transcript: &subject.transcript,
        title: outcome.title.as_deref(),
        long_summary: outcome.long_summary.as_deref(),
        duration_ms: 300_000.0,
        topics: &outcome.topics,
        ui_base_url: &subject.ui_base_url,
    });
    let address = zulip::address(room).expect("it posts");
    outcome.webhook = Some(request);
    outcome.zulip = Some(zulip::post("https://zulip.example.test", address, &content));
}
