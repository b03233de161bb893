//! What a text says that must not change: numbers, names, and whether a sentence is negated.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::matching;
use super::rouge::{Tokens, rouge_n, tokens};

/// Numbers in order of appearance: digits with `.,:` between them and a `%` after, without
/// thousands commas and without trailing zeros of a fraction.
pub fn numbers(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.nfkc().collect();
    let is_digit = |at: usize| letters.get(at).is_some_and(|letter| letter.is_numeric());
    let mut found = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let from = at;
        while is_digit(at) || (matches!(letters.get(at), Some('.' | ',' | ':')) && is_digit(at + 1))
        {
            at += 1;
        }
        let percent = letters.get(at) == Some(&'%');
        let digits: String = letters[from..at].iter().collect();
        found.push(canonical(&digits) + if percent { "%" } else { "" });
        at += usize::from(percent);
    }
    found
}

fn canonical(number: &str) -> String {
    let plain = without_thousands(number);
    match plain.split_once('.') {
        Some((whole, fraction)) if fraction.chars().all(char::is_numeric) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{fraction}")
            }
        }
        Some(_) | None => plain,
    }
}

/// A comma goes when exactly three digits follow it.
fn without_thousands(number: &str) -> String {
    let mut parts = number.split(',');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part
            .chars()
            .take_while(|letter| letter.is_numeric())
            .count();
        if digits != 3 {
            plain.push(',');
        }
        plain.push_str(part);
    }
    plain
}

/// How many elements two lists share, each counted as often as it occurs in both.
pub fn shared(left: &[String], right: &[String]) -> usize {
    left.len() - missing(left, right).len()
}

/// What of `left` is not in `right`, each counted as often as it occurs.
pub fn missing<'a>(left: &'a [String], right: &[String]) -> Vec<&'a str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for element in right {
        *counts.entry(element).or_default() += 1;
    }
    left.iter()
        .filter(|element| match counts.get_mut(element.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            Some(_) | None => true,
        })
        .map(String::as_str)
        .collect()
}

/// The names a text mentions, in the order they were given.
pub fn mentioned<'a>(text: &str, names: &'a [String]) -> Vec<&'a str> {
    let text = folded(text);
    names
        .iter()
        .filter(|name| occurs(&text, &folded(name)))
        .map(String::as_str)
        .collect()
}

fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// Whether the name stands in the text with no word character on either side.
fn occurs(text: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word)
        })
}

/// Sentences that say the same of another: of two statements alike but for facts, each has one that the
/// other lacks, or the same ones change places. As `(reference, hypothesis)`; for facts of which both
/// texts have as many. `is_fact` is asked of words in lower case.
pub fn exchanged(
    reference: &str,
    hypothesis: &str,
    is_fact: &dyn Fn(&str) -> bool,
) -> Vec<(String, String)> {
    let statements = |text: &str| -> Vec<Statement> {
        let all = sentences(text).into_iter();
        all.map(|sentence| Statement::of(sentence.text, is_fact))
            .collect()
    };
    let (left, right) = (statements(reference), statements(hypothesis));
    if left.is_empty() || right.is_empty() {
        return Vec::new();
    }
    let alike: Vec<Vec<f64>> = left
        .iter()
        .map(|one| {
            let of = |other: &Statement| rouge_n(&one.rest, &other.rest, 1).f;
            right.iter().map(of).collect()
        })
        .collect();
    matching::best(&alike)
        .pairs
        .into_iter()
        .filter(|&(l, r)| alike[l][r] >= SAME_BUT_FOR_FACTS && left[l].is_of_others(&right[r]))
        .map(|(l, r)| (left[l].text.clone(), right[r].text.clone()))
        .collect()
}

/// From here on, two sentences are one statement, whoever and whatever it is about.
const SAME_BUT_FOR_FACTS: f64 = 0.6;

/// A sentence taken apart into facts and the rest.
struct Statement {
    text: String,
    /// All words; none in place of a fact.
    frame: Vec<Option<String>>,
    facts: Vec<String>,
    rest: Vec<String>,
}

