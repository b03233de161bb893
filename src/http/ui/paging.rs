//! Lists in pages of fifty.

use serde::Serialize;
use url::form_urlencoded;

use super::super::{Error, body::wrong};

/// Lines on a page.
pub(super) const PAGE: usize = 50;

/// Which page of how many, with the ways to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Pager {
    /// From 1.
    pub(super) page: usize,
    pages: usize,
    /// All lines there are.
    of: usize,
    /// The first line on it, from 1; 0 where there is none.
    first: usize,
    last: usize,
    before: Option<String>,
    after: Option<String>,
}

/// The page that is asked for, from 1.
pub(super) fn page_of(asked: Option<&str>) -> Result<usize, Error> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
        return Ok(1);
    };
    let page = asked.parse::<usize>().ok();
    page.filter(|page| (1..=1_000_000).contains(page))
        .ok_or_else(|| wrong("page", "write a whole number from 1 on"))
}

/// How many rows come before a page, and how many are on it at most.
pub(super) fn rows(page: usize) -> (i64, i64) {
    let number = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    (number((page - 1) * PAGE), number(PAGE))
}

impl Pager {
    /// A page of so many lines; `link` is the address of the list, with its filters.
    pub(super) fn of(page: usize, of: usize, link: &str) -> Self {
        let pages = of.div_ceil(PAGE).max(1);
        let page = page.min(pages);
        let first = (page - 1) * PAGE;
        let last = (first + PAGE).min(of);
        let to = |page: usize| {
            let joint = if link.contains('?') { '&' } else { '?' };
            format!("{link}{joint}page={page}")
        };
        Self {
            page,
            pages,
            of,
            first: if of == 0 { 0 } else { first + 1 },
            last,
            before: (page > 1).then(|| to(page - 1)),
            after: (page < pages).then(|| to(page + 1)),
        }
    }

    /// How many lines come before it.
    pub(super) fn skipped(&self) -> usize {
        (self.page - 1) * PAGE
    }
}

/// An address with what is set of a query.
pub(super) fn link(path: &str, query: &[(&str, Option<&str>)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.append_pair(name, value);
        }
    }
    let text = text.finish();
    if text.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_beyond_the_last_is_the_last() {
        let pager = Pager::of(9, 120, "/reports?field=words");
        assert_eq!((pager.page, pager.pages, pager.skipped()), (3, 3, 100));
        assert_eq!((pager.first, pager.last), (101, 120));
        assert_eq!(pager.before.as_deref(), Some("/reports?field=words&page=2"));
        assert_eq!(pager.after, None);
        let empty = Pager::of(1, 0, "/reports");
        assert_eq!((empty.first, empty.last, empty.pages), (0, 0, 1));
    }

    #[test]
    fn an_address_holds_what_is_set_and_nothing_else() {
        let query = [
            ("field", Some("words")),
            ("by", None),
            ("cluster", Some("")),
        ];
        assert_eq!(link("/reviews", &query), "/reviews?field=words");
        assert_eq!(
            link("/reviews", &[("by", Some("a b&c"))]),
            "/reviews?by=a+b%26c"
        );
        assert_eq!(link("/reviews", &[]), "/reviews");
    }
}
