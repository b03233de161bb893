//! Both transcripts in one: turns by speaker with their time, and in them what was taken out, put
//! in, or given to somebody else.

use schemars::JsonSchema;
use serde::Serialize;

use super::{heard::Heard, words};
use crate::compare::metrics::alignment::{Step, align};
use crate::model::{Outcome, Word};

/// What one person says in one go.
#[derive(Serialize)]
pub struct Turn {
    time: String,
    speaker: String,
    /// Index of the speaker, for telling speakers apart by more than their name.
    lane: i64,
    changed: bool,
    runs: Vec<Run>,
}

impl Turn {
    /// Whether the two sides differ in it.
    pub(super) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// When it begins.
    pub(super) fn time(&self) -> &str {
        &self.time
    }

    /// What either side has of it, the control's first; of words given to somebody else, to whom.
    pub(super) fn sides(&self) -> [String; 2] {
        let mut sides = [self.speaker.clone(), self.speaker.clone()];
        for side in &mut sides {
            side.push_str(": ");
        }
        let [control, candidate] = &mut sides;
        for run in &self.runs {
            match run.kind {
                "deleted" => control.push_str(&run.text),
                "inserted" => candidate.push_str(&run.text),
                "moved" => {
                    let text = run.text.trim_end();
                    for (side, speaker) in
                        [(&mut *control, &self.speaker), (&mut *candidate, &run.to)]
                    {
                        for part in ["(", speaker, ": ", text, ") "] {
                            side.push_str(part);
                        }
                    }
                }
                _ => {
                    control.push_str(&run.text);
                    candidate.push_str(&run.text);
                }
            }
        }
        sides
    }
}

/// Words that share a mark.
#[derive(Serialize, JsonSchema)]
struct Run {
    /// `kept`, `deleted`, `inserted` or `moved`.
    kind: &'static str,
    text: String,
    /// The words one by one with where each can be heard; empty where none can.
    words: Vec<(String, String)>,
    /// Who says it in the candidate, for a moved run.
    to: String,
}

/// A turn is cut at the next sentence after so many words, so that times stay close together.
const TURN_WORDS: usize = 60;

/// Which words of either side are the same.
pub(super) fn aligned(control: &Outcome, candidate: &Outcome) -> Vec<Step> {
    let texts = |words: &[Word]| -> Vec<String> {
        words
            .iter()
            .map(|word| word.text.trim().to_owned())
            .collect()
    };
    align(&texts(&control.words), &texts(&candidate.words))
}

/// Merges the words of both sides.
pub(super) fn turns(
    (control, candidate): (&Outcome, &Outcome),
    steps: &[Step],
    heard: &Heard,
) -> Vec<Turn> {
    let mut merged = Merged {
        control,
        heard,
        turns: Vec::new(),
        open_words: 0,
    };
    for step in steps {
        match *step {
            Step::Equal(left, right) => {
                let (left, right) = (&control.words[left], &candidate.words[right]);
                let kind = if left.speaker == right.speaker {
                    "kept"
                } else {
                    "moved"
                };
                let to = if kind == "moved" {
                    speaker_name(control, right.speaker)
                } else {
                    String::new()
                };
                merged.say(left, kind, to);
            }
            Step::Substituted(left, right) => {
                merged.say(&control.words[left], "deleted", String::new());
                merged.say(&candidate.words[right], "inserted", String::new());
            }
            Step::Deleted(left) => merged.say(&control.words[left], "deleted", String::new()),
            Step::Inserted(right) => merged.say(&candidate.words[right], "inserted", String::new()),
        }
    }
    merged.turns
}

struct Merged<'a> {
    control: &'a Outcome,
    heard: &'a Heard,
    turns: Vec<Turn>,
    open_words: usize,
}

impl Merged<'_> {
    fn say(&mut self, word: &Word, kind: &'static str, to: String) {
        let goes_on = self.turns.last().is_some_and(|turn| {
            turn.lane == word.speaker && !(self.open_words >= TURN_WORDS && ends_sentence(turn))
        });
        if !goes_on {
            self.open_words = 0;
            self.turns.push(Turn {
                time: words::clock(word.start),
                speaker: speaker_name(self.control, word.speaker),
                lane: word.speaker,
                changed: false,
                runs: Vec::new(),
            });
        }
        self.open_words += 1;
        let Some(turn) = self.turns.last_mut() else {
            return;
        };
        turn.changed |= kind != "kept";
        // Services put the blank before or after a word; read side by side either must do.
        let text = format!("{} ", word.text.trim());
        let spoken = self.heard.at(kind == "inserted").map(|address| {
            let place = format!("{address}#t={:.2}", word.start.max(0.0));
            (place, word.text.trim().to_owned())
        });
        match turn.runs.last_mut() {
            Some(run) if run.kind == kind && run.to == to => {
                run.text.push_str(&text);
                run.words.extend(spoken);
            }
            Some(_) | None => turn.runs.push(Run {
                kind,
                text,
                words: spoken.into_iter().collect(),
                to,
            }),
        }
    }
}

fn ends_sentence(turn: &Turn) -> bool {
    turn.runs
        .last()
        .is_some_and(|run| run.text.trim_end().ends_with(['.', '?', '!', '…']))
}

/// Who speaks on that track.
pub(super) fn speaker_name(outcome: &Outcome, speaker: i64) -> String {
    let found = outcome
        .participants
        .iter()
        .find(|participant| participant.speaker == Some(speaker));
    found.map_or_else(
        || format!("Speaker {speaker}"),
        |participant| participant.name.clone(),
    )
}