impl Statement {
    fn of(text: String, is_fact: &dyn Fn(&str) -> bool) -> Self {
        let plain = text.replace("'s", "").replace("\u{2019}s", "");
        let (mut frame, mut facts, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for word in tokens(&plain, Tokens::Unicode) {
            if is_fact(&word) {
                facts.push(word);
                frame.push(None);
            } else {
                rest.push(word.clone());
                frame.push(Some(word));
            }
        }
        Self {
            text,
            frame,
            facts,
            rest,
        }
    }

    fn is_of_others(&self, other: &Self) -> bool {
        let (lost, new) = (
            missing(&self.facts, &other.facts),
            missing(&other.facts, &self.facts),
        );
        if !lost.is_empty() || !new.is_empty() {
            // "He" is no other than Ben.
            return !lost.is_empty() && !new.is_empty();
        }
        self.frame == other.frame && self.facts != other.facts && !self.is_list()
    }

    /// Whether the facts are told in one breath, so that their order says nothing.
    fn is_list(&self) -> bool {
        let first = self.frame.iter().position(Option::is_none);
        let last = self.frame.iter().rposition(Option::is_none);
        let (Some(first), Some(last)) = (first, last) else {
            return true;
        };
        let between = self.frame[first..=last].iter().flatten();
        between
            .into_iter()
            .all(|word| LISTS.contains(&word.as_str()))
    }
}

/// Words between the members of a list.
const LISTS: &[&str] = &["and", "or", "und", "oder", "et", "ou", "y", "o", "и", "или"];

/// Below this, two sentences are two statements and not one statement said twice.
const SAME_STATEMENT: f64 = 0.4;

/// Sentences whose negation turned, as `(reference, hypothesis)`; one side may be empty when a
/// sentence without a counterpart is negated.
pub fn negation_flips(reference: &str, hypothesis: &str) -> Vec<(String, String)> {
    let (left, right) = (sentences(reference), sentences(hypothesis));
    if left.is_empty() || right.is_empty() {
        return Vec::new();
    }
    let alike: Vec<Vec<f64>> = left
        .iter()
        .map(|sentence| {
            right
                .iter()
                .map(|other| rouge_n(&sentence.words, &other.words, 1).f)
                .collect()
        })
        .collect();
    let only_pair = left.len() == 1 && right.len() == 1;
    let pairs: Vec<(usize, usize)> = matching::best(&alike)
        .pairs
        .into_iter()
        .filter(|&(l, r)| only_pair || alike[l][r] >= SAME_STATEMENT)
        .collect();

    let mut flips: Vec<(String, String)> = pairs
        .iter()
        .filter(|&&(l, r)| left[l].is_negative() != right[r].is_negative())
        .map(|&(l, r)| (left[l].text.clone(), right[r].text.clone()))
        .collect();
    let lone = |all: &[Sentence], paired: &dyn Fn(usize) -> bool| -> Vec<String> {
        let negated = all
            .iter()
            .enumerate()
            .filter(|(at, sentence)| !paired(*at) && sentence.is_negative());
        negated.map(|(_, sentence)| sentence.text.clone()).collect()
    };
    let mut left_lone = lone(&left, &|at| pairs.iter().any(|pair| pair.0 == at));
    let mut right_lone = lone(&right, &|at| pairs.iter().any(|pair| pair.1 == at));
    // As many negated sentences without counterpart on both sides: reworded, as far as words tell.
    let both = left_lone.len().min(right_lone.len());
    flips.extend(
        left_lone
            .split_off(both)
            .into_iter()
            .map(|text| (text, String::new())),
    );
    flips.extend(
        right_lone
            .split_off(both)
            .into_iter()
            .map(|text| (String::new(), text)),
    );
    flips
}

struct Sentence {
    text: String,
    words: Vec<String>,
}

impl Sentence {
    /// "Not approved" and "rejected" say the same; "not rejected" and "rejected" do not.
    fn is_negative(&self) -> bool {
        let negated = self.words.iter().any(|word| is_negation(word));
        let turned = self
            .words
            .iter()
            .any(|word| REFUSALS.iter().any(|stem| word.starts_with(stem)));
        negated != turned
    }
}

fn sentences(text: &str) -> Vec<Sentence> {
    let mut all = Vec::new();
    let mut push = |part: &str| {
        let words = tokens(&part.replace(['\'', '\u{2019}'], ""), Tokens::Unicode);
        if !words.is_empty() {
            all.push(Sentence {
                text: part.trim().to_owned(),
                words,
            });
        }
    };
    for line in text.lines() {
        let mut from = 0;
        for (at, mark) in line.match_indices(['.', '!', '?', ';', '。']) {
            let end = at + mark.len();
            // "6.5" and "e.g" go on; a sentence ends before a blank or the line's end.
            if mark == "。" || line[end..].chars().next().is_none_or(char::is_whitespace) {
                push(&line[from..end]);
                from = end;
            }
        }
        push(&line[from..]);
    }
    all
}

/// Apostrophes removed. Words that negate in languages meetings are summarised in.
const NEGATIONS: &[&str] = &[
    "not",
    "no",
    "never",
    "none",
    "nobody",
    "nothing",
    "neither",
    "nor",
    "without",
    "cannot",
    "cant",
    "dont",
    "doesnt",
    "didnt",
    "isnt",
    "arent",
    "wasnt",
    "werent",
    "wont",
    "wouldnt",
    "shouldnt",
    "couldnt",
    "mustnt",
    "havent",
    "hasnt",
    "hadnt",
    "aint",
    "neednt",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "nie",
    "pas",
    "jamais",
    "nunca",
    "не",
    "нет",
    "никогда",
];

/// Stems of words that turn a decision round.
const REFUSALS: &[&str] = &["reject", "refus", "disapprov", "declin", "denied", "cancel"];

/// Whether a normalised word negates.
pub fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&word.replace('\'', "").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_not_is_a_flip() {
        let flips = negation_flips("We will not launch on Friday.", "We will launch on Friday.");
        assert_eq!(flips.len(), 1);
    }

