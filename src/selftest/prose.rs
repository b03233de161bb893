//! Faults of what a model wrote: a number, a name, a negation, a section.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::derive::reword;
use super::dice::Dice;
use crate::model::Outcome;

/// Everything a model wrote, titles first.
fn texts(outcome: &Outcome) -> Vec<String> {
    let topics = &outcome.topics;
    let mut all: Vec<String> = outcome.title.iter().cloned().collect();
    all.extend(topics.iter().map(|topic| topic.title.clone()));
    all.extend(summaries(outcome));
    all
}

fn summaries(outcome: &Outcome) -> Vec<String> {
    let whole = [&outcome.short_summary, &outcome.long_summary];
    let mut all: Vec<String> = whole.into_iter().flatten().cloned().collect();
    all.extend(outcome.topics.iter().map(|topic| topic.summary.clone()));
    all
}

/// Chooses among all places in all texts, and writes something else there.
fn rewrite(
    outcome: &mut Outcome,
    dice: &mut Dice,
    texts: &[String],
    places: impl Fn(&str) -> Vec<(usize, usize, String)>,
) -> Option<()> {
    let all = texts.iter().flat_map(|text| {
        let places = places(text).into_iter();
        places.map(move |place| (text, place))
    });
    let all: Vec<_> = all.collect();
    let (text, (from, to, instead)) = dice.pick(&all)?;
    let changed = format!("{}{instead}{}", &text[..*from], &text[*to..]);
    reword(outcome, text, &changed);
    Some(())
}

/// One digit becomes the next one.
pub(super) fn change_number(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let texts = texts(outcome);
    rewrite(outcome, dice, &texts, |text| {
        let digits = text
            .char_indices()
            .filter(|(_, letter)| letter.is_ascii_digit());
        // A 9 becomes 1, since a leading 0 might be left out as well.
        let next = |(at, letter): (usize, char)| {
            let digit = letter.to_digit(10).map_or(1, |digit| digit % 9 + 1);
            let next = char::from_digit(digit, 10).unwrap_or('1');
            (at, at + 1, next.to_string())
        };
        digits.map(next).collect()
    })
}

/// Every mention of one participant in one text becomes another.
pub(super) fn swap_name(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let names = first_names(outcome);
    let mut swaps = Vec::new();
    for text in texts(outcome) {
        for (at, spellings) in names.iter().enumerate() {
            let said = spellings
                .iter()
                .find(|name| !mentions(&text, name).is_empty());
            let other = names.iter().enumerate().find(|(other, spellings)| {
                *other != at
                    && spellings
                        .iter()
                        .all(|name| mentions(&text, name).is_empty())
            });
            // Where everybody is mentioned, one of them is mentioned in another's place.
            let other = other.or_else(|| names.iter().enumerate().find(|(other, _)| *other != at));
            if let (Some(said), Some((_, other))) = (said, other) {
                swaps.push((text.clone(), said.clone(), other[0].clone()));
            }
        }
    }
    let (text, said, other) = dice.pick(&swaps)?;
    let mut changed = text.clone();
    for at in mentions(text, said).into_iter().rev() {
        changed.replace_range(at..at + said.len(), other);
    }
    reword(outcome, text, &changed);
    Some(())
}

/// Two participants of one text, of whom different sentences tell, change places in all of it.
pub(super) fn exchange_names(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let names: Vec<String> = first_names(outcome).into_iter().flatten().collect();
    let mut exchanges = Vec::new();
    for text in texts(outcome) {
        let tells_of = |one: &str, other: &str| {
            text.split(['.', '\n']).any(|sentence| {
                !mentions(sentence, one).is_empty() && mentions(sentence, other).is_empty()
            })
        };
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                if tells_of(one, other) && tells_of(other, one) {
                    exchanges.push((text.clone(), one.clone(), other.clone()));
                }
            }
        }
    }
    let (text, one, other) = dice.pick(&exchanges)?;
    let mut places: Vec<(usize, &str, &str)> = mentions(text, one)
        .into_iter()
        .map(|at| (at, one.as_str(), other.as_str()))
        .collect();
    let others = mentions(text, other).into_iter();
    places.extend(others.map(|at| (at, other.as_str(), one.as_str())));
    places.sort_unstable();
    let mut changed = text.clone();
    for (at, was, is) in places.into_iter().rev() {
        changed.replace_range(at..at + was.len(), is);
    }
    reword(outcome, text, &changed);
    Some(())
}

