//! A long meeting as both pipelines would leave it: everything a comparison looks at, made up.

use std::fmt::Write as _;

use serde_json::{Value, json};
use switchyard::{
    contract::{events::RunEvent, python_json, webvtt},
    model::{
        AudioFacts, Event, HttpRequest, Object, Outcome, OutcomeStatus, Participant, Published,
        Topic, TranscriptId, Word,
    },
};

use super::dice::Dice;

/// How large a meeting is.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) hours: usize,
    pub(super) speakers: usize,
    pub(super) words: usize,
}

/// Different words people use, the first ones most.
const VOCABULARY: usize = 8000;
/// Words a topic is made of.
const TOPIC_WORDS: usize = 300;
const SAMPLE_RATE: usize = 48_000;

/// Control and candidate; one word in twenty is another, is lost, or is new.
pub(super) fn both(size: Size, seed: u64) -> (Outcome, Outcome) {
    let mut dice = Dice::new(seed);
    let vocabulary: Vec<String> = (0..VOCABULARY).map(|_| new_word(&mut dice)).collect();
    let mut common = Vec::new();
    for (rank, word) in vocabulary.iter().enumerate() {
        common.extend(std::iter::repeat_n(word.as_str(), 1 + 2000 / (rank + 1)));
    }
    let said = said(&mut dice, size, &common);
    let heard = heard(&mut dice, &said, &common);
    let prose: Vec<String> = (0..size.words / TOPIC_WORDS + 8)
        .map(|_| sentence(&mut dice, &common, 24))
        .collect();
    let reworded: Vec<String> = prose
        .iter()
        .map(|text| reworded(&mut dice, text, &common))
        .collect();
    (
        outcome(size, said, &prose, 0.0),
        outcome(size, heard, &reworded, 3.0),
    )
}

fn new_word(dice: &mut Dice) -> String {
    let letter = |dice: &mut Dice| dice.one_of(b"aeioubcdfghklmnprstvw") as char;
    (0..2 + dice.below(8)).map(|_| letter(dice)).collect()
}