    #[test]
    fn a_rejected_budget_is_not_an_approved_one() {
        assert_eq!(
            negation_flips(
                "The team approved the budget.",
                "The team rejected the budget."
            )
            .len(),
            1
        );
    }

    #[test]
    fn rewording_a_negated_sentence_is_no_flip() {
        let flips = negation_flips(
            "Ben didn't finish the cache yet.",
            "Ben has not finished the cache.",
        );
        assert_eq!(flips, []);
    }

    #[test]
    fn who_did_what_may_not_change_places() {
        let is_name = |word: &str| ["ben", "chloe"].contains(&word);
        let is_number = |word: &str| word.contains(char::is_numeric);
        for (control, candidate, count) in [
            (
                "Ben owns the API. Chloe owns the UI.",
                "Chloe owns the API. Ben owns the UI.",
                2,
            ),
            (
                "Ben owns the API. Chloe owns the UI.",
                "Chloe owns the UI. Ben owns the API.",
                0,
            ),
            ("Ben reports to Chloe.", "Chloe reports to Ben.", 1),
            ("Ben and Chloe agreed.", "Chloe and Ben agreed.", 0),
            (
                "Ben's plan was read by Chloe.",
                "Chloe read the plan Ben made.",
                0,
            ),
            (
                "Ben will ask the vendor about prices.",
                "He will ask the vendor about prices.",
                0,
            ),
            ("15 people need 50 chairs.", "50 people need 15 chairs.", 1),
            (
                "15 people need 50 chairs.",
                "For 15 people, 50 chairs are needed.",
                0,
            ),
        ] {
            let names = exchanged(control, candidate, &is_name).len();
            let numbers = exchanged(control, candidate, &is_number).len();
            assert_eq!(names + numbers, count, "{control} / {candidate}");
        }
    }

    #[test]
    fn thousands_commas_go_and_lists_of_digits_stay() {
        assert_eq!(
            numbers("1,250.50 and 1,2 at 06:00, 3%"),
            ["1250.5", "1,2", "06:00", "3%"]
        );
    }

    #[test]
    fn a_name_inside_a_word_is_no_mention() {
        let names = ["Ana".to_owned(), "Zoë".to_owned()];
        assert_eq!(mentioned("Analysis by ZOË.", &names), ["Zoë"]);
    }
}
