//! Reflector's re-capitalisation of titles. It destroys acronyms (`API` becomes `api` or `Api`);
//! users see it everywhere, so it is matched, not mended.

use super::python_text;

/// Words with more code points than this get a capital.
const SHORT: usize = 3;

/// Drops quotes around the title and capitalises the first word and every longer one.
pub fn clean_title(title: &str) -> String {
    python_text::words(title.trim_matches(['"', '\'']))
        .enumerate()
        .map(|(index, word)| {
            if index == 0 || word.chars().count() > SHORT {
                capitalise(word)
            } else {
                word.to_lowercase()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn capitalise(word: &str) -> String {
    let Some(first) = word.chars().next() else {
        return String::new();
    };
    // A sigma's form depends on the letters around it, so the whole word is lowered.
    let lower = word.to_lowercase();
    let rest = first.to_lowercase().map(char::len_utf8).sum();
    titled(first) + lower.get(rest..).unwrap_or_default()
}

/// Python's `str.title` of one character (Unicode's titlecase), which is not always upper case.
fn titled(letter: char) -> String {
    let upper: String = letter.to_uppercase().collect();
    let single = match letter {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals for whole words only.
        '\u{10d0}'..='\u{10ff}' => letter,
        // Greek with an iota below, which capitals have beside them.
        '\u{1f80}'..='\u{1faf}' => char::from_u32(u32::from(letter) | 8).unwrap_or(letter),
        '\u{1fb3}' | '\u{1fbc}' => '\u{1fbc}',
        '\u{1fc3}' | '\u{1fcc}' => '\u{1fcc}',
        '\u{1ff3}' | '\u{1ffc}' => '\u{1ffc}',
        'ŉ' => return upper,
        _ => {
            let mut letters = upper.chars();
            let Some(first) = letters.next() else {
                return upper;
            };
            let rest = letters.as_str();
            return match rest.strip_suffix('Ι') {
                Some(rest) if ('\u{1f00}'..='\u{1fff}').contains(&letter) => {
                    format!("{first}{rest}\u{345}")
                }
                Some(_) | None => format!("{first}{}", rest.to_lowercase()),
            };
        }
    };
    single.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_rewritten_as_the_legacy_was_seen_to_rewrite_them() {
        for (title, clean) in [
            ("o'neil iOS app", "O'neil ios app"),
            ("  hello   WORLD  ", "Hello World"),
            ("\"Quoted\" and 'x'", "Quoted\" and 'x"),
            ("ÉCOLE über alles", "École Über Alles"),
            ("don't STOP-the music", "Don't Stop-the Music"),
            ("", ""),
            ("Q1 API review", "Q1 api Review"),
            ("'the quick BROWN fox'", "The Quick Brown fox"),
            ("A/B testing", "A/b Testing"),
            ("ǆungla ﬁnale ΟΔΟΣ ქართული", "ǅungla Finale Οδος ქართული"),
        ] {
            assert_eq!(clean_title(title), clean);
        }
    }

    #[test]
    fn quotes_alone_leave_nothing() {
        assert_eq!(clean_title("\"'\"'"), "");
    }
}
