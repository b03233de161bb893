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
    let mut characters = word.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.collect::<String>() + &characters.as_str().to_lowercase()
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
        ] {
            assert_eq!(clean_title(title), clean);
        }
    }

    #[test]
    fn quotes_alone_leave_nothing() {
        assert_eq!(clean_title("\"'\"'"), "");
    }
}
