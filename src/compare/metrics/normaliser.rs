//! `norm_v1`: the one normalisation of text before words are compared. Case, quotes and
//! punctuation are not words; digits with their separators are.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// NFKC, lower case, straight apostrophes; punctuation and symbols become blanks, except an
/// apostrophe inside a word, `.,:` between digits and `%` after one; invisible characters vanish;
/// blanks collapse.
pub fn norm_v1(text: &str) -> String {
    if text.is_ascii() {
        return of_ascii(text.as_bytes());
    }
    of_any(text)
}

/// The same rules where a byte is a letter and nothing is composed, which is most of what people say.
fn of_ascii(text: &[u8]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut is_apart = false;
    for (at, &byte) in text.iter().enumerate() {
        let letter = char::from(byte.to_ascii_lowercase());
        let is_kept = match class_of(letter) {
            Class::Word => true,
            Class::Blank => false,
            Class::Invisible => continue,
            Class::Sign => {
                let before = at.checked_sub(1).map(|before| char::from(text[before]));
                let after = text.get(at + 1).copied().map(char::from);
                belongs(letter, before, after)
            }
        };
        if !is_kept {
            is_apart = true;
            continue;
        }
        if is_apart && !kept.is_empty() {
            kept.push(' ');
        }
        is_apart = false;
        kept.push(letter);
    }
    kept
}

fn of_any(text: &str) -> String {
    let folded: Vec<char> = text
        .nfkc()
        .collect::<String>()
        .to_lowercase()
        .chars()
        .map(|letter| match letter {
            '\u{2019}' | '\u{2018}' | '\u{2bc}' => '\'',
            other => other,
        })
        .collect();
    let mut kept = String::with_capacity(text.len());
    for (at, &letter) in folded.iter().enumerate() {
        match class_of(letter) {
            Class::Blank => kept.push(' '),
            Class::Invisible => {}
            Class::Word => kept.push(letter),
            Class::Sign => {
                let before = at.checked_sub(1).map(|before| folded[before]);
                let after = folded.get(at + 1).copied();
                kept.push(if belongs(letter, before, after) {
                    letter
                } else {
                    ' '
                });
            }
        }
    }
    collapse(&kept)
}

/// Words of an already normalised text.
pub fn words(normalised: &str) -> Vec<&str> {
    normalised.split_whitespace().collect()
}

/// Every run of blanks becomes one, outer ones vanish.
pub fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a sign is part of the word it stands in.
fn belongs(sign: char, before: Option<char>, after: Option<char>) -> bool {
    let alphanumeric = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let digit = |letter: Option<char>| letter.is_some_and(char::is_numeric);
    match sign {
        '\'' => alphanumeric(before) && alphanumeric(after),
        '.' | ',' | ':' => digit(before) && digit(after),
        '%' => digit(before),
        _ => false,
    }
}

enum Class {
    Word,
    Sign,
    Blank,
    Invisible,
}

/// The standard library knows letters, digits and blanks; marks come from the normalisation
/// tables; format characters and the few lettered symbols are listed below. What remains is
/// punctuation or a symbol.
fn class_of(letter: char) -> Class {
    if letter.is_ascii_alphanumeric() {
        return Class::Word;
    }
    // Python, whose rules these are, counts the four information separators as blanks.
    if letter.is_whitespace() || matches!(letter, '\u{1c}'..='\u{1f}') {
        Class::Blank
    } else if letter.is_control() || is_format(letter) {
        Class::Invisible
    } else if is_lettered_symbol(letter) {
        Class::Sign
    } else if letter.is_alphanumeric() || is_combining_mark(letter) || is_private(letter) {
        Class::Word
    } else {
        Class::Sign
    }
}

/// Category Cf.
fn is_format(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Letters in circles and squares that NFKC leaves alone: alphabetic, yet category So.
fn is_lettered_symbol(letter: char) -> bool {
    matches!(letter, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}'
        | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}')
}

fn is_private(letter: char) -> bool {
    matches!(letter, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_apostrophe_counts_only_inside_a_word() {
        assert_eq!(norm_v1("Don’t rock 'n' roll"), "don't rock n roll");
    }

    proptest! {
        #[test]
        fn bytes_are_normalised_as_letters_are(text in "[\\x00-\\x7f]{0,40}", said in "[a-zA-Z0-9 .,:%'-]{0,40}") {
            prop_assert_eq!(of_ascii(text.as_bytes()), of_any(&text));
            prop_assert_eq!(of_ascii(said.as_bytes()), of_any(&said));
        }
    }

    #[test]
    fn a_number_keeps_its_separators() {
        assert_eq!(
            norm_v1("$1,250.50, at 9:30 (3.5%)."),
            "1,250.50 at 9:30 3.5%"
        );
    }
}
