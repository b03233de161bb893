//! Lists in pages: `limit` says how long one is, `cursor` where it begins, `next` and the header `Link`
//! (RFC 8288) where the one after it does.
//!
//! What a cursor holds is nobody's business but the list's that made it.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    Error,
    caller::Visit,
    field::{Field, number, text},
};

/// How long a page is where nobody says.
pub(super) const USUAL_LIMIT: i64 = 50;

/// The longest a page is.
pub(super) const HIGHEST_LIMIT: i64 = 500;

/// The longest cursor; ours are shorter.
const LONGEST_CURSOR: usize = 1024;

/// How long a list is to be.
pub(super) const LIMIT: Field = number(
    "limit",
    (1, HIGHEST_LIMIT),
    "how long a page is at most; 50 where nothing is said",
);

/// What is asked for in the query of a list.
pub(super) const FIELDS: [Field; 2] = [
    LIMIT,
    text(
        "cursor",
        "where the page begins: `next` of the page before",
        "",
    ),
];

/// Which page is asked for.
#[derive(Debug)]
pub(super) struct Paging {
    /// How long it is at most.
    pub limit: i64,
    /// What the page before ended with; none for the first.
    pub after: Option<String>,
    /// Path and query that were asked for.
    asked: String,
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let visit = Visit::from_request_parts(parts, state).await?;
        Self::read(&query, visit.path)
    }
}

impl Paging {
    fn read(query: &str, asked: String) -> Result<Self, Error> {
        let of = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(found, _)| found == name);
            found.map(|(_, value)| value.into_owned())
        };
        let limit = of("limit").map_or(Ok(USUAL_LIMIT), |limit| limit.parse());
        let limit = limit
            .ok()
            .filter(|limit| (1..=HIGHEST_LIMIT).contains(limit));
        let limit = limit.ok_or_else(|| {
            Error::BadRequest(format!(
                "`limit` must be a whole number from 1 to {HIGHEST_LIMIT}"
            ))
        })?;
        let after = of("cursor").map(|cursor| opened(&cursor)).transpose()?;
        Ok(Self {
            limit,
            after,
            asked,
        })
    }

    /// The page of a list that is at hand as a whole. `id` is what an item is found again by; where the
    /// one that the page before ended with is gone, the list begins anew, so that nothing is left out.
    pub(super) fn cut<T>(&self, items: Vec<T>, id: impl Fn(&T) -> String) -> Page<T> {
        let last = self.after.as_ref();
        let last = last.and_then(|last| items.iter().position(|item| id(item) == *last));
        let begin = last.map_or(0, |last| last + 1);
        let all = items.len();
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let items: Vec<_> = items.into_iter().skip(begin).take(limit).collect();
        let is_more = begin + items.len() < all;
        let next = items.last().filter(|_| is_more).map(id);
        self.page(items, next)
    }

    /// The page of a list that was read from where the page before ended, one item further than it goes.
    pub(super) fn began<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> String) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let is_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| is_more).map(place);
        self.page(items, next)
    }

    /// A page, and what it ends with where another follows.
    pub(super) fn page<T>(&self, items: Vec<T>, next: Option<String>) -> Page<T> {
        let next = next.map(|next| URL_SAFE_NO_PAD.encode(next));
        let link = next.as_ref().map(|next| self.link(next));
        Page { items, next, link }
    }

    /// The address of the page after, all else that was asked for included.
    fn link(&self, next: &str) -> String {
        let (path, query) = self.asked.split_once('?').unwrap_or((&self.asked, ""));
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name != "cursor" {
                pairs.append_pair(&name, &value);
            }
        }
        pairs.append_pair("cursor", next);
        format!("<{path}?{}>; rel=\"next\"", pairs.finish())
    }
}

/// What a cursor holds.
fn opened(cursor: &str) -> Result<String, Error> {
    let bytes = (cursor.len() <= LONGEST_CURSOR).then(|| URL_SAFE_NO_PAD.decode(cursor));
    let bytes = bytes.and_then(Result::ok).ok_or_else(no_cursor)?;
    String::from_utf8(bytes).map_err(|_| no_cursor())
}

/// There is no such cursor.
pub(super) fn no_cursor() -> Error {
    Error::BadRequest(
        "`cursor` must be `next` of the page before, as it was answered; leave it out for the first page"
            .to_owned(),
    )
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    link: Option<String>,
}

impl<T> Page<T> {
    /// Leaves items out.
    pub(super) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.items.retain(stays);
    }
}

impl<T: Serialize> Page<T> {
    /// The page as an answer, its items under that name.
    pub(super) fn named(self, name: &str) -> Result<Response, Error> {
        let items = serde_json::to_value(self.items).map_err(anyhow::Error::from)?;
        let mut told = Map::new();
        told.insert(name.to_owned(), items);
        if let Some(next) = self.next {
            told.insert("next".to_owned(), Value::from(next));
        }
        let mut response = Json(told).into_response();
        let link = self.link.and_then(|link| HeaderValue::from_str(&link).ok());
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(query: &str) -> Paging {
        Paging::read(query, format!("/api/v1/holds?{query}")).expect("it is read")
    }

    fn cut(query: &str, items: &[&str]) -> (Vec<String>, Option<String>) {
        let items = items.iter().map(|item| (*item).to_owned()).collect();
        let page = paging(query).cut(items, String::clone);
        (page.items, page.next)
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all = ["a", "b", "c", "d", "e"];
        let (first, next) = cut("limit=2", &all);
        assert_eq!(first, ["a", "b"]);
        let (second, next) = cut(&format!("limit=2&cursor={}", next.expect("more")), &all);
        assert_eq!(second, ["c", "d"]);
        let (third, next) = cut(&format!("limit=2&cursor={}", next.expect("more")), &all);
        assert_eq!((third, next), (vec!["e".to_owned()], None));
        assert_eq!(cut("limit=5", &all).1, None);
        assert_eq!(cut("limit=5", &[]), (Vec::new(), None));
    }

    #[test]
    fn what_comes_or_goes_before_a_page_moves_nothing_out_of_it() {
        let (_, next) = cut("limit=2", &["a", "b", "c", "d"]);
        let second = format!("limit=2&cursor={}", next.expect("more"));
        assert_eq!(cut(&second, &["new", "a", "b", "c", "d"]).0, ["c", "d"]);
        assert_eq!(cut(&second, &["b", "c", "d"]).0, ["c", "d"]);
        assert_eq!(
            cut(&second, &["a", "c", "d"]).0,
            ["a", "c"],
            "`b` is gone, and `c` was not seen"
        );
    }

    #[test]
    fn the_link_keeps_what_else_was_asked_for() {
        let page = paging("by=ana+b&limit=1").cut(vec!["a", "b"], ToString::to_string);
        let next = page.next.expect("more");
        assert_eq!(
            page.link.expect("a link"),
            format!("</api/v1/holds?by=ana+b&limit=1&cursor={next}>; rel=\"next\"")
        );
    }

    #[test]
    fn a_cursor_nobody_gave_is_refused() {
        for cursor in ["%00", "???", "a", "_w", &"a".repeat(2000)] {
            let read = Paging::read(&format!("cursor={cursor}"), String::new());
            assert!(read.is_err(), "{cursor}");
        }
    }
}
