//! Trimming, splitting and printing of texts as Python's `str` does them. Python counts the four
//! information separators (U+001C to U+001F) as blanks, Unicode and Rust do not.

use chrono::{DateTime, Timelike, Utc};

/// Whether `str.isspace` holds for the character.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// `text.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `text.split()`.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `text.splitlines()`: a line ends at any of Python's line boundaries, and the last one need not
/// be ended.
pub fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_line_end) {
        lines.push(&rest[..at]);
        let ended = &rest[at..];
        let end_len = if ended.starts_with("\r\n") {
            2
        } else {
            ended.chars().next().map_or(0, char::len_utf8)
        };
        rest = &ended[end_len..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

fn is_line_end(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// `datetime.isoformat()` of a time in UTC: microseconds are left out when there are none.
pub fn isoformat(time: DateTime<Utc>) -> String {
    let layout = if time.nanosecond() / 1_000 == 0 {
        "%Y-%m-%dT%H:%M:%S+00:00"
    } else {
        "%Y-%m-%dT%H:%M:%S%.6f+00:00"
    };
    time.format(layout).to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn blanks_are_what_python_takes_for_blanks() {
        assert_eq!(strip("\u{1f} \u{a0}\u{2003}a b\u{1c}\n"), "a b");
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
        assert_eq!(words(" a\u{1d}b  c ").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(words("\t ").count(), 0);
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(lines(""), Vec::<&str>::new());
        assert_eq!(
            lines("a\r\nb\rc\n\nd\u{2028}e\n"),
            ["a", "b", "c", "", "d", "e"]
        );
    }

    #[test]
    fn a_time_without_microseconds_has_no_fraction() {
        let at = |micros: u32| Utc.timestamp_opt(1_795_418_811, micros * 1_000).unwrap();
        assert_eq!(isoformat(at(111_941)), "2026-11-23T07:26:51.111941+00:00");
        assert_eq!(isoformat(at(10)), "2026-11-23T07:26:51.000010+00:00");
        assert_eq!(isoformat(at(0)), "2026-11-23T07:26:51+00:00");
    }
}
