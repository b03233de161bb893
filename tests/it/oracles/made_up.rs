//! Meetings nobody held: small, so that the exact programs get through a thousand of them, and with
//! all that goes wrong in real ones.

use serde::Serialize;
use switchyard::compare::metrics::transcript::Segment;

use crate::dice::Dice;

/// What is measured of one meeting, on both sides.
#[derive(Serialize)]
pub(super) struct Meeting {
    #[serde(serialize_with = "segments")]
    pub(super) reference: Vec<Segment>,
    #[serde(serialize_with = "segments")]
    pub(super) hypothesis: Vec<Segment>,
    /// A tight one, in seconds.
    pub(super) collar: f64,
    pub(super) reference_masses: Vec<usize>,
    pub(super) hypothesis_masses: Vec<usize>,
    pub(super) reference_text: String,
    pub(super) hypothesis_text: String,
    pub(super) similarity: Vec<Vec<f64>>,
    pub(super) reference_series: Vec<f64>,
    pub(super) hypothesis_series: Vec<f64>,
}

fn segments<S: serde::Serializer>(segments: &[Segment], to: S) -> Result<S::Ok, S::Error> {
    let json = segments.iter().map(|segment| {
        serde_json::json!({
            "speaker": segment.speaker,
            "start": segment.start,
            "end": segment.end,
            "words": segment.words,
        })
    });
    to.collect_seq(json)
}

/// Few enough that a word is said again, and by others.
const WORDS: &[&str] = &[
    "we", "ship", "on", "friday", "yes", "no", "the", "build", "is", "green", "budget", "über",
    "да", "東京", "café", "3.5%", "don't", "a",
];
const MARKS: &[&str] = &[" ", " ", " ", ", ", ". ", "\n", " - ", "’"];

impl Meeting {
    pub(super) fn made_up(dice: &mut Dice) -> Self {
        let speakers = 1 + dice.below(4);
        let reference = turns(dice, speakers);
        let hypothesis = heard(dice, &reference, speakers);
        let words = 2 + dice.below(300);
        let (rows, columns) = (1 + dice.below(7), 1 + dice.below(7));
        let length = 1 + dice.below(40);
        let level = |dice: &mut Dice| (dice.share() * 200.0).round() / 200.0;
        let reference_text = prose(dice);
        let hypothesis_text = reworded(dice, &reference_text);
        Self {
            collar: [0.1, 0.5, 1.0, 2.5][dice.below(4)],
            reference_masses: masses(dice, words),
            hypothesis_masses: masses(dice, words),
            similarity: (0..rows)
                .map(|_| (0..columns).map(|_| dice.share()).collect())
                .collect(),
            reference_series: (0..length).map(|_| level(dice)).collect(),
            hypothesis_series: (0..length).map(|_| level(dice)).collect(),
            reference,
            hypothesis,
            reference_text,
            hypothesis_text,
        }
    }
}

fn word(dice: &mut Dice) -> String {
    dice.one_of(WORDS).to_owned()
}

/// People let each other finish, mostly.
fn turns(dice: &mut Dice, speakers: usize) -> Vec<Segment> {
    let mut at = dice.share() * 3.0;
    (0..=dice.below(7))
        .map(|_| {
            let words: Vec<String> = (0..=dice.below(6)).map(|_| word(dice)).collect();
            let start = at;
            let end = start + words.len() as f64 * (0.2 + dice.share() * 0.4);
            at = if dice.happens(0.2) {
                start + (end - start) * dice.share()
            } else {
                end + dice.share() * 2.0
            };
            Segment {
                speaker: dice.below(speakers).to_string(),
                start,
                end,
                words,
            }
        })
        .collect()
}

/// What another pipeline makes of it.
fn heard(dice: &mut Dice, reference: &[Segment], speakers: usize) -> Vec<Segment> {
    let renamed = dice.happens(0.2);
    let late = if dice.happens(0.2) {
        dice.share() * 6.0
    } else {
        0.0
    };
    let errors = [0.0, 0.05, 0.2, 0.6][dice.below(4)];
    let mut heard = Vec::new();
    for segment in reference {
        if dice.happens(0.04) {
            continue;
        }
        let mut segment = segment.clone();
        segment.start += late + dice.share() * 0.05;
        segment.end = (segment.end + late + dice.share() * 0.05).max(segment.start + 0.01);
        let mut words = Vec::new();
        for said in segment.words {
            if !dice.happens(errors) {
                words.push(said);
                continue;
            }
            match dice.below(3) {
                0 => words.push(word(dice)),
                1 => words.extend([said, word(dice)]),
                _ => {}
            }
        }
        segment.words = words;
        if dice.happens(0.1) {
            segment.speaker = dice.below(speakers + 1).to_string();
        } else if renamed {
            let label: usize = segment.speaker.parse().expect("labels are numbers");
            segment.speaker = ((label + 1) % speakers).to_string();
        }
        if dice.happens(0.15) && segment.words.len() > 1 {
            let middle = f64::midpoint(segment.start, segment.end);
            let half = segment.words.len() / 2;
            let rest = segment.words.split_off(half);
            let second = Segment {
                start: middle,
                words: rest,
                ..segment.clone()
            };
            segment.end = middle;
            heard.extend([segment, second]);
        } else if !segment.words.is_empty() {
            heard.push(segment);
        }
    }
    if heard.is_empty() {
        // MeetEval's programs stop at a side without any segment.
        heard.push(Segment {
            speaker: "0".to_owned(),
            start: 0.0,
            end: 1.0,
            words: vec![word(dice)],
        });
    }
    heard
}

fn masses(dice: &mut Dice, words: usize) -> Vec<usize> {
    let mut left = words;
    let mut masses = Vec::new();
    while left > 0 {
        let mass = 1 + dice.below(left.min(1 + words / 3));
        masses.push(mass);
        left -= mass;
    }
    masses
}

fn prose(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(40) {
        text.push_str(dice.one_of(WORDS));
        text.push_str(dice.one_of(MARKS));
    }
    text
}

fn reworded(dice: &mut Dice, text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for _ in 0..dice.below(8) {
        let at = dice.below(words.len());
        words[at] = word(dice);
    }
    if dice.happens(0.2) {
        words.reverse();
    }
    words.join(" ")
}