/// People speak in turns of 3 to 40 words.
fn said(dice: &mut Dice, size: Size, common: &[&str]) -> Vec<Word> {
    let step = size.hours as f64 * 3600.0 / size.words as f64;
    let mut words = Vec::with_capacity(size.words);
    while words.len() < size.words {
        let speaker = dice.below(size.speakers);
        for _ in 0..(3 + dice.below(38)).min(size.words - words.len()) {
            let start = milliseconds(words.len() as f64 * step);
            words.push(Word {
                text: format!(" {}", dice.one_of(common)),
                start,
                end: milliseconds(start + step * 0.9),
                speaker: i64::try_from(speaker).expect("few speakers"),
            });
        }
    }
    words
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn heard(dice: &mut Dice, said: &[Word], common: &[&str]) -> Vec<Word> {
    let mut heard = Vec::with_capacity(said.len());
    for word in said {
        let mut word = word.clone();
        word.start = milliseconds(word.start + 0.004);
        match dice.below(200) {
            0..4 => word.text = format!(" {}", dice.one_of(common)),
            4..7 => continue,
            7..10 => heard.push(Word {
                text: format!(" {}", dice.one_of(common)),
                ..word.clone()
            }),
            _ => {}
        }
        heard.push(word);
    }
    heard
}

fn sentence(dice: &mut Dice, common: &[&str], words: usize) -> String {
    let mut text = String::new();
    for at in 0..words {
        let blank = if at == 0 { "" } else { " " };
        write!(text, "{blank}{}", dice.one_of(common)).expect("a string takes all");
    }
    text + "."
}

fn reworded(dice: &mut Dice, text: &str, common: &[&str]) -> String {
    let each = text.split(' ').map(|word| {
        if dice.happens(0.3) {
            dice.one_of(common)
        } else {
            word
        }
    });
    each.collect::<Vec<_>>().join(" ")
}

fn outcome(size: Size, words: Vec<Word>, prose: &[String], late_ms: f64) -> Outcome {
    let topics: Vec<Topic> = words
        .chunks(TOPIC_WORDS)
        .zip(prose)
        .enumerate()
        .map(|(at, (words, prose))| Topic {
            id: format!("topic-{late_ms}-{at}"),
            title: prose.split(' ').take(5).collect::<Vec<_>>().join(" "),
            summary: prose.clone(),
            timestamp: words[0].start,
            duration: 0.0,
            transcript: words.iter().map(|word| word.text.as_str()).collect(),
            words: words.to_vec(),
        })
        .collect();
    let last = &prose[prose.len() - 8..];
    let title = topics[0].title.clone();
    let short_summary = last[..4].join(" ");
    let long_summary = format!(
        "# Quick recap\n{}\n# Summary\n**First**\n{}\n**Second**\n{}\n",
        last[4], last[5], last[6]
    );
    let duration_ms = size.hours as f64 * 3_600_000.0 + late_ms;
    let waveform: Vec<f64> = (0..255).map(|at| f64::from(at % 17) / 20.0).collect();
    let told = told(
        &topics,
        &words,
        &waveform,
        duration_ms,
        &[&title, &short_summary, &long_summary],
    );
    let webvtt = webvtt::of_topics(&topics).expect("words are in order");
    let samples = size.hours * 3600 * SAMPLE_RATE;
    Outcome {
        status: OutcomeStatus::Ended,
        failure: None,
        participants: participants(size.speakers),
        duration_ms: Some(duration_ms),
        audio: Some(AudioFacts {
            sample_rate: 48_000,
            channels: 2,
            samples: u64::try_from(samples).expect("it fits"),
            envelope: (0..size.hours * 36_000)
                .map(|at| (at % 89) as f32 / 89.0)
                .collect(),
        }),
        events: told.iter().map(RunEvent::event).collect::<Vec<Event>>(),
        published: told
            .iter()
            .flat_map(|event| event.published(&transcript(), Some("user-1")))
            .collect::<Vec<Published>>(),
        zulip: Some(zulip(&title, &long_summary)),
        webhook: Some(webhook(
            &topics,
            &webvtt,
            [&title, &short_summary, &long_summary],
        )),
        objects: vec![Object {
            bucket: "transcripts".to_owned(),
            key: "t1/audio.mp3".to_owned(),
            content_type: "audio/mpeg".to_owned(),
            size: 1,
        }],
        words,
        topics,
        title: Some(title),
        short_summary: Some(short_summary),
        long_summary: Some(long_summary),
        webvtt: Some(webvtt),
        waveform,
        deleted: Vec::new(),
        audio_deleted: false,
        steps: Vec::new(),
        usage: Vec::new(),
    }
}

fn transcript() -> TranscriptId {
    "t1".into()
}

fn told(
    topics: &[Topic],
    words: &[Word],
    waveform: &[f64],
    duration_ms: f64,
    [title, short, long]: &[&String; 3],
) -> Vec<RunEvent> {
    let text = words.iter().map(|word| word.text.as_str()).collect();
    let mut told = vec![
        RunEvent::Duration(duration_ms),
        RunEvent::Waveform(waveform.to_vec()),
        RunEvent::Transcript(text),
    ];
    told.extend(topics.iter().cloned().map(RunEvent::Topic));
    told.extend([
        RunEvent::FinalTitle((*title).clone()),
        RunEvent::FinalShortSummary((*short).clone()),
        RunEvent::FinalLongSummary((*long).clone()),
    ]);
    told
}

fn participants(speakers: usize) -> Vec<Participant> {
    let each = |at: usize| Participant {
        id: format!("participant-{at}"),
        speaker: i64::try_from(at).ok(),
        name: format!("Name{at} Family{at}"),
        user_id: None,
    };
    (0..speakers).map(each).collect()
}

fn zulip(title: &str, summary: &str) -> HttpRequest {
    let content = format!("# Reflector – {title}\n\n```spoiler Summary\n{summary}\n```\n\n-----\n");
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("type", "stream")
        .append_pair("to", "meetings")
        .append_pair("content", &content)
        .finish();
    HttpRequest {
        method: "POST".to_owned(),
        url: "https://chat.example.test/api/v1/messages".to_owned(),
        headers: Vec::new(),
        body: form,
    }
}

fn webhook(topics: &[Topic], webvtt: &str, [title, short, long]: [&String; 3]) -> HttpRequest {
    let topics: Vec<Value> = topics
        .iter()
        .map(|topic| {
            json!({
                "title": topic.title,
                "summary": topic.summary,
                "timestamp": topic.timestamp,
                "webvtt": webvtt::of_topic(topic).expect("words are in order"),
            })
        })
        .collect();
    let body = json!({
        "event": "transcript.completed",
        "transcript": {
            "id": "t1", "title": title, "short_summary": short, "long_summary": long,
            "webvtt": webvtt, "topics": topics,
        },
    });
    HttpRequest {
        method: "POST".to_owned(),
        url: "https://customer.example.test/hook".to_owned(),
        headers: Vec::new(),
        body: python_json::to_string_compact(&body).expect("JSON"),
    }
}