/// First names as they are written, with and without accents, of those who have one.
fn first_names(outcome: &Outcome) -> Vec<Vec<String>> {
    let people = outcome.participants.iter();
    let names = people.filter_map(|person| {
        let mut parts = person.name.split_whitespace();
        let first = parts.next().filter(|first| first.chars().count() > 1)?;
        let is_number = parts.next().is_some_and(|rest| rest.parse::<i64>().is_ok());
        (!is_number).then(|| first.to_owned())
    });
    let mut all: Vec<Vec<String>> = Vec::new();
    for name in names {
        let plain: String = name
            .nfd()
            .filter(|letter| !is_combining_mark(*letter))
            .collect();
        let mut spellings = vec![name];
        if plain != spellings[0] {
            spellings.push(plain);
        }
        if !all.contains(&spellings) {
            all.push(spellings);
        }
    }
    all
}

/// Where a name stands as a word of its own.
fn mentions(text: &str, name: &str) -> Vec<usize> {
    let places = text.match_indices(name).map(|(at, _)| at);
    let alone = |at: &usize| {
        !text[..*at].ends_with(char::is_alphanumeric)
            && !text[at + name.len()..].starts_with(char::is_alphanumeric)
    };
    places.filter(alone).collect()
}

/// A verb that can be negated is.
pub(super) fn negate(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    const VERBS: [&str; 14] = [
        "will", "is", "are", "was", "were", "can", "should", "must", "would", "could", "has",
        "have", "had", "may",
    ];
    let texts = summaries(outcome);
    rewrite(outcome, dice, &texts, |text| {
        let mut places = Vec::new();
        for verb in VERBS {
            for at in mentions(text, verb) {
                let end = at + verb.len();
                let rest = &text[end..];
                if rest.starts_with(' ') && !is_negated(text, at) {
                    places.push((end, end, " not".to_owned()));
                }
            }
        }
        places.sort();
        places
    })
}

/// Whether the sentence around a place holds a negation already: two would make none.
fn is_negated(text: &str, at: usize) -> bool {
    const ENDS: [char; 4] = ['.', '!', '?', '\n'];
    const NEGATIONS: [&str; 9] = [
        "not", "no", "never", "none", "nobody", "nothing", "without", "neither", "nor",
    ];
    let from = text[..at].rfind(ENDS).map_or(0, |end| end + 1);
    let to = text[at..].find(ENDS).map_or(text.len(), |end| at + end);
    let sentence = text[from..to].to_lowercase();
    let mut words = sentence.split(|letter: char| !letter.is_alphanumeric() && letter != '\'');
    words.any(|word| NEGATIONS.contains(&word) || word.ends_with("n't"))
}

/// From a heading to before the next.
pub(super) fn drop_section(outcome: &mut Outcome, dice: &mut Dice) -> Option<()> {
    let texts: Vec<String> = outcome.long_summary.iter().cloned().collect();
    rewrite(outcome, dice, &texts, |text| {
        let begins = text.match_indices("# ").map(|(at, _)| at);
        let begins = begins.filter(|at| *at == 0 || text[..*at].ends_with('\n'));
        let begins: Vec<usize> = begins.collect();
        let ends = begins.iter().skip(1).copied().chain([text.len()]);
        let sections = begins.iter().copied().zip(ends);
        sections
            .map(|(from, to)| (from, to, String::new()))
            .collect()
    })
}
