//! Where in the console something can be done about a notice.

use std::fmt::Write as _;

use crate::model::NoticeKind;

/// The address of the page for a notice of that kind; `console` is the console's own.
pub fn page(console: &str, kind: NoticeKind, environment: &str, flag: &str) -> String {
    let path = match kind {
        NoticeKind::Flip
        | NoticeKind::Request
        | NoticeKind::Hold
        | NoticeKind::Release
        | NoticeKind::HoldExpired
        | NoticeKind::Override
        | NoticeKind::Routing
        | NoticeKind::Soak
        | NoticeKind::Export => format!("/phases/{}/{}", encoded(environment), encoded(flag)),
        NoticeKind::Breaker | NoticeKind::Retention => "/breaker".to_owned(),
        NoticeKind::Refused => "/recordings".to_owned(),
        NoticeKind::Review => "/reviews".to_owned(),
        NoticeKind::Summary => "/audit".to_owned(),
        NoticeKind::Test => "/".to_owned(),
    };
    format!("{}{path}", console.trim_end_matches('/'))
}

/// A segment of a path.
fn encoded(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // A string takes any text.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_leads_to_the_page_where_something_can_be_done() {
        let to = |kind| page("https://s.example/", kind, "eu west", "f");
        assert_eq!(to(NoticeKind::Soak), "https://s.example/phases/eu%20west/f");
        assert_eq!(to(NoticeKind::Review), "https://s.example/reviews");
        assert_eq!(to(NoticeKind::Breaker), "https://s.example/breaker");
    }
}
